package exchange

import (
	"context"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// ledgerIncomplete refuses whatever a rule would have to decide, or a number be
// given out for, while part of the record cannot be read.
func ledgerIncomplete() *Refusal {
	return refuse(Unavailable, "ledger_incomplete", "the ledger was restored, and some of its entries have not been opened again").
		hint("nothing was recorded; give back what your program holds, and try again later")
}

// whole refuses to read, while openings are missing, what one of them may have
// changed: who owes what, whether a grant or a release still stands.
func whole(ctx context.Context, v View) error {
	incomplete, err := v.Incomplete(ctx)
	if err == nil && incomplete {
		return ledgerIncomplete()
	}
	return err
}

// Holes lists the indexes above after that are neither opened nor erased,
// ascending: what a restored ledger asks its members to open again. Any active
// actor of the directory may ask; an index tells nothing of its entry.
func (x *Exchange) Holes(ctx context.Context, c Caller, after int64, limit int) ([]int64, error) {
	if err := x.mayReopen(c); err != nil {
		return nil, err
	}
	holes := []int64{}
	err := x.Store.Read(ctx, func(v View) error {
		list, err := v.Holes(ctx, max(0, after+1), clampLimit(limit))
		holes = append(holes, list...)
		return err
	})
	return holes, err
}

func (x *Exchange) mayReopen(c Caller) error {
	actor, err := x.mayCall(c)
	if err == nil && !actor.ActiveAt(x.Clock.Now()) {
		return refuse(Forbidden, "signer", "the key is out of its term")
	}
	return err
}

// Reopen gives the ledger back an opening that it lost. Whoever holds it may: it
// is held against the leaf, which admits one opening only. The same again does
// nothing. What an erasure covers does not come back, and an erasure that comes
// back erases again what an old backup brought along.
//
// Derived rows follow from the openings in the order of the ledger, so they are
// derived, all anew, when the last hole is filled. Until then the exchange
// records nothing else, and what is read of it is not complete.
func (x *Exchange) Reopen(ctx context.Context, c Caller, item evidence.Item) error {
	if err := x.mayReopen(c); err != nil {
		return err
	}
	o, err := item.Opening()
	if err != nil {
		return malformed(err)
	}
	err = x.Store.Read(ctx, func(v View) error { // without the lock: it may look far for the next hole
		_, err := admit(ctx, v, item.Idx, o)
		return err
	})
	if err != nil {
		return err
	}
	_, err = submit(ctx, x, c, nil, func(s *section) (bool, error) { return true, s.reopen(item.Idx, o) })
	return err
}

func (s *section) reopen(idx int64, o evidence.Opening) error {
	back, err := admit(s.ctx, s.tx, idx, o)
	if err != nil || back == nil {
		return err
	}
	if err := s.tx.PutOpening(s.ctx, idx, o); err != nil {
		return err
	}
	if err := s.eraseAgain(&back.meta, &back.priv); err != nil {
		return err
	}
	return s.close()
}

// comeback is an opening that may come back.
type comeback struct {
	meta evidence.Meta
	priv evidence.Priv
}

// admit holds an opening against its leaf, and only then says what became of the
// entry: nil if it is open already.
func admit(ctx context.Context, v View, idx int64, o evidence.Opening) (*comeback, error) {
	head, err := v.Head(ctx, ledger.Ev)
	if err != nil {
		return nil, err
	}
	if idx < 0 || idx >= head.Size {
		return nil, notFound()
	}
	leaves, err := v.Entries(ctx, ledger.Ev, idx, idx+1)
	if err != nil {
		return nil, err
	}
	meta, priv, err := o.Check(leaves[0], idx)
	if err != nil {
		return nil, malformed(err)
	}
	missing, err := lost(ctx, v, idx)
	if err != nil || !missing {
		return nil, err
	}
	return &comeback{*meta, *priv}, nil
}

// lost reports whether an index is a hole. One that is open needs nothing.
func lost(ctx context.Context, v View, idx int64) (bool, error) {
	if _, ok, err := v.Opening(ctx, idx); err != nil || ok {
		return false, err
	}
	holes, err := v.Holes(ctx, idx, 1)
	if err != nil {
		return false, err
	}
	if len(holes) == 0 || holes[0] != idx {
		return false, refuse(Conflicting, "opening_erased", "the entry was erased, and its opening does not come back").
			hint("what it said is no longer on record; if it must be, record it anew")
	}
	return true, nil
}

// eraseAgain repeats an erasure that the database had forgotten: an old backup
// holds what was erased after it was made.
func (s *section) eraseAgain(meta *evidence.Meta, priv *evidence.Priv) error {
	if meta.Ev != evidence.ErasureDone {
		return nil
	}
	data := &evidence.ErasureData{}
	if err := statement.Unmarshal(priv.Data, data); err != nil {
		return malformed(err)
	}
	for _, e := range data.Erased {
		_, open, err := s.tx.Opening(s.ctx, e.Idx)
		if err != nil {
			return err
		}
		if open {
			err = s.erase(e.Idx)
		} else {
			err = s.tx.EraseOpening(s.ctx, e.Idx)
		}
		if err != nil {
			return err
		}
	}
	h := &happening{body: data}
	h.Idx = meta.Idx
	return s.projection().storeErasure(h) // so that feeds say at once what is gone
}

// close derives everything anew if no hole is left.
func (s *section) close() error {
	incomplete, err := s.tx.Incomplete(s.ctx)
	if err != nil || incomplete {
		return err
	}
	s.incomplete = false
	err = s.rederive()
	s.incomplete = err != nil
	return err
}

// maxGivenUp bounds the indexes of one erasure.done, which must fit its opening.
const maxGivenUp = 1000

// GivenUp is the ground of an erasure of openings that nobody could give back.
const GivenUp = "lost"

// GiveUp closes a restored ledger that nobody can complete: every hole that is
// left is covered by erasure.done with the ground [GivenUp], and the exchange
// records again. want is how many holes the operator has seen; any other number
// refuses. What those entries said, a withdrawal perhaps, counts as never said,
// so it is the last resort. It returns how many were given up.
func (x *Exchange) GiveUp(ctx context.Context, want int) (int, error) {
	return submit(ctx, x, Caller{}, nil, func(s *section) (n int, err error) {
		holes, err := s.holes()
		if err != nil {
			return 0, err
		}
		if len(holes) != want {
			return 0, refuse(Conflicting, "conflict", "%d openings are missing, not %d", len(holes), want)
		}
		return len(holes), s.giveUpAll(holes)
	})
}

func (s *section) giveUpAll(holes []int64) (err error) {
	defer func() { s.incomplete = s.incomplete || err != nil }() // then what was erased is rolled back
	for _, idx := range holes {
		if err := s.tx.EraseOpening(s.ctx, idx); err != nil {
			return err
		}
	}
	s.incomplete = false
	for left := holes; len(left) > 0; {
		page := left[:min(len(left), maxGivenUp)]
		if err := s.giveUp(page); err != nil {
			return err
		}
		left = left[len(page):]
	}
	return s.rederive()
}

func (s *section) holes() ([]int64, error) {
	var all []int64
	for from := int64(0); ; {
		page, err := s.tx.Holes(s.ctx, from, ledger.MaxPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		from = page[len(page)-1] + 1
	}
}

// giveUp records that openings are gone. Nobody knows in whose feeds they stood.
func (s *section) giveUp(holes []int64) error {
	data := evidence.ErasureData{Erased: []evidence.Erased{}, Ground: GivenUp}
	for _, idx := range holes {
		data.Erased = append(data.Erased, evidence.Erased{Idx: idx, To: []evidence.Delivery{}})
	}
	d, err := s.newDraft(evidence.ErasureDone, evidence.System, fmt.Sprintf("erasure-%d", s.next())).data(data)
	if err != nil {
		return err
	}
	_, err = s.record(d)
	return err
}
