package proving

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
)

// TestFullDatabase fills the disk of PostgreSQL, which refuses what does not fit,
// or gives up altogether when it is its log that does not. The server answers
// that it cannot store, keeps everything it acknowledged and nothing by half;
// with room, and PostgreSQL started again if need be, the very requests that
// failed pass.
func TestFullDatabase(t *testing.T) {
	disk := t.TempDir()
	smallDisk(t, disk, "200m")
	c := pgtest.Start(t, pgtest.Options{Disk: disk, Settings: map[string]string{
		"wal_keep_size": "0", "max_wal_size": "32MB", "min_wal_size": "32MB", "wal_init_zero": "on"}})
	f, d := openDaemon(t, c.Database(t))
	client := f.clientBy(nil)
	var acks []acknowledged
	for range rounds(2) {
		fill := filepath.Join(disk, "filler")
		fillUp(t, fill)
		var failed bulky
		for range 400 {
			b := f.bulky(t)
			a, err := b.send(client)
			if err != nil {
				unavailable(t, err)
				failed = b
				break
			}
			acks = append(acks, a)
		}
		if failed.msg == "" {
			t.Fatal("the disk never was full")
		}
		if _, err := failed.send(client); err != nil {
			unavailable(t, err)
		}
		f.must(os.Remove(fill))
		f.eventually(t, func() error { // while it recovers, it is unavailable
			if !c.Running() { // it may give up a moment after there is room again
				t.Log("PostgreSQL gave up, as it does when its log does not fit")
				c.Start()
			}
			a, err := failed.send(client)
			if err == nil {
				acks = append(acks, a)
			}
			return err
		})
		d.alive()
	}
	d.kill()
	f.reopened(t, acks)
}

// fillUp leaves 2 MiB of a disk.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	info, statErr := f.Stat()
	if !errors.Is(err, syscall.ENOSPC) || statErr != nil {
		t.Fatal(err, statErr)
	}
	if err := f.Truncate(max(0, info.Size()-2<<20)); err != nil {
		t.Fatal(err)
	}
}
