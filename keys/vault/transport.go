package vault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"context"

	"github.com/hashicorp/vault/api"
)

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 1 << 20

var (
	errTooLarge    = errors.New("answer is too large")
	errNotLoopback = errors.New("http leads to another machine")
)

// transport is one pool of connections for all requests of a client: no proxy,
// no redirect followed, TLS 1.2 at least, answers bounded.
type transport struct{ pool *http.Transport }

func newTransport(cfg Config) (transport, error) {
	u, err := parseAddress(cfg.Address)
	if err != nil {
		return transport{}, err
	}
	dialer := &net.Dialer{Timeout: cfg.Timeout}
	if u.Scheme == "http" {
		dialer.Control = onlyLoopback
	}
	roots, err := readRoots(cfg.CACert)
	if err != nil {
		return transport{}, err
	}
	return transport{&http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    cfg.Timeout,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // a bound on what is read is a bound on what it becomes
	}}, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("vault: certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("vault: %s holds no certificate in PEM", file)
	}
	return roots, nil
}

// onlyLoopback refuses the address that a name was resolved to, once known.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return errNotLoopback
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.pool.RoundTrip(req)
	if err == nil {
		resp.Body = &bounded{resp.Body, maxAnswer}
	}
	return resp, err
}

// bounded fails a body beyond its bound, where http.MaxBytesReader would need a
// server and io.LimitReader would cut without a word.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// door is Vault's own client made to do what the configuration says and nothing
// else: it would read addresses, tokens, headers, namespaces, proxies and time
// limits from the environment, ask again on its own, and follow a redirect with
// the token in its hand.
func (t transport) door(cfg Config, token Secret) (*api.Client, error) {
	c, err := api.NewClient(&api.Config{
		Address:          cfg.Address,
		HttpClient:       &http.Client{Transport: t, CheckRedirect: noRedirect},
		DisableRedirects: true,
		MaxRetries:       0,
		CheckRetry:       noRetry,
	})
	if err != nil { // it reads the environment even where it is told everything
		return nil, errors.New("vault: a VAULT_ variable in the environment cannot be read; " +
			"none is used here, but Vault's library insists: unset them")
	}
	c.SetToken(token.Reveal())
	c.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	c.SetMFACreds(nil)
	c.SetWrappingLookupFunc(func(string, string) string { return "" })
	return c, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// noRetry: whether a request that got no answer was carried out is not known, so
// only who knows what it was may ask again.
func noRetry(context.Context, *http.Response, error) (bool, error) { return false, nil }
