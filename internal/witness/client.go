package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/ledger"
)

// A Client asks witnesses to cosign, for any number of logs. It remembers how
// far each witness is, so that one question is enough. Safe for concurrent use.
type Client struct {
	http *http.Client

	mu    sync.Mutex
	sizes map[asked]int64
}

// asked names a log as a witness knows it.
type asked struct{ vkey, origin string }

// askTime bounds one question with its answer.
const askTime = 8 * time.Second

// NewClient returns a client. A nil transport is one of its own.
func NewClient(transport http.RoundTripper) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  askTime,
			IdleConnTimeout:        10 * time.Minute,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		}
	}
	return &Client{sizes: map[asked]int64{}, http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// AheadError says that a witness holds a larger tree than it was brought. If
// the log has grown that far meanwhile, another server of it was faster; else
// the log was rolled back, or the witness lies. It is a ledger.ErrContradicted.
type AheadError struct {
	Name string
	Size int64 // that the witness says it holds
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("witness %s says it cosigned this log at size %d", e.Name, e.Size)
}

// Is makes it a contradiction.
func (e *AheadError) Is(target error) bool { return target == ledger.ErrContradicted }

// Ask brings a checkpoint to a witness and returns the signature line that
// verifies under its key; see [ledger.Witnesses]. If the witness is at another
// size than is remembered here, it is asked once more, from there.
func (c *Client) Ask(ctx context.Context, w ledger.Witness, cp ledger.Checkpoint, signed []byte, prove ledger.ProveFrom) ([]byte, error) {
	target, err := submission(w.URL)
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w", w.Name, err)
	}
	key := asked{w.VKey, cp.Origin}
	for attempt := 1; ; attempt++ {
		r := Request{Old: min(c.remembered(key), cp.Size), Checkpoint: signed}
		if r.Proof, err = prove(ctx, r.Old); err != nil {
			return nil, fmt.Errorf("witness %s: %w", w.Name, err)
		}
		status, media, body, err := c.post(ctx, target, r.Format())
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", w.Name, err)
		}
		switch {
		case status == http.StatusOK:
			line, err := ownLine(body, signed, w.Verifier)
			if err != nil {
				return nil, fmt.Errorf("witness %s: %w", w.Name, err)
			}
			c.remember(key, cp.Size)
			return line, nil
		case status == http.StatusConflict && media == sizeMedia:
			size, err := parseSizeAnswer(body)
			if err != nil {
				return nil, fmt.Errorf("witness %s: %w", w.Name, err)
			}
			if err := c.behind(key, w.Name, r.Old, size, cp); err != nil {
				return nil, err
			}
			if attempt > 1 {
				return nil, fmt.Errorf("witness %s is asked by others at this moment: it is at size %d now", w.Name, size)
			}
		case status == http.StatusUnprocessableEntity:
			return nil, fmt.Errorf("witness %s refuses the proof from size %d to %d: %w", w.Name, r.Old, cp.Size, ledger.ErrContradicted)
		default:
			return nil, fmt.Errorf("witness %s answers with status %d: %.120q", w.Name, status, firstLine(body))
		}
	}
}

// behind takes in the size that a witness says it holds. It is an error if no
// second question can help.
func (c *Client) behind(key asked, name string, old, size int64, cp ledger.Checkpoint) error {
	switch {
	case size > cp.Size:
		return &AheadError{name, size}
	case size == old && size == cp.Size:
		return fmt.Errorf("witness %s cosigned another tree of size %d: %w", name, size, ledger.ErrContradicted)
	case size == old:
		return fmt.Errorf("witness %s refuses the size that it says it holds", name)
	}
	c.remember(key, size)
	return nil
}

func (c *Client) remembered(key asked) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sizes[key]
}

func (c *Client) remember(key asked, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes[key] = size
}

// submission is where checkpoints are brought: https, or loopback for tests and
// a witness on the same machine.
func submission(prefix string) (string, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%.100q is no address of a witness", prefix)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())) {
		return "", fmt.Errorf("%.100q: only https is spoken beyond this machine", prefix)
	}
	return strings.TrimSuffix(u.String(), "/") + path, nil
}

// path of the one operation, below the prefix of a witness.
const path = "/add-checkpoint"

// Loopback reports whether a host is an address of this machine itself.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c *Client) post(ctx context.Context, target string, body []byte) (status int, media string, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "odziv")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, "", nil, err
	}
	if len(answer) > maxAnswer {
		return 0, "", nil, fmt.Errorf("the answer is above %d bytes", maxAnswer)
	}
	media, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode, media, answer, nil
}

// ownLine finds the signature of v in an answer; those of keys that nobody
// asked about are passed over.
func ownLine(body, signed []byte, v note.Verifier) ([]byte, error) {
	lines, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		n, err := note.Open(slices.Concat(signed, line), note.VerifierList(v))
		if err == nil && len(n.Sigs) == 1 {
			return line, nil
		}
	}
	return nil, errors.New("no signature of its key is in the answer")
}

func firstLine(body []byte) []byte {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	return line
}
