package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const sealEnv = "CLI_TEST_SEALED"

// TestSealed reads back, from inside and outside a program, that its memory stays
// its own, and that no core of it is written even when the shell allowed one.
func TestSealed(t *testing.T) {
	if os.Getenv(sealEnv) != "" {
		sealedProgram(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSealed$", "-test.v")
	cmd.Env = append(os.Environ(), sealEnv+"=1", "GOTRACEBACK=crash") // else Go ends by itself, and nothing would dump
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"core 0 0", "dumpable 0", "child dumpable 1"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("%q is missing", want)
		}
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGABRT || exit.Sys().(syscall.WaitStatus).CoreDump() {
		t.Errorf("ended by %v", err)
	}
	if left, _ := os.ReadDir(cmd.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// sealedProgram runs a program that says what it is allowed, and dies of a signal
// that dumps core.
func sealedProgram(t *testing.T) {
	var hard unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &hard); err != nil {
		t.Fatal(err)
	}
	hard.Cur = hard.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &hard); err != nil {
		t.Fatal(err)
	}
	root := &cobra.Command{Use: "odziv-test", RunE: func(*cobra.Command, []string) error {
		var limit unix.Rlimit
		err := unix.Getrlimit(unix.RLIMIT_CORE, &limit)
		dumpable, prctlErr := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		fmt.Printf("core %d %d\ndumpable %d\n", limit.Cur, limit.Max, dumpable)
		return errors.Join(err, prctlErr)
	}}
	root.SetArgs([]string{})
	if code := Run(root, nil); code != OK {
		t.Fatalf("exit %d", code)
	}
	// Programs that it starts are their own.
	out, err := exec.Command("/bin/sh", "-c", "test -r /proc/self/environ && cat /proc/self/environ >/dev/null && echo child dumpable 1").CombinedOutput()
	fmt.Printf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	unix.Kill(os.Getpid(), unix.SIGABRT)
	select {}
}
