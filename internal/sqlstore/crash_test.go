package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/ledger"
)

// crashPath in the environment makes the test program a writer that is to be
// killed.
const crashPath = "ODZIV_TEST_CRASH_DSN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(crashPath); dsn != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dsn))
		os.Exit(1)
	}
	os.Exit(pgtest.Run(m))
}

// writeUntilKilled writes groups for ever and prints the size of the log after
// each, once it is durable.
func writeUntilKilled(dsn string) error {
	ctx := context.Background()
	s, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	for {
		size, err := appendGroup(ctx, s, 8)
		if err != nil {
			return err
		}
		fmt.Println(size)
	}
}

// appendGroup appends n submits where the log ends. Every fifth is refused and
// leaves nothing.
func appendGroup(ctx context.Context, s *Store, n int) (size int64, err error) {
	refused := errors.New("refused")
	err = s.Write(ctx, func(tx exchange.Tx) error {
		batch, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for i := range n {
			mark := batch.Mark()
			err := tx.Savepoint(ctx, func() error {
				s := newSubmit(batch.Next())
				if _, err := batch.Append(s.leaf); err != nil {
					return err
				}
				if err := s.write(ctx, tx); err != nil {
					return err
				}
				if i%5 == 4 {
					return refused
				}
				return nil
			})
			if errors.Is(err, refused) {
				batch.Rollback(mark)
				continue
			}
			if err != nil {
				return err
			}
		}
		size = batch.Next()
		_, err = batch.Flush(ctx, 1)
		return err
	})
	return size, err
}

// TestKilled kills writers at random moments, several on one database at a time,
// and looks at what they left: every acknowledged row, and nothing in part.
func TestKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		dsn := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
		s, err := Create(context.Background(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		testKilled(t, dsn, 12)
	})
	t.Run("postgres", func(t *testing.T) { testKilled(t, newServed(t).dsn, 6) })
}

func testKilled(t *testing.T, dsn string, rounds int) {
	if testing.Short() {
		rounds = 3
	}
	before := int64(0)
	for round := range rounds {
		acknowledged := max(before, killWriters(t, dsn, 1+round%3))
		s, err := Open(context.Background(), dsn)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		// A process of PostgreSQL may still be committing for a writer that is gone.
		if _, err := appendGroup(context.Background(), s, 1); err != nil {
			t.Errorf("round %d: write after the crash: %v", round, err)
		}
		size := checkWhole(t, s)
		if size < acknowledged {
			t.Errorf("round %d: %d acknowledged, %d there", round, acknowledged, size)
		}
		if size <= before+1 {
			t.Errorf("round %d: nothing was written, so nothing was tested", round)
		}
		if before, err = appendGroup(context.Background(), s, 8); err != nil {
			t.Errorf("round %d: write after the crash: %v", round, err)
		}
		closed(t, s)
	}
}

// killWriters starts n writers, lets each acknowledge at least once, kills them
// one after the other and returns the greatest size acknowledged.
func killWriters(t *testing.T, dsn string, n int) (greatest int64) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashPath+"="+dsn)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			for first := true; lines.Scan(); first = false {
				size, err := strconv.ParseInt(lines.Text(), 10, 64)
				if err != nil {
					break // the line was cut by the kill
				}
				mu.Lock()
				greatest = max(greatest, size)
				mu.Unlock()
				if first {
					time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
				}
			}
			if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Errorf("a writer ended by itself: %v", err)
			}
		})
	}
	wg.Wait()
	return greatest
}

// checkWhole holds the tree, the openings and the derived rows against each
// other and returns the size of the log.
func checkWhole(t *testing.T, s *Store) (size int64) {
	t.Helper()
	ctx := context.Background()
	err := s.Read(ctx, func(v exchange.View) error {
		head, err := v.Head(ctx, ledger.Ev)
		if err != nil {
			return err
		}
		size = head.Size
		found, err := ledger.Check(ctx, v, ledger.Ev)
		if err != nil || len(found) != 0 {
			t.Errorf("the tree: %v, %v", found, err)
		}
		if incomplete, err := v.Incomplete(ctx); incomplete || err != nil {
			t.Errorf("incomplete %v, %v", incomplete, err)
		}
		next := int64(0)
		err = v.Openings(ctx, 0, func(idx int64, _ evidence.Opening) error {
			if idx != next {
				t.Errorf("opening %d where %d is next", idx, next)
			}
			next = idx + 1
			return nil
		})
		if next != size {
			t.Errorf("%d openings of %d leaves", next, size)
		}
		return errors.Join(err, checkRows(t, v, size))
	})
	if err != nil {
		t.Error(err)
	}
	return size
}

// checkRows wants the rows of each submit and no row beyond.
func checkRows(t *testing.T, v exchange.View, size int64) error {
	t.Helper()
	ctx := context.Background()
	rows := map[string]int64{}
	err := v.Derived(ctx, func(table, _, _ string) error { rows[table]++; return nil })
	for table, per := range map[string]int64{"last": 1, "statement": 1, "msg": 1, "msg_to": 2, "feed": 2, "obligation": 3, "scope": 1} {
		if rows[table] != per*size {
			t.Errorf("%d rows of %s for %d leaves", rows[table], table, size)
		}
	}
	for idx := range size {
		want := newSubmit(idx)
		m, ok, err := v.Message(ctx, want.msg.Msg)
		if err != nil || !ok || m.Idx != idx {
			t.Errorf("message of leaf %d: %+v, %v, %v", idx, m, ok, err)
		}
	}
	return err
}
