package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
)

func TestUnsigned(t *testing.T) {
	s := open(t, api.Options{})
	for _, r := range api.Routes() {
		a := s.do(s.make(r.Method, example(r.Path), nil))
		if r.Open {
			if a.status != http.StatusOK {
				t.Errorf("%s: %d %s", r.Path, a.status, a.body)
			}
			continue
		}
		if r.Public {
			s.want(a, http.StatusNotFound, "not_found") // no quarter of an hour went by yet
			continue
		}
		s.want(a, http.StatusUnauthorized, "signature")
		if got := a.header.Get("WWW-Authenticate"); got != "odziv-req-v1" {
			t.Errorf("%s: WWW-Authenticate %q", r.Path, got)
		}
	}
}

// A signature holds for one method, host, path, query and body, once, and soon.
func TestSignature(t *testing.T) {
	s := open(t, api.Options{})
	key := "age1pq1 of nobody"
	digest := "c8ad5d1a0f5b9d1a" + strings.Repeat("0", 48)
	target := wire.Path(wire.PathKey, digest)
	body := []byte(key)
	for _, tt := range []struct {
		name   string
		change func(r *http.Request)
		code   string
		hint   string // of the detail
	}{
		{"path swapped", func(r *http.Request) { r.URL.Path = wire.Path(wire.PathPackage, digest) }, "signature", ""},
		{"query added", func(r *http.Request) { r.URL.RawQuery = "a=b" }, "signature", ""},
		{"another host", func(r *http.Request) { r.Host = "other.example" }, "signature", "another host"},
		{"another method", func(r *http.Request) { r.Method = http.MethodGet; r.Body = nil; r.ContentLength = 0 }, "signature", ""},
		{"another body", func(r *http.Request) { setBody(r, bytes.ToUpper(body)) }, "signature", "the body"},
		{"a shorter body", func(r *http.Request) { setBody(r, body[:len(body)-1]) }, "signature", "the body"},
		{"a body without length", func(r *http.Request) { setBody(r, body[:1]); r.ContentLength = -1 }, "signature", "the body"},
		{"a second signature", func(r *http.Request) { r.Header.Add("Signature", "sig2=:AA==:") }, "signature", ""},
		{"no signature", func(r *http.Request) { r.Header.Del("Signature") }, "signature", ""},
		{"another nonce", func(r *http.Request) {
			in := r.Header.Get("Signature-Input")
			at := strings.Index(in, `nonce="`) + len(`nonce="`)
			r.Header.Set("Signature-Input", in[:at]+request.NewNonce()+in[at+32:])
		}, "signature", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := s.signed(http.MethodPut, target, body)
			tt.change(r)
			a := s.do(r)
			s.want(a, http.StatusUnauthorized, tt.code)
			if !strings.Contains(a.problem.Detail, tt.hint) {
				t.Errorf("detail %q", a.problem.Detail)
			}
		})
	}
	s.want(s.do(s.signed(http.MethodPut, target, body, statement.NewSigningKey(bytes.Repeat([]byte{9}, 32)))), http.StatusUnauthorized, "signature")
}

func setBody(r *http.Request, body []byte) {
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
}

// A write that is heard and sent again is refused; a read is answered again.
func TestReplay(t *testing.T) {
	s := open(t, api.Options{})
	text := s.A.Key.Recipient().String()
	put := func() *http.Request { return s.make(http.MethodPut, wire.Path(wire.PathKey, s.A.RK), []byte(text)) }
	first := s.signed(http.MethodPut, wire.Path(wire.PathKey, s.A.RK), []byte(text))
	s.want(s.do(first), http.StatusNoContent, "")
	again := put()
	again.Header = first.Header
	s.want(s.do(again), http.StatusUnauthorized, "nonce")
	s.want(s.do(s.signed(http.MethodPut, wire.Path(wire.PathKey, s.A.RK), []byte(text))), http.StatusNoContent, "")

	read := s.signed(http.MethodGet, wire.PathDirCheckpoint, nil)
	s.want(s.do(read), http.StatusOK, "")
	reread := s.make(http.MethodGet, wire.PathDirCheckpoint, nil)
	reread.Header = read.Header
	s.want(s.do(reread), http.StatusOK, "")
}

// Both ends of the window of -120 s and +30 s, and the Date to correct by.
func TestWindow(t *testing.T) {
	s := open(t, api.Options{})
	created := s.Clock.Now() / 1000 * 1000
	for _, tt := range []struct {
		now  int64 // of the exchange, from created
		want string
	}{{120_000, ""}, {120_001, "clock-skew"}, {-30_000, ""}, {-30_001, "clock-skew"}} {
		req := s.make(http.MethodGet, wire.PathDirCheckpoint, nil)
		if err := request.Sign(context.Background(), req, nil, s.A.Officers[0], created, request.NewNonce()); err != nil {
			t.Fatal(err)
		}
		back := time.Duration(s.Clock.Now()-created-tt.now) * time.Millisecond
		s.Clock.Advance(-back)
		a := s.do(req)
		if a.code() != tt.want {
			t.Errorf("%+d: %d %s", tt.now, a.status, a.code())
		}
		date := time.UnixMilli(s.Clock.Now()).UTC().Format(http.TimeFormat)
		if got := a.header.Get("Date"); got != date {
			t.Errorf("Date %q, the exchange has %q", got, date)
		}
		s.Clock.Advance(back)
	}
}

func TestRevokedKey(t *testing.T) {
	s := open(t, api.Options{})
	s.want(s.do(s.signed(http.MethodGet, wire.PathDirCheckpoint, nil, s.A.Officers[1])), http.StatusOK, "")
	s.Revoke(s.A, 1)
	s.want(s.do(s.signed(http.MethodGet, wire.PathDirCheckpoint, nil, s.A.Officers[1])), http.StatusUnauthorized, "signature")
}

// unread fails the test if it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was asked for")
	return 0, io.EOF
}

// A body that says it is too large is refused before a byte of it is sent, and
// one that does not say so, as soon as it is.
func TestBodyLimit(t *testing.T) {
	s := open(t, api.Options{})
	for _, r := range api.Routes() {
		for _, length := range []int64{r.Limit + 1, 2 << 30} {
			req := s.signed(r.Method, example(r.Path), nil)
			req.Body, req.ContentLength = io.NopCloser(unread{t}), length
			req.Header.Set("Expect", "100-continue") // a client that waits to be asked
			a := s.do(req)
			s.want(a, http.StatusRequestEntityTooLarge, "too_large")
		}
		body := make([]byte, r.Limit+1)
		req := s.signed(r.Method, example(r.Path), body)
		req.ContentLength = -1 // chunked
		if r.Open {
			req.Header = http.Header{}
		}
		s.want(s.do(req), http.StatusRequestEntityTooLarge, "too_large")
		if r.Limit == 0 || r.Chunk {
			continue
		}
		if a := s.do(s.signed(r.Method, example(r.Path), body[1:])); a.status == http.StatusRequestEntityTooLarge {
			t.Errorf("%s: refused a body of the limit: %s", r.Path, a.body)
		}
	}
}

func TestBodyLimitOfChunk(t *testing.T) {
	s := open(t, api.Options{})
	body := make([]byte, wire.MaxChunk)
	a := s.do(s.signed(http.MethodPut, wire.Path(wire.PathPart, statement.NewID("m"), "1"), body))
	s.want(a, http.StatusBadRequest, "malformed") // read whole: it is no age file
}

// slowly sends the head of a request and part of its body, and returns the
// connection.
func (s *site) slowly(req *http.Request, body []byte, sent int) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	var head bytes.Buffer
	head.WriteString(req.Method + " " + req.URL.RequestURI() + " HTTP/1.1\r\nHost: " + s.at + "\r\n")
	head.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	req.Header.Write(&head)
	head.WriteString("\r\n")
	head.Write(body[:sent])
	if _, err := conn.Write(head.Bytes()); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// A body that does not come is not waited for.
func TestSlowBody(t *testing.T) {
	for name, opts := range map[string]api.Options{
		wire.PathKey: {BodyTime: 20 * time.Millisecond}, wire.PathPart: {ChunkTime: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, opts)
			body := []byte("age-encryption.org/v1\n")
			req := s.signed(http.MethodPut, example(name), body)
			conn := s.slowly(req, body, 5)
			resp, err := http.ReadResponse(newReader(conn), req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			s.want(s.hold(req.Method, req.URL.Path, resp, got), http.StatusRequestTimeout, "timeout")
			if !resp.Close {
				t.Error("the connection stays open for the rest of the body")
			}
		})
	}
}

// A connection that ends within the body leaves nothing behind.
func TestTruncatedBody(t *testing.T) {
	s := open(t, api.Options{})
	sealed := s.Seal(nil)
	target := wire.Path(wire.PathPart, sealed.Msg(), "0")
	req := s.signed(http.MethodPut, target, sealed.Parts[0])
	conn := s.slowly(req, sealed.Parts[0], len(sealed.Parts[0])-1)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(newReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	s.want(s.hold(req.Method, req.URL.Path, resp, got), http.StatusBadRequest, "malformed")
	a := s.do(s.signed(http.MethodGet, wire.Path(wire.PathParts, sealed.Msg()), nil))
	if string(a.body) != `{"parts":[],"v":1}` {
		t.Errorf("stored: %s", a.body)
	}
}

// While every place for a chunk is taken, chunks wait and all else goes on.
func TestChunksWait(t *testing.T) {
	s := open(t, api.Options{})
	opts := api.Options{ChunkTime: time.Millisecond, AnswerTime: time.Second, MaxChunks: 2}
	s.at = s.Serve(func(authority string, _ logger) http.Handler {
		opts.Authority = authority
		return api.NewFull(s.X, opts)
	})
	a := s.do(s.signed(http.MethodPut, example(wire.PathPart), []byte("x")))
	s.want(a, http.StatusServiceUnavailable, "busy")
	if a.header.Get("Retry-After") != "1" {
		t.Error("no Retry-After")
	}
	s.want(s.do(s.signed(http.MethodGet, wire.PathDirCheckpoint, nil)), http.StatusOK, "")
}

// A place is given back, whatever became of the chunk.
func TestChunksFollow(t *testing.T) {
	s := open(t, api.Options{MaxChunks: 1, ChunkTime: 5 * time.Second, AnswerTime: time.Second})
	sealed := s.Seal(nil, make([]byte, 2<<20))
	s.want(s.do(s.signed(http.MethodPut, example(wire.PathPart), []byte("x"))), http.StatusBadRequest, "malformed")
	s.upload(sealed)
	for range 3 {
		s.upload(sealed)
	}
}

func TestQueries(t *testing.T) {
	s := open(t, api.Options{})
	desk := "desk=" + s.A.Desk
	for _, tt := range []struct {
		target string
		code   string
	}{
		{wire.PathFeed + "?" + desk, ""},
		{wire.PathFeed + "?" + desk + "&limit=1", ""},
		{wire.PathFeed + "?" + desk + "&limit=500", ""},
		{wire.PathFeed + "?" + desk + "&limit=0", "malformed"},
		{wire.PathFeed + "?" + desk + "&limit=501", "malformed"},
		{wire.PathFeed + "?" + desk + "&limit=", "malformed"},
		{wire.PathFeed + "?" + desk + "&limit=01", "malformed"},
		{wire.PathFeed + "?" + desk + "&limit=+1", "malformed"},
		{wire.PathFeed + "?" + desk + "&after=0", ""},
		{wire.PathFeed + "?" + desk + "&after=-1", "malformed"},
		{wire.PathFeed + "?" + desk + "&after=9007199254740991", ""},
		{wire.PathFeed + "?" + desk + "&after=9007199254740992", "malformed"},
		{wire.PathFeed + "?" + desk + "&after=99999999999999999999", "malformed"},
		{wire.PathFeed + "?" + desk + "&" + desk, "malformed"},
		{wire.PathFeed + "?" + desk + "&Limit=1", "malformed"},
		{wire.PathFeed + "?" + desk + ";limit=1", "malformed"},
		{wire.PathFeed + "?" + desk + "&x", "malformed"},
		{wire.PathFeed + "?" + desk + "&limit=%zz", "malformed"},
		{wire.PathFeed, "malformed"},
		{wire.PathFeed + "?desk=" + statement.NewID("m"), "malformed"},
		{wire.PathFeed + "?" + desk + "&grant=x", "malformed"},
		{wire.PathFeed + "?" + desk + "&after=-1&grant=" + statement.NewID("x"), "grant_ended"},
		{wire.PathFeed + "?" + desk + "&after=-2&grant=" + statement.NewID("x"), "malformed"},
		{wire.PathFeed + "?desk=" + s.B.Desk, "desk"},
		{wire.PathObligations + "?" + desk, ""},
		{wire.PathObligations + "?" + desk + "&side=owed&closed=true&missing=false", ""},
		{wire.PathObligations + "?" + desk + "&side=owing", ""},
		{wire.PathObligations + "?" + desk + "&side=", "malformed"},
		{wire.PathObligations + "?" + desk + "&closed=1", "malformed"},
		{wire.PathObligations + "?" + desk + "&missing=", "malformed"},
		{wire.PathObligations + "?" + desk + "&limit=501", "malformed"},
		{wire.PathObligations + "?" + desk + "&after=0." + statement.NewID("o"), ""},
		{wire.PathObligations + "?" + desk + "&after=0", "malformed"},
		{wire.PathObligations + "?desk=" + s.B.Desk, "desk"},
		{wire.PathPendings, ""},
		{wire.PathPendings + "?desk=", "malformed"},
		{wire.PathPendings + "?desk=" + s.B.Desk, "desk"},
		{wire.PathPendings + "?" + desk, ""},
		{wire.PathDirEntries + "?from=-1", "malformed"},
		{wire.PathDirEntries + "?from=1000&limit=1", ""},
		{wire.PathDirConsistency, "malformed"},
		{wire.PathDirConsistency + "?from=1", "malformed"},
		{wire.PathDirConsistency + "?from=2&to=1", "malformed"},
		{wire.PathDirConsistency + "?from=1&to=2", ""},
		{wire.PathDirConsistency + "?from=1&to=100000", "malformed"},
		{wire.PathEvConsistency + "?from=x&to=0", "malformed"},
		{wire.PathDirCheckpoint + "?x=1", "malformed"},
		{wire.PathStatus + "?x=1", "malformed"},
		{"/dir/proof/0", ""},
		{"/dir/proof/-1", "malformed"},
		{"/dir/proof/00", "malformed"},
		{"/dir/proof/x", "malformed"},
		{"/dir/proof/100000", "not_found"},
		{"/ev/proof/0", "not_found"},
		{"/v1/messages/x/parts", "malformed"},
		{"/v1/messages/" + statement.NewID("m") + "/parts/65?" + desk, "malformed"},
		{"/v1/messages/" + statement.NewID("m") + "/parts/64?" + desk, "not_found"},
		{"/v1/messages/" + statement.NewID("m") + "/parts/0", "malformed"},
		{"/v1/obligations/" + statement.NewID("o"), "not_found"},
		{"/v1/obligations/o_", "malformed"},
		{"/v1/keys/" + strings.Repeat("A", 64), "malformed"},
		{"/v1/keys/" + strings.Repeat("a", 64), "not_found"},
		{"/v1/packages/" + strings.Repeat("a", 63), "malformed"},
		{"/v1/packages/" + strings.Repeat("a", 64), "not_found"},
	} {
		a := s.do(s.signed(http.MethodGet, tt.target, nil))
		if a.code() != tt.code {
			t.Errorf("GET %s: %d %s, want %q", tt.target, a.status, a.body, tt.code)
		}
	}
}

func TestPutPaths(t *testing.T) {
	s := open(t, api.Options{})
	m, o := statement.NewID("m"), statement.NewID("o")
	for _, target := range []string{
		"/v1/messages/x", "/v1/messages/" + o, "/v1/sets/x", "/v1/statements/" + m, "/v1/consents/x/1",
		"/v1/consents/" + statement.NewID("k") + "/0", "/v1/consents/" + statement.NewID("k") + "/1000001",
		"/v1/consents/" + statement.NewID("k") + "/01", "/v1/pending/x", "/v1/directory/x", "/v1/keys/x", "/v1/packages/x",
		"/v1/obligations/x/silence/" + statement.NewID("x"), "/v1/obligations/" + o + "/silence/x",
		"/v1/messages/x/parts/0", "/v1/messages/" + m + "/parts/65", "/v1/messages/" + m + "/parts/00",
		"/v1/messages/" + m + "/parts/0?off=-1", "/v1/messages/" + m + "/parts/0?off=4294967297", "/v1/messages/" + m + "/parts/0?of=1",
	} {
		a := s.do(s.signed(http.MethodPut, target, nil))
		s.want(a, http.StatusBadRequest, "malformed")
	}
}

func TestReadNumber(t *testing.T) {
	for _, tt := range []struct {
		s    string
		want int64
		ok   bool
	}{{"0", 0, true}, {"-1", -1, true}, {"10", 10, true}, {"11", 0, false}, {"-2", 0, false}, {"-0", 0, false}, {" 1", 0, false}, {"1e1", 0, false}, {"0x1", 0, false}, {"1_0", 0, false}} {
		n, err := api.ReadNumber("n", tt.s, -1, 10)
		if (err == nil) != tt.ok || err == nil && n != tt.want {
			t.Errorf("%q: %d, %v", tt.s, n, err)
		}
	}
}

// FuzzQuery: what is let through has every member once, of those known.
func FuzzQuery(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := api.ReadQuery(raw, []string{"desk", "after"})
		if err != nil {
			return
		}
		if len(query) > 2 || len(query["desk"]) > 1 || len(query["after"]) > 1 {
			t.Errorf("%q: %v", raw, query)
		}
		n, err := api.ReadNumber("after", query.Get("after"), 0, 100)
		if err == nil && strconv.FormatInt(n, 10) != query.Get("after") {
			t.Errorf("%q read as %d", query.Get("after"), n)
		}
	})
}

var errFailing = errors.New("the store of m_oofw6vd6cx6m2svg5rffxs55au failed")
