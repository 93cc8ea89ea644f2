package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"odzivd": main}) }

// TestScripts runs the program as an operator does.
//
// Beside the commands of testscript a script has
//
//	world                 copy the folder of a server with a few messages to server/,
//	                      and its database as it was before the last to backup.db
//	mirror DIR FOLDER     write what an observer of the server would have
//	holes DIR             set HOLES to how many entries are not opened
//	listening ADDRESS     wait until somebody listens there
//	genesis DIR FILE      let a council of one sign a genesis for the keys of a folder
//	swapped DIR FILE      the same, with the keys in each other's place
//	sql DB STATEMENT      change a database behind the program's back
//	edit FILE OLD NEW     replace a piece of a file
//	members WHAT LIST…    the last standard output is one JSON object (or, with
//	                      WHAT = each, a list of them) with exactly these members
//	disk FOLDER SIZE      mount a disk of that size, or give it another
func TestScripts(t *testing.T) {
	template := sync.OnceValues(func() (string, error) {
		dir := filepath.Join(t.TempDir(), "world")
		return filepath.Join(dir, "server"), found(dir)
	})
	p := scripts(template)
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

// scripts are what every script may use; template makes the folder of a world.
func scripts(template func() (string, error)) testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond != "tmpfs" {
				return false, fmt.Errorf("no such condition")
			}
			return tmpfs(), nil
		},
		Setup: func(env *testscript.Env) error {
			packs, err := filepath.Abs("../../internal/rules/packs")
			env.Setenv("PACKS", packs)
			for _, name := range []string{"PORT1", "PORT2"} {
				l, listenErr := net.Listen("tcp", "127.0.0.1:0")
				if listenErr != nil {
					return listenErr
				}
				_, port, _ := net.SplitHostPort(l.Addr().String())
				env.Setenv(name, port)
				if listenErr = l.Close(); listenErr != nil {
					return listenErr
				}
			}
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"world": func(ts *testscript.TestScript, _ bool, _ []string) {
				dir, err := template()
				ts.Check(err)
				out, err := exec.Command("cp", "-a", dir, filepath.Join(filepath.Dir(dir), "backup.db"), ts.MkAbs(".")).CombinedOutput()
				if err != nil {
					ts.Fatalf("%s", out)
				}
			},
			"mirror":    mirror,
			"holes":     countInto,
			"listening": listening,
			"genesis":   func(ts *testscript.TestScript, _ bool, args []string) { signGenesis(ts, args, false) },
			"swapped":   func(ts *testscript.TestScript, _ bool, args []string) { signGenesis(ts, args, true) },
			"sql":       change,
			"edit":      edit,
			"members":   members,
			"disk":      disk,
		},
	}
}

// found builds an exchange with two messages on record and closes it.
func found(dir string) error {
	ctx := context.Background()
	w, err := demo.Open(ctx, demo.Options{Dir: dir, Clock: demo.NewClock(time.Now().Add(-time.Hour).UnixMilli()),
		Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	if err != nil {
		return err
	}
	defer w.Close()
	from, _ := w.Member("swc-kraljevo")
	to, _ := w.Member("hppo-kraljevo")
	legal, _ := from.Desk("legal")
	registry, _ := to.Desk("registry")
	at, err := legal.Office(ctx)
	if err != nil {
		return err
	}
	for i := range 2 {
		if i == 1 {
			if err := backup(ctx, w, filepath.Join(dir, "backup.db")); err != nil {
				return err
			}
		}
		_, err := at.Send(ctx, office.Draft{Desk: legal.ID, Family: "rs-a", Kind: "complaint", To: []string{registry.ID},
			Subj: []string{statement.NewID(statement.Person)}, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
			Text: envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}})
		if err != nil {
			return err
		}
	}
	if err := w.Published(ctx); err != nil {
		return err
	}
	return w.Close()
}

func signGenesis(ts *testscript.TestScript, args []string, swapped bool) {
	if len(args) != 2 {
		ts.Fatalf("usage: genesis DIR FILE")
	}
	home, err := server.OpenHome(ts.MkAbs(args[0]))
	ts.Check(err)
	leaf, err := genesisFor(home, swapped)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(leaf, '\n'), 0o600))
}

// genesisFor lets a council of one sign a genesis for a server's keys.
func genesisFor(home *server.Home, swapped bool) ([]byte, error) {
	vkeys := map[ledger.Log]string{}
	for _, l := range ledger.Logs {
		keys, err := home.VerifierKeys(l)
		if err != nil {
			return nil, err
		}
		vkeys[l] = keys[0]
	}
	if swapped {
		vkeys[ledger.Dir], vkeys[ledger.Ev] = vkeys[ledger.Ev], vkeys[ledger.Dir]
	}
	council := statement.NewSigningKey(make([]byte, 32))
	body := &directory.Genesis{Demo: true, Name: "test", Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}, Logs: directory.Logs{Dir: vkeys[ledger.Dir], Ev: vkeys[ledger.Ev]}}
	body.Council.K, body.Council.Keys = 1, append(body.Council.Keys, council.Public())
	payload, err := directory.New().Prepare(body, time.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, council)
	if err != nil {
		return nil, err
	}
	return directory.Leaf(d)
}

func change(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql DB STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	text := strings.ReplaceAll(args[2], `\n`, "\n")
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Replace(data, []byte(args[1]), []byte(text), 1), 0o600))
}

// members holds the last output against a list of names, so that a program that
// reads it does not break unnoticed.
func members(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: members object|each NAME…")
	}
	want := slices.Sorted(slices.Values(args[1:]))
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	objects := []map[string]json.RawMessage{}
	if args[0] == "each" {
		ts.Check(dec.Decode(&objects))
		if len(objects) == 0 {
			ts.Fatalf("an empty list shows no members")
		}
	} else {
		var one map[string]json.RawMessage
		ts.Check(dec.Decode(&one))
		objects = append(objects, one)
	}
	if dec.More() {
		ts.Fatalf("more than one JSON value")
	}
	for _, o := range objects {
		if got := slices.Sorted(maps.Keys(o)); !slices.Equal(got, want) {
			ts.Fatalf("members %s, want %s", strings.Join(got, " "), strings.Join(want, " "))
		}
	}
}

// tmpfs reports whether small disks are to be mounted, which only root may.
// Whoever runs the tests without says so in ODZIV_TEST_WITHOUT=tmpfs.
func tmpfs() bool { return !strings.Contains(os.Getenv("ODZIV_TEST_WITHOUT"), "tmpfs") }

func disk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: disk FOLDER SIZE")
	}
	folder, flags := ts.MkAbs(args[0]), uintptr(0)
	if _, err := os.Stat(folder); err == nil {
		flags = syscall.MS_REMOUNT
	} else {
		ts.Check(os.Mkdir(folder, 0o700))
		ts.Defer(func() { ts.Check(syscall.Unmount(folder, syscall.MNT_DETACH)) })
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, "mode=700,size="+args[1]); err != nil {
		ts.Fatalf("cannot mount a small disk: %v; run as root, or set ODZIV_TEST_WITHOUT=tmpfs to leave this out", err)
	}
}
