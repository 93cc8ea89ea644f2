package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// A backup that is made while others write is whole: head, entries and nodes of
// one moment. It touches nothing that is there.
func TestBackup(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	dsn := "sqlite:" + filepath.Join(dir, "ledger.db")
	s, err := Create(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var done atomic.Bool
	var writing sync.WaitGroup
	began := make(chan bool)
	writing.Go(func() {
		for i := 0; !done.Load(); i++ {
			err := s.Update(ctx, func(tx ledger.Tx) error {
				b, err := ledger.NewBatch(ctx, tx, ledger.Ev)
				if err != nil {
					return err
				}
				for range 20 {
					if _, err := b.Append(fmt.Appendf(nil, "entry %d", b.Next())); err != nil {
						return err
					}
				}
				_, err = b.Flush(ctx, int64(i))
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
			if i == 20 {
				close(began)
			}
		}
	})
	<-began
	for i := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("backup-%d.db", i))
		if err := Backup(ctx, dsn, file); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		if err := Backup(ctx, dsn, file); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over another: %v", err)
		}
		copied, err := Open(ctx, "sqlite:"+file)
		if err != nil {
			t.Fatal(err)
		}
		err = copied.View(ctx, func(r ledger.Reader) error {
			found, err := ledger.Check(ctx, r, ledger.Ev)
			if len(found) > 0 {
				t.Errorf("%v", found)
			}
			if head, err := r.Head(ctx, ledger.Ev); err != nil || head.Size < 20 || head.Size%20 != 0 {
				t.Errorf("size %d, %v", head.Size, err)
			}
			return err
		})
		if err := errors.Join(err, copied.Close()); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	writing.Wait()
	for name, err := range map[string]error{
		"nothing there": Backup(ctx, "sqlite:"+filepath.Join(dir, "no.db"), filepath.Join(dir, "x.db")),
		"no folder":     Backup(ctx, dsn, filepath.Join(dir, "no", "x.db")),
		"a server":      Backup(ctx, "postgres://x@y/z", filepath.Join(dir, "x.db")),
	} {
		if err == nil {
			t.Errorf("%s: copied", name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "x.db*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
