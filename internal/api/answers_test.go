package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// upload puts the parts of a message, each in one chunk.
func (s *site) upload(sealed *apitest.Sealed) {
	s.t.Helper()
	for n, part := range sealed.Parts {
		a := s.do(s.signed(http.MethodPut, wire.Path(wire.PathPart, sealed.Msg(), string(rune('0'+n))), part))
		s.want(a, http.StatusOK, "")
	}
}

func encode(t *testing.T, d *statement.DSSE) []byte {
	t.Helper()
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestSubmit sends a message twice: one leaf, the same bytes. What answers is
// the opening, byte for byte what the leaf commits to.
func TestSubmit(t *testing.T) {
	s := open(t, api.Options{})
	sealed := s.Seal(nil, []byte("attachment"))
	raw := encode(t, sealed.Notice.DSSE)
	target := wire.Path(wire.PathMessage, sealed.Msg())
	s.want(s.do(s.signed(http.MethodPut, target, raw)), http.StatusConflict, "part_missing")
	s.upload(sealed)
	first := s.do(s.signed(http.MethodPut, target, raw))
	s.want(first, http.StatusOK, "")
	again := s.do(s.signed(http.MethodPut, target, raw))
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("first %s\nagain %s", first.body, again.body)
	}
	var item evidence.Item
	if err := json.Unmarshal(first.body, &item); err != nil {
		t.Fatal(err)
	}
	opening, err := item.Opening()
	if err != nil {
		t.Fatal(err)
	}
	meta, _, err := opening.Decode() // strict: one spelling
	if err != nil || meta.Obj != sealed.Msg() {
		t.Errorf("meta %+v, %v", meta, err)
	}
	s.want(s.do(s.signed(http.MethodPut, wire.Path(wire.PathMessage, statement.NewID("m")), raw)), http.StatusBadRequest, "malformed")
	s.checkObligations(item.Idx)
}

// checkObligations reads what the message opened, as owed and as owing.
func (s *site) checkObligations(trigger int64) {
	s.t.Helper()
	for _, q := range []struct {
		desk *apitest.Party
		side string
	}{{s.A, "owed"}, {s.B, "owing"}} {
		a := s.do(s.signed(http.MethodGet, wire.PathObligations+"?desk="+q.desk.Desk+"&side="+q.side, nil, q.desk.Officers[0]))
		var page wire.Duties
		if err := json.Unmarshal(a.body, &page); err != nil || len(page.Duties) == 0 {
			s.t.Fatalf("%s: %s, %v", q.side, a.body, err)
		}
		d := page.Duties[0]
		if d.Trigger != trigger || d.Obligor != s.B.Desk || d.Obligee != s.A.Desk || page.Now != s.Clock.Now() || page.V != wire.V {
			s.t.Errorf("duty %+v", d)
		}
		one := s.do(s.signed(http.MethodGet, wire.Path(wire.PathObligation, d.ID), nil))
		var same wire.Duty
		if err := json.Unmarshal(one.body, &same); err != nil || same.ID != d.ID || same.Due != d.Due {
			s.t.Errorf("%s: %s, %v", d.ID, one.body, err)
		}
		silence := s.do(s.signed(http.MethodPut, wire.Path(wire.PathSilence, d.ID, statement.NewID("x")), nil))
		s.want(silence, http.StatusOK, "")
	}
}

// What a leaf commits to comes out byte for byte, whatever is in it.
func TestOpeningsAreNotEscaped(t *testing.T) {
	meta := "{\"a\":\"<&>\u2028\"}"
	got, err := wire.Encode(evidence.Item{Idx: 1, Meta: json.RawMessage(meta)})
	if want := `{"idx":1,"meta":` + meta + `,"n":0}`; err != nil || string(got) != want {
		t.Errorf("%s, want %s, %v", got, want, err)
	}
}

func TestSubmissionsThatCannotBeRead(t *testing.T) {
	s := open(t, api.Options{})
	sealed := s.Seal(nil)
	raw := encode(t, sealed.Notice.DSSE)
	member := bytes.Index(raw, []byte(`"payloadType"`))
	for name, body := range map[string][]byte{
		"empty":            {},
		"no JSON":          []byte("age-encryption.org/v1"),
		"cut":              raw[:len(raw)-1],
		"trailing bytes":   append(bytes.Clone(raw), '\n'),
		"space":            bytes.Replace(raw, []byte(`,"payloadType"`), []byte(`, "payloadType"`), 1),
		"member twice":     append(append(bytes.Clone(raw[:member]), raw[member:bytes.Index(raw, []byte(`"signatures"`))]...), raw[member:]...),
		"other case":       bytes.Replace(raw, []byte(`"payloadType"`), []byte(`"payloadtype"`), 1),
		"member too many":  append([]byte(`{"a":1,`), raw[1:]...),
		"null":             []byte("null"),
		"array":            []byte("[]"),
		"invalid UTF-8":    []byte("{\"payload\":\"\xff\"}"),
		"no canonical key": []byte(`{"signatures":[],"payload":"","payloadType":""}`),
	} {
		for _, target := range []string{wire.Path(wire.PathMessage, sealed.Msg()), example(wire.PathSet), example(wire.PathStatement),
			example(wire.PathConsent), example(wire.PathPending), example(wire.PathDirectory)} {
			a := s.do(s.signed(http.MethodPut, target, body))
			if a.status != http.StatusBadRequest || a.code() != "malformed" {
				t.Errorf("%s to %s: %d %s", name, target, a.status, a.body)
			}
		}
	}
	stranger := s.do(s.signed(http.MethodPut, wire.Path(wire.PathMessage, sealed.Msg()), raw, s.B.Officers[0]))
	s.want(stranger, http.StatusForbidden, "signer")
}

func TestReadingTheLedger(t *testing.T) {
	s := open(t, api.Options{})
	var status wire.Status
	if err := json.Unmarshal(s.do(s.make(http.MethodGet, wire.PathStatus, nil)).body, &status); err != nil {
		t.Fatal(err)
	}
	if status.Genesis != s.Directory().Genesis() || !status.Demo || status.Now != s.Clock.Now() || status.Quorum != "none" {
		t.Errorf("%+v", status)
	}
	doc := s.do(s.make(http.MethodGet, wire.PathOpenAPI, nil))
	if !bytes.Equal(doc.body, api.OpenAPI) {
		t.Error("another document is served")
	}
	for _, key := range []statement.SigningKey{s.A.Officers[0], s.Council, s.Delegates[0]} {
		a := s.do(s.signed(http.MethodGet, wire.PathDirCheckpoint, nil, key))
		if a.status != http.StatusOK || !strings.HasPrefix(string(a.body), "exchange.example/dir\n") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	ev := s.do(s.signed(http.MethodGet, wire.PathEvCheckpoint, nil))
	if !strings.HasPrefix(string(ev.body), "exchange.example/ev\n") {
		t.Errorf("%d %s", ev.status, ev.body)
	}
	var entries wire.Entries
	a := s.do(s.signed(http.MethodGet, wire.PathDirEntries+"?from=1&limit=2", nil))
	if err := json.Unmarshal(a.body, &entries); err != nil || len(entries.Entries) != 2 {
		t.Errorf("%s, %v", a.body, err)
	}
	end := s.do(s.signed(http.MethodGet, wire.PathDirEntries+"?from=10000", nil))
	if string(end.body) != `{"entries":[],"v":1}` {
		t.Errorf("beyond the end: %s", end.body)
	}
	proof := s.do(s.signed(http.MethodGet, wire.Path(wire.PathDirProof, "0"), nil))
	if !strings.HasPrefix(string(proof.body), "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("proof %s", proof.body)
	}
}

func TestHealth(t *testing.T) {
	s := open(t, api.Options{})
	if a := s.do(s.make(http.MethodGet, wire.PathHealth, nil)); string(a.body) != "ok\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	failing := s.with(func(v exchange.View) exchange.View { return v }, errFailing)
	a := failing.do(failing.make(http.MethodGet, wire.PathHealth, nil))
	failing.want(a, http.StatusServiceUnavailable, "store")
	a = failing.do(failing.signed(http.MethodGet, wire.PathFeed+"?desk="+s.A.Desk, nil))
	failing.want(a, http.StatusInternalServerError, "internal")
	if bytes.Contains(a.body, []byte("failed")) && bytes.Contains(a.body, []byte("m_")) {
		t.Errorf("told too much: %s", a.body)
	}
}

// with serves the same exchange over a store whose reads are altered.
func (s *site) with(view func(exchange.View) exchange.View, err error) *site {
	s.t.Helper()
	cfg := s.Config
	altered := &alteredStore{Store: cfg.Store, view: view}
	cfg.Store = altered
	x, openErr := exchange.Open(s.t.Context(), cfg)
	if openErr != nil {
		s.t.Fatal(openErr)
	}
	altered.err = err
	other := &site{s.World, s.t, s.doc, ""}
	other.at = s.Serve(func(authority string, log logger) http.Handler {
		return api.New(x, api.Options{Authority: authority, Log: log})
	})
	return other
}

// alteredStore fails its reads, or shows another view.
type alteredStore struct {
	exchange.Store
	view func(exchange.View) exchange.View
	err  error
}

func (a *alteredStore) Read(ctx context.Context, f func(exchange.View) error) error {
	if a.err != nil {
		return a.err
	}
	return a.Store.Read(ctx, func(v exchange.View) error { return f(a.view(v)) })
}

func (a *alteredStore) View(ctx context.Context, f func(ledger.Reader) error) error {
	if a.err != nil {
		return a.err
	}
	return a.Store.View(ctx, f)
}

// lacking has no chunk at or beyond an offset.
type lacking struct {
	exchange.View
	from int64
}

func (l lacking) Chunk(ctx context.Context, msg string, part int, off int64) ([]byte, bool, error) {
	if off >= l.from {
		return nil, false, errors.New("lost")
	}
	return l.View.Chunk(ctx, msg, part, off)
}

// TestPart fetches parts: only after the desk has signed for them, whole or
// not at all.
func TestPart(t *testing.T) {
	s := open(t, api.Options{})
	sealed := s.Seal(nil, make([]byte, 3<<20))
	s.upload(sealed)
	s.want(s.do(s.signed(http.MethodPut, wire.Path(wire.PathMessage, sealed.Msg()), encode(t, sealed.Notice.DSSE))), http.StatusOK, "")
	target := wire.Path(wire.PathPart, sealed.Msg(), "1") + "?desk=" + s.B.Desk
	s.want(s.do(s.signed(http.MethodGet, target, nil, s.B.Officers[0])), http.StatusConflict, "not_retrieved")
	id, receipt := s.Retrieved(sealed)
	s.want(s.do(s.signed(http.MethodPut, wire.Path(wire.PathStatement, id), encode(t, receipt), s.B.Officers[0])), http.StatusOK, "")
	a := s.do(s.signed(http.MethodGet, target, nil, s.B.Officers[0]))
	if !bytes.Equal(a.body, sealed.Parts[1]) {
		t.Errorf("%d bytes of %d", len(a.body), len(sealed.Parts[1]))
	}
	s.want(s.do(s.signed(http.MethodGet, target, nil)), http.StatusForbidden, "desk")

	at0 := s.with(func(v exchange.View) exchange.View { return lacking{v, 0} }, nil)
	at0.want(at0.do(at0.signed(http.MethodGet, target, nil, s.B.Officers[0])), http.StatusInternalServerError, "internal")
	at2 := s.with(func(v exchange.View) exchange.View { return lacking{v, 2 << 20} }, nil)
	resp, err := http.DefaultTransport.RoundTrip(at2.signed(http.MethodGet, target, nil, s.B.Officers[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != io.ErrUnexpectedEOF || resp.ContentLength != int64(len(sealed.Parts[1])) || len(got) >= len(sealed.Parts[1]) {
		t.Errorf("a part that broke off: %d bytes, %v", len(got), err)
	}
	if !strings.Contains(s.Log(), "answer broke off") {
		t.Error("nobody is told why")
	}
}

// An institution that has closed acts no more: nothing is sent from its desks,
// and nothing signed for, which the audit would not accept either. What they
// received they may still read. Nothing more is sent to them, since nobody could
// sign for it.
func TestClosedInstitution(t *testing.T) {
	for name, tt := range map[string]struct {
		closes func(*site) *apitest.Party
		status int
		code   string
	}{
		"the sender's":    {func(s *site) *apitest.Party { return s.A }, http.StatusForbidden, "sender"},
		"the recipient's": {func(s *site) *apitest.Party { return s.B }, http.StatusConflict, "recipient_closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, api.Options{})
			closes := tt.closes(s)
			s.Enter(&directory.InstProfile{I: closes.Inst, Type: closes.Type, Level: "local", Territory: []string{}, NB: s.Clock.Now() - 1, NA: s.Clock.Now() + 60_000}, s.Delegates[:]...)
			before, after := s.Seal(nil), s.Seal(nil)
			put := func(sealed *apitest.Sealed) answer {
				s.upload(sealed)
				return s.do(s.signed(http.MethodPut, wire.Path(wire.PathMessage, sealed.Msg()), encode(t, sealed.Notice.DSSE)))
			}
			s.want(put(before), http.StatusOK, "")
			s.Clock.Advance(time.Minute)
			s.want(put(after), tt.status, tt.code)
			s.want(s.do(s.signed(http.MethodGet, wire.PathFeed+"?desk="+closes.Desk, nil, closes.Officers[0])), http.StatusOK, "")
		})
	}
}
