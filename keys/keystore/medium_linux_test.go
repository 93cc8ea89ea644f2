package keystore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// medium mounts a small disk, which only root may. Whoever runs the tests without
// says so in ODZIV_TEST_WITHOUT=tmpfs.
func medium(t *testing.T, size string) string {
	t.Helper()
	if strings.Contains(os.Getenv("ODZIV_TEST_WITHOUT"), "tmpfs") {
		t.Skip("without tmpfs, as asked by ODZIV_TEST_WITHOUT")
	}
	folder := filepath.Join(t.TempDir(), "УСБ стик")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatalf("cannot mount a small disk: %v; run as root, or set ODZIV_TEST_WITHOUT=tmpfs to leave this out", err)
	}
	t.Cleanup(func() { syscall.Unmount(folder, syscall.MNT_DETACH) })
	return filepath.Join(folder, "officer.age")
}

// TestReadOnlyMedium: a keystore on a locked stick opens; saving says why not, and
// once the stick is writable nothing is missing.
func TestReadOnlyMedium(t *testing.T) {
	path := medium(t, "1m")
	if _, err := Create(path, passphrase, testOwner, testCreated, demo); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	remount := func(flags uintptr) {
		if err := syscall.Mount("tmpfs", filepath.Dir(path), "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	k := mustOpen(t, path, passphrase)
	mustAdd(t, k, testDesk, 1)
	copyTo := func() error { _, err := Copy(path, path+".copy", passphrase, demo); return err }
	for what, err := range map[string]error{"save": k.Save(path, passphrase), "update": k.Update(path, passphrase), "rekey": k.Rekey(path, next),
		"drop": DropPrevious(path), "copy": copyTo()} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if string(read(t, path)) != string(before) {
		t.Error("changed")
	}
	remount(0)
	if err := k.Update(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, path, passphrase).DeskEpochs(testDesk); fmt.Sprint(got) != "[1]" {
		t.Errorf("%v", got)
	}
}

// TestFullMedium: with no room for the new version the old one stays, whole.
func TestFullMedium(t *testing.T) {
	path := medium(t, "24k")
	k, err := Create(path, passphrase, testOwner, testCreated, demo)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, k, testDesk, 1)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	filler, _ := os.Create(filepath.Join(filepath.Dir(path), "filler"))
	for err = nil; err == nil; {
		_, err = filler.Write(make([]byte, 512))
	}
	filler.Close()
	before := read(t, path)
	mustAdd(t, k, testDesk, 2)
	if err := k.Update(path, passphrase); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if string(read(t, path)) != string(before) || strings.Contains(names(t, path), "tmp") {
		t.Errorf("changed, or left behind: %s", names(t, path))
	}
	mustOpen(t, path, passphrase)
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	if err := k.Update(path, passphrase); err != nil {
		t.Errorf("with room: %v", err)
	}
	if got := mustOpen(t, path, passphrase).DeskEpochs(testDesk); fmt.Sprint(got) != "[1 2]" {
		t.Errorf("%v", got)
	}
}
