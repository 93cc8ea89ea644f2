//go:build unix

package keystore

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const stepEnv = "KEYSTORE_TEST_STEP"

// TestStep is the program that TestKilledAtEveryStep kills: it does one thing, and
// dies before its so many-th step.
func TestStep(t *testing.T) {
	what, rest, _ := strings.Cut(os.Getenv(stepEnv), " ")
	if what == "" {
		t.Skip("run by TestKilledAtEveryStep")
	}
	var left int
	number, path, _ := strings.Cut(rest, " ")
	fmt.Sscan(number, &left)
	step = func(string, string) error {
		if left--; left < 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if err := acts[what](path); err != nil {
		t.Fatal(err)
	}
}

// acts are what changes a keystore: each is done to one with epoch 1 of testDesk.
var acts = map[string]func(path string) error{
	"save": func(path string) error {
		k, err := Open(path, passphrase, demo)
		if err != nil {
			return err
		}
		return k.Update(path, passphrase)
	},
	"rekey": func(path string) error {
		k, err := Open(path, passphrase, demo)
		if err != nil {
			return err
		}
		return k.Rekey(path, next)
	},
	"copy": func(path string) error {
		_, err := Copy(path, path+".copy", passphrase, demo)
		return err
	},
	"copy over": func(path string) error {
		_, err := Copy(path+".old", path, passphrase, demo)
		return err
	},
	"restore": func(path string) error {
		_, err := RestorePrevious(path, passphrase, demo)
		if errors.Is(err, ErrHealthy) {
			return nil
		}
		return err
	},
}

// TestKilledAtEveryStep kills each act before each of its steps. Whatever step it
// was, a file beside it opens, under the old passphrase or the new, and holds
// everything; and the same act once more succeeds.
func TestKilledAtEveryStep(t *testing.T) {
	for what := range acts {
		if strings.Contains(what, " ") {
			continue
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				path := prepare(t, what)
				if ended := runStep(t, what, n, path); ended {
					if n < 5 {
						t.Errorf("only %d steps", n)
					}
					return
				}
				whole(t, fmt.Sprintf("killed before step %d", n+1), path)
				if what == "rekey" {
					if _, err := Open(path, next, demo); err == nil {
						continue // done but for what lies beside; the old passphrase opens nothing here
					}
				}
				if err := acts[what](path); err != nil {
					t.Errorf("again after step %d: %v", n, err)
				}
				whole(t, "done again", path)
			}
		})
	}
}

// prepare makes a keystore with a previous version that holds as much.
func prepare(t *testing.T, what string) string {
	t.Helper()
	k, path := create(t)
	mustAdd(t, k, testDesk, 1)
	for range 2 {
		if err := k.Save(path, passphrase); err != nil {
			t.Fatal(err)
		}
	}
	if what == "restore" {
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// runStep runs an act in a program of its own and reports whether it came to its
// end before it was to be killed.
func runStep(t *testing.T, what string, n int, path string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestStep$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", stepEnv, what, n, path))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return false
	}
	if err != nil {
		t.Fatalf("%s %d: %v\n%s", what, n, err, out)
	}
	return true
}

// whole fails unless some keystore here opens and has the epoch.
func whole(t *testing.T, when, path string) {
	t.Helper()
	for _, file := range []string{path, path + PreviousSuffix} {
		for _, words := range []Secret{passphrase, next} {
			k, err := Open(file, words, demo)
			if err != nil {
				continue
			}
			if _, ok := k.DeskIdentity(testDesk, 1); !ok {
				t.Errorf("%s: %s lost the desk's key", when, filepath.Base(file))
			}
			return
		}
	}
	t.Errorf("%s: nothing opens", when)
}

// TestFailedAtEveryStep fails each step of a save in turn: the disk is full, the
// stick was pulled. The old file opens, or the new one, and nothing is left over.
func TestFailedAtEveryStep(t *testing.T) {
	defer func(old func(string, string) error) { step = old }(step)
	for _, broken := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		for n := 0; ; n++ {
			step = func(string, string) error { return nil }
			path := prepare(t, "save")
			k := mustOpen(t, path, passphrase)
			mustAdd(t, k, testDesk, 2)
			left := n
			step = func(string, string) error {
				if left--; left == -1 {
					return broken
				}
				return nil
			}
			err := k.Update(path, passphrase)
			if err == nil {
				if left >= 0 {
					break // there are no more steps
				}
				t.Errorf("%v before step %d: no error", broken, n+1)
			}
			if !errors.Is(err, broken) && !(broken == syscall.EROFS && errors.Is(err, ErrReadOnly)) {
				t.Errorf("%v before step %d: %v", broken, n+1, err)
			}
			if got := names(t, path); got != "officer.age officer.age.lock officer.age.prev" {
				t.Errorf("%v before step %d: left behind %s", broken, n+1, got)
			}
			whole(t, broken.Error(), path)
			step = func(string, string) error { return nil }
			if err := k.Update(path, passphrase); err != nil {
				t.Errorf("with the medium well again: %v", err)
			}
			if got := mustOpen(t, path, passphrase).DeskEpochs(testDesk); fmt.Sprint(got) != "[1 2]" {
				t.Errorf("epochs %v", got)
			}
		}
	}
}

const addEnv = "KEYSTORE_TEST_ADD"

// TestAdder is one of the programs of TestTwoPrograms: it adds a hand of epochs,
// each with a save of its own.
func TestAdder(t *testing.T) {
	path := os.Getenv(addEnv)
	if path == "" {
		t.Skip("run by TestTwoPrograms")
	}
	var from int64
	number, path, _ := strings.Cut(path, " ")
	fmt.Sscan(number, &from)
	k := mustOpen(t, path, passphrase)
	for e := from; e < from+addEach; e++ {
		mustAdd(t, k, testDesk, e)
		for err := k.Update(path, passphrase); err != nil; err = k.Update(path, passphrase) {
			if !errors.Is(err, ErrChanged) {
				t.Fatal(err)
			}
		}
	}
}

const addEach = 12

// TestTwoPrograms: three programs save to one file at once, and no desk's key is
// ever lost.
func TestTwoPrograms(t *testing.T) {
	_, path := create(t)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestAdder$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", addEnv, 1+100*i, path))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if got := mustOpen(t, path, passphrase).DeskEpochs(testDesk); len(got) != 3*addEach {
		t.Errorf("%d desk keys of %d: %v", len(got), 3*addEach, got)
	}
}

// TestReleased: a program that holds the keystore is waited for.
func TestReleased(t *testing.T) {
	k, path := create(t)
	release, err := hold(path)
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	go func() { saved <- k.Save(path, passphrase) }()
	release()
	if err := <-saved; err != nil {
		t.Error(err)
	}
}
