package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

func caseNew(s *suite) {
	s.view(func(r ledger.Reader) {
		for _, log := range ledger.Logs {
			if head := s.head(r, log); head != (ledger.Head{Root: ledger.EmptyRoot()}) {
				s.Errorf("new %s has head %+v", log, head)
			}
			s.wantCheckpoint(r, log, "last", -1, 0)
		}
	})
	s.check(ledger.Dir)
	s.check(ledger.Ev)
}

// caseAppend grows a log through every size to 600 in batches of 1 to 32, whose
// roots it checks against MTH each time.
func caseAppend(s *suite) {
	leaves := Leaves("append", 600)
	for n := 1; len(leaves) > 0; n = n%32 + 1 {
		n = min(n, len(leaves))
		s.append(ledger.Ev, leaves[:n]...)
		leaves = leaves[n:]
	}
}

func caseTileEdges(s *suite) {
	for _, n := range []int{1, 254, 1, 1, 255, 1, 256, 257, 600} {
		s.append(ledger.Dir, Leaves(fmt.Sprint("edge", n), n)...)
	}
}

func caseBig(s *suite) {
	s.append(ledger.Ev, Leaves("before", 3)...)
	s.append(ledger.Ev, Leaves("big", 10_000)...)
	s.append(ledger.Ev, Leaves("after", 1)...)
}

// caseHuge appends a log of many entries, and one of large ones, each at once.
func caseHuge(s *suite) {
	s.append(ledger.Ev, Leaves("huge", 1<<16)...)
	wide := make([][]byte, 512) // 32 MiB
	for i := range wide {
		wide[i] = bytes.Repeat([]byte{byte(i), byte(i >> 8), 0xff}, ledger.MaxEntry/3)
	}
	s.append(ledger.Dir, wide...)
	s.append(ledger.Ev, []byte("after"))
}

func caseTwoLogs(s *suite) {
	s.update(func(tx ledger.Tx) error {
		for _, log := range ledger.Logs {
			b, err := ledger.NewBatch(s.ctx, tx, log)
			if err != nil {
				return err
			}
			if _, err := b.Append([]byte("in " + log.String())); err != nil {
				return err
			}
			if _, err := b.Flush(s.ctx, 1); err != nil {
				return err
			}
		}
		return nil
	})
	for _, log := range ledger.Logs {
		s.want[log] = [][]byte{[]byte("in " + log.String())}
		s.check(log)
	}
	s.append(ledger.Dir, Leaves("dir only", 5)...)
	s.check(ledger.Ev)
	s.refused("a log that does not exist", nil, func(tx ledger.Tx) error {
		_, err := tx.Head(s.ctx, ledger.Log(len(ledger.Logs)))
		return err
	})
}

func caseEntrySizes(s *suite) {
	s.append(ledger.Ev, []byte{'x'}, bytes.Repeat([]byte{'y'}, ledger.MaxEntry))
	for _, size := range []int{0, ledger.MaxEntry + 1} {
		s.refused(fmt.Sprintf("entry of %d bytes", size), nil, func(tx ledger.Tx) error {
			return tx.InsertEntries(s.ctx, ledger.Ev, 2, [][]byte{make([]byte, size)})
		})
		s.refused(fmt.Sprintf("entry of %d bytes in a batch", size), ledger.ErrEntrySize, func(tx ledger.Tx) error {
			b, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
			if err != nil {
				return err
			}
			_, err = b.Append(make([]byte, size))
			return err
		})
	}
}

// caseEntryBytes: entries are bytes, not text.
func caseEntryBytes(s *suite) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s.append(ledger.Ev, []byte{0}, []byte{0xff, 0xfe}, []byte("'; --"), []byte(`\x00`), all)
}

func caseHeadTime(s *suite) {
	for i, at := range []int64{1772441999123, 1772441999124, 253402300799999} {
		if err := Append(s.Storage, ledger.Ev, at, []byte("timed")); err != nil {
			s.Fatal(err)
		}
		s.view(func(r ledger.Reader) {
			if head := s.head(r, ledger.Ev); head.At != at || head.Size != int64(i+1) {
				s.Errorf("head %d at %d, want %d at %d", head.Size, head.At, i+1, at)
			}
		})
	}
}

func caseReads(s *suite) {
	s.append(ledger.Ev, Leaves("read", 700)...)
	s.view(func(r ledger.Reader) {
		var nodes []tlog.Hash
		for pos := range tlog.StoredHashCount(700) {
			h, err := r.Hashes(s.ctx, ledger.Ev, []int64{pos})
			if err != nil || len(h) != 1 {
				s.Fatalf("node %d: %d hashes, %v", pos, len(h), err)
			}
			nodes = append(nodes, h[0])
		}
		s.wantOrder(r, nodes)
		for _, bad := range []int64{-1, int64(len(nodes))} {
			if _, err := r.Hashes(s.ctx, ledger.Ev, []int64{0, bad}); !errors.Is(err, ledger.ErrMissing) {
				s.Errorf("node %d: error %v, want ErrMissing", bad, err)
			}
		}
		if h, err := r.Hashes(s.ctx, ledger.Ev, nil); err != nil || len(h) != 0 {
			s.Errorf("no positions: %d hashes, %v", len(h), err)
		}
		s.wantRanges(r)
	})
}

// wantOrder asks for a full page of positions backwards.
func (s *suite) wantOrder(r ledger.Reader, nodes []tlog.Hash) {
	s.Helper()
	var back []int64
	for i := range ledger.MaxPage {
		back = append(back, int64(ledger.MaxPage-1-i))
	}
	got, err := r.Hashes(s.ctx, ledger.Ev, back)
	if err != nil || len(got) != len(back) {
		s.Fatalf("a page of hashes: %d, %v", len(got), err)
	}
	for i, pos := range back {
		if got[i] != nodes[pos] {
			s.Fatalf("hashes are not in the order asked: answer %d is not node %d", i, pos)
		}
	}
}

func (s *suite) wantRanges(r ledger.Reader) {
	s.Helper()
	for _, c := range []struct {
		from, to int64
		want     int
	}{{0, 0, 0}, {0, 1, 1}, {699, 700, 1}, {255, 257, 2}, {700, 700, 0}, {0, 700, 700}} {
		got, err := r.Entries(s.ctx, ledger.Ev, c.from, c.to)
		if err != nil || len(got) != c.want {
			s.Errorf("entries %d to %d: %d, %v", c.from, c.to, len(got), err)
		}
	}
	for _, c := range [][2]int64{{699, 701}, {700, 701}} {
		if _, err := r.Entries(s.ctx, ledger.Ev, c[0], c[1]); !errors.Is(err, ledger.ErrMissing) {
			s.Errorf("entries %d to %d: error %v, want ErrMissing", c[0], c[1], err)
		}
	}
	for _, c := range [][2]int64{{-1, 1}, {2, 1}} {
		if _, err := r.Entries(s.ctx, ledger.Ev, c[0], c[1]); err == nil {
			s.Errorf("entries %d to %d: accepted", c[0], c[1])
		}
	}
}

// caseSavepoint rolls back the second of three groups in one transaction.
func caseSavepoint(s *suite) {
	keep := append(Leaves("first", 3), Leaves("third", 4)...)
	s.update(func(tx ledger.Tx) error {
		b, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for _, leaf := range keep[:3] {
			b.Append(leaf)
		}
		mark := b.Mark()
		for _, leaf := range Leaves("second", 300) {
			b.Append(leaf)
		}
		b.Rollback(mark)
		for _, leaf := range keep[3:] {
			b.Append(leaf)
		}
		_, err = b.Flush(s.ctx, 1)
		return err
	})
	s.want[ledger.Ev] = keep
	s.check(ledger.Ev)
	s.append(ledger.Ev, Leaves("next", 2)...)
}

// caseConcurrent: updates from many goroutines keep every entry, each once.
func caseConcurrent(s *suite) {
	const workers, rounds = 8, 12
	var wg sync.WaitGroup
	errs := make(chan error, workers*rounds)
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				errs <- Append(s.Storage, ledger.Ev, 1, Leaves(fmt.Sprintf("w%d r%d", w, i), 1+i%3)...)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			s.Fatal(err)
		}
	}
	seen := map[string]int{}
	s.view(func(r ledger.Reader) {
		head := s.head(r, ledger.Ev)
		var err error
		if s.want[ledger.Ev], err = r.Entries(s.ctx, ledger.Ev, 0, head.Size); err != nil {
			s.Fatal(err)
		}
	})
	for _, leaf := range s.want[ledger.Ev] {
		seen[string(leaf)]++
	}
	for w := range workers {
		for i := range rounds {
			for _, leaf := range Leaves(fmt.Sprintf("w%d r%d", w, i), 1+i%3) {
				if seen[string(leaf)] != 1 {
					s.Errorf("entry %q is stored %d times", leaf, seen[string(leaf)])
				}
			}
		}
	}
	s.check(ledger.Ev)
}
