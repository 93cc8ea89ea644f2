package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

var errLost = errors.New("the function's own error")

func (s *suite) last(v exchange.View, obj string, want int64) {
	s.Helper()
	got, err := v.Last(s.ctx, obj)
	if err != nil || got != want {
		s.Errorf("last of %s: %d, %v, want %d", obj, got, err, want)
	}
}

func (s *suite) wantLast(obj string, want int64) {
	s.Helper()
	s.read(func(v exchange.View) error { s.last(v, obj, want); return nil })
}

func caseOwnWrites(s *suite) {
	s.write(func(tx exchange.Tx) error {
		err := all(tx.PutLast(s.ctx, "m_a", 3), tx.PutMessage(s.ctx, message("m_a", 3), nil, nil), tx.PutObligation(s.ctx, duty("o_a", 5)),
			tx.PutPackage(s.ctx, digest("a"), []byte("a")), s.recordIn(tx, 1, nil))
		s.last(tx, "m_a", 3)
		found(s, "own message", message("m_a", 3))(tx.Message(s.ctx, "m_a"))
		found(s, "own obligation", duty("o_a", 5))(tx.Obligation(s.ctx, "o_a"))
		found(s, "own package", []byte("a"))(tx.Package(s.ctx, digest("a")))
		found(s, "own opening", opening(0))(tx.Opening(s.ctx, 0))
		s.incomplete(tx, false)
		return err
	})
}

func caseRollback(s *suite) {
	s.record(1, nil)
	lose := func(tx exchange.Tx) error {
		return all(tx.PutLast(s.ctx, "m_a", 3), s.recordIn(tx, 2, nil), tx.EraseOpening(s.ctx, 0),
			tx.PutPackage(s.ctx, digest("a"), []byte("a")), errLost)
	}
	if err := s.Write(s.ctx, lose); !errors.Is(err, errLost) {
		s.Errorf("write returned %v", err)
	}
	s.wantNothing()
	err := s.Scratch(s.ctx, func(sc exchange.Scratch) error { return all(sc.PutPackage(s.ctx, digest("a"), []byte("a")), errLost) })
	if !errors.Is(err, errLost) {
		s.Errorf("scratch returned %v", err)
	}
	s.wantNothing()
	if err := s.Read(s.ctx, func(exchange.View) error { return errLost }); !errors.Is(err, errLost) {
		s.Errorf("read returned %v", err)
	}
	s.write(func(tx exchange.Tx) error { return tx.PutLast(s.ctx, "m_a", 4) })
	s.wantLast("m_a", 4)
}

// wantNothing wants one opened leaf and nothing else.
func (s *suite) wantNothing() {
	s.Helper()
	s.read(func(v exchange.View) error {
		head, err := v.Head(s.ctx, ledger.Ev)
		if err != nil || head.Size != 1 {
			s.Errorf("head at %d, %v", head.Size, err)
		}
		missing[[]byte](s, "package")(v.Package(s.ctx, digest("a")))
		found(s, "opening", opening(0))(v.Opening(s.ctx, 0))
		s.incomplete(v, false)
		return nil
	})
	s.equal("derived rows", s.dump(), []string(nil))
}

func casePanic(s *suite) {
	s.record(1, nil)
	func() {
		defer func() {
			if recover() == nil {
				s.Error("Write swallowed a panic")
			}
		}()
		s.Write(s.ctx, func(tx exchange.Tx) error {
			return tx.Savepoint(s.ctx, func() error {
				if err := tx.PutLast(s.ctx, "m_a", 3); err != nil {
					s.Error(err)
				}
				panic("in the middle")
			})
		})
	}()
	s.wantNothing()
}

func caseSavepoint(s *suite) {
	s.record(1, nil)
	s.write(func(tx exchange.Tx) error {
		err := all(tx.PutLast(s.ctx, "m_before", 1), tx.PutLast(s.ctx, "m_changed", 1))
		got := tx.Savepoint(s.ctx, func() error {
			return all(tx.PutLast(s.ctx, "m_within", 2), tx.PutLast(s.ctx, "m_changed", 2), tx.EraseOpening(s.ctx, 0),
				tx.PutMessage(s.ctx, message("m_a", 1), nil, nil), tx.Link(s.ctx, []string{"c_a", "c_b"}), errLost)
		})
		if !errors.Is(got, errLost) {
			s.Errorf("savepoint returned %v", got)
		}
		s.last(tx, "m_within", -1)
		s.last(tx, "m_changed", 1)
		found(s, "opening", opening(0))(tx.Opening(s.ctx, 0))
		kept := tx.Savepoint(s.ctx, func() error { return tx.PutLast(s.ctx, "m_after", 3) })
		return all(err, kept)
	})
	s.equal("rows", s.dump(), []string{"last\tm_after\t" + `["m_after",3]`, "last\tm_before\t" + `["m_before",1]`, "last\tm_changed\t" + `["m_changed",1]`})
	s.refused("a transaction that fails after its savepoint", func(tx exchange.Tx) error {
		return all(tx.Savepoint(s.ctx, func() error { return tx.PutLast(s.ctx, "m_lost", 1) }), errLost)
	})
}

func caseSavepointNested(s *suite) {
	put := func(tx exchange.Tx, obj string) error { return tx.PutLast(s.ctx, obj, 1) }
	s.write(func(tx exchange.Tx) error {
		outer := tx.Savepoint(s.ctx, func() error {
			err := tx.Savepoint(s.ctx, func() error { return put(tx, "m_kept_inside") })
			lost := tx.Savepoint(s.ctx, func() error { return all(put(tx, "m_lost_inside"), errLost) })
			if !errors.Is(lost, errLost) {
				s.Errorf("inner savepoint returned %v", lost)
			}
			return all(err, put(tx, "m_kept_outside"))
		})
		lost := tx.Savepoint(s.ctx, func() error {
			err := tx.Savepoint(s.ctx, func() error { return put(tx, "m_lost_with_the_outer") })
			return all(err, errLost)
		})
		if !errors.Is(lost, errLost) {
			s.Errorf("outer savepoint returned %v", lost)
		}
		return outer
	})
	s.equal("rows", s.dump(), []string{"last\tm_kept_inside\t" + `["m_kept_inside",1]`, "last\tm_kept_outside\t" + `["m_kept_outside",1]`})
}

// caseSavepointRefused: a row that the database itself refuses costs no more
// than its savepoint.
func caseSavepointRefused(s *suite) {
	s.record(1, nil)
	s.write(func(tx exchange.Tx) error {
		err := tx.Savepoint(s.ctx, func() error {
			return all(tx.PutLast(s.ctx, "m_lost", 1), tx.PutOpening(s.ctx, 0, opening(9)))
		})
		if err == nil {
			s.Error("took a second opening")
		}
		return all(tx.PutLast(s.ctx, "m_kept", 1), s.recordIn(tx, 2, nil))
	})
	s.wantLast("m_kept", 1)
	s.wantLast("m_lost", -1)
	s.read(func(v exchange.View) error { s.incomplete(v, false); return nil })
}

// caseSavepointMany is a group: many callers in one transaction, every third of
// whom fails.
func caseSavepointMany(s *suite) {
	const callers = 256
	s.write(func(tx exchange.Tx) error {
		batch, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for i := range callers {
			mark := batch.Mark()
			err := tx.Savepoint(s.ctx, func() error {
				idx, err := batch.Append([]byte(fmt.Sprint("leaf ", i)))
				err = all(err, tx.PutOpening(s.ctx, idx, opening(idx)), tx.PutLast(s.ctx, fmt.Sprint("m_", i), idx))
				if i%3 == 0 {
					return errLost
				}
				return err
			})
			if i%3 == 0 {
				batch.Rollback(mark)
				continue
			}
			if err != nil {
				return err
			}
		}
		_, err = batch.Flush(s.ctx, 1)
		return err
	})
	want := int64(0)
	s.read(func(v exchange.View) error {
		for i := range callers {
			if i%3 == 0 {
				s.last(v, fmt.Sprint("m_", i), -1)
				continue
			}
			s.last(v, fmt.Sprint("m_", i), want)
			want++
		}
		s.equal("openings", s.openings(v, 0), want)
		s.incomplete(v, false)
		bad, err := ledger.Check(s.ctx, v, ledger.Ev)
		same(s, "findings", bad, err)
		return nil
	})
}

// caseOneGone: in a group, a caller who has gone takes nobody else down.
func caseOneGone(s *suite) {
	gone, cancel := context.WithCancel(s.ctx)
	cancel()
	s.write(func(tx exchange.Tx) error {
		err := tx.PutLast(s.ctx, "m_first", 1)
		if err := tx.Savepoint(gone, func() error { return tx.PutLast(gone, "m_gone", 1) }); err == nil {
			s.Error("wrote for a caller who had gone")
		}
		if _, err := tx.Last(gone, "m_first"); err == nil {
			s.Error("read for a caller who had gone")
		}
		later, cancel := context.WithCancel(s.ctx)
		lost := tx.Savepoint(later, func() error {
			err := tx.PutLast(later, "m_half", 1)
			cancel()
			return all(err, later.Err())
		})
		if !errors.Is(lost, context.Canceled) {
			s.Errorf("savepoint of a caller who went: %v", lost)
		}
		return all(err, tx.PutLast(s.ctx, "m_last", 1))
	})
	s.equal("rows", s.dump(), []string{"last\tm_first\t" + `["m_first",1]`, "last\tm_last\t" + `["m_last",1]`})
}

// caseSnapshot: however long a Read lasts, it sees nothing committed after it
// began, and it does not hold up the one who commits.
func caseSnapshot(s *suite) {
	s.record(1, nil)
	s.write(func(tx exchange.Tx) error { return tx.PutLast(s.ctx, "m_a", 1) })
	s.read(func(v exchange.View) error {
		s.record(2, func(int64) bool { return false })
		s.write(func(tx exchange.Tx) error {
			return all(tx.PutLast(s.ctx, "m_a", 2), tx.PutObligation(s.ctx, duty("o_a", 5)), tx.EraseOpening(s.ctx, 0))
		})
		s.scratch(func(sc exchange.Scratch) error { return sc.PutPackage(s.ctx, digest("a"), []byte("a")) })
		s.last(v, "m_a", 1)
		missing[[]byte](s, "later package")(v.Package(s.ctx, digest("a")))
		found(s, "opening erased later", opening(0))(v.Opening(s.ctx, 0))
		s.incomplete(v, false)
		duties, err := v.Live(s.ctx, []string{"c_a"})
		same(s, "later obligations", ids(duties), err)
		return nil
	})
	s.wantLast("m_a", 2)
	s.read(func(v exchange.View) error {
		missing[evidence.Opening](s, "erased opening")(v.Opening(s.ctx, 0))
		s.incomplete(v, true)
		return nil
	})
}

// casePairs: rows written together are seen together.
func casePairs(s *suite) {
	const rounds = 60
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := s.Read(s.ctx, func(v exchange.View) error {
					a, err1 := v.Last(s.ctx, "m_a")
					b, err2 := v.Last(s.ctx, "m_b")
					if a != b {
						s.Errorf("a reader saw %d and %d", a, b)
					}
					return all(err1, err2)
				})
				if err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	for i := range int64(rounds) {
		s.write(func(tx exchange.Tx) error { return all(tx.PutLast(s.ctx, "m_a", i), tx.PutLast(s.ctx, "m_b", i)) })
	}
	close(done)
	wg.Wait()
}

// caseWriters: what one transaction reads, no other changes before it commits.
func caseWriters(s *suite) {
	const writers, rounds = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range rounds {
				add := func(tx exchange.Tx) error {
					n, err := tx.Last(s.ctx, "m_count")
					return all(err, tx.PutLast(s.ctx, "m_count", n+1), tx.PutLast(s.ctx, fmt.Sprint("m_", w), n+1))
				}
				if err := s.Write(s.ctx, add); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.wantLast("m_count", writers*rounds-1)
}

// caseScratch: uploads go on while the sequencer writes.
func caseScratch(s *suite) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 40 {
			err := s.Scratch(s.ctx, func(sc exchange.Scratch) error {
				u := upload("m_a", 0, 1)
				u.Size = int64(i)
				return all(sc.PutChunk(s.ctx, "m_a", 0, int64(i), []byte{byte(i)}), sc.PutUpload(s.ctx, u))
			})
			if err != nil {
				s.Error(err)
			}
		}
	})
	for range 40 {
		s.record(1, nil)
	}
	wg.Wait()
	s.read(func(v exchange.View) error {
		u, ok, err := v.Upload(s.ctx, "m_a", 0)
		if err != nil || !ok || u.Size != 39 {
			s.Errorf("upload %+v, %v, %v", u, ok, err)
		}
		s.equal("openings", s.openings(v, 0), int64(40))
		return nil
	})
}
