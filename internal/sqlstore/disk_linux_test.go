package sqlstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
)

// smallDisk mounts a file system of its own, which only root may. Whoever runs
// the tests without says so in ODZIV_TEST_WITHOUT=tmpfs.
func smallDisk(t *testing.T, size string) (folder string, remount func(options string)) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=700,size="+size); err != nil {
		if strings.Contains(os.Getenv("ODZIV_TEST_WITHOUT"), "tmpfs") {
			t.Skip("without tmpfs, as asked by ODZIV_TEST_WITHOUT")
		}
		t.Fatalf("cannot mount a small disk: %v; run as root, or set ODZIV_TEST_WITHOUT=tmpfs to leave this test out", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return folder, func(options string) {
		t.Helper()
		flags := uintptr(syscall.MS_REMOUNT)
		if options == "ro" {
			flags |= syscall.MS_RDONLY
			options = ""
		}
		if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, options); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull writes until nothing more fits. What was acknowledged is there,
// the failure is told, reading goes on, and so does writing once there is room.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	folder, remount := smallDisk(t, "3m")
	s, err := Create(ctx, "sqlite:"+filepath.Join(folder, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closed(t, s) }()
	acknowledged := int64(0)
	for {
		size, err := appendGroup(ctx, s, 8)
		if err != nil {
			wantFailure(t, "write to a full disk", err, ErrFull)
			break
		}
		acknowledged = size
	}
	if acknowledged == 0 {
		t.Error("the disk was full from the start")
	}
	for range 3 {
		_, err := appendGroup(ctx, s, 8)
		wantFailure(t, "write again to a full disk", err, ErrFull)
	}
	large := make([]byte, 1<<20)
	err = s.Scratch(ctx, func(sc exchange.Scratch) error {
		var err error
		for off := range int64(24) { // more than the cache holds, so that it fails before the commit
			err = errors.Join(err, sc.PutChunk(ctx, "m_a", 0, off, large))
		}
		return err
	})
	wantFailure(t, "an upload to a full disk", err, ErrFull)
	if size := checkWhole(t, s); size != acknowledged {
		t.Errorf("%d acknowledged, %d there", acknowledged, size)
	}
	remount("size=32m")
	size, err := appendGroup(ctx, s, 8)
	if err != nil || size <= acknowledged {
		t.Errorf("write after room was made: size %d, %v", size, err)
	}
	if got := checkWhole(t, s); got != size {
		t.Errorf("%d acknowledged, %d there", size, got)
	}
}

// TestCreateOnFullDisk: nothing is left behind that would stop the next try.
func TestCreateOnFullDisk(t *testing.T) {
	ctx := context.Background()
	folder, remount := smallDisk(t, "64k")
	dsn := "sqlite:" + filepath.Join(folder, "ledger.db")
	_, err := Create(ctx, dsn)
	wantFailure(t, "create on a full disk", err, ErrFull)
	if left := listing(t, folder); left != "" {
		t.Errorf("left behind: %.100q", left)
	}
	remount("size=16m")
	s, err := Create(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
}

func TestDiskReadOnly(t *testing.T) {
	ctx := context.Background()
	folder, remount := smallDisk(t, "16m")
	dsn := "sqlite:" + filepath.Join(folder, "ledger.db")
	s, err := Create(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	remount("ro")
	_, err = Open(ctx, dsn)
	wantFailure(t, "open on a read-only disk", err, ErrReadOnly)
	_, err = Create(ctx, filepath.Join("sqlite:"+folder, "other.db"))
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("create on a read-only disk: %v", err)
	}
}
