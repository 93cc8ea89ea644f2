package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/pgtest"
)

// withServers ends the database server when the tests have ended.
type withServers struct{ m *testing.M }

func (w withServers) Run() int { return pgtest.Run(w.m) }

func TestMain(m *testing.M) {
	testscript.Main(withServers{m}, map[string]func(){"odziv-demo": func() { os.Exit(run()) }})
}

// Every script has its own folder for temporary files, so that it can see what
// is left behind.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exec-code": execCode, "await": await, "empty": empty},
		Condition: func(cond string) (bool, error) {
			if cond == "short" {
				return testing.Short(), nil
			}
			return false, errors.New("no such condition")
		},
		Setup: func(env *testscript.Env) error {
			tmp := filepath.Join(env.WorkDir, "temporary")
			env.Setenv("TMPDIR", tmp)
			env.Setenv("POSTGRES", pgtest.Shared(t).Database(t)) // an empty database for each script
			return os.Mkdir(tmp, 0o700)
		}})
}

// execCode runs a program that must end with the exit code given first.
func execCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exec-code CODE PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// await waits until a file that matches a pattern is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	for range 60_000 { // ten minutes, for a slow machine under the race detector
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		if err != nil || len(found) > 0 {
			ts.Check(err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s never came", args[0])
}

// empty wants a folder to hold nothing.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty FOLDER")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) > 0 {
		ts.Fatalf("%s holds %s", args[0], strings.Join(names, ", "))
	}
}
