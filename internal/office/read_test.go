package office_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// events counts the leaves of an event about an object.
func events(t *testing.T, w *demo.World, event, obj string) int {
	t.Helper()
	n := 0
	check(t, w.Exchange.Store.Read(t.Context(), func(v exchange.View) error {
		return v.Openings(t.Context(), 0, func(_ int64, o evidence.Opening) error {
			meta, _, err := o.Decode()
			if err == nil && meta.Ev == event && meta.Obj == obj {
				n++
			}
			return err
		})
	}))
	return n
}

// A message is signed for before it is fetched, and the receipts are on record
// once, however often it is read.
func TestReadOnce(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	sent, err := at(t, w, from, 0, "").Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	for range 2 {
		for officer := range to.Officers {
			opened, err := at(t, w, to, officer, "").Read(t.Context(), to.ID, sent.Msg)
			check(t, err)
			if opened.Text.Body != "body" || len(opened.Mismatch) != 0 {
				t.Errorf("%q %v", opened.Text.Body, opened.Mismatch)
			}
		}
	}
	for event, n := range map[string]int{evidence.MessageRetrieved: 1, evidence.MessageDecrypted: 1, evidence.FactMismatch: 0, evidence.MessageDecryptFailed: 0} {
		if got := events(t, w, event, sent.Msg); got != n {
			t.Errorf("%s %d times, want %d", event, got, n)
		}
	}
	if _, err := at(t, w, to, 0, "").Read(t.Context(), to.ID, statement.NewID(statement.Message)); !errors.Is(err, office.ErrNoMessage) {
		t.Errorf("%v", err)
	}
}

// What a line does to a body is nobody's fault and no statement; what cannot be
// opened although it came whole is told to the sender.
func TestReadBroken(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	sent, err := at(t, w, from, 0, "").Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	p := at(t, w, to, 0, "")
	p.net.failing(func(r *http.Request, _ bool) error { return lose(strings.HasSuffix(r.URL.Path, "/parts/0")) })
	if _, err := p.Read(t.Context(), to.ID, sent.Msg); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	if n := events(t, w, evidence.MessageDecryptFailed, sent.Msg); n != 0 {
		t.Errorf("a broken line was put on record %d times", n)
	}
	p.net.failing(nil)
	p.net.set(func(path string, body []byte) []byte {
		if strings.HasSuffix(path, "/parts/0") {
			body[len(body)/2] ^= 1
		}
		return body
	})
	if _, err := p.Read(t.Context(), to.ID, sent.Msg); err == nil {
		t.Error("opened a changed body")
	}
	if n := events(t, w, evidence.MessageDecryptFailed, sent.Msg); n != 1 {
		t.Errorf("told %d times", n)
	}
	p.net.set(nil)
	_, err = p.Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
}

// An attachment is checked to its end before the first byte of it is written.
func TestSaveAllOrNothing(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	d := complaint(from.ID, to.ID)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	d.Files = append(d.Files, file("a.bin", content))
	sent, err := at(t, w, from, 0, "").Send(t.Context(), d)
	check(t, err)
	p := at(t, w, to, 0, "")
	opened, err := p.Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
	for name, change := range map[string]func([]byte) []byte{
		"its end":         func(b []byte) []byte { return b[:len(b)-1] },
		"its last chunk":  func(b []byte) []byte { return b[:len(b)-64<<10] },
		"all but a start": func(b []byte) []byte { return b[:100] },
		"a bit":           func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"a tail":          func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			p.net.set(answer("/v1/messages/"+sent.Msg+"/parts/1", change))
			var out bytes.Buffer
			if err := p.Save(t.Context(), to.ID, opened, 0, &out); err == nil || out.Len() != 0 {
				t.Errorf("%v, %d bytes written", err, out.Len())
			}
		})
	}
	p.net.set(nil)
	var out bytes.Buffer
	check(t, p.Save(t.Context(), to.ID, opened, 0, &out))
	if !bytes.Equal(out.Bytes(), content) {
		t.Error("another content came out")
	}
}

// A sender whose declarations do not follow from what she sealed is found out
// by the recipient, once.
func TestMismatchOnce(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	d := complaint(from.ID, to.ID)
	d.Acts = []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}} // indicators say none
	sent, err := at(t, w, from, 0, "").Send(t.Context(), d)
	check(t, err)
	for range 3 {
		opened, err := at(t, w, to, 0, "").Read(t.Context(), to.ID, sent.Msg)
		check(t, err)
		if len(opened.Mismatch) != 1 || opened.Mismatch[0] != "report-to-center" {
			t.Errorf("%v", opened.Mismatch)
		}
	}
	if n := events(t, w, evidence.FactMismatch, sent.Msg); n != 1 {
		t.Errorf("on record %d times", n)
	}
}

// Keys that were made for a demonstration are refused by an exchange that is
// none, before anything is done with them.
func TestWeakKeys(t *testing.T) {
	key := statement.NewSigningKey(bytes.Repeat([]byte{1}, 32))
	url, genesis := serveReal(t, key)
	keys, err := keystore.Generate(keystore.Owner{Role: keystore.Council}, start, keystore.Options{Demo: true})
	check(t, err)
	now := func() int64 { return time.Now().UnixMilli() }
	c, err := client.New(url, key, now, client.Options{})
	check(t, err)
	packs, err := server.Packs()
	check(t, err)
	o, err := office.Open(office.Config{Client: c, Keys: signing{keys, key}, Notebook: office.MemoryNotebook(office.Pin{URL: url, Genesis: genesis}),
		Packs: packs, Clock: now, Demo: true, WeakKeys: true})
	check(t, err)
	if err := o.Sync(t.Context()); !errors.Is(err, office.ErrWeakKeys) {
		t.Errorf("%v", err)
	}
	o.WeakKeys = false
	check(t, o.Sync(t.Context()))
}

// signing is a keystore with another signing key.
type signing struct {
	*keystore.Keystore
	key statement.Signer
}

func (s signing) Signer() statement.Signer { return s.key }

// serveReal serves an exchange that is no demonstration, whose council has the
// key and another.
func serveReal(t *testing.T, key statement.SigningKey) (url, genesis string) {
	t.Helper()
	other := statement.NewSigningKey(bytes.Repeat([]byte{2}, 32))
	srv := api.Server("127.0.0.1:0", nil, nil, slog.New(slog.DiscardHandler))
	ln, err := api.Listen(t.Context(), srv)
	check(t, err)
	authority := ln.Addr().String()
	home, err := server.InitHome(filepath.Join(t.TempDir(), "home"), server.Settings{Host: "exchange.example", Authority: authority, DB: "sqlite:ledger.db"})
	check(t, err)
	body := &directory.Genesis{Council: directory.Council{K: 2, Keys: []ed25519.PublicKey{key.Public(), other.Public()}}, Name: "test",
		Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{}, Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}}
	for _, l := range ledger.Logs {
		k, err := home.Signer(l)
		check(t, err)
		*map[ledger.Log]*string{ledger.Dir: &body.Logs.Dir, ledger.Ev: &body.Logs.Ev}[l] = k.VerifierKey()
	}
	now := time.Now().UnixMilli()
	payload, err := directory.New().Prepare(body, now)
	check(t, err)
	d, err := statement.Sign(t.Context(), statement.TypeDirectory, payload, key, other)
	check(t, err)
	leaf, err := directory.Leaf(d)
	check(t, err)
	check(t, home.Begin(t.Context(), leaf, now))
	packs, err := server.Packs()
	check(t, err)
	x, err := home.OpenExchange(t.Context(), exchange.System(), packs, slog.New(slog.DiscardHandler))
	check(t, err)
	srv.Handler = api.New(x, api.Options{Authority: authority})
	signers, err := home.Signers(x)
	check(t, err)
	anchor, err := home.Anchor()
	check(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{Exchange: x, Signers: signers, Anchor: anchor, HTTP: srv, Listener: ln,
			Log: slog.New(slog.DiscardHandler), SignEvery: 10 * time.Millisecond})
	}()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, x.Store.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + authority, directory.LeafHash(leaf)
}
