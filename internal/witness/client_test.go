package witness

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// witnessed is a witness behind HTTP that counts what it is asked.
func witnessed(t *testing.T, w *Witness) (ledger.Witness, *int) {
	t.Helper()
	count := new(int)
	inner := w.Handler(slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		*count++
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	return ledger.Witness{Name: "w", Verifier: w.Key.Verifier(), VKey: w.Key.VerifierKey(), URL: srv.URL}, count
}

// A client that knows nothing asks twice, then once each time, also when the
// witness forgot what it had.
func TestAsk(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 30)
	w := open(t, t.TempDir())
	to, count := witnessed(t, w)
	ask := func(c *Client, size int64) error {
		signed := sign(t, own, b.at(t, size))
		line, err := c.Ask(t.Context(), to, b.at(t, size), signed, b.prove(t, size))
		if err == nil {
			signedBy(t, w, slices.Concat(signed, line))
		}
		return err
	}
	first, second := NewClient(nil), NewClient(nil)
	for i, step := range []struct {
		by    *Client
		size  int64
		asked int
	}{
		{first, 10, 1},  // nothing is known on either side
		{second, 20, 2}, // 409, then 200
		{second, 25, 1}, // remembered
		{second, 25, 1}, // once more, for a fresh time
		{first, 30, 2},  // another server was faster
	} {
		*count = 0
		if err := ask(step.by, step.size); err != nil || *count != step.asked {
			t.Errorf("step %d: %v, asked %d times, want %d", i, err, *count, step.asked)
		}
	}
	var ahead *AheadError
	if err := ask(first, 12); !errors.As(err, &ahead) || ahead.Size != 30 || !errors.Is(err, ledger.ErrContradicted) {
		t.Errorf("a smaller tree: %v", err)
	}
	w.Memory = open(t, t.TempDir()).Memory
	if err := ask(first, 30); err != nil {
		t.Errorf("a witness that forgot: %v", err)
	}
}

// A log that forked is told so, whether the trees differ in size or not.
func TestAskContradicted(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 20)
	fork := b.forked(t, 4)
	fork.grow(t, "b", 16)
	for size, want := range map[int64]string{10: "cosigned another tree", 15: "refuses the proof", 6: "cosigned this log at size 10"} {
		to, _ := witnessed(t, open(t, t.TempDir()))
		c := NewClient(nil)
		if _, err := c.Ask(t.Context(), to, b.at(t, 10), sign(t, own, b.at(t, 10)), b.prove(t, 10)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Ask(t.Context(), to, fork.at(t, size), sign(t, own, fork.at(t, size)), fork.prove(t, size))
		if !errors.Is(err, ledger.ErrContradicted) || !strings.Contains(err.Error(), want) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// Whatever a witness answers, the log takes only a signature that verifies, and
// calls only that a contradiction which is one.
func TestAskAnswers(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 10)
	w := open(t, t.TempDir())
	c := b.at(t, 10)
	good, err := w.Key.Cosign(t.Context(), c, 1_700_000_000_000)
	check(t, err)
	other, err := w.Key.Cosign(t.Context(), b.at(t, 9), 1_700_000_000_000)
	check(t, err)
	stranger := strangerLine(t, c)
	for name, tt := range map[string]struct {
		status       int
		media, body  string
		ok, contrary bool
	}{
		"its signature":            {200, "text/plain", string(good), true, false},
		"among others":             {200, "text/plain", string(stranger) + string(good), true, false},
		"of another checkpoint":    {200, "text/plain", string(other), false, false},
		"of a stranger":            {200, "text/plain", string(stranger), false, false},
		"nothing":                  {200, "text/plain", "", false, false},
		"no lines":                 {200, "text/plain", "welcome to this network", false, false},
		"no end of line":           {200, "text/plain", strings.TrimSuffix(string(good), "\n"), false, false},
		"too many":                 {200, "text/plain", strings.Repeat(string(stranger), 16) + string(good), false, false},
		"without end":              {200, "text/plain", strings.Repeat("x", maxAnswer+1), false, false},
		"created":                  {201, "text/plain", string(good), false, false},
		"a redirect":               {302, "text/plain", "", false, false},
		"bad request":              {400, "text/plain", "no", false, false},
		"forbidden":                {403, "text/plain", "no", false, false},
		"not found":                {404, "text/plain", "no", false, false},
		"larger":                   {409, "text/x.tlog.size", "11\n", false, true},
		"the same size":            {409, "text/x.tlog.size", "10\n", false, true},
		"the size it was asked at": {409, "text/x.tlog.size", "0\n", false, false},
		"a size that is none":      {409, "text/x.tlog.size", "-1\n", false, false},
		"a size without end":       {409, "text/x.tlog.size", "11", false, false},
		"a size in words":          {409, "text/plain", "11\n", false, false},
		"unprocessable":            {422, "text/plain", "", false, true},
		"broken":                   {500, "text/plain", "", false, false},
		"later":                    {503, "text/plain", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", tt.media)
				rw.Header().Set("Location", "/elsewhere")
				rw.WriteHeader(tt.status)
				io.WriteString(rw, tt.body)
			}))
			defer srv.Close()
			to := ledger.Witness{Name: "w", Verifier: w.Key.Verifier(), VKey: w.Key.VerifierKey(), URL: srv.URL}
			line, err := NewClient(nil).Ask(t.Context(), to, c, sign(t, own, c), b.prove(t, 10))
			if (err == nil) != tt.ok || errors.Is(err, ledger.ErrContradicted) != tt.contrary {
				t.Errorf("%v", err)
			}
			if tt.ok && !bytes.Equal(line, good) {
				t.Errorf("%q", line)
			}
		})
	}
}

// A witness elsewhere is asked over https alone, and nowhere with a password.
func TestSubmission(t *testing.T) {
	for url, want := range map[string]string{
		"https://w.example":            "https://w.example/add-checkpoint",
		"https://w.example/a/":         "https://w.example/a/add-checkpoint",
		"http://127.0.0.1:99/a":        "http://127.0.0.1:99/a/add-checkpoint",
		"http://[::1]:99":              "http://[::1]:99/add-checkpoint",
		"http://w.example":             "",
		"http://localhost:1":           "",
		"https://u:p@w.example":        "",
		"https://w.example?x=1":        "",
		"https://w.example#x":          "",
		"file:///etc/passwd":           "",
		"w.example":                    "",
		"":                             "",
		"https://w.example/%zz":        "",
		"http://169.254.169.254/a/b/c": "",
	} {
		if got, err := submission(url); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", url, got, err)
		}
	}
}
