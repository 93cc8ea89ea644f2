package storetest

import (
	"errors"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
)

func caseOpenings(s *suite) {
	s.record(200, nil)
	s.read(func(v exchange.View) error {
		found(s, "opening 0", opening(0))(v.Opening(s.ctx, 0))
		found(s, "opening 199", opening(199))(v.Opening(s.ctx, 199))
		missing[evidence.Opening](s, "opening 200")(v.Opening(s.ctx, 200))
		missing[evidence.Opening](s, "opening -1")(v.Opening(s.ctx, -1))
		for _, from := range []int64{0, 1, 63, 64, 65, 199, 200} {
			s.equal("openings", s.openings(v, from), 200-from)
		}
		return nil
	})
	stop := errors.New("enough")
	s.read(func(v exchange.View) error {
		seen := 0
		err := v.Openings(s.ctx, 0, func(int64, evidence.Opening) error {
			if seen++; seen == 3 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || seen != 3 {
			s.Errorf("stopped after %d with %v", seen, err)
		}
		return nil
	})
	s.refused("a second opening of a leaf", func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, 5, opening(6)) })
}

// openings counts the openings from an index on, which must be dense.
func (s *suite) openings(v exchange.View, from int64) (n int64) {
	s.Helper()
	err := v.Openings(s.ctx, from, func(idx int64, o evidence.Opening) error {
		if idx != from+n {
			s.Errorf("opening %d where %d is next", idx, from+n)
		}
		s.equal("opening", o, opening(idx))
		n++
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// caseOpeningsWhileWriting goes through the openings as a rebuild does: what it
// does with one may read and write.
func caseOpeningsWhileWriting(s *suite) {
	s.record(150, nil)
	s.write(func(tx exchange.Tx) error {
		return tx.Openings(s.ctx, 0, func(idx int64, _ evidence.Opening) error {
			if err := tx.PutLast(s.ctx, "m_a", idx); err != nil {
				return err
			}
			found(s, "opening within", opening(idx))(tx.Opening(s.ctx, idx))
			last, err := tx.Last(s.ctx, "m_a")
			s.equal("last within", last, idx)
			return err
		})
	})
	s.read(func(v exchange.View) error {
		last, err := v.Last(s.ctx, "m_a")
		s.equal("last", last, int64(149))
		return err
	})
}

func caseErasure(s *suite) {
	s.record(4, nil)
	s.write(func(tx exchange.Tx) error {
		return all(tx.EraseOpening(s.ctx, 1), s.recordIn(tx, 1, nil))
	})
	s.read(func(v exchange.View) error {
		found(s, "opening beside", opening(0))(v.Opening(s.ctx, 0))
		missing[evidence.Opening](s, "erased opening")(v.Opening(s.ctx, 1))
		entries, err := v.Entries(s.ctx, 1, 1, 2)
		same(s, "leaf of the erased", entries, err, []byte("leaf 1"))
		s.incomplete(v, false)
		return nil
	})
	s.refused("an erased opening come back", func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, 1, opening(1)) })
	s.write(func(tx exchange.Tx) error { return all(tx.EraseOpening(s.ctx, 1), tx.EraseOpening(s.ctx, 2)) })
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
}

func (s *suite) incomplete(v exchange.View, want bool) {
	s.Helper()
	got, err := v.Incomplete(s.ctx)
	if err != nil || got != want {
		s.Errorf("incomplete %v, %v, want %v", got, err, want)
	}
}

// caseCompleteness loses openings as a restored ledger does and brings them back
// one by one: re-posted, or covered by an erasure that came with the tail.
func caseCompleteness(s *suite) {
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
	s.record(3, nil)
	s.record(3, func(idx int64) bool { return idx == 4 })
	s.read(func(v exchange.View) error { s.incomplete(v, true); return nil })
	s.write(func(tx exchange.Tx) error {
		s.incomplete(tx, true)
		err := tx.PutOpening(s.ctx, 3, opening(3))
		s.incomplete(tx, true)
		return err
	})
	s.read(func(v exchange.View) error { s.incomplete(v, true); return nil })
	s.write(func(tx exchange.Tx) error {
		err := tx.EraseOpening(s.ctx, 5)
		s.incomplete(tx, false)
		return err
	})
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
	s.write(func(tx exchange.Tx) error { return tx.DropDerived(s.ctx) })
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
	s.record(1, func(int64) bool { return false })
	s.read(func(v exchange.View) error { s.incomplete(v, true); return nil })
	s.refused("an opening of an index that was erased unseen", func(tx exchange.Tx) error {
		return tx.PutOpening(s.ctx, 5, opening(5))
	})
}

// caseCompletenessCount: what was covered already does not make up for a leaf
// that is not.
func caseCompletenessCount(s *suite) {
	s.record(6, func(idx int64) bool { return idx < 3 })
	s.write(func(tx exchange.Tx) error {
		err := all(tx.EraseOpening(s.ctx, 0), tx.EraseOpening(s.ctx, 0), tx.EraseOpening(s.ctx, 1))
		s.incomplete(tx, true)
		return err
	})
	s.write(func(tx exchange.Tx) error {
		err := all(tx.EraseOpening(s.ctx, 0), tx.EraseOpening(s.ctx, 2), tx.PutOpening(s.ctx, 3, opening(3)),
			tx.EraseOpening(s.ctx, 4), tx.EraseOpening(s.ctx, 3), tx.DropDerived(s.ctx))
		s.incomplete(tx, true)
		return err
	})
	s.read(func(v exchange.View) error { s.incomplete(v, true); return nil })
	s.write(func(tx exchange.Tx) error { return all(tx.DropDerived(s.ctx), tx.PutOpening(s.ctx, 5, opening(5))) })
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
}

func caseCompletenessSavepoint(s *suite) {
	s.record(2, func(int64) bool { return false })
	lost := errors.New("lost")
	s.write(func(tx exchange.Tx) error {
		err := tx.Savepoint(s.ctx, func() error {
			return all(tx.PutOpening(s.ctx, 0, opening(0)), tx.EraseOpening(s.ctx, 1), lost)
		})
		if !errors.Is(err, lost) {
			s.Errorf("savepoint returned %v", err)
		}
		s.incomplete(tx, true)
		return tx.PutOpening(s.ctx, 0, opening(0))
	})
	s.read(func(v exchange.View) error { s.incomplete(v, true); return nil })
	s.write(func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, 1, opening(1)) })
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
}

// caseOpeningBeyond: an opening without a leaf would count for one that lacks
// its own.
func caseOpeningBeyond(s *suite) {
	s.record(2, nil)
	s.refused("an opening beyond the head", func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, 2, opening(2)) })
	s.refused("an erasure beyond the head", func(tx exchange.Tx) error { return tx.EraseOpening(s.ctx, 2) })
	s.refused("an opening below zero", func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, -1, opening(2)) })
	s.record(1, nil)
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
}
