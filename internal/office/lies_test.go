package office_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/ledger"
)

// lied wants err to be the one that stops all work, and to say what.
func lied(t *testing.T, err error, what string) {
	t.Helper()
	var s *office.SecurityError
	if !errors.As(err, &s) || !strings.Contains(s.What, what) {
		t.Errorf("%v, want a lie about %q", err, what)
	}
}

// answer changes one path's answer.
func answer(path string, change func([]byte) []byte) func(string, []byte) []byte {
	return func(p string, body []byte) []byte {
		if strings.HasPrefix(p, path) {
			return change(body)
		}
		return body
	}
}

// changed decodes an answer, lets the test change it, and encodes it again.
func changed[T any](change func(*T)) func([]byte) []byte {
	return func(body []byte) []byte {
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			panic(err)
		}
		change(&v)
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return out
	}
}

// signed is a checkpoint that the ledger's own key signs over a tree that is
// none of its: what a lying operator can make.
func signed(t *testing.T, w *demo.World, log ledger.Log, change func(*ledger.Checkpoint)) func([]byte) []byte {
	t.Helper()
	key, err := w.Home.Signer(log)
	check(t, err)
	return func(body []byte) []byte {
		c, err := ledger.ParseCheckpoint(body, key.Verifier())
		if err != nil {
			panic(err)
		}
		change(&c)
		note, err := ledger.SignCheckpoint(context.Background(), key, c)
		if err != nil {
			panic(err)
		}
		return note
	}
}

// A directory is believed only if its entries apply, give the signed root, and
// go on from what was seen.
func TestSyncSeesLies(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	older := at(t, w, d, 0, "")
	var early []byte
	older.net.set(answer("/dir/checkpoint", func(b []byte) []byte { early = b; return b }))
	check(t, older.Sync(t.Context()))
	other := desk(t, w, "hppo-kraljevo", "registry")
	_, err := at(t, w, other, 0, "").fresh(t).Rotate(t.Context(), other.ID, "yearly")
	check(t, err)

	for name, tt := range map[string]struct {
		path   string
		change func([]byte) []byte
		what   string
	}{
		"another genesis":   {"/dir/entries", changed(func(e *wire.Entries) { e.Entries[0], e.Entries[1] = e.Entries[1], e.Entries[0] }), "genesis"},
		"an entry left out": {"/dir/entries", changed(func(e *wire.Entries) { e.Entries = append(e.Entries[:5:5], e.Entries[6:]...) }), "breaks the rules"},
		"an entry changed": {"/dir/entries", changed(func(e *wire.Entries) {
			e.Entries[3] = bytes.Replace(e.Entries[3], []byte(`"sig":"`), []byte(`"sig":"AA`), 1)
		}), "breaks the rules"},
		"garbage":               {"/dir/entries", changed(func(e *wire.Entries) { e.Entries[4] = []byte("{}") }), "breaks the rules"},
		"the end withheld":      {"/dir/entries", changed(func(e *wire.Entries) { e.Entries = e.Entries[:len(e.Entries)-1] }), "do not give its signed root"},
		"a checkpoint unsigned": {"/dir/checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("— "), []byte("— x"), 1) }, "not signed"},
		"of another tree":       {"/dir/checkpoint", signed(t, w, ledger.Dir, func(c *ledger.Checkpoint) { c.Root[0] ^= 1 }), "do not give its signed root"},
		"of a larger tree":      {"/dir/checkpoint", signed(t, w, ledger.Dir, func(c *ledger.Checkpoint) { c.Size++ }), "do not give its signed root"},
		"of no tree":            {"/dir/checkpoint", signed(t, w, ledger.Dir, func(c *ledger.Checkpoint) { c.Size, c.Root = 0, ledger.EmptyRoot() }), "no genesis"},
		"of the other log":      {"/ev/checkpoint", func([]byte) []byte { return early }, "not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := at(t, w, d, 0, "")
			pages := 0
			p.net.set(func(path string, body []byte) []byte {
				if !strings.HasPrefix(path, tt.path) {
					return body
				}
				if path == "/dir/entries" {
					if pages++; pages > 1 {
						return []byte(`{"entries":[],"v":1}`)
					}
				}
				return tt.change(body)
			})
			lied(t, p.Sync(t.Context()), tt.what)
			// The truth afterwards is believed.
			p.net.set(nil)
			check(t, p.Sync(t.Context()))
		})
	}

	t.Run("smaller than it was", func(t *testing.T) {
		p := at(t, w, d, 0, "").fresh(t)
		p.net.set(answer("/dir/checkpoint", func([]byte) []byte { return early }))
		lied(t, p.Sync(t.Context()), "became smaller")
	})
}

func (p *program) fresh(t *testing.T) *program {
	t.Helper()
	check(t, p.Sync(t.Context()))
	return p
}

// The entries may be lost with the disk; what the last checkpoint said is not
// forgotten, so that an older state is no more believed than before.
func TestSyncRemembersWithoutEntries(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	dir := t.TempDir()
	var early []byte
	first := at(t, w, d, 0, "")
	first.net.set(answer("/dir/checkpoint", func(b []byte) []byte { early = b; return b }))
	check(t, first.Sync(t.Context()))
	_, err := at(t, w, d, 0, "").fresh(t).Rotate(t.Context(), d.ID, "yearly")
	check(t, err)
	at(t, w, d, 0, dir).fresh(t)
	check(t, os.Remove(filepath.Join(dir, "directory.b64")))
	p := at(t, w, d, 0, dir)
	p.net.set(answer("/dir/checkpoint", func([]byte) []byte { return early }))
	lied(t, p.Sync(t.Context()), "not the one that was seen before")
	p.net.set(nil)
	check(t, p.Sync(t.Context()))
}

// The evidence tree has one history.
func TestEvidenceHasOneHistory(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	sender := at(t, w, from, 0, "")
	send := func() {
		t.Helper()
		sent, err := sender.Send(t.Context(), complaint(from.ID, to.ID))
		check(t, err)
		_, err = sender.Confirm(t.Context(), sent.Item)
		check(t, err)
	}
	send()
	p := at(t, w, to, 0, "").fresh(t)
	root := func(c *ledger.Checkpoint) { c.Root[0] ^= 1 }
	p.net.set(answer("/ev/checkpoint", signed(t, w, ledger.Ev, root)))
	lied(t, p.Sync(t.Context()), "two histories")
	p.net.set(nil)
	check(t, p.Sync(t.Context()))
	send()
	p.net.set(answer("/ev/checkpoint", signed(t, w, ledger.Ev, root)))
	lied(t, p.Sync(t.Context()), "rewritten")
	p.net.set(answer("/ev/consistency", changed(func(c *wire.Consistency) { c.Proof[0][0] ^= 1 })))
	lied(t, p.Sync(t.Context()), "rewritten")
	p.net.set(nil)
	check(t, p.Sync(t.Context()))
	// A smaller one is no lie, if it is of the same history.
	older := signed(t, w, ledger.Ev, func(*ledger.Checkpoint) {})
	var small []byte
	p.net.set(answer("/ev/checkpoint", func(b []byte) []byte { small = older(b); return b }))
	check(t, p.Sync(t.Context()))
	send()
	p.net.set(nil)
	check(t, p.Sync(t.Context()))
	p.net.set(answer("/ev/checkpoint", func([]byte) []byte { return small }))
	check(t, p.Sync(t.Context()))
}

// A key or a package that the directory does not name is used by nobody.
func TestKeysAreTheDirectorys(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	own, _ := from.Officers[0].Keys.DeskIdentity(from.ID, 1)
	p := at(t, w, from, 0, "")
	p.net.set(answer("/v1/keys/", func([]byte) []byte { return []byte(own.Recipient().String()) }))
	_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	lied(t, err, "another key")
	if p.net.count("PUT") != 0 {
		t.Error("something was sent")
	}
	_, err = at(t, w, to, 0, "").Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	second := at(t, w, to, 1, "")
	second.net.set(answer("/v1/packages/", func(b []byte) []byte { return append(b, 0) }))
	lied(t, second.Acknowledge(t.Context(), to.ID), "another package")
	second.net.set(nil)
	check(t, second.Acknowledge(t.Context(), to.ID))
}

// A feed shows everything there is, as it is in the ledger.
func TestFeedSeesLies(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	sender := at(t, w, from, 0, "")
	var last office.Sent
	for range 3 {
		sent, err := sender.Send(t.Context(), complaint(from.ID, to.ID))
		check(t, err)
		_, err = sender.Confirm(t.Context(), sent.Item)
		check(t, err)
		last = sent
	}
	for name, tt := range map[string]struct {
		change func(*wire.Feed)
		what   string
	}{
		"a number left out":  {func(f *wire.Feed) { f.Items = append(f.Items[:1:1], f.Items[2:]...) }, "lacks number 2"},
		"the first left out": {func(f *wire.Feed) { f.Items = f.Items[1:] }, "lacks number 1"},
		"the last left out":  {func(f *wire.Feed) { f.Items = f.Items[:2] }, "ends before number 3"},
		"all left out":       {func(f *wire.Feed) { f.Items = nil }, "ends before number 3"},
		"another order":      {func(f *wire.Feed) { f.Items[0], f.Items[1] = f.Items[1], f.Items[0] }, "lacks number 1"},
		"a number twice":     {func(f *wire.Feed) { f.Items[1].N = 1 }, "lacks number 2"},
		"another time": {func(f *wire.Feed) {
			f.Items[1].Meta = bytes.Replace(f.Items[1].Meta, []byte(`"at":1`), []byte(`"at":2`), 1)
		}, "is not what it showed"},
		"another's opening":           {func(f *wire.Feed) { f.Items[1].Meta, f.Items[1].Priv = f.Items[0].Meta, f.Items[0].Priv }, "is shown as no opening"},
		"another's index":             {func(f *wire.Feed) { f.Items[1].Idx = 0 }, "is shown as no opening"},
		"another blinding":            {func(f *wire.Feed) { f.Items[2].RM[0] ^= 1 }, "is not what it showed"},
		"no opening":                  {func(f *wire.Feed) { f.Items[2].Priv = []byte("{}") }, "is shown as no opening"},
		"one there never was":         {func(f *wire.Feed) { f.Items = append(f.Items, f.Items[2]); f.Items[3].N, f.Size = 4, 4 }, "a number that is not its own"},
		"one in the place of another": {func(f *wire.Feed) { f.Items[1] = f.Items[0]; f.Items[1].N = 2 }, "a number that is not its own"},
	} {
		t.Run(name, func(t *testing.T) {
			p := at(t, w, to, 0, "").fresh(t)
			asked := false
			p.net.set(answer("/v1/feed", func(b []byte) []byte {
				if asked {
					return changed(func(f *wire.Feed) { f.Items = nil; f.Size = 3 })(b)
				}
				asked = true
				return changed(tt.change)(b)
			}))
			_, err := p.Feed(t.Context(), to.ID, 0)
			lied(t, err, tt.what)
		})
	}

	t.Run("other than it was", func(t *testing.T) {
		dir := t.TempDir()
		p := at(t, w, to, 0, dir).fresh(t)
		_, err := p.Feed(t.Context(), to.ID, 0)
		check(t, err)
		asked := p.net.count("GET /ev/proof")
		again := at(t, w, to, 0, dir).fresh(t)
		_, err = again.Feed(t.Context(), to.ID, 0)
		check(t, err)
		if asked != 3 || again.net.count("GET /ev/proof") != 0 {
			t.Errorf("asked for %d proofs, then for %d", asked, again.net.count("GET /ev/proof"))
		}
		again.net.set(answer("/v1/feed", changed(func(f *wire.Feed) {
			f.Items[1].Meta = bytes.Replace(f.Items[1].Meta, []byte(`"at":1`), []byte(`"at":2`), 1)
		})))
		_, err = again.Feed(t.Context(), to.ID, 0)
		lied(t, err, "is not what it showed before")
	})

	t.Run("the proof of another", func(t *testing.T) {
		p := at(t, w, to, 0, "").fresh(t)
		other, err := p.Client.Proof(t.Context(), wire.Ev, 0)
		check(t, err)
		p.net.set(answer("/ev/proof/", func([]byte) []byte { return other }))
		_, err = p.Proof(t.Context(), last.Item)
		lied(t, err, "is not what it showed")
		p.net.set(answer("/ev/proof/", func([]byte) []byte { return []byte("nothing") }))
		_, err = p.Proof(t.Context(), last.Item)
		lied(t, err, "is none")
	})
}

// An answer to a message is the record of that message, or a lie.
func TestAnswersAreChecked(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	sent, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	for name, tt := range map[string]struct {
		change func(*evidence.Item)
		what   string
	}{
		"another message": {func(i *evidence.Item) { *i = sent.Item }, "the record of another message"},
		"another index":   {func(i *evidence.Item) { i.Idx++ }, "no opening"},
		"nothing":         {func(i *evidence.Item) { *i = evidence.Item{Idx: i.Idx} }, "no opening"},
	} {
		t.Run(name, func(t *testing.T) {
			p.net.set(answer("/v1/messages/m_", func(b []byte) []byte {
				if !bytes.Contains(b, []byte(`"priv"`)) {
					return b // of a part
				}
				return changed(tt.change)(b)
			}))
			_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
			lied(t, err, tt.what)
			var s *office.SecurityError
			if errors.As(err, &s) {
				if data, err := os.ReadFile(s.Kept); err != nil || !bytes.Contains(data, []byte(tt.what)) || !bytes.Contains(data, []byte(w.Genesis)) {
					t.Errorf("no evidence was kept: %q %v", s.Kept, err)
				}
			}
		})
	}
	p.net.set(nil)
	if ids, err := p.Notebook.Outbox(); err != nil || len(ids) != 0 {
		t.Errorf("%v %v", ids, err)
	}
}

// Keys of a demonstration guard no real mail, and a demonstration is entered
// knowingly.
func TestDemo(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	p := at(t, w, d, 0, "")
	p.Demo = false
	if err := p.Sync(t.Context()); !errors.Is(err, office.ErrDemo) {
		t.Errorf("%v", err)
	}
	p.Demo, p.WeakKeys = true, true
	check(t, p.Sync(t.Context()))
}
