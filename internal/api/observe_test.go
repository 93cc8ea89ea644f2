package api_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

type logger = *slog.Logger

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestNoSuchPathOrMethod(t *testing.T) {
	s := open(t, api.Options{})
	for _, target := range []string{"/", "/v1", "/v1/feed/", "/v1/messages", "/V1/status", "/dir/checkpoint/x", "/ev/entries", "/v1/messages/" + statement.NewID("m") + "/"} {
		s.want(s.do(s.make(http.MethodGet, target, nil)), http.StatusNotFound, "not_found")
	}
	for target, allow := range map[string]string{wire.PathStatus: "GET", wire.PathFeed: "GET", example(wire.PathSet): "PUT", example(wire.PathKey): "GET, PUT"} {
		for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodOptions, "BREW"} {
			a := s.do(s.make(method, target, nil))
			s.want(a, http.StatusMethodNotAllowed, "method")
			for _, m := range strings.Split(allow, ", ") {
				if !strings.Contains(a.header.Get("Allow"), m) {
					t.Errorf("%s %s: Allow %q, want %s", method, target, a.header.Get("Allow"), allow)
				}
			}
		}
	}
}

// An error that is no refusal says nothing to the caller and everything but
// identifiers to the operator, under one id.
func TestInternal(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":                 func() error { return errFailing },
		"panic":                 func() error { panic(errFailing) },
		"end of a stored chunk": func() error { return io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, api.Options{})
			s.at = s.Serve(func(authority string, log logger) http.Handler {
				return api.NewBroken(s.X, api.Options{Authority: authority, Log: log}, fail)
			})
			a := s.do(s.make(http.MethodGet, "/broken", nil))
			s.want(a, http.StatusInternalServerError, "internal")
			id, ok := strings.CutPrefix(a.problem.Instance, "urn:odziv:request:")
			if !ok || strings.Contains(string(a.body), "store") || a.problem.Detail != "" {
				t.Errorf("problem %s", a.body)
			}
			if log := s.Log(); !strings.Contains(log, "request="+id) || strings.Contains(log, "m_oofw") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// Refusals of the exchange keep class, code, detail and hint.
func TestRefusalsKeepTheirClass(t *testing.T) {
	s := open(t, api.Options{})
	for class, status := range api.StatusOf {
		authority := s.Serve(func(authority string, log logger) http.Handler {
			return api.NewBroken(s.X, api.Options{Authority: authority}, func() error {
				return &exchange.Refusal{Class: class, Code: "store", Detail: "d", Hint: "h"}
			})
		})
		resp, err := http.Get("http://" + authority + "/broken")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		want := wire.NewProblem(status, "store", "d", "h")
		if resp.StatusCode != status || !strings.Contains(string(body), `"detail":"d"`) || !strings.Contains(string(body), `"hint":"h"`) || !strings.Contains(string(body), want.Type) {
			t.Errorf("class %d: %d %s", class, resp.StatusCode, body)
		}
	}
	if len(api.StatusOf) != int(exchange.Unavailable)+1 {
		t.Errorf("%d classes have a status", len(api.StatusOf))
	}
}

// A write that the sequencer does not come to is given up in time, and may be
// sent again.
func TestNobodySequences(t *testing.T) {
	s := open(t, api.Options{})
	idle, err := exchange.Open(t.Context(), s.Config) // and not run
	if err != nil {
		t.Fatal(err)
	}
	s.at = s.Serve(func(authority string, log logger) http.Handler {
		return api.New(idle, api.Options{Authority: authority, Log: log, BodyTime: 300 * time.Millisecond, AnswerTime: 300 * time.Millisecond})
	})
	_, d := s.Prepare(revocation(s), s.Council)
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := s.Prepare(revocation(s), s.Council)
	a := s.do(s.signed(http.MethodPut, wire.Path(wire.PathDirectory, digest), raw))
	s.want(a, http.StatusServiceUnavailable, "busy")
}

var anyID = regexp.MustCompile(`\b[a-z]_[a-z2-7]{26}\b|[0-9a-f]{64}|ed25519:`)

// TestLog runs a whole exchange of messages and looks for anything in the log
// that names one: an identifier, a digest, a key, a query, a peer.
func TestLog(t *testing.T) {
	s := open(t, api.Options{})
	ctx := context.Background()
	sender := s.Client(s.A.Officers[0], client.Options{})
	sealed := s.Seal(nil)
	if err := sender.UploadPart(ctx, sealed.Msg(), 0, strings.NewReader(string(sealed.Parts[0])), int64(len(sealed.Parts[0])), nil); err != nil {
		t.Fatal(err)
	}
	raw, _ := sealed.Notice.DSSE.Encode()
	if _, err := sender.PutMessage(ctx, sealed.Msg(), raw); err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Feed(ctx, s.A.Desk, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Feed(ctx, s.B.Desk, 0, 0); wire.CodeOf(err) != "desk" {
		t.Fatal(err)
	}
	s.do(s.make(http.MethodGet, "/"+sealed.Msg(), nil))
	s.do(s.make("X"+sealed.Msg(), "/"+sealed.Msg(), nil))
	log := s.Log()
	for _, want := range []string{"method=PUT route=/v1/messages/{msg} status=200", "route=/v1/messages/{msg}/parts/{n}", "route=/v1/feed status=200", "status=403", "route=none status=404", "method=other"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
	if found := anyID.FindString(log); found != "" || strings.Contains(log, "desk=") || strings.Contains(log, "127.0.0.1") {
		t.Errorf("the log names %q:\n%s", found, log)
	}
}

func TestWithoutPeer(t *testing.T) {
	for line, want := range map[string]string{
		"http: TLS handshake error from 192.0.2.1:443: EOF":                 "http: TLS handshake error: EOF",
		"http: TLS handshake error from [2001:db8::1]:443: remote error: x": "http: TLS handshake error: remote error: x",
		"http: Server closed": "http: Server closed",
	} {
		if got := api.WithoutPeer(line); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSeedsArePresent(t *testing.T) {
	for _, target := range []string{"FuzzQuery", "FuzzTilePath"} {
		if seeds, err := os.ReadDir("testdata/fuzz/" + target); err != nil || len(seeds) == 0 {
			t.Errorf("%s: %d seeds, %v", target, len(seeds), err)
		}
	}
}

// revocation is a directory statement that the council alone signs.
func revocation(s *site) directory.Body {
	return &directory.DelegateRevoke{Key: statement.KeyID(s.Delegates[0].Public()), Reason: "left"}
}
