package storagetest

import (
	"bytes"
	"slices"
	"sync"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// wantCheckpoint compares the last checkpoint, or the one for an entry.
func (s *suite) wantCheckpoint(r ledger.Reader, log ledger.Log, what any, size int64, seq int) {
	s.Helper()
	var got ledger.Published
	var err error
	if idx, ok := what.(int64); ok {
		got, err = r.CheckpointFor(s.ctx, log, idx)
	} else {
		got, err = r.LastCheckpoint(s.ctx, log)
	}
	if err != nil {
		s.Fatal(err)
	}
	if got.Size != size || got.Seq != seq {
		s.Errorf("%s: checkpoint %v is %d.%d, want %d.%d", log, what, got.Size, got.Seq, size, seq)
	}
	if got.Exists() != (size >= 0) {
		s.Errorf("%s: checkpoint %v: Exists says %v", log, what, got.Exists())
	}
}

// publish publishes the present head as seq.
func (s *suite) publish(seq int) ledger.Published {
	s.Helper()
	var p ledger.Published
	s.update(func(tx ledger.Tx) error {
		p = published(s, ledger.Ev, s.head(tx, ledger.Ev), seq)
		return tx.PublishCheckpoint(s.ctx, ledger.Ev, p)
	})
	return p
}

func caseCheckpointOrder(s *suite) {
	s.publish(0) // of the empty log
	s.append(ledger.Ev, Leaves("one", 3)...)
	first := s.publish(0)
	refresh := s.publish(1)
	s.view(func(r ledger.Reader) {
		got, err := r.LastCheckpoint(s.ctx, ledger.Ev)
		if err != nil {
			s.Fatal(err)
		}
		if got.Root != refresh.Root || !bytes.Equal(got.Note, refresh.Note) || got.Cosigs != 1 || got.At != refresh.At {
			s.Errorf("a checkpoint came back changed: %+v, want %+v", got, refresh)
		}
	})
	s.append(ledger.Ev, Leaves("two", 3)...)
	s.publish(0)
	late := first
	late.Seq = 2
	s.view(func(r ledger.Reader) { s.wantCheckpoint(r, ledger.Ev, "last", 6, 0) })

	for what, change := range map[string]func(*ledger.Published){
		"the same again":                func(p *ledger.Published) {},
		"a seq left out":                func(p *ledger.Published) { p.Seq = 2 },
		"a size between two":            func(p *ledger.Published) { p.Size = 5 },
		"a size beyond the head":        func(p *ledger.Published) { p.Size = 7 },
		"a new size not from seq 0":     func(p *ledger.Published) { p.Size, p.Seq = 7, 1 },
		"another root at that size":     func(p *ledger.Published) { p.Seq, p.Root = 1, tlog.Hash{1} },
		"an old size from its seq 0":    func(p *ledger.Published) { *p = first },
		"an old size with the next seq": func(p *ledger.Published) { *p = late },
	} {
		s.refused(what, ledger.ErrConflict, func(tx ledger.Tx) error {
			p := published(s, ledger.Ev, s.head(tx, ledger.Ev), 0)
			change(&p)
			return tx.PublishCheckpoint(s.ctx, ledger.Ev, p)
		})
	}
}

func caseCheckpointFor(s *suite) {
	s.publish(0)
	s.append(ledger.Ev, Leaves("one", 3)...)
	s.view(func(r ledger.Reader) { s.wantCheckpoint(r, ledger.Ev, int64(0), -1, 0) })
	frozen := s.publish(0)
	s.publish(1)
	s.append(ledger.Ev, Leaves("two", 2)...)
	s.publish(0)
	s.publish(1)
	s.append(ledger.Ev, []byte("not covered"))
	s.view(func(r ledger.Reader) {
		for idx, size := range map[int64]int64{-1: 0, 0: 3, 2: 3, 3: 5, 4: 5, 5: -1, 6: -1} {
			s.wantCheckpoint(r, ledger.Ev, idx, size, 0)
		}
		s.wantCheckpoint(r, ledger.Dir, int64(0), -1, 0)
		got, err := r.CheckpointFor(s.ctx, ledger.Ev, 1)
		if err != nil || !bytes.Equal(got.Note, frozen.Note) {
			s.Errorf("the checkpoint for an entry is not the first one published: %v", err)
		}
		s.wantProof(r, frozen)
	})
}

// wantProof: the proof of an entry is under its frozen checkpoint and verifies.
func (s *suite) wantProof(r ledger.Reader, frozen ledger.Published) {
	s.Helper()
	proof, err := ledger.ProofFor(s.ctx, r, ledger.Ev, 1)
	if err != nil {
		s.Fatal(err)
	}
	c, err := proof.Verify(s.want[ledger.Ev][1], Key(ledger.Ev).Verifier())
	if err != nil || c.Size != frozen.Size {
		s.Errorf("proof of entry 1 under size %d: %v", c.Size, err)
	}
}

func caseCheckpointPages(s *suite) {
	type at struct {
		size int64
		seq  int
	}
	var want []at
	for size := range int64(12) {
		for seq := range 1 + int(size)%3 {
			s.publish(seq)
			want = append(want, at{size, seq})
		}
		s.append(ledger.Ev, Leaves("grow", 1)...)
	}
	for _, limit := range []int{1, 2, 5, ledger.MaxPage} {
		var got []at
		s.view(func(r ledger.Reader) {
			for after := ledger.Nothing(); ; {
				page, err := r.Checkpoints(s.ctx, ledger.Ev, after, limit)
				if err != nil {
					s.Fatal(err)
				}
				if len(page) > limit {
					s.Fatalf("%d checkpoints where at most %d were asked", len(page), limit)
				}
				if len(page) == 0 {
					return
				}
				for _, p := range page {
					got = append(got, at{p.Size, p.Seq})
				}
				after = page[len(page)-1]
			}
		})
		if !slices.Equal(got, want) {
			s.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
}

// casePublishers: two publishers at once, each with an anchor of its own, leave
// one clean row of checkpoints.
func casePublishers(s *suite) {
	s.publish(0)
	publishers := make([]*ledger.Publisher, 2)
	for i := range publishers {
		publishers[i] = ledger.NewPublisher(s.Storage, ledger.Ev, Key(ledger.Ev), NewAnchor(), ledger.Unwatched{})
		if err := publishers[i].Adopt(s.ctx); err != nil {
			s.Fatal(err)
		}
	}
	for round := range int64(10) {
		s.append(ledger.Ev, Leaves("round", 1+int(round)%3)...)
		var wg sync.WaitGroup
		for _, p := range publishers {
			wg.Go(func() {
				if _, _, err := p.Step(s.ctx, round*ledger.RefreshEvery); err != nil {
					s.Error(err)
				}
			})
		}
		wg.Wait()
	}
	s.view(func(r ledger.Reader) {
		found, err := ledger.Check(s.ctx, r, ledger.Ev, Key(ledger.Ev).Verifier())
		if err != nil || len(found) > 0 {
			s.Errorf("after two publishers: %v, %v", found, err)
		}
		got, err := r.Checkpoints(s.ctx, ledger.Ev, ledger.Nothing(), 100)
		if err != nil || len(got) != 11 {
			s.Errorf("%d checkpoints, want the first and 10 for 10 rounds of growth, %v", len(got), err)
		}
	})
}

// caseQuorum: a checkpoint that too few cosigned is the last one, but evidence
// and the public wait for one under quorum, and what they were given stands.
func caseQuorum(s *suite) {
	put := func(seq int, at int64, quorum bool) ledger.Published {
		var p ledger.Published
		s.update(func(tx ledger.Tx) error {
			p = published(s, ledger.Ev, s.head(tx, ledger.Ev), seq)
			p.At, p.Quorum = at, quorum
			return tx.PublishCheckpoint(s.ctx, ledger.Ev, p)
		})
		return p
	}
	check := func(what string, idx int64, size int64, seq int) {
		s.Helper()
		s.view(func(r ledger.Reader) {
			got, err := r.CheckpointFor(s.ctx, ledger.Ev, idx)
			if err != nil || got.Size != size || got.Seq != seq || got.Exists() && !got.Quorum {
				s.Errorf("%s: entry %d is covered by %d.%d (quorum %v), %v, want %d.%d", what, idx, got.Size, got.Seq, got.Quorum, err, size, seq)
			}
		})
	}
	public := func(at, size int64, seq int) {
		s.Helper()
		s.view(func(r ledger.Reader) {
			got, err := r.CheckpointAt(s.ctx, ledger.Ev, at)
			if err != nil || got.Size != size || got.Seq != seq || got.Exists() && got.At > at {
				s.Errorf("public at %d: %d.%d of %d, %v, want %d.%d", at, got.Size, got.Seq, got.At, err, size, seq)
			}
		})
	}
	s.append(ledger.Ev, Leaves("one", 3)...)
	put(0, 1000, false)
	check("too few", 0, -1, 0)
	public(9000, -1, 0)
	put(1, 2000, true)
	check("late", 0, 3, 1)
	put(2, 3000, true)
	check("later still", 0, 3, 1)
	s.append(ledger.Ev, Leaves("two", 2)...)
	put(0, 4000, false)
	check("old entry", 2, 3, 1)
	check("new entry", 3, -1, 0)
	s.view(func(r ledger.Reader) { s.wantCheckpoint(r, ledger.Ev, "last", 5, 0) })
	s.append(ledger.Ev, Leaves("three", 2)...)
	put(0, 5000, true)
	check("a size that never had a quorum", 3, 7, 0)
	public(999, -1, 0)
	public(1999, -1, 0)
	public(2999, 3, 1)
	public(4999, 3, 2)
	public(5000, 7, 0)
}
