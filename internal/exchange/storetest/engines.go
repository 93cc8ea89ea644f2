package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

// A Doubler is opened a second time on the same rows, as another server would:
// with connections of its own, closed by t.Cleanup.
type Doubler interface {
	Second(t testing.TB) exchange.Store
}

// caseEmpty: an empty value is a value, of every kind, and not the absence of one.
func caseEmpty(s *suite) {
	s.record(1, func(int64) bool { return false })
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutOpening(s.ctx, 0, evidence.Opening{}), tx.PutLast(s.ctx, "", 0), tx.PutStatement(s.ctx, exchange.StatementRow{}),
			tx.PutMessage(s.ctx, exchange.MessageRow{}, []exchange.RecipientRow{{}}, []string{""}),
			tx.PutParty(s.ctx, "", exchange.PartyRow{}), tx.Link(s.ctx, []string{""}), tx.PutConsentVersion(s.ctx, exchange.ConsentRow{}),
			tx.PutConflict(s.ctx, exchange.ConflictRow{}), tx.PutGrant(s.ctx, exchange.GrantRow{}), tx.PutObligation(s.ctx, obligation.Obligation{State: obligation.Open}),
			tx.PutMark(s.ctx, "", 0, 0), tx.PutFeed(s.ctx, exchange.FeedRow{}), tx.PutScope(s.ctx, "", 0, ""), tx.PutAccess(s.ctx, "", "", "", 0),
			tx.PutRefusal(s.ctx, "", 0, 0), tx.PutPending(s.ctx, exchange.PendingRow{}), tx.PutOverflow(s.ctx, exchange.OverflowRow{ID: "x"}),
			tx.PutUpload(s.ctx, exchange.UploadRow{}), tx.PutShred(s.ctx, "", "", nil), tx.PutPeriod(s.ctx, "", nil, 0),
			tx.PutPackage(s.ctx, "", nil), tx.PutRecipientKey(s.ctx, "", ""))
	})
	s.read(func(v exchange.View) error {
		o, ok, err := v.Opening(s.ctx, 0)
		if err != nil || !ok || len(o.Meta)+len(o.RM)+len(o.Priv)+len(o.RP) != 0 {
			s.Errorf("opening: %+v, %v, %v", o, ok, err)
		}
		s.last(v, "", 0)
		found(s, "statement", exchange.StatementRow{})(v.Statement(s.ctx, ""))
		m, ok, err := v.Message(s.ctx, "")
		if err != nil || !ok || len(m.Subj) != 0 || m.Case+m.Kind+m.Reason != "" {
			s.Errorf("message: %+v, %v, %v", m, ok, err)
		}
		versions, err := v.ConsentVersions(s.ctx, "")
		if err != nil || len(versions) != 1 || len(versions[0].Stmt) != 0 {
			s.Errorf("consent: %+v, %v", versions, err)
		}
		for what, read := range map[string]func() ([]byte, bool, error){
			"package": func() ([]byte, bool, error) { return v.Package(s.ctx, "") },
			"period":  func() ([]byte, bool, error) { return v.Period(s.ctx, "") },
			"pending": func() ([]byte, bool, error) { p, ok, err := v.Pending(s.ctx, ""); return p.DSSE, ok, err },
			"shred":   func() ([]byte, bool, error) { _, b, ok, err := v.Shred(s.ctx, ""); return b, ok, err },
			"upload":  func() ([]byte, bool, error) { u, ok, err := v.Upload(s.ctx, "", 0); return u.Hash, ok, err },
		} {
			if b, ok, err := read(); err != nil || !ok || len(b) != 0 {
				s.Errorf("%s: %x, %v, %v", what, b, ok, err)
			}
		}
		found(s, "recipient", "")(v.RecipientKey(s.ctx, ""))
		missing[exchange.UploadRow](s, "upload")(v.Upload(s.ctx, "", 1))
		missing[[]byte](s, "chunk")(v.Chunk(s.ctx, "", 0, 0))
		s.incomplete(v, false)
		return nil
	})
	if rows := s.dump(); len(rows) != 16 {
		s.Errorf("%d derived rows, want one of each table: %q", len(rows), rows)
	}
}

// caseHoles lists what is neither opened nor erased.
func caseHoles(s *suite) {
	s.record(9, func(idx int64) bool { return idx%3 == 0 })
	s.write(func(tx exchange.Tx) error { return all(tx.EraseOpening(s.ctx, 4), tx.EraseOpening(s.ctx, 6)) })
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			from  int64
			limit int
			want  []int64
		}{{0, 10, []int64{1, 2, 5, 7, 8}}, {2, 10, []int64{2, 5, 7, 8}}, {3, 2, []int64{5, 7}}, {0, 1, []int64{1}}, {9, 10, nil}, {-5, 1, []int64{1}}} {
			got, err := v.Holes(s.ctx, c.from, c.limit)
			same(s, fmt.Sprintf("holes from %d", c.from), got, err, c.want...)
		}
		return nil
	})
}

// caseNow: an engine's clock goes on within a transaction, in milliseconds.
func caseNow(s *suite) {
	s.write(func(tx exchange.Tx) error {
		first, ok, err := tx.Now(s.ctx)
		if err != nil || !ok {
			s.equal("a clock that is none", first, int64(0))
			return err
		}
		for at := first; at == first; {
			if at, ok, err = tx.Now(s.ctx); err != nil || !ok || at < first || at > first+600_000 {
				s.Fatalf("clock at %d after %d, %v, %v", at, first, ok, err)
			}
		}
		if first < 1_700_000_000_000 || first > 1<<53 {
			s.Errorf("clock at %d ms", first)
		}
		return nil
	})
}

// caseSavepointAnswered: a write that answers at once is gone back upon as well.
func caseSavepointAnswered(s *suite) {
	nonce := []exchange.Nonce{{Key: "k", Nonce: "n"}}
	use := func(tx exchange.Tx, want bool) {
		fresh, err := tx.UseNonces(s.ctx, nonce, 1)
		if err != nil || len(fresh) != 1 || fresh[0] != want {
			s.Errorf("nonce fresh %v, %v, want %v", fresh, err, want)
		}
	}
	s.write(func(tx exchange.Tx) error {
		lost := tx.Savepoint(s.ctx, func() error { use(tx, true); return errLost })
		if !errors.Is(lost, errLost) {
			s.Errorf("savepoint returned %v", lost)
		}
		kept := tx.Savepoint(s.ctx, func() error { use(tx, true); return nil })
		use(tx, false)
		s.nonce(tx, "k", "n", 1, false)
		return kept
	})
}

// caseSavepointRefusedBefore: a row that is refused before a savepoint within
// another costs the outer one, whenever the engine tells.
func caseSavepointRefusedBefore(s *suite) {
	s.record(1, nil)
	s.write(func(tx exchange.Tx) error {
		err := tx.Savepoint(s.ctx, func() error {
			before := tx.PutOpening(s.ctx, 0, opening(9))
			within := tx.Savepoint(s.ctx, func() error {
				_, _, err := tx.Opening(s.ctx, 0)
				return all(err, errLost)
			})
			return all(before, within)
		})
		if err == nil {
			s.Error("took a second opening")
		}
		return tx.PutLast(s.ctx, "m_kept", 1)
	})
	s.wantLast("m_kept", 1)
}

// caseSkew: two that read the same and write different rows do not both go on
// from what they read.
func caseSkew(s *suite) {
	const writers = 6
	for round := range 8 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		took := 0
		for w := range writers {
			wg.Go(func() {
				err := s.Write(s.ctx, func(tx exchange.Tx) error {
					for other := range writers {
						n, err := tx.Last(s.ctx, fmt.Sprint("m_", round, "_", other))
						if err != nil || n >= 0 {
							return err
						}
					}
					mu.Lock()
					took++
					mu.Unlock()
					return tx.PutLast(s.ctx, fmt.Sprint("m_", round, "_", w), 1)
				})
				if err != nil {
					s.Error(err)
				}
			})
		}
		wg.Wait()
		s.equal("who found the place free", took, 1)
	}
}

// caseShredAtOnce: of many first uploads of a message one makes its key, and all
// use that.
func caseShredAtOnce(s *suite) {
	for round := range 6 {
		msg := fmt.Sprint("m_", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var used [][]byte
		for u := range 6 {
			wg.Go(func() {
				key := []byte{byte(u)}
				err := s.Scratch(s.ctx, func(sc exchange.Scratch) error {
					_, there, ok, err := sc.Shred(s.ctx, msg)
					if err != nil || ok {
						key = there
						return err
					}
					return sc.PutShred(s.ctx, msg, "x_a", key)
				})
				if err != nil {
					s.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				used = append(used, key)
			})
		}
		wg.Wait()
		for _, key := range used {
			if !bytes.Equal(key, used[0]) {
				s.Errorf("uploads of one message used the keys %x", used)
				break
			}
		}
	}
}

// caseChunksAtOnce: requests that go on with one upload at once each go on from
// where another ended.
func caseChunksAtOnce(s *suite) {
	const users, rounds = 6, 8
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			for range rounds {
				err := s.Scratch(s.ctx, func(sc exchange.Scratch) error {
					row, ok, err := sc.Upload(s.ctx, "m_a", 0)
					if err != nil {
						return err
					}
					if !ok {
						row = exchange.UploadRow{Msg: "m_a", At: 1}
					}
					row.Size++
					return all(sc.PutChunk(s.ctx, "m_a", 0, row.Size-1, []byte{byte(u)}), sc.PutUpload(s.ctx, row))
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.read(func(v exchange.View) error {
		row, _, err := v.Upload(s.ctx, "m_a", 0)
		s.equal("size", row.Size, int64(users*rounds))
		return err
	})
}

// caseAcceptedAtOnce accepts a message while its upload is changed and while a
// sweep takes what nobody accepted: what is accepted is whole, and what was
// looked at.
func caseAcceptedAtOnce(s *suite) {
	for round := range 12 {
		msg := fmt.Sprint("m_", round)
		store := func(b byte) error {
			return s.Scratch(s.ctx, func(sc exchange.Scratch) error {
				u, _, err := sc.Upload(s.ctx, msg, 0)
				if err != nil || u.Hash != nil && b == 0 {
					return err
				}
				if _, _, ok, err := sc.Shred(s.ctx, msg); err != nil || !ok { // none yet, or swept with the upload
					if err := all(err, sc.PutShred(s.ctx, msg, "x_a", []byte{9})); err != nil {
						return err
					}
				}
				return all(sc.PutChunk(s.ctx, msg, 0, 0, []byte{b}), sc.PutUpload(s.ctx, exchange.UploadRow{Msg: msg, Size: 1, Hash: []byte{b}, At: 1}))
			})
		}
		if err := store(0); err != nil {
			s.Fatal(err)
		}
		var accepted []byte
		var wg sync.WaitGroup
		wg.Go(func() { _ = store(1) }) // refused after the acceptance
		wg.Go(func() {
			if err := s.Scratch(s.ctx, func(sc exchange.Scratch) error { return sc.Sweep(s.ctx, 0, 99) }); err != nil {
				s.Error(err)
			}
		})
		wg.Go(func() {
			err := s.Write(s.ctx, func(tx exchange.Tx) error {
				u, ok, err := tx.Upload(s.ctx, msg, 0)
				if err != nil || !ok {
					return err
				}
				accepted = u.Hash
				return tx.PutMessage(s.ctx, message(msg, int64(round)), nil, nil)
			})
			if err != nil {
				s.Error(err)
			}
		})
		wg.Wait()
		if accepted == nil {
			continue // it was swept before
		}
		s.read(func(v exchange.View) error {
			s.chunk(v, msg, 0, 0, accepted)
			_, wrapped, ok, err := v.Shred(s.ctx, msg)
			if !ok || len(wrapped) != 1 {
				s.Errorf("the key of an accepted message was swept")
			}
			return err
		})
	}
}

// caseTwoStores: the writers of two servers take turns, each sees what the other
// committed, and both come to their end.
func caseTwoStores(s *suite) {
	d, ok := s.Store.(Doubler)
	if !ok {
		s.Skip("the store cannot be opened twice")
	}
	second := d.Second(s.TB)
	const workers, rounds = 3, 15
	var wg sync.WaitGroup
	for i, store := range []exchange.Store{s.Store, second} {
		for w := range workers {
			wg.Go(func() {
				for r := range rounds {
					err := store.Write(s.ctx, func(tx exchange.Tx) error {
						batch, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
						if err != nil {
							return err
						}
						idx, err := batch.Append([]byte(fmt.Sprint(i, w, r)))
						if err != nil {
							return err
						}
						before, err := tx.FeedLast(s.ctx, "d_a")
						if err == nil && before != idx {
							err = fmt.Errorf("place %d of the feed at leaf %d", before, idx)
						}
						err = all(err, tx.PutFeed(s.ctx, exchange.FeedRow{Desk: "d_a", N: before + 1, Idx: idx, Erased: -1}), tx.PutOpening(s.ctx, idx, opening(idx)))
						_, flush := batch.Flush(s.ctx, idx+1)
						return all(err, flush)
					})
					if err != nil {
						s.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	const want = int64(2 * workers * rounds)
	for _, store := range []exchange.Store{s.Store, second} {
		err := store.Read(s.ctx, func(v exchange.View) error {
			head, err := v.Head(s.ctx, ledger.Ev)
			s.equal("size", head.Size, want)
			bad, broken := ledger.Check(s.ctx, v, ledger.Ev)
			same(s, "findings", bad, broken)
			s.equal("openings", s.openings(v, 0), want)
			return err
		})
		if err != nil {
			s.Error(err)
		}
	}
	lost := second.Write(s.ctx, func(tx exchange.Tx) error { return all(tx.PutLast(s.ctx, "m_lost", 1), errLost) })
	if !errors.Is(lost, errLost) {
		s.Errorf("the other store: %v", lost)
	}
	s.wantLast("m_lost", -1)
}
