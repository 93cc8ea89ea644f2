package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/statement"
)

// site is a world and the document that its every answer is held against.
type site struct {
	*apitest.World
	t   *testing.T
	doc *document
	at  string // authority
}

func open(t *testing.T, opts api.Options) *site {
	t.Helper()
	w := apitest.Start(t, opts)
	return &site{w, t, readDocument(t), w.Authority}
}

// onEngines runs a test on a site over each engine.
func onEngines(t *testing.T, f func(s *site)) {
	t.Run("sqlite", func(t *testing.T) { f(open(t, api.Options{})) })
	t.Run("postgres", func(t *testing.T) {
		w := apitest.StartOn(t, pgtest.Shared(t).Database(t), api.Options{})
		f(&site{w, t, readDocument(t), w.Authority})
	})
}

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem *wire.Problem // nil unless it is one
}

func (a answer) code() string {
	if a.problem == nil {
		return ""
	}
	return a.problem.Code
}

// make returns a request that is not signed yet.
func (s *site) make(method, target string, body []byte) *http.Request {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.at+target, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return req
}

// signed returns a request signed by an officer of A now, or by another key.
func (s *site) signed(method, target string, body []byte, by ...statement.SigningKey) *http.Request {
	s.t.Helper()
	req := s.make(method, target, body)
	key := s.A.Officers[0]
	if len(by) > 0 {
		key = by[0]
	}
	if err := request.Sign(context.Background(), req, body, key, s.Clock.Now(), request.NewNonce()); err != nil {
		s.t.Fatal(err)
	}
	return req
}

// transport asks for nothing by itself.
var transport = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}()

func (s *site) do(req *http.Request) answer {
	s.t.Helper()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return s.hold(req.Method, req.URL.Path, resp, body)
}

// hold checks what holds for every answer: fields, form of a problem, and that
// the document knows the status and the media type.
func (s *site) hold(method, path string, resp *http.Response, body []byte) answer {
	s.t.Helper()
	a := answer{status: resp.StatusCode, header: resp.Header, body: body}
	for field, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := resp.Header.Get(field); got != want {
			s.t.Errorf("%s %s: %s is %q, want %q", method, path, field, got, want)
		}
	}
	if cache := resp.Header.Get("Cache-Control"); !s.mayKeep(path, &a, cache) {
		s.t.Errorf("%s %s: %d with the Cache-Control %q", method, path, a.status, cache)
	}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if a.status >= 400 {
		a.problem = s.problem(media, &a)
	}
	s.documented(method, path, &a, media)
	return a
}

// mayKeep reports whether a field for caches is one that the path may have.
// Which of them, tests of the ledger ask.
func (s *site) mayKeep(path string, a *answer, field string) bool {
	tree := strings.HasPrefix(path, "/ev/") || strings.HasPrefix(path, "/dir/")
	if field == "no-store" || a.status != http.StatusOK || !tree {
		return field == "no-store" && (a.status != http.StatusOK || !strings.Contains(path, "/tile/"))
	}
	kept := field == "public, max-age=60" || field == "private, max-age=31536000, immutable" || field == "public, max-age=31536000, immutable"
	return kept && strings.HasPrefix(a.header.Get("Vary"), "Signature")
}

func (s *site) problem(media string, a *answer) *wire.Problem {
	s.t.Helper()
	var p wire.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || media != wire.Problems {
		s.t.Fatalf("%d is no problem: %s %q, %v", a.status, media, a.body, err)
	}
	if p.Status != a.status || p.Type != wire.TypePrefix+p.Code || p.Title == "" || wire.Title(p.Code) != p.Title {
		s.t.Errorf("problem %+v of status %d", p, a.status)
	}
	for _, c := range wire.Codes {
		if wire.Title(p.Code) == c.Title && !slices.Contains(c.Status, a.status) {
			s.t.Errorf("%s is not listed with %d", p.Code, a.status)
		}
	}
	return &p
}

// documented wants the answer to be one that the document names. Paths and
// methods that there are not, it does not know.
func (s *site) documented(method, path string, a *answer, media string) {
	s.t.Helper()
	for pattern := range s.doc.Paths {
		if !patternOf(pattern).MatchString(path) {
			continue
		}
		op, ok := s.doc.operation(method, pattern)
		if !ok {
			continue
		}
		resp, ok := s.doc.response(op, a.status)
		if !ok {
			s.t.Errorf("%s %s: %d %s is not documented", method, pattern, a.status, a.code())
		}
		var known bool
		for m := range resp.Content {
			m, _, _ = strings.Cut(m, ";")
			known = known || m == media
		}
		if !known && a.status != http.StatusNoContent {
			s.t.Errorf("%s %s: %d with %s is not documented", method, pattern, a.status, media)
		}
		return
	}
}

var parameter = regexp.MustCompile(`\{[a-z0-9]+\}`)

func patternOf(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + parameter.ReplaceAllString(strings.Replace(pattern, "{tile}", ".+", 1), "[^/]+") + "$")
}

// want fails unless the answer has this status and code.
func (s *site) want(a answer, status int, code string) {
	s.t.Helper()
	if a.status != status || a.code() != code {
		s.t.Errorf("%d %s %s, want %d %s", a.status, a.code(), a.body, status, code)
	}
}

// example fills a path with values of the right form that name nothing.
func example(path string) string {
	hash := strings.Repeat("0", 64)
	return strings.NewReplacer("{msg}", statement.NewID("m"), "{x}", statement.NewID("x"), "{k}", statement.NewID("k"), "{ver}", "1",
		"{sha256}", hash, "{d}", statement.NewID("d"), "{e}", "7", "{rk}", hash, "{o}", statement.NewID("o"), "{idx}", "0", "{tile}", "0/000.p/1",
		"sets/{n}", "sets/"+statement.NewID("n"), "{n}", "0").Replace(path)
}
