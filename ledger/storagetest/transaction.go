package storagetest

import (
	"context"
	"errors"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

var errWanted = errors.New("the function's own error")

// write appends one entry through tx.
func (s *suite) write(tx ledger.Tx, leaf string) error {
	b, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
	if err != nil {
		return err
	}
	if _, err := b.Append([]byte(leaf)); err != nil {
		return err
	}
	_, err = b.Flush(s.ctx, 7)
	return err
}

func caseRollback(s *suite) {
	s.append(ledger.Ev, Leaves("kept", 2)...)
	s.refused("a failing function", errWanted, func(tx ledger.Tx) error {
		if err := s.write(tx, "lost"); err != nil {
			s.Fatal(err)
		}
		head := s.head(tx, ledger.Ev)
		if err := tx.PublishCheckpoint(s.ctx, ledger.Ev, published(s, ledger.Ev, head, 0)); err != nil {
			s.Fatal(err)
		}
		return errWanted
	})
	s.view(func(r ledger.Reader) { s.wantCheckpoint(r, ledger.Ev, "last", -1, 0) })
	s.append(ledger.Ev, []byte("after"))
}

func casePanic(s *suite) {
	s.append(ledger.Ev, []byte("kept"))
	func() {
		defer func() {
			if recover() == nil {
				s.Error("Update swallowed a panic")
			}
		}()
		s.Update(s.ctx, func(tx ledger.Tx) error {
			if err := s.write(tx, "lost"); err != nil {
				s.Fatal(err)
			}
			panic("in the middle")
		})
	}()
	s.check(ledger.Ev)
	s.append(ledger.Ev, []byte("after"))
}

func caseCancelled(s *suite) {
	s.append(ledger.Ev, []byte("kept"))
	ctx, cancel := context.WithCancel(s.ctx)
	err := s.Update(ctx, func(tx ledger.Tx) error {
		if err := s.write(tx, "lost"); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if err == nil {
		s.Error("committed for a caller who had gone")
	}
	s.check(ledger.Ev)
	if err := s.Update(ctx, func(ledger.Tx) error { return nil }); err == nil {
		s.Error("Update began for a caller who had gone")
	}
	if err := s.View(ctx, func(r ledger.Reader) error { _, err := r.Head(ctx, ledger.Ev); return err }); err == nil {
		s.Error("View began for a caller who had gone")
	}
}

func caseOwnWrites(s *suite) {
	s.append(ledger.Ev, []byte("one"))
	s.update(func(tx ledger.Tx) error {
		for _, leaf := range []string{"two", "three"} {
			if err := s.write(tx, leaf); err != nil {
				return err
			}
		}
		head := s.head(tx, ledger.Ev)
		p := published(s, ledger.Ev, head, 0)
		if err := tx.PublishCheckpoint(s.ctx, ledger.Ev, p); err != nil {
			return err
		}
		s.wantCheckpoint(tx, ledger.Ev, "last", 3, 0)
		got, err := tx.Entries(s.ctx, ledger.Ev, 1, 3)
		if err == nil && (len(got) != 2 || string(got[1]) != "three") {
			s.Errorf("a transaction does not read its own entries: %q", got)
		}
		return err
	})
	s.want[ledger.Ev] = [][]byte{[]byte("one"), []byte("two"), []byte("three")}
	s.check(ledger.Ev)
}

func caseNoOverwrite(s *suite) {
	s.append(ledger.Ev, Leaves("kept", 3)...)
	s.refused("an entry over another", nil, func(tx ledger.Tx) error {
		return tx.InsertEntries(s.ctx, ledger.Ev, 2, Leaves("forged", 2))
	})
	s.refused("the same entry again", nil, func(tx ledger.Tx) error {
		return tx.InsertEntries(s.ctx, ledger.Ev, 2, Leaves("kept", 3)[2:])
	})
	s.refused("a node over another", nil, func(tx ledger.Tx) error {
		return tx.InsertNodes(s.ctx, ledger.Ev, 0, []tlog.Hash{{1}})
	})
}

func caseHeadConflict(s *suite) {
	s.append(ledger.Ev, Leaves("one", 4)...)
	var stale ledger.Head
	s.view(func(r ledger.Reader) { stale = s.head(r, ledger.Ev) })
	s.append(ledger.Ev, []byte("in between"))
	forked := stale
	forked.Size, forked.Root = 5, tlog.Hash{5}
	for what, old := range map[string]ledger.Head{"a stale head": stale, "another root": forked} {
		s.refused(what, ledger.ErrConflict, func(tx ledger.Tx) error {
			if err := tx.InsertEntries(s.ctx, ledger.Ev, 5, Leaves("lost", 1)); err != nil {
				return err
			}
			return tx.MoveHead(s.ctx, ledger.Ev, old, ledger.Head{Size: 6, Root: tlog.Hash{6}, At: 9})
		})
	}
}

func caseHeadForward(s *suite) {
	s.append(ledger.Ev, Leaves("one", 4)...)
	for what, size := range map[string]int64{"smaller": 3, "equal": 4, "beyond the entries": 6} {
		s.refused("a head "+what, nil, func(tx ledger.Tx) error {
			old := s.head(tx, ledger.Ev)
			return tx.MoveHead(s.ctx, ledger.Ev, old, ledger.Head{Size: size, Root: tlog.Hash{1}, At: old.At})
		})
	}
}

// caseSnapshot: a View sees nothing of what is committed after it began, in
// either log, and does not hold up the one who commits.
func caseSnapshot(s *suite) {
	s.append(ledger.Ev, Leaves("before", 5)...)
	s.view(func(r ledger.Reader) {
		before := s.head(r, ledger.Ev)
		s.append(ledger.Ev, Leaves("after", 300)...)
		s.append(ledger.Dir, Leaves("after", 3)...)
		s.update(func(tx ledger.Tx) error {
			return tx.PublishCheckpoint(s.ctx, ledger.Ev, published(s, ledger.Ev, s.head(tx, ledger.Ev), 0))
		})
		if after := s.head(r, ledger.Ev); after != before {
			s.Errorf("head changed in a snapshot from %d to %d", before.Size, after.Size)
		}
		if dir := s.head(r, ledger.Dir); dir.Size != 0 {
			s.Errorf("the other log changed in a snapshot to %d", dir.Size)
		}
		if _, err := r.Entries(s.ctx, ledger.Ev, 5, 6); !errors.Is(err, ledger.ErrMissing) {
			s.Errorf("a later entry shows in a snapshot: %v", err)
		}
		if _, err := r.Hashes(s.ctx, ledger.Ev, []int64{tlog.StoredHashCount(5)}); !errors.Is(err, ledger.ErrMissing) {
			s.Errorf("a later node shows in a snapshot: %v", err)
		}
		s.wantCheckpoint(r, ledger.Ev, "last", -1, 0)
	})
	s.check(ledger.Ev)
}
