package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
)

// wireTap is a transport that a test can make fail. It keeps what went by.
type wireTap struct {
	mu    sync.Mutex
	calls []call
	// before may answer instead of the exchange, or fail; n counts from 1.
	before func(n int, r *http.Request) (*http.Response, error)
	// after may change or lose what the exchange answered.
	after func(n int, r *http.Request, resp *http.Response) (*http.Response, error)
}

type call struct {
	method, path, query, nonce, expect string
	size                               int64
}

func (w *wireTap) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	in := r.Header.Get("Signature-Input")
	w.calls = append(w.calls, call{r.Method, r.URL.Path, r.URL.RawQuery, in, r.Header.Get("Expect"), r.ContentLength})
	n := len(w.calls)
	w.mu.Unlock()
	if w.before != nil {
		if resp, err := w.before(n, r); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && w.after != nil {
		return w.after(n, r, resp)
	}
	return resp, err
}

func (w *wireTap) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

var errLost = errors.New("connection reset")

// lost fails the attempts up to n before they reach the exchange.
func lost(upTo int) func(int, *http.Request) (*http.Response, error) {
	return func(n int, _ *http.Request) (*http.Response, error) {
		if n <= upTo {
			return nil, errLost
		}
		return nil, nil
	}
}

// says makes an answer.
func says(status int, header map[string]string, body string) *http.Response {
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body))}
}

// tapped starts a world and a client of its first officer through a tap.
func tapped(t *testing.T, opts client.Options) (*apitest.World, *wireTap, *client.Client) {
	t.Helper()
	w := apitest.Start(t, api.Options{})
	tap := &wireTap{}
	opts.Transport = tap
	return w, tap, w.Client(w.A.Officers[0], opts)
}

// A lost connection is tried again, a bounded number of times, each time under
// a fresh nonce.
func TestLostConnection(t *testing.T) {
	var pauses []time.Duration
	w, tap, c := tapped(t, client.Options{Pause: func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}})
	tap.before = lost(2)
	if err := c.PutKey(t.Context(), w.A.Key.Recipient().String()); err != nil {
		t.Fatal(err)
	}
	if len(tap.calls) != 3 || tap.calls[0].nonce == tap.calls[1].nonce || tap.calls[1].nonce == tap.calls[2].nonce {
		t.Errorf("%d attempts: %+v", len(tap.calls), tap.calls)
	}
	if len(pauses) != 2 || pauses[1] <= pauses[0] {
		t.Errorf("paused %v", pauses)
	}
	tap.calls, tap.before = nil, lost(100)
	err := c.PutKey(t.Context(), w.A.Key.Recipient().String())
	if !errors.Is(err, errLost) || len(tap.calls) != 3 {
		t.Errorf("%d attempts, %v", len(tap.calls), err)
	}
}

// An answer that is lost after the exchange recorded the write: the same write
// again is the same.
func TestLostAnswer(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	tap.after = func(n int, _ *http.Request, resp *http.Response) (*http.Response, error) {
		if n == 1 {
			resp.Body.Close()
			return nil, errLost
		}
		return resp, nil
	}
	if err := c.PutKey(t.Context(), w.A.Key.Recipient().String()); err != nil || tap.count() != 2 {
		t.Errorf("%d attempts, %v", tap.count(), err)
	}
}

// An answer that breaks off is asked for once more.
func TestBrokenAnswer(t *testing.T) {
	_, tap, c := tapped(t, client.Options{})
	breaks := 1
	tap.after = func(n int, _ *http.Request, resp *http.Response) (*http.Response, error) {
		if n <= breaks {
			resp.Body.Close()
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte(`{"genesis":"`)), broken{}))
		}
		return resp, nil
	}
	if s, err := c.Status(t.Context()); err != nil || s.Genesis == "" || tap.count() != 2 {
		t.Errorf("%d attempts, %+v, %v", tap.count(), s, err)
	}
	tap.calls, breaks = nil, 100
	if _, err := c.Status(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) || tap.count() != 2 {
		t.Errorf("%d attempts, %v", tap.count(), err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Which answers of no are asked again.
func TestWhatIsTriedAgain(t *testing.T) {
	problem := `{"type":"urn:odziv:problem:store","title":"T","status":503,"code":"store","hint":"H"}`
	for _, tt := range []struct {
		name     string
		answer   *http.Response
		attempts int
		code     string
	}{
		{"503 with Retry-After", says(503, map[string]string{"Content-Type": wire.Problems, "Retry-After": "1"}, problem), 3, "store"},
		{"503 without", says(503, map[string]string{"Content-Type": wire.Problems}, problem), 1, "store"},
		{"502 of a proxy", says(502, map[string]string{"Content-Type": "text/html"}, "<h1>"), 3, client.CodeGateway},
		{"503 of a proxy", says(503, nil, ""), 3, client.CodeGateway},
		{"504 of a proxy", says(504, nil, ""), 3, client.CodeGateway},
		{"500 of something", says(500, nil, ""), 1, client.CodeForeign},
		{"a page", says(200, map[string]string{"Content-Type": "text/html"}, "<h1>"), 1, ""},
		{"a redirect", says(307, map[string]string{"Location": "https://other.example/"}, ""), 1, client.CodeForeign},
		{"no content", says(204, nil, ""), 1, client.CodeForeign},
		{"a problem of another status", says(404, map[string]string{"Content-Type": wire.Problems}, problem), 1, client.CodeForeign},
		{"a problem that is none", says(404, map[string]string{"Content-Type": wire.Problems}, `{"status":404}`), 1, client.CodeForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := io.ReadAll(tt.answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			tap := &wireTap{before: func(int, *http.Request) (*http.Response, error) {
				again := *tt.answer
				again.Body = io.NopCloser(bytes.NewReader(body))
				return &again, nil
			}}
			c, err := client.New("https://exchange.example", nil, func() int64 { return apitest.Begin }, client.Options{
				Transport: tap, Pause: func(context.Context, time.Duration) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Status(t.Context())
			if err == nil || wire.CodeOf(err) != tt.code || tap.count() != tt.attempts {
				t.Errorf("%d attempts, %v", tap.count(), err)
			}
		})
	}
}

// A clock that is off is corrected from the exchange's own time, once per call.
func TestClockSkew(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	for _, off := range []int64{-3600_000, 3600_000, -121_000, 31_000 + 1000} {
		tap := &wireTap{}
		c, err := client.New(w.URL, w.A.Officers[0], func() int64 { return w.Clock.Now() + off }, client.Options{Transport: tap})
		if err != nil {
			t.Fatal(err)
		}
		if c.Offset() != 0 {
			t.Errorf("offset %d before anything was said", c.Offset())
		}
		if _, err := c.Checkpoint(t.Context(), wire.Dir); err != nil || tap.count() != 2 {
			t.Errorf("%d ms off: %d attempts, %v", off, tap.count(), err)
		}
		if d := c.Now() - w.Clock.Now(); d < -1000 || d > 1000 {
			t.Errorf("%d ms off, corrected to %d", off, d)
		}
		if _, err := c.Checkpoint(t.Context(), wire.Dir); err != nil || tap.count() != 3 {
			t.Errorf("%d ms off, second call: %d attempts, %v", off, tap.count(), err)
		}
	}
}

// An exchange that refuses every time is not asked for ever.
func TestClockSkewForEver(t *testing.T) {
	_, tap, c := tapped(t, client.Options{})
	tap.before = func(int, *http.Request) (*http.Response, error) {
		return says(401, map[string]string{"Content-Type": wire.Problems, "Date": "Mon, 02 Mar 2026 10:00:00 GMT"},
			`{"type":"urn:odziv:problem:clock-skew","title":"T","status":401,"code":"clock-skew"}`), nil
	}
	if _, err := c.Checkpoint(t.Context(), wire.Ev); wire.CodeOf(err) != "clock-skew" || tap.count() != 2 {
		t.Errorf("%d attempts, %v", tap.count(), err)
	}
}

// The caller's own end of patience is an end, and the caller's error.
func TestCallerGivesUp(t *testing.T) {
	_, tap, c := tapped(t, client.Options{})
	ctx, stop := context.WithCancel(t.Context())
	tap.before = func(int, *http.Request) (*http.Response, error) { stop(); return nil, errLost }
	if _, err := c.Checkpoint(ctx, wire.Ev); !errors.Is(err, context.Canceled) || tap.count() != 1 {
		t.Errorf("%d attempts, %v", tap.count(), err)
	}
}

// An exchange that says nothing is left after the client's own time.
func TestSilentExchange(t *testing.T) {
	_, tap, c := tapped(t, client.Options{Timeout: time.Millisecond, Attempts: 2})
	tap.before = func(_ int, r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if _, err := c.Checkpoint(t.Context(), wire.Ev); err == nil || errors.Is(err, context.Canceled) || tap.count() != 2 {
		t.Errorf("%d attempts, %v", tap.count(), err)
	}
}
