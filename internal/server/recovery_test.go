package server_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// A database that lost a tail, at any size, comes back from a mirror and what
// the members hold, in any order, to the row: nothing is recorded before.
func TestRestored(t *testing.T) {
	h, err := lived()
	must(t, err)
	full := h.open(t)
	for range rounds(3) {
		t.Run("", func(t *testing.T) { restoreOnce(t, h, full) })
	}
}

func restoreOnce(t *testing.T, h *history, full exchange.Store) {
	ctx := context.Background()
	// The backup: the ledger as it stood at some size, openings and all, those
	// among them that were erased later.
	early, cut := slices.Max(slices.Collect(maps.Keys(h.erased)))+3, h.sizes[ledger.Ev]
	cut = early + rand.Int64N(cut-early-3)
	last := h.openings[slices.Max(h.between(0, cut))]
	meta, _, err := last.Decode()
	must(t, err)
	r := h.fresh(t, full)
	store := r.store
	backup := h.mirror(t, full, map[ledger.Log]int64{ledger.Dir: meta.DirN, ledger.Ev: cut})
	_, err = exchange.Import(ctx, store, h.trusting(t, backup), h.now, nil)
	must(t, err)
	r.reopen(h.between(0, cut))
	for idx, o := range h.erased {
		must(t, r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, o)))
	}
	r.sound()

	// The tail comes back as entries.
	mirror := h.trusting(t, h.mirror(t, full, h.sizes))
	done, err := exchange.Import(ctx, store, mirror, h.now, nil)
	must(t, err)
	if done[1].From != cut || done[1].To != h.sizes[ledger.Ev] {
		t.Errorf("%+v", done)
	}
	if again, err := exchange.Import(ctx, store, mirror, h.now, nil); err != nil || again[0].From != again[0].To || again[1].From != again[1].To {
		t.Errorf("a second time: %+v %v", again, err)
	}
	want := h.between(cut, h.sizes[ledger.Ev])
	slices.Sort(want)
	holes := r.holes()
	if !slices.Equal(holes, want) {
		t.Errorf("holes %v, want %v", holes, want)
	}
	r.closed(want)
	r.reopen(want)
	if r.incomplete() || len(r.holes()) != 0 {
		t.Fatalf("still incomplete: %v", r.holes())
	}
	r.same()
	r.sound()
	if _, err := r.x.Bookkeep(ctx); err != nil {
		t.Errorf("complete, and still closed: %v", err)
	}
	r.reopen(want[:1]) // again: nothing
	for idx, o := range h.erased {
		if err := r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, o)); code(err) != "opening_erased" {
			t.Errorf("what was erased came back: %v", err)
		}
		if err := r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, last)); code(err) != "malformed" {
			t.Errorf("an opening at another's place: %v", err)
		}
	}
}

// unread tries to read what a missing opening may have changed: who owes what,
// and a feed that the reader knows better.
func (r *restored) unread() {
	r.t.Helper()
	ctx := context.Background()
	w := r.h.world
	for _, m := range w.Members {
		for _, d := range m.Desks {
			c := exchange.Caller{Key: statement.KeyID(d.Officers[0].Keys.Signer().Public())}
			if _, ok := r.x.Key(c.Key); !ok {
				continue
			}
			if _, err := r.x.Duties(ctx, c, exchange.DutyQuery{Desk: d.ID}); code(err) != "ledger_incomplete" && code(err) != "grant_ended" {
				r.t.Errorf("duties of %s are told from half a record: %v", d.Name(), err)
			}
			_, err := r.x.Feed(ctx, c, d.ID, 1<<40, 1)
			if code(err) != "ledger_incomplete" && code(err) != "grant_ended" {
				r.t.Errorf("the feed of %s ends where the record does: %v", d.Name(), err)
			}
		}
	}
}

// What nobody can give back is given up by an operator, on record, and only by
// who counted it. Then the exchange goes on, and it stays given up.
func TestGiveUp(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	full := h.open(t)
	r := h.fresh(t, full)
	_, err = exchange.Import(ctx, r.store, h.trusting(t, h.mirror(t, full, h.sizes)), h.now, nil)
	must(t, err)
	all := h.between(0, h.sizes[ledger.Ev])
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	r.reopen(all[:len(all)/2])
	lost := r.holes()
	if n, err := r.x.GiveUp(ctx, len(lost)+1); code(err) != "conflict" {
		t.Errorf("%d given up by who had not counted: %v", n, err)
	}
	if n, err := r.x.GiveUp(ctx, len(lost)); err != nil || n != len(lost) {
		t.Fatalf("%d given up: %v", n, err)
	}
	if r.incomplete() {
		t.Error("still incomplete")
	}
	r.sound()
	idx := all[len(all)-1]
	if err := r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, h.openings[idx])); code(err) != "opening_erased" {
		t.Errorf("came back after it was given up: %v", err)
	}
	if _, err := r.x.Erase(ctx, []int64{all[0]}, "retention"); err != nil {
		t.Errorf("closed for ever: %v", err)
	}
	r.sound()
}

// Who may not, or shows what is no opening, changes nothing.
func TestReopenRefuses(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	full := h.open(t)
	r := h.fresh(t, full)
	_, err = exchange.Import(ctx, r.store, h.trusting(t, h.mirror(t, full, h.sizes)), h.now, nil)
	must(t, err)
	idx := slices.Min(h.between(0, h.sizes[ledger.Ev]))
	item := evidence.ItemOf(idx, 0, h.openings[idx])
	again := r.caller()
	for name, try := range map[string]struct {
		code string
		c    exchange.Caller
		item func(i evidence.Item) evidence.Item
	}{
		"a stranger":      {"signature", exchange.Caller{Key: "ed25519:" + fmt.Sprintf("%064d", 1), Nonce: "nonce"}, nil},
		"another's index": {"malformed", r.caller(), func(i evidence.Item) evidence.Item { i.Idx++; return i }},
		"beyond the end":  {"not_found", r.caller(), func(i evidence.Item) evidence.Item { i.Idx = h.sizes[ledger.Ev]; return i }},
		"before it":       {"not_found", r.caller(), func(i evidence.Item) evidence.Item { i.Idx = -1; return i }},
		"held":            {"malformed", r.caller(), func(i evidence.Item) evidence.Item { i.Held = &evidence.Held{}; return i }},
		"nothing":         {"malformed", r.caller(), func(i evidence.Item) evidence.Item { return evidence.Item{} }},
		"a changed half":  {"malformed", r.caller(), func(i evidence.Item) evidence.Item { i.Priv = append(slices.Clone(i.Priv), ' '); return i }},
		"a changed key":   {"malformed", r.caller(), func(i evidence.Item) evidence.Item { i.RM = i.RP; return i }},
	} {
		i := item
		if try.item != nil {
			i = try.item(i)
		}
		if err := r.x.Reopen(ctx, try.c, i); code(err) != try.code {
			t.Errorf("%s: %v, want %s", name, err, try.code)
		}
		if !slices.Contains(r.holes(), idx) {
			t.Fatalf("%s: something was stored", name)
		}
	}
	if _, err := r.x.Holes(ctx, exchange.Caller{Key: "ed25519:x"}, -1, 1); code(err) != "signature" {
		t.Errorf("a stranger asks for holes: %v", err)
	}
	must(t, r.x.Reopen(ctx, again, item))
	if err := r.x.Reopen(ctx, again, item); code(err) != "nonce" {
		t.Errorf("the same request twice: %v", err)
	}
}

// closed tries, with part of the openings back, what must not be recorded.
func (r *restored) closed(lost []int64) {
	r.t.Helper()
	ctx := context.Background()
	some := slices.Clone(lost[:len(lost)-1])
	r.reopen(some[:rand.IntN(len(some)+1)])
	if !r.incomplete() {
		r.t.Error("complete with a hole")
	}
	if _, err := r.x.Erase(ctx, []int64{r.h.between(0, lost[0])[0]}, "retention"); code(err) != "ledger_incomplete" {
		r.t.Errorf("a leaf was recorded while openings are missing: %v", err)
	}
	r.unread()
	if _, err := r.x.GiveUp(ctx, -1); code(err) != "conflict" {
		r.t.Errorf("given up without being counted: %v", err)
	}
	if !slices.ContainsFunc(r.check(), func(f exchange.Finding) bool {
		return f.What == "the opening is missing and no erasure covers it"
	}) {
		r.t.Error("fsck does not list the holes")
	}
}

// Whatever a mirror is that is none of this ledger, or damaged, nothing of it
// gets in; two histories are told apart at the entry where they part.
func TestImportRefuses(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	full := h.open(t)
	store := h.fresh(t, full).store
	good := h.mirror(t, full, h.sizes)
	for name, change := range map[string]func(m fstest.MapFS){
		"empty":             func(m fstest.MapFS) { clear(m) },
		"no checkpoint":     func(m fstest.MapFS) { delete(m, "ev/checkpoint") },
		"a long checkpoint": func(m fstest.MapFS) { m["ev/checkpoint"] = &fstest.MapFile{Data: make([]byte, ledger.MaxCheckpoint+2)} },
		"the other's":       func(m fstest.MapFS) { m["ev/checkpoint"] = m["dir/checkpoint"] },
		"a forged size": func(m fstest.MapFS) {
			m["ev/checkpoint"] = swap(m["ev/checkpoint"], fmt.Sprint(h.sizes[ledger.Ev]), "3")
		},
		"no entries":         func(m fstest.MapFS) { drop(m, "ev/tile/entries/") },
		"no hashes":          func(m fstest.MapFS) { drop(m, "ev/tile/0/") },
		"a changed entry":    func(m fstest.MapFS) { flip(m, "ev/tile/entries/", 40) },
		"a changed hash":     func(m fstest.MapFS) { flip(m, "ev/tile/0/", 40) },
		"a changed dir":      func(m fstest.MapFS) { flip(m, "dir/tile/entries/", 700) },
		"a bundle cut short": func(m fstest.MapFS) { cutShort(m, "ev/tile/entries/") },
	} {
		m := maps.Clone(good)
		change(m)
		_, err := exchange.Import(ctx, store, h.trusting(t, m), h.now, nil)
		if !errors.Is(err, exchange.ErrMirror) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, store.View(ctx, func(r ledger.Reader) error {
			for _, l := range ledger.Logs {
				if head, err := r.Head(ctx, l); err != nil || head.Size > 1 {
					t.Errorf("%s: %s has %d entries, %v", name, l, head.Size, err)
				}
			}
			return nil
		}))
	}
	// Written after the restore: another history.
	grown := h.fresh(t, full).store
	early := h.trusting(t, h.mirror(t, full, map[ledger.Log]int64{ledger.Dir: h.sizes[ledger.Dir], ledger.Ev: 5}))
	_, err = exchange.Import(ctx, grown, early, h.now, nil)
	must(t, err)
	must(t, grown.Write(ctx, func(tx exchange.Tx) error {
		b, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for range 3 {
			if _, err := b.Append([]byte("another leaf")); err != nil {
				return err
			}
		}
		_, err = b.Flush(ctx, h.now)
		return err
	}))
	var parting *exchange.Parting
	if _, err = exchange.Import(ctx, grown, h.trusting(t, good), h.now, nil); !errors.As(err, &parting) ||
		parting.Log != ledger.Ev || parting.At != 5 || parting.Local != 8 {
		t.Errorf("two histories: %v", err)
	}
	// A mirror that is behind has nothing to give, and does no harm.
	if done, err := exchange.Import(ctx, full, early, h.now, nil); err != nil || done[1].From != h.sizes[ledger.Ev] || done[1].To != done[1].From {
		t.Errorf("a mirror that is behind: %+v %v", done, err)
	}
}

// Whatever byte of a mirror is another, an import refuses it or ends with the
// very tree that was signed: nothing is ever taken that was not.
func TestImportMutated(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	full := h.open(t)
	good := h.mirror(t, full, h.sizes)
	names := slices.Sorted(maps.Keys(good))
	refused := 0
	for range rounds(16) {
		name := names[rand.IntN(len(names))]
		m := maps.Clone(good)
		data := slices.Clone(m[name].Data)
		switch at := rand.IntN(len(data)); rand.IntN(3) {
		case 0:
			data[at] ^= 1 << rand.IntN(8)
		case 1:
			data = data[:at]
		case 2:
			data = slices.Insert(data, at, byte(rand.IntN(256)))
		}
		m[name] = &fstest.MapFile{Data: data}
		r := h.fresh(t, full)
		if _, err := exchange.Import(ctx, r.store, h.trusting(t, m), h.now, nil); err != nil {
			refused++
		}
		must(t, r.store.View(ctx, func(v ledger.Reader) error {
			for _, l := range ledger.Logs {
				head, err := v.Head(ctx, l)
				if err != nil {
					return err
				}
				if found, err := ledger.Check(ctx, v, l); err != nil || len(found) > 0 {
					t.Errorf("%s: %v %v", name, found, err)
				}
				if head.Size > 1 && head.Size != h.sizes[l] {
					t.Errorf("%s: %s ended with %d entries", name, l, head.Size)
				}
				must(t, full.View(ctx, func(whole ledger.Reader) error {
					theirs, err := whole.Head(ctx, l)
					if head.Size == theirs.Size && head.Root != theirs.Root {
						t.Errorf("%s: %s has another tree", name, l)
					}
					return err
				}))
			}
			return nil
		}))
	}
	if refused == 0 {
		t.Error("no change was noticed")
	}
}
