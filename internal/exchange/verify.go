package exchange

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

// Finding is one thing that is wrong in the store, with where.
type Finding struct {
	Where string `json:"where"` // such as "ev entry 12" or "table obligation"
	What  string `json:"what"`
}

func (f Finding) String() string { return f.Where + ": " + f.What }

// maxFindings bounds a report: beyond it more of the same teaches nothing.
const maxFindings = 100

// Check verifies everything there is to verify: both trees from their entries,
// the directory by replay, every opening against its leaf, what each opening
// says of obligations against the rules, and every derived table against one
// rebuilt in scratch, an empty store; and that every escrow file is stored. It
// changes only scratch.
func Check(ctx context.Context, store, scratch Store, packs *rules.Set, progress func(done, total int64)) ([]Finding, error) {
	var found []Finding
	err := store.Read(ctx, func(v View) error {
		dir, err := follow(ctx, v, directory.New())
		if err != nil {
			found = append(found, Finding{Where: "dir", What: err.Error()})
		}
		trees, err := checkTrees(ctx, v, dir)
		found = append(found, trees...)
		if err != nil || dir == nil {
			return err
		}
		lost, err := checkEscrow(ctx, v, dir)
		found = append(found, lost...)
		if err != nil {
			return err
		}
		r := &replay{ctx: ctx, from: v, dir: dir, packs: packs, progress: progress}
		if err := scratch.Write(ctx, func(tx Tx) error { return r.run(tx) }); err != nil {
			return err
		}
		found = append(found, r.found...)
		differing, err := compare(ctx, v, scratch)
		found = append(found, differing...)
		return err
	})
	return found, err
}

// checkTrees recomputes both trees from their entries. With a directory to name
// the keys, every checkpoint must also be signed.
func checkTrees(ctx context.Context, v View, dir *directory.State) ([]Finding, error) {
	var found []Finding
	for _, log := range ledger.Logs {
		var known []note.Verifier
		if dir != nil {
			var err error
			if known, err = keysOf(dir.View, log); err != nil {
				return found, err
			}
		}
		broken, err := ledger.Check(ctx, v, log, known...)
		if err != nil {
			return found, err
		}
		for _, b := range broken {
			found = append(found, Finding{Where: log.String(), What: b.String()})
		}
	}
	return found, nil
}

// keysOf are the keys that a directory names for a log, or ever named: what an
// old one signed stays signed.
func keysOf(dir directory.View, log ledger.Log) (keys []note.Verifier, err error) {
	var have []string
	for n := dir.N(); n >= 1; n-- {
		logs := dir.At(n).Logs()
		vkey := logs.Ev
		if log == ledger.Dir {
			vkey = logs.Dir
		}
		if slices.Contains(have, vkey) {
			continue
		}
		key, err := ledger.ParseVerifierKey(vkey)
		if err != nil {
			return nil, err
		}
		have, keys = append(have, vkey), append(keys, key)
	}
	return keys, nil
}

// Rebuild drops every derived table and derives it anew, in one transaction.
// Openings that do not match their leaf stop it.
func Rebuild(ctx context.Context, store Store, packs *rules.Set, progress func(done, total int64)) error {
	return store.Write(ctx, func(tx Tx) error {
		dir, err := follow(ctx, tx, directory.New())
		if err != nil {
			return err
		}
		if err := tx.DropDerived(ctx); err != nil {
			return err
		}
		r := &replay{ctx: ctx, from: tx, dir: dir, packs: packs, progress: progress}
		if err := r.run(tx); err != nil {
			return err
		}
		if len(r.found) > 0 {
			return fmt.Errorf("exchange: rebuild: %s (and %d more): run odzivd fsck", r.found[0], len(r.found)-1)
		}
		return nil
	})
}

// replay derives rows from openings, in ledger order.
type replay struct {
	ctx      context.Context
	from     View
	dir      *directory.State
	packs    *rules.Set
	progress func(done, total int64)
	found    []Finding
	gone     map[int64]bool // indexes that an erasure covers
	holes    bool           // an opening before this one is gone
}

func (r *replay) run(into Tx) error {
	head, err := r.from.Head(r.ctx, ledger.Ev)
	if err != nil {
		return err
	}
	if err := r.directory(into); err != nil {
		return err
	}
	r.gone = map[int64]bool{}
	p := newProjection(r.ctx, into, r.dir, r.packs, &calendars{}, 0)
	p.from = r.from
	next := int64(0)
	var missing []int64
	err = r.from.Openings(r.ctx, 0, func(idx int64, o evidence.Opening) error {
		for ; next < idx; next++ {
			missing, r.holes = append(missing, next), true
		}
		next = idx + 1
		if r.progress != nil && idx%1000 == 0 {
			r.progress(idx, head.Size)
		}
		return r.one(p, idx, o)
	})
	if err == nil && next == head.Size && next > 0 && len(r.found) == 0 {
		err = r.checkTime(head, p.at)
	}
	for ; next < head.Size; next++ {
		missing = append(missing, next)
	}
	for _, idx := range missing {
		if !r.gone[idx] {
			r.note(idx, "the opening is missing and no erasure covers it")
		}
	}
	return err
}

// checkTime wants the head to have the time of its last leaf, or, where that
// leaf was imported, of the checkpoint that came with it.
func (r *replay) checkTime(head ledger.Head, last int64) error {
	if head.At == last {
		return nil
	}
	imported, err := dated(r.ctx, r.from, head)
	if err == nil && (!imported || head.At < last) {
		r.note(head.Size-1, "the head's time is not that of its last leaf")
	}
	return err
}

// directory notes which directory statements are taken.
func (r *replay) directory(into Tx) error {
	for from := int64(0); from < r.dir.N(); {
		leaves, err := r.from.Entries(r.ctx, ledger.Dir, from, min(r.dir.N(), from+ledger.MaxPage))
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			signed, err := directory.Decode(leaf)
			if err != nil {
				return err
			}
			digest := payloadDigest(signed.DSSE)
			err = into.PutStatement(r.ctx, StatementRow{ID: dirKey(digest), Digest: digest, Idx: from + int64(i)})
			if err != nil {
				return err
			}
		}
		from += int64(len(leaves))
	}
	return nil
}

// one checks an opening against its leaf and derives its rows.
func (r *replay) one(p *projection, idx int64, o evidence.Opening) error {
	leaves, err := r.from.Entries(r.ctx, ledger.Ev, idx, idx+1)
	if err != nil {
		return err
	}
	meta, priv, err := o.Check(leaves[0], idx)
	if err != nil {
		r.note(idx, err.Error())
		return nil
	}
	h, err := p.event(meta, priv, nil)
	if err != nil {
		r.note(idx, "cannot be read: "+err.Error())
		return nil
	}
	for _, o := range priv.Opens {
		h.Opens = append(h.Opens, o.O)
		h.Listed = append(h.Listed, obligation.Listed{O: o.O, Rule: o.Rule, Obligor: o.OR, Obligee: o.EE, Due: o.Due, N: o.N})
	}
	for _, m := range priv.Moves {
		h.Moved = append(h.Moved, obligation.Moved{O: m.O, Op: m.Op, State: obligation.State(m.State)})
	}
	changes, err := obligation.Replay(p, p, h.Event, r.holes)
	if err != nil {
		r.note(idx, "the rules do not admit it: "+err.Error())
		return nil
	}
	var again evidence.Priv
	var trace evidence.Meta
	trace.DirN = meta.DirN
	if err := p.describe(changes, &trace, &again, h); err != nil {
		return err
	}
	if !r.holes && !same(priv, &again) {
		r.note(idx, "the obligations it lists are not those the rules derive")
	}
	if e, ok := h.body.(*evidence.ErasureData); ok {
		for _, gone := range e.Erased {
			r.gone[gone.Idx] = true
		}
	}
	return p.store(meta, priv, h, changes)
}

func (r *replay) note(idx int64, what string) {
	if len(r.found) < maxFindings {
		r.found = append(r.found, Finding{Where: fmt.Sprintf("ev entry %d", idx), What: what})
	}
}

// compare holds the derived tables of one store against those of another.
func compare(ctx context.Context, v View, rebuilt Store) ([]Finding, error) {
	want := map[string]string{}
	err := rebuilt.Read(ctx, func(again View) error {
		return again.Derived(ctx, func(table, key, row string) error {
			want[table+"\x00"+key] = row
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var found []Finding
	add := func(table, key, what string) {
		if len(found) < maxFindings {
			found = append(found, Finding{Where: "table " + table, What: what + " row " + key})
		}
	}
	err = v.Derived(ctx, func(table, key, row string) error {
		id := table + "\x00" + key
		again, ok := want[id]
		delete(want, id)
		switch {
		case !ok:
			add(table, key, "the ledger does not derive")
		case again != row:
			add(table, key, "the ledger derives another")
		}
		return nil
	})
	for id := range want {
		table, key := splitKey(id)
		add(table, key, "lacks")
	}
	return found, err
}

func splitKey(id string) (table, key string) {
	for i := range id {
		if id[i] == 0 {
			return id[:i], id[i+1:]
		}
	}
	return id, ""
}
