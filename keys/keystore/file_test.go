package keystore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// names lists what lies in the folder of a keystore.
func names(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestSaveKeepsPrevious(t *testing.T) {
	k, path := create(t)
	if got := names(t, path); got != "officer.age officer.age.lock" {
		t.Errorf("after create: %s", got)
	}
	for epoch := int64(1); epoch <= 3; epoch++ {
		before := read(t, path)
		if err := k.AddDeskEpoch(testDesk, epoch, newIdentity(t)); err != nil {
			t.Fatal(err)
		}
		if err := k.Save(path, passphrase); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, path+PreviousSuffix), before) {
			t.Errorf("epoch %d: previous version is another", epoch)
		}
		if got := names(t, path); got != "officer.age officer.age.lock officer.age.prev" {
			t.Errorf("left behind: %s", got)
		}
	}
	for range 2 {
		if err := DropPrevious(path); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, path); got != "officer.age officer.age.lock" {
		t.Errorf("after drop: %s", got)
	}
}

func TestMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	k, path := create(t)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + PreviousSuffix} {
		info, err := os.Stat(p)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v", filepath.Base(p), info.Mode(), err)
		}
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	_, path := create(t)
	before := read(t, path)
	if _, err := Create(path, passphrase, testOwner, testCreated, demo); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want %v", err, fs.ErrExist)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("replaced")
	}
}

func TestSaveAfterAnotherProgram(t *testing.T) {
	mine, path := create(t)
	theirs, err := Open(path, passphrase, demo)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.AddDeskEpoch(testDesk, 1, newIdentity(t)); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	if err := mine.Save(path, passphrase); !errors.Is(err, ErrChanged) {
		t.Errorf("%v, want %v", err, ErrChanged)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("their key is lost")
	}
	if err := theirs.Save(path, passphrase); err != nil {
		t.Errorf("they save on: %v", err)
	}
}

// A copy on another medium does not end saving to the first.
func TestSaveElsewhereAndBack(t *testing.T) {
	k, path := create(t)
	for _, p := range []string{path + ".copy", path, path + ".copy", path} {
		if err := k.Save(p, passphrase); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(path, passphrase); err != nil {
		t.Errorf("after the file was lost: %v", err)
	}
}

func TestSaveThroughLink(t *testing.T) {
	k, path := create(t)
	link := filepath.Join(t.TempDir(), "link.age")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	before := read(t, path)
	if err := k.Save(link, passphrase); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if bytes.Equal(read(t, path), before) || !bytes.Equal(read(t, path+PreviousSuffix), before) {
		t.Error("the file behind the link was not replaced")
	}
}

// TestFailedSave fails at the previous version: the file stays as it was, and
// nothing is left beside it.
func TestFailedSave(t *testing.T) {
	k, path := create(t)
	if err := os.MkdirAll(path+PreviousSuffix+"/in the way", 0o700); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	if err := k.Save(path, passphrase); err == nil {
		t.Error("saved without a previous version")
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("replaced")
	}
	if got := names(t, path); got != "officer.age officer.age.lock officer.age.prev" {
		t.Errorf("left behind: %s", got)
	}
	if err := k.Save(filepath.Join(filepath.Dir(path), "none", "a.age"), passphrase); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
}

// TestCrashLeftovers: what a crash between any two steps leaves is read and
// saved over.
func TestCrashLeftovers(t *testing.T) {
	k, path := create(t)
	current := read(t, path)
	for step, leave := range map[string]func(){
		"half a new file":         func() { os.WriteFile(path+".tmp-1", current[:50], 0o600) },
		"a whole new file":        func() { os.WriteFile(path+".tmp-2", current, 0o600) },
		"half a previous version": func() { os.WriteFile(path+".prev.tmp-3", current[:50], 0o600) },
		"previous = current":      func() { os.WriteFile(path+PreviousSuffix, current, 0o600) },
	} {
		leave()
		if _, err := Open(path, passphrase, demo); err != nil {
			t.Errorf("%s: %v", step, err)
		}
		if err := k.Save(path, passphrase); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
}

const saverEnv = "KEYSTORE_TEST_SAVER"

// TestSaver is the program that TestKilled kills: it adds epochs and says which
// ones are saved.
func TestSaver(t *testing.T) {
	path := os.Getenv(saverEnv)
	if path == "" {
		t.Skip("run by TestKilled")
	}
	k, err := Open(path, passphrase, demo)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := int64(len(k.DeskEpochs(testDesk)) + 1); ; epoch++ {
		if err := k.AddDeskEpoch(testDesk, epoch, newIdentity(t)); err != nil {
			t.Fatal(err)
		}
		if err := k.Save(path, passphrase); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("saved %d\n", epoch)
	}
}

// TestKilled kills a saving program again and again: every epoch it reported is
// there, and the file opens.
func TestKilled(t *testing.T) {
	_, path := create(t)
	for range 8 {
		reported := runAndKill(t, path)
		k, err := Open(path, passphrase, demo)
		if err != nil {
			t.Fatal(err)
		}
		if got := int64(len(k.DeskEpochs(testDesk))); got < reported {
			t.Errorf("%d epochs, reported %d", got, reported)
		}
		if _, err := Open(path+PreviousSuffix, passphrase, demo); err != nil {
			t.Errorf("previous version: %v", err)
		}
	}
}

// runAndKill returns the last epoch reported before the kill.
func runAndKill(t *testing.T, path string) (reported int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSaver$", "-test.v")
	cmd.Env = append(os.Environ(), saverEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	saves := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		number, ok := strings.CutPrefix(lines.Text(), "saved ")
		if !ok {
			continue
		}
		if reported, err = strconv.ParseInt(number, 10, 64); err != nil {
			t.Fatal(err)
		}
		if saves++; saves == 3 {
			cmd.Process.Kill() // amid the next save; later lines may still arrive
		}
	}
	cmd.Wait()
	if saves < 3 {
		t.Fatalf("saver stopped after %d saves", saves)
	}
	return reported
}

func TestFileBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.age")
	for size, tooBig := range map[int]bool{MaxFile: false, MaxFile + 1: true} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, passphrase, demo)
		if !errors.Is(err, ErrFormat) || strings.Contains(err.Error(), "above") != tooBig {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := Open(path+".none", passphrase, demo); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestSaveBound fills a keystore until its file would not be read again.
func TestSaveBound(t *testing.T) {
	k, path := create(t)
	id := newIdentity(t)
	for epoch := int64(1); epoch <= MaxFile/100; epoch++ {
		if err := k.AddDeskEpoch(testDesk, epoch, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Save(path, passphrase); err == nil {
		t.Error("saved a file that cannot be opened")
	}
	if _, err := Open(path, passphrase, demo); err != nil {
		t.Error(err)
	}
}
