package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/odziv/odziv/internal/statement"
)

// Options of a client. The zero value of each is its default.
type Options struct {
	Roots     *x509.CertPool    // who signed the exchange's certificate; default: the system's
	Transport http.RoundTripper // in place of the client's own, which speaks TLS 1.3 alone
	Attempts  int               // of one request, the first among them; default 3
	Timeout   time.Duration     // of one attempt without a part; default 60 s
	ChunkTime time.Duration     // of one chunk of a part; default 5 min
	StallTime time.Duration     // without a byte of a part arriving; default 60 s
	// Pause waits between attempts; default: a timer. It returns early, with
	// the context's error, when ctx ends.
	Pause func(ctx context.Context, d time.Duration) error
}

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		o.Transport = transport(o.Roots)
	}
	if o.Attempts <= 0 {
		o.Attempts = 3
	}
	o.Timeout = orDefault(o.Timeout, time.Minute)
	o.ChunkTime = orDefault(o.ChunkTime, 5*time.Minute)
	o.StallTime = orDefault(o.StallTime, time.Minute)
	if o.Pause == nil {
		o.Pause = pause
	}
	return o
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func transport(roots *x509.CertPool) http.RoundTripper {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: roots, MinVersion: tls.VersionTLS13,
			CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}, // the hybrid alone: an old client must not weaken it
		},
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  5 * time.Minute,
		ExpectContinueTimeout:  2 * time.Second,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true, // an answer is as large as it says
		ForceAttemptHTTP2:      true,
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Client is one officer's connection to one exchange. It is safe for concurrent
// use.
type Client struct {
	base   string // without a slash at the end
	signer statement.Signer
	clock  func() int64
	opts   Options
	http   *http.Client
	offset atomic.Int64
}

// New returns a client of the exchange at base ("https://exchange.example").
// clock is this machine's time in ms since 1970 UTC. Plain HTTP is for loopback
// alone. Without a signer it is that of [Public].
func New(base string, signer statement.Signer, clock func() int64, opts Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("client: the address of an exchange is https:// and a host, nothing more")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("client: %s: only https is spoken beyond this machine", u.Host)
	}
	opts = opts.withDefaults()
	c := &Client{base: u.Scheme + "://" + u.Host, signer: signer, clock: clock, opts: opts}
	c.http = &http.Client{Transport: opts.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a signature holds for one host and path
	}}
	return c, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Offset is how far the exchange's clock is ahead of this machine's, in ms: 0
// until the exchange refused a request for its time.
func (c *Client) Offset() int64 { return c.offset.Load() }

// Now is the exchange's time as far as is known, in ms since 1970 UTC. Requests
// and statements are dated by it; this machine's clock is never set.
func (c *Client) Now() int64 { return c.clock() + c.Offset() }
