package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

const quarter = exchange.PublicEvery * time.Millisecond

// grown is a site whose evidence tree has 260 entries that the public may see,
// 300 that a quorum has seen, 310 published and 313 in all.
func grown(t *testing.T) *site {
	t.Helper()
	s := open(t, api.Options{})
	s.fill()
	return s
}

func (s *site) fill() {
	s.Grow(ledger.Ev, 260)
	s.Announce(ledger.Ev, true)
	s.Announce(ledger.Dir, true)
	s.Clock.Advance(quarter)
	s.Grow(ledger.Ev, 40)
	s.Announce(ledger.Ev, true)
	s.Grow(ledger.Ev, 10)
	s.Announce(ledger.Ev, false)
	s.Grow(ledger.Ev, 3)
}

// TestWhoSeesWhat: who asks for what, within and beyond what they may see, full
// and partial.
func TestWhoSeesWhat(t *testing.T) {
	onEngines(t, func(s *site) {
		s.fill()
		s.whoSeesWhat()
	})
}

func (s *site) whoSeesWhat() {
	s.t.Helper()
	const immutable, minute, never = "immutable", "max-age=60", "no-store"
	for _, tt := range []struct {
		who    string
		target string
		status int
		cache  string
	}{
		{"public", "/ev/checkpoint", 200, minute},
		{"member", "/ev/checkpoint", 200, never},
		{"public", "/dir/checkpoint", 200, minute},
		{"member", "/dir/checkpoint", 200, never},

		{"public", "/ev/tile/0/000", 200, immutable},
		{"public", "/ev/tile/0/000.p/255", 200, immutable},
		{"public", "/ev/tile/0/000.p/1", 200, immutable},
		{"public", "/ev/tile/0/001.p/4", 200, immutable},
		{"public", "/ev/tile/0/001.p/5", 404, never},
		{"public", "/ev/tile/0/001.p/40", 404, never},
		{"public", "/ev/tile/0/001.p/57", 404, never},
		{"public", "/ev/tile/0/001.p/58", 404, never},
		{"public", "/ev/tile/0/001", 404, never},
		{"public", "/ev/tile/0/002.p/1", 404, never},
		{"public", "/ev/tile/1/000.p/1", 200, immutable},
		{"public", "/ev/tile/1/000.p/2", 404, never},
		{"public", "/ev/tile/2/000.p/1", 404, never},
		{"public", "/ev/tile/entries/000", 200, immutable},
		{"public", "/ev/tile/entries/001.p/4", 200, immutable},
		{"public", "/ev/tile/entries/001.p/5", 404, never},
		{"public", "/ev/tile/entries/001.p/57", 404, never},
		{"public", "/ev/tile/entries/002.p/1", 404, never},
		{"member", "/ev/tile/0/000", 200, immutable},
		{"member", "/ev/tile/0/001.p/4", 200, immutable},
		{"member", "/ev/tile/0/001.p/54", 200, immutable},
		{"member", "/ev/tile/0/001.p/57", 200, immutable}, // of the tree as it stands
		{"member", "/ev/tile/0/001.p/58", 404, never},
		{"member", "/ev/tile/0/002.p/1", 404, never},
		{"member", "/ev/tile/1/000.p/1", 200, immutable},
		{"member", "/ev/tile/1/000.p/2", 404, never},
		{"member", "/ev/tile/entries/001.p/57", 200, immutable},
		{"member", "/ev/tile/entries/001.p/58", 404, never},

		{"public", "/dir/tile/0/000.p/1", 404, never},
		{"public", "/dir/tile/entries/000.p/1", 404, never},
		{"public", "/dir/tile/0/005", 404, never},
		{"member", "/dir/tile/0/000.p/1", 200, immutable},
		{"member", "/dir/tile/entries/000.p/10", 200, immutable},
		{"member", "/dir/tile/entries/000", 404, never},

		{"public", "/ev/proof/0", 200, minute},
		{"public", "/ev/proof/259", 200, minute},
		{"public", "/ev/proof/260", 404, never},
		{"public", "/ev/proof/299", 404, never},
		{"public", "/ev/proof/312", 404, never},
		{"public", "/ev/proof/313", 404, never},
		{"public", "/dir/proof/0", 404, never},
		{"member", "/ev/proof/0", 200, immutable},
		{"member", "/ev/proof/299", 200, immutable},
		{"member", "/ev/proof/300", 200, never}, // provisional
		{"member", "/ev/proof/309", 200, never},
		{"member", "/ev/proof/310", 503, never},
		{"member", "/ev/proof/313", 404, never},
		{"member", "/dir/proof/0", 200, immutable},

		{"public", "/dir/entries", 401, never},
		{"public", "/dir/consistency?from=1&to=2", 401, never},
		{"public", "/ev/consistency?from=1&to=2", 401, never},
	} {
		req := s.make(http.MethodGet, tt.target, nil)
		if tt.who == "member" {
			req = s.signed(http.MethodGet, tt.target, nil)
		}
		a := s.do(req)
		cache := a.header.Get("Cache-Control")
		if a.status != tt.status || !strings.Contains(cache, tt.cache) {
			s.t.Errorf("%s %s: %d with %q, want %d with %s", tt.who, tt.target, a.status, cache, tt.status, tt.cache)
		}
		if a.status == 200 && tt.cache != never && strings.HasPrefix(cache, "public") != (tt.who == "public") {
			s.t.Errorf("%s %s: Cache-Control %q", tt.who, tt.target, cache)
		}
	}
}

// Everyone with a key in force is a member, and nobody without.
func TestWhoIsAMember(t *testing.T) {
	s := grown(t)
	observer := statement.NewSigningKey(bytes.Repeat([]byte{7}, 32))
	s.Enter(&directory.InstObserver{I: s.A.Inst, Key: observer.Public()}, s.A.Root)
	target := "/dir/tile/entries/000.p/1"
	for name, key := range map[string]statement.SigningKey{
		"officer": s.A.Officers[0], "registrar": s.A.Registrars[0], "delegate": s.Delegates[0],
		"council": s.Council, "root": s.A.Root, "observer": observer,
	} {
		if a := s.do(s.signed(http.MethodGet, target, nil, key)); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.want(s.do(s.signed(http.MethodGet, target, nil, statement.NewSigningKey(make([]byte, 32)))), http.StatusUnauthorized, "signature")
	s.Revoke(s.A, 0)
	s.want(s.do(s.signed(http.MethodGet, target, nil, s.A.Officers[0])), http.StatusUnauthorized, "signature")
	s.want(s.do(s.signed(http.MethodGet, "/ev/tile/0/000", nil, s.A.Officers[0])), http.StatusUnauthorized, "signature")
}

// A request that says it is signed is judged as one, on every public path.
func TestBadSignatureIsNoUnsigned(t *testing.T) {
	s := grown(t)
	for _, r := range api.Routes() {
		if !r.Public {
			continue
		}
		for what, spoil := range map[string]func(h http.Header){
			"a signature alone":            func(h http.Header) { h.Del("Signature-Input"); h.Del("Content-Digest") },
			"an input alone":               func(h http.Header) { h.Del("Signature"); h.Del("Content-Digest") },
			"no digest":                    func(h http.Header) { h.Del("Content-Digest") },
			"an empty signature":           func(h http.Header) { h.Set("Signature", "") },
			"an empty signature and input": func(h http.Header) { h.Set("Signature", ""); h.Set("Signature-Input", "") },
			"a signature of another": func(h http.Header) {
				h.Set("Signature", s.signed(r.Method, example(r.Path), nil, s.B.Officers[0]).Header.Get("Signature"))
			},
			"an old signature": func(h http.Header) {
				req := s.make(r.Method, example(r.Path), nil)
				if err := request.Sign(context.Background(), req, nil, s.A.Officers[0], s.Clock.Now()-3600_000, request.NewNonce()); err != nil {
					t.Fatal(err)
				}
				h.Set("Signature", req.Header.Get("Signature"))
				h.Set("Signature-Input", req.Header.Get("Signature-Input"))
			},
		} {
			req := s.signed(r.Method, example(r.Path), nil)
			spoil(req.Header)
			if a := s.do(req); a.status != http.StatusUnauthorized {
				t.Errorf("%s: %s: %d %s", r.Path, what, a.status, a.body)
			}
		}
	}
}

// A frozen proof is the same whatever happens after; a provisional one gives
// way to it. Both verify, and only what the cosignatures are worth differs.
func TestProofs(t *testing.T) {
	s := grown(t)
	leaf := storagetest.Leaves("grown", 40)[7]
	key := s.Signer(ledger.Ev).Verifier()
	read := func(idx int64, want int64, signed bool) []byte {
		t.Helper()
		req := s.make(http.MethodGet, fmt.Sprint("/ev/proof/", idx), nil)
		if signed {
			req = s.signed(http.MethodGet, fmt.Sprint("/ev/proof/", idx), nil)
		}
		a := s.do(req)
		p, err := ledger.ParseProof(a.body)
		if err != nil {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		c, err := p.Verify(leaf, key)
		if err != nil || c.Size != want || p.Index != idx {
			t.Errorf("proof of %d under %d, want under %d: %v", p.Index, c.Size, want, err)
		}
		return a.body
	}
	frozen := read(267, 300, true)
	leaf = storagetest.Leaves("grown", 10)[7]
	read(307, 310, true)
	s.Announce(ledger.Ev, true) // at 313
	read(307, 313, true)
	s.Grow(ledger.Ev, 5)
	s.Announce(ledger.Ev, true)
	read(307, 313, true)
	leaf = storagetest.Leaves("grown", 40)[7]
	if !bytes.Equal(read(267, 300, true), frozen) {
		t.Error("a frozen proof changed")
	}
	leaf = storagetest.Leaves("grown", 260)[7]
	read(7, 260, false)
	s.Clock.Advance(quarter)
	read(7, 318, false) // and not under the checkpoint that first covered it
}

// TestEntriesAreCompressed for who accepts it, and for nobody else.
func TestEntriesAreCompressed(t *testing.T) {
	s := grown(t)
	plain := s.do(s.make(http.MethodGet, "/ev/tile/entries/000", nil))
	if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") != "Signature, Accept-Encoding" {
		t.Errorf("not asked for: %v", plain.header)
	}
	for field, want := range map[string]bool{
		"gzip": true, "GZIP": true, "br, gzip": true, "gzip;q=0.5": true, "gzip; q=1": true, "gzip ;q=0.001": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=x": false, "gzip;": false, "xgzip": false, "*": false, "identity": false,
	} {
		req := s.make(http.MethodGet, "/ev/tile/entries/000", nil)
		req.Header.Set("Accept-Encoding", field)
		a := s.do(req)
		if got := a.header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed %v", field, got)
			continue
		}
		body := a.body
		if want {
			if len(body) >= len(plain.body) {
				t.Errorf("%d bytes from %d", len(body), len(plain.body))
			}
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, plain.body) {
			t.Errorf("%q: other entries", field)
		}
		hashes := s.make(http.MethodGet, "/ev/tile/0/000", nil)
		hashes.Header.Set("Accept-Encoding", field)
		if a := s.do(hashes); a.header.Get("Content-Encoding") != "" || a.header.Get("Vary") != "Signature" {
			t.Errorf("hashes compressed: %v", a.header)
		}
	}
}

// TestTreesOverHTTP reads both trees whole, as a member and as the public, and
// recomputes them from their entries.
func TestTreesOverHTTP(t *testing.T) {
	onEngines(t, func(s *site) {
		s.fill()
		s.readTrees()
	})
}

func (s *site) readTrees() {
	s.t.Helper()
	for _, tt := range []struct {
		log  ledger.Log
		key  bool
		size int64
	}{{ledger.Ev, false, 260}, {ledger.Ev, true, 310}, {ledger.Dir, true, s.Directory().N()}} {
		src := overHTTP{s, tt.log, tt.key}
		note := src.get("checkpoint")
		c, err := ledger.ParseCheckpoint(note.body, s.Signer(tt.log).Verifier())
		if err != nil || c.Size != tt.size {
			s.t.Fatalf("%s: size %d, want %d: %v", tt.log, c.Size, tt.size, err)
		}
		count := int64(0)
		findings, err := ledger.AuditTree(s.t.Context(), src, c, func(int64, []byte) error { count++; return nil })
		if err != nil || len(findings) > 0 || count != c.Size {
			s.t.Errorf("%s: %v, %v, %d entries of %d", tt.log, findings, err, count, c.Size)
		}
	}
}

// overHTTP are the tiles of a site.
type overHTTP struct {
	*site
	log    ledger.Log
	signed bool
}

func (o overHTTP) get(path string) answer {
	target := "/" + o.log.String() + "/" + path
	if o.signed {
		return o.do(o.site.signed(http.MethodGet, target, nil))
	}
	return o.do(o.make(http.MethodGet, target, nil))
}

func (o overHTTP) Tile(_ context.Context, t tlog.Tile) ([]byte, error) {
	a := o.get(ledger.TilePath(t))
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%d: %w", a.status, ledger.ErrMissing)
	}
	return a.body, nil
}

// Nothing of a tile's number or of a size reaches the log.
func TestLogOfTheLedger(t *testing.T) {
	s := grown(t)
	for _, path := range []string{"/ev/tile/0/001.p/4", "/ev/tile/0/001.p/254", "/ev/tile/entries/x987/654", "/ev/proof/259", "/ev/checkpoint"} {
		s.do(s.make(http.MethodGet, path, nil))
		s.do(s.signed(http.MethodGet, path, nil))
	}
	log := s.Log()
	for _, want := range []string{"route=/ev/tile/{tile} status=200", "route=/ev/tile/{tile} status=404", "route=/ev/proof/{idx} status=200", "route=/ev/checkpoint status=200"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
	for _, told := range []string{"001", ".p/", "654", "259", "260", "/ev/tile/0"} {
		for line := range strings.Lines(log) {
			if _, after, _ := strings.Cut(line, "route="); strings.Contains(strings.SplitN(after, " took=", 2)[0], told) {
				t.Errorf("the log tells %q: %s", told, line)
			}
		}
	}
}

// Only GET reads the ledger, by whomever.
func TestMethodsOfTheLedger(t *testing.T) {
	s := grown(t)
	for _, path := range []string{"/ev/checkpoint", "/ev/tile/0/000", "/ev/tile/0/009", "/dir/tile/0/000.p/1", "/ev/proof/0"} {
		for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			resp, err := transport.RoundTrip(s.make(method, path, nil))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, resp.StatusCode)
			}
		}
	}
}
