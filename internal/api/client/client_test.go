package client_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"go/build"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

func TestNewRefuses(t *testing.T) {
	for _, base := range []string{"", "exchange.example", "http://exchange.example", "http://localhost:1", "ftp://127.0.0.1", "https://", "https://a.example/path",
		"https://a.example?x", "https://u:p@a.example", "https://a example"} {
		if _, err := client.New(base, nil, nil, client.Options{}); err == nil {
			t.Errorf("accepted %q", base)
		}
	}
	for _, base := range []string{"https://a.example", "https://a.example/", "https://a.example:8443", "http://127.0.0.1:1", "http://[::1]:1"} {
		if _, err := client.New(base, nil, nil, client.Options{}); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// TestEveryOperation calls each method against the real exchange.
func TestEveryOperation(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	ctx := t.Context()
	a, b := w.Client(w.A.Officers[0], client.Options{}), w.Client(w.B.Officers[0], client.Options{})
	anybody, err := client.New(w.URL, nil, w.Clock.Now, client.Options{})
	check(t, err)
	status, err := anybody.Status(ctx)
	check(t, err)
	if status.Genesis != w.Directory().Genesis() {
		t.Errorf("%+v", status)
	}

	sealed := send(t, w, a)
	id, receipt := w.Retrieved(sealed)
	_, err = b.PutStatement(ctx, id, encode(t, receipt))
	check(t, err)
	feed, err := a.Feed(ctx, w.A.Desk, 0, 1)
	check(t, err)
	if len(feed.Items) != 1 || feed.Size < 2 || feed.Items[0].N != 1 {
		t.Errorf("feed %+v", feed)
	}
	rest, err := a.Feed(ctx, w.A.Desk, 1, 0)
	check(t, err)
	if int64(len(rest.Items)) != feed.Size-1 {
		t.Errorf("%d items after the first of %d", len(rest.Items), feed.Size)
	}
	_, err = a.GrantFeed(ctx, w.A.Desk, statement.NewID("x"), -1, 0)
	wantCode(t, err, "grant_ended")

	before, err := a.Obligations(ctx, client.Query{Desk: w.A.Desk})
	check(t, err)
	id, receipt = w.Decrypted(sealed)
	_, err = b.PutStatement(ctx, id, encode(t, receipt))
	check(t, err)
	duties, err := a.Obligations(ctx, client.Query{Desk: w.A.Desk, Limit: 500})
	check(t, err)
	all, err := a.Obligations(ctx, client.Query{Desk: w.A.Desk, Closed: true, Limit: 500})
	check(t, err)
	if len(duties.Duties) == 0 || len(duties.Duties) != len(before.Duties)-1 || len(all.Duties) != len(before.Duties) {
		t.Fatalf("%d owed, then %d, %d with closed ones", len(before.Duties), len(duties.Duties), len(all.Duties))
	}
	o := duties.Duties[0].ID
	one, err := b.Obligation(ctx, o)
	check(t, err)
	if one.ID != o || one.Obligor != w.B.Desk {
		t.Errorf("%+v", one)
	}
	owing, err := b.Obligations(ctx, client.Query{Desk: w.B.Desk, Owing: true, Limit: 1})
	check(t, err)
	if len(owing.Duties) != 1 || owing.Next == "" {
		t.Errorf("%d duties, next %q", len(owing.Duties), owing.Next)
	}
	next, err := b.Obligations(ctx, client.Query{Desk: w.B.Desk, Owing: true, After: owing.Next})
	check(t, err)
	if len(next.Duties) == 0 || next.Duties[0].ID == owing.Duties[0].ID {
		t.Errorf("the second page begins with %+v", next.Duties)
	}
	missing, err := a.Obligations(ctx, client.Query{Desk: w.A.Desk, Missing: true})
	check(t, err)
	if len(missing.Duties) != 0 {
		t.Errorf("missing at once: %+v", missing.Duties)
	}
	w.Clock.Advance(10 * 24 * time.Hour)
	missing, err = a.Obligations(ctx, client.Query{Desk: w.A.Desk, Missing: true})
	check(t, err)
	if len(missing.Duties) == 0 || len(missing.Duties) >= len(duties.Duties) || !missing.Duties[0].View.Overdue {
		t.Errorf("missing after ten days: %+v", missing.Duties)
	}
	w.Publish()
	silence, err := a.PutSilence(ctx, o, statement.NewID("x"))
	check(t, err)
	readLedger(t, w, a, silence)

	_, err = a.PutConsent(ctx, statement.NewID("k"), 1, []byte("{}"))
	wantCode(t, err, "malformed")
	_, err = a.PutMessage(ctx, sealed.Msg(), []byte("{}"))
	wantCode(t, err, "malformed")
	_, err = a.Obligation(ctx, statement.NewID("o"))
	wantCode(t, err, "not_found")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if wire.CodeOf(err) != code {
		t.Errorf("%v, want %s", err, code)
	}
}

func encode(t *testing.T, d *statement.DSSE) []byte {
	t.Helper()
	raw, err := d.Encode()
	check(t, err)
	return raw
}

// send uploads and submits a message with one attachment.
func send(t *testing.T, w *apitest.World, c *client.Client) *apitest.Sealed {
	t.Helper()
	sealed := w.Seal(nil, []byte("attachment"))
	for n, part := range sealed.Parts {
		check(t, c.UploadPart(t.Context(), sealed.Msg(), n, bytes.NewReader(part), int64(len(part)), nil))
	}
	item, err := c.PutMessage(t.Context(), sealed.Msg(), encode(t, sealed.Notice.DSSE))
	check(t, err)
	if _, err := item.Opening(); err != nil {
		t.Error(err)
	}
	return sealed
}

// readLedger verifies an item as a client would: leaf, proof, consistency.
func readLedger(t *testing.T, w *apitest.World, c *client.Client, item evidence.Item) {
	t.Helper()
	ctx := t.Context()
	_, err := c.Proof(ctx, wire.Ev, item.Idx)
	wantCode(t, err, "no_checkpoint")
	before := parse(t, c, wire.Ev)
	w.Clock.Advance(time.Second)
	w.Publish()
	after := parse(t, c, wire.Ev)
	hashes, err := c.Consistency(ctx, wire.Ev, 1, after.Size)
	check(t, err)
	if len(hashes) == 0 || after.Size <= before.Size {
		t.Errorf("%d hashes from %d to %d", len(hashes), before.Size, after.Size)
	}
	file, err := c.Proof(ctx, wire.Ev, item.Idx)
	check(t, err)
	proof, err := ledger.ParseProof(file)
	check(t, err)
	if proof.Index != item.Idx {
		t.Errorf("proof of %d, want %d", proof.Index, item.Idx)
	}
	_, err = c.Proof(ctx, wire.Dir, 0)
	check(t, err)
	_, err = c.Consistency(ctx, wire.Dir, 1, 2)
	check(t, err)
	leaves, err := c.Entries(ctx, 0, 0)
	check(t, err)
	if dir, err := directory.New().Replay(leaves); err != nil || dir.N() != w.Directory().N() {
		t.Errorf("the directory does not replay: %v", err)
	}
	if leaves, err = c.Entries(ctx, 1, 2); err != nil || len(leaves) != 2 {
		t.Errorf("%d leaves, %v", len(leaves), err)
	}
}

func parse(t *testing.T, c *client.Client, log wire.Log) ledger.Checkpoint {
	t.Helper()
	note, err := c.Checkpoint(t.Context(), log)
	check(t, err)
	lines := strings.Split(string(note), "\n")
	if lines[0] != "exchange.example/"+string(log) {
		t.Fatalf("checkpoint %s", note)
	}
	var size int64
	for _, digit := range lines[1] {
		size = size*10 + int64(digit-'0')
	}
	return ledger.Checkpoint{Origin: lines[0], Size: size}
}

func TestSet(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	c := w.Client(w.A.Officers[0], client.Options{})
	set := statement.NewID("n")
	inSet := func(core *messaging.Core) { core.Set = set }
	body := &messaging.Set{Set: set, V: 1}
	for range 2 {
		sealed := w.Seal(inSet)
		check(t, c.UploadPart(t.Context(), sealed.Msg(), 0, bytes.NewReader(sealed.Parts[0]), int64(len(sealed.Parts[0])), nil))
		body.Msgs = append(body.Msgs, sealed.Notice.DSSE)
	}
	raw, err := statement.Marshal(body)
	check(t, err)
	items, err := c.PutSet(t.Context(), set, raw)
	check(t, err)
	if len(items) != 2 || items[1].Idx != items[0].Idx+1 {
		t.Errorf("%+v", items)
	}
}

// Two delegates sign one statement, each at their own time.
func TestPending(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	ctx := t.Context()
	body := &directory.CalendarDay{Zone: "Europe/Belgrade", Date: "2026-02-17", Off: true, Ref: "r"}
	digest, d := w.Prepare(body, w.Delegates[0])
	first, second := w.Client(w.Delegates[0], client.Options{}), w.Client(w.Delegates[1], client.Options{})
	answer, err := first.PutPending(ctx, digest, encode(t, d))
	check(t, err)
	if answer.Complete || len(answer.Signed) != 1 {
		t.Errorf("%+v", answer)
	}
	alone := &statement.DSSE{Payload: d.Payload, PayloadType: d.PayloadType, Signatures: []statement.Signature{}}
	check(t, alone.AddSignature(ctx, w.Delegates[1]))
	for i, key := range []statement.SigningKey{w.Council, w.Delegates[0], w.Delegates[1], w.A.Officers[0]} {
		n := []int{0, 1, 1, 0}[i]
		waiting, err := w.Client(key, client.Options{}).Pending(ctx, "")
		check(t, err)
		if len(waiting) != n || n == 1 && waiting[0].Digest != digest {
			t.Errorf("%d wait, want %d", len(waiting), n)
		}
	}
	answer, err = second.PutPending(ctx, digest, encode(t, alone))
	check(t, err)
	if !answer.Complete || answer.Entry == nil || answer.Entry.Idx != w.Directory().N()-1 || len(answer.Signed) != 2 {
		t.Errorf("%+v", answer)
	}
	waiting, err := w.Client(w.A.Officers[0], client.Options{}).Pending(ctx, w.A.Desk)
	check(t, err)
	if len(waiting) != 0 {
		t.Errorf("%+v", waiting)
	}
	digest, d = w.Prepare(&directory.DelegateRevoke{Key: statement.KeyID(w.Delegates[1].Public()), Reason: "left"}, w.Council)
	entry, err := first.PutDirectory(ctx, digest, encode(t, d))
	check(t, err)
	if entry.Idx != w.Directory().N()-1 {
		t.Errorf("%+v", entry)
	}
}

// Nobody there, a busy exchange and one that hangs up are told from a refusal.
func TestAway(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	signer, clock := w.A.Officers[0], func() int64 { return w.Clock.Now() }
	wait := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	nobody := ln.Addr().String()
	check(t, ln.Close())
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangsUp.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", wire.Problems)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"code":"busy","status":503}`)
	}))
	defer busy.Close()
	for base, away := range map[string]bool{"http://" + nobody: true, hangsUp.URL: true, busy.URL: true, w.URL: false} {
		c, err := client.New(base, signer, clock, client.Options{Pause: wait})
		check(t, err)
		_, err = c.Feed(t.Context(), w.B.Desk, 0, 0) // not this officer's desk
		if err == nil || errors.Is(err, client.ErrAway) != away {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// Keys and packages that are not what their name says are not handed on.
func TestDigests(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	ctx := t.Context()
	text := w.B.Key.Recipient().String()
	if got, err := c.Key(ctx, w.B.RK); err != nil || got != text {
		t.Errorf("%q, %v", got, err)
	}
	check(t, c.PutPackage(ctx, []byte("package")))
	name := hex.EncodeToString(sum([]byte("package")))
	if got, err := c.Package(ctx, name); err != nil || string(got) != "package" {
		t.Errorf("%q, %v", got, err)
	}
	tap.after = func(_ int, _ *http.Request, resp *http.Response) (*http.Response, error) {
		resp.Body.Close()
		resp.Body = io.NopCloser(strings.NewReader("another"))
		return resp, nil
	}
	if _, err := c.Key(ctx, w.B.RK); !errors.Is(err, client.ErrDigest) {
		t.Error("took another key")
	}
	if _, err := c.Package(ctx, name); !errors.Is(err, client.ErrDigest) {
		t.Error("took another package")
	}
}

// Nothing an error says names a message, a desk or a case.
func TestErrorsWithoutIDs(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	tap.before = lost(100)
	msg := statement.NewID("m")
	_, feedErr := c.Feed(t.Context(), w.A.Desk, 0, 0)
	_, putErr := c.PutMessage(t.Context(), msg, []byte("{}"))
	_, pathErr := c.PutMessage(t.Context(), msg+"\x7f", []byte("{}"))
	for _, err := range []error{feedErr, putErr, pathErr} {
		if err == nil || strings.Contains(err.Error(), msg) || strings.Contains(err.Error(), w.A.Desk) {
			t.Errorf("%v", err)
		}
	}
}

// An answer without end is not read without end.
func TestAnswerLimit(t *testing.T) {
	_, tap, c := tapped(t, client.Options{})
	tap.before = func(int, *http.Request) (*http.Response, error) {
		resp := says(200, map[string]string{"Content-Type": wire.JSON}, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`"`), endless{}))
		return resp, nil
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "above") {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// Over TLS, with the client's own transport.
func TestTLS(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	cert, roots := certificate(t)
	srv := api.Server("127.0.0.1:0", nil, &cert, nil)
	ln, err := api.Listen(t.Context(), srv)
	check(t, err)
	srv.Handler = api.New(w.X, api.Options{Authority: ln.Addr().String()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, srv, ln) }()
	defer func() {
		stop()
		check(t, <-ended)
	}()
	base := "https://" + ln.Addr().String()
	c, err := client.New(base, w.A.Officers[0], w.Clock.Now, client.Options{Roots: roots})
	check(t, err)
	send(t, w, c)
	stranger, err := client.New(base, w.A.Officers[0], w.Clock.Now, client.Options{Attempts: 1})
	check(t, err)
	var unknown x509.UnknownAuthorityError
	if _, err := stranger.Status(t.Context()); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestImports: a client links neither the server nor its storage.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		if seen[path] || !strings.HasPrefix(path, "github.com/") {
			return
		}
		seen[path] = true
		rest, own := strings.CutPrefix(path, "github.com/odziv/odziv/")
		if !own {
			return
		}
		pkg, err := build.ImportDir("../../../"+rest, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkg.Imports {
			walk(p)
		}
	}
	walk("github.com/odziv/odziv/internal/api/client")
	for path := range seen {
		for _, no := range []string{"/echo", "/internal/exchange", "/internal/sqlstore", "/internal/api/apitest", "/envelope", "/keystore"} {
			if strings.Contains(path, no) {
				t.Errorf("the client reaches %s", path)
			}
		}
	}
	if len(seen) < 4 {
		t.Errorf("saw only %v", seen)
	}
}

func TestSeedsArePresent(t *testing.T) {
	seeds, err := os.ReadDir("testdata/fuzz/FuzzProblem")
	if err != nil || len(seeds) == 0 {
		t.Errorf("%d seeds, %v", len(seeds), err)
	}
}

// FuzzProblem: whatever a stranger answers is an error with a code, and never
// one of the exchange's unless it has the exchange's form.
func FuzzProblem(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		if status < 300 || status > 599 {
			return
		}
		tap := &wireTap{before: func(int, *http.Request) (*http.Response, error) {
			return says(status, map[string]string{"Content-Type": media}, body), nil
		}}
		c, err := client.New("https://exchange.example", nil, func() int64 { return 0 }, client.Options{
			Transport: tap, Pause: func(context.Context, time.Duration) error { return nil }})
		check(t, err)
		_, err = c.Status(t.Context())
		var p *wire.Problem
		if !errors.As(err, &p) || p.Code == "" || p.Status != status {
			t.Fatalf("%v", err)
		}
		own := []string{client.CodeGateway, client.CodeForeign}
		if !slices.Contains(own, p.Code) && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(media)), wire.Problems) {
			t.Errorf("%q was taken for a problem: %+v", media, p)
		}
	})
}
