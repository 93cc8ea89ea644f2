package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
)

// Bounds of answers, in bytes.
const (
	maxOne     = 1 << 20  // of one thing
	maxList    = 64 << 20 // of a page
	maxProblem = 64 << 10
)

// maxUnasked is the largest body, in bytes, that is sent before the exchange
// has seen the signature. A larger one could be cut off by the refusal, which
// would look like a lost connection.
const maxUnasked = 1 << 20

// ask is one operation to be sent, perhaps several times.
type ask struct {
	method string
	path   string
	query  url.Values
	body   []byte
	media  string // of the body
	accept string // media type the answer must have
	time   time.Duration
}

// errAnswer says that what answered is not an exchange.
var errAnswer = errors.New("the answer is not an exchange's")

// do sends a until it is answered, refused for good, or the attempts are used
// up. The caller closes the answer's body.
func (c *Client) do(ctx context.Context, a ask) (*http.Response, error) {
	corrected := false
	for attempt := 1; ; attempt++ {
		resp, err := c.once(ctx, a)
		switch {
		case err == nil:
			return resp, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("client: %w", ctx.Err())
		case wire.CodeOf(err) == "clock-skew" && !corrected:
			corrected = true
			attempt-- // it is no fault of the connection
			continue
		case attempt >= c.opts.Attempts || !passing(err):
			return nil, fmt.Errorf("client: %w", err)
		}
		if err := c.opts.Pause(ctx, 250*time.Millisecond<<(2*(attempt-1))); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
	}
}

// lost is a failure that the same request may not meet again: the connection
// broke, or the exchange said so.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

func (l lost) Is(target error) bool { return target == ErrAway }

// ErrAway is wrapped by every error that the same request may not meet again
// later: nobody answered, the connection broke, or the exchange is busy. What
// became of the request is then unknown; every write may be repeated.
var ErrAway = errors.New("the exchange cannot be reached now")

func passing(err error) bool {
	var l lost
	return errors.As(err, &l)
}

// once signs a anew and sends it. The deadline of the attempt holds until the
// body of the answer is closed.
func (c *Client) once(ctx context.Context, a ask) (*http.Response, error) {
	within, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(a.time, cancel)
	resp, err := c.send(within, a)
	if err != nil {
		if within.Err() != nil && ctx.Err() == nil {
			err = errSilent
		}
		timer.Stop()
		cancel()
		return nil, err
	}
	resp.Body = &answerBody{src: resp.Body, timer: timer, ctx: ctx, within: within, cancel: cancel}
	if err := c.check(resp, a.accept); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// errSilent is a deadline of this package, not of the caller.
var errSilent error = lost{errors.New("the exchange did not answer in time")}

// answerBody ends the attempt's deadline when it is closed.
type answerBody struct {
	src    io.ReadCloser
	timer  *time.Timer
	stall  time.Duration   // if not 0, of each read, in place of one deadline for all
	ctx    context.Context // of the caller
	within context.Context // of the attempt
	cancel context.CancelFunc
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.stall > 0 { // the time between reads is the caller's
		b.timer.Reset(b.stall)
		defer b.timer.Stop()
	}
	n, err := b.src.Read(p)
	if err != nil && err != io.EOF && b.within.Err() != nil && b.ctx.Err() == nil {
		err = errSilent
	}
	return n, err
}

func (b *answerBody) Close() error {
	b.timer.Stop()
	err := b.src.Close()
	b.cancel()
	return err
}

func (c *Client) send(ctx context.Context, a ask) (*http.Response, error) {
	target := c.base + a.path
	if len(a.query) > 0 {
		target += "?" + a.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, a.method, target, bytes.NewReader(a.body))
	if err != nil {
		return nil, errors.New("the request cannot be made: a value in its path is not one")
	}
	req.Header.Set("User-Agent", "odziv")
	if a.media != "" {
		req.Header.Set("Content-Type", a.media)
	}
	if len(a.body) > maxUnasked {
		req.Header.Set("Expect", "100-continue")
	}
	if c.signer != nil {
		if err := request.Sign(ctx, req, a.body, c.signer, c.Now(), request.NewNonce()); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lost{withoutURL(err)}
	}
	return resp, nil
}

// withoutURL drops what net/http puts around an error: the URL, which names a
// message or a desk and must not reach a log.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// check turns every answer but the one hoped for into an error.
func (c *Client) check(resp *http.Response, accept string) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusNoContent && accept == "" {
		return nil
	}
	if resp.StatusCode == http.StatusOK {
		if want, _, _ := mime.ParseMediaType(accept); accept == "" || media != want {
			return errAnswer
		}
		return nil
	}
	p := readProblem(resp, media)
	if p.Code == "clock-skew" {
		c.correct(resp.Header.Get("Date"))
	}
	if resp.Header.Get("Retry-After") != "" || p.Code == CodeGateway {
		return lost{p}
	}
	return p
}

// correct takes over the exchange's time. It is known to the second; the middle
// of that second is nearest.
func (c *Client) correct(date string) {
	if t, err := http.ParseTime(date); err == nil {
		c.offset.Store(t.UnixMilli() + 500 - c.clock())
	}
}

// Codes of answers that come from no exchange: something on the way failed, or
// something else answered.
const (
	CodeGateway = "gateway"
	CodeForeign = "foreign-answer"
)

func readProblem(resp *http.Response, media string) *wire.Problem {
	if media == wire.Problems {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
		var p wire.Problem
		if err == nil && json.Unmarshal(data, &p) == nil && p.Code != "" && p.Status == resp.StatusCode {
			return &p
		}
	}
	code, hint := CodeForeign, "check the address of the exchange"
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		code, hint = CodeGateway, "the exchange cannot be reached from here right now"
	}
	return &wire.Problem{Type: wire.TypePrefix + code, Title: "The answer is not an exchange's.", Status: resp.StatusCode, Code: code, Hint: hint}
}

// read sends a and returns the whole answer, at most limit bytes.
func (c *Client) read(ctx context.Context, a ask, limit int64) ([]byte, error) {
	a.time = c.opts.Timeout
	return c.readWithin(ctx, a, limit)
}

// readWithin is read under the deadline of a. An answer that breaks off is
// asked for once more.
func (c *Client) readWithin(ctx context.Context, a ask, limit int64) ([]byte, error) {
	for last := false; ; last = true {
		resp, err := c.do(ctx, a)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
		resp.Body.Close()
		switch {
		case err == nil && int64(len(data)) <= limit:
			return data, nil
		case err == nil:
			return nil, fmt.Errorf("client: the answer is above %d bytes", limit)
		case last || ctx.Err() != nil:
			return nil, fmt.Errorf("client: the answer broke off: %w", lost{err})
		}
	}
}

// get asks for JSON.
func (c *Client) get(ctx context.Context, path string, query url.Values, limit int64, into any) error {
	data, err := c.read(ctx, ask{method: http.MethodGet, path: path, query: query, accept: wire.JSON}, limit)
	return decode(data, err, into)
}

// put sends JSON and is answered with JSON.
func (c *Client) put(ctx context.Context, path string, body []byte, limit int64, into any) error {
	data, err := c.read(ctx, ask{method: http.MethodPut, path: path, body: body, media: wire.JSON, accept: wire.JSON}, limit)
	return decode(data, err, into)
}

// decode reads an answer. Members it does not know are passed over, so that an
// exchange may say more one day.
func decode(data []byte, err error, into any) error {
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("client: %w: %w", errAnswer, err)
	}
	return nil
}
