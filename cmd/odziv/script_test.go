package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
)

func TestMain(m *testing.M) { testscript.Main(tidied{m}, map[string]func(){"odziv": main}) }

// TestScripts runs the program as its users do, against a real server that is
// a process of its own.
//
// $NOW, $SOON and $LATER are times in ms: when the script began, four seconds
// and ninety days after. Beside the commands of testscript a script has
//
//	world [overdue]       put a whole demonstration exchange into $WORK: server/, one
//	                      home per officer in homes/, and start its server
//	address               choose an address for a server, $ADDRESS, and ids $INST, $DESK
//	setup HOME FLAG…      odziv enroll into a folder, with a keystore of demonstrations;
//	                      $HOME_PUBLIC, $HOME_PRINT (its fingerprint) and
//	                      $HOME_OFFICER tell whose it is
//	fill FILE             put the script's variables into a file
//	between, network …    put a network that fails before the server: see [network]
//	random FILE BYTES     write a file
//	disk FOLDER SIZE      mount a disk of that size, or give it another
//	daemon                start the server of server/ again, and wait until it answers
//	halt                  stop it and wait until it is gone
//	capture NAME REGEXP   keep the first group found in the last standard output as $NAME
//	watch Q N [asleep]    let N witnesses cosign, any Q of them a quorum: see [watchmen]
//	asleep NAME…          let exactly these of them not answer
//	files N PATTERN       so many files match, and others cannot read them
//	vault …             an institution's Vault: see [vaults]
//	members WHAT LIST…    the last standard output is one JSON object (or, with
//	                      WHAT = each, a list of them) with exactly these members
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build(t, bin, "odzivd", "odziv-verify")
	worlds := newWorlds(t)
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond != "tmpfs" {
				return false, fmt.Errorf("no such condition")
			}
			return tmpfs(), nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("REPOSITORY", repository)
			env.Setenv("ODZIV_PASSPHRASE_FILE", filepath.Join(env.WorkDir, "passphrase"))
			now := time.Now().UnixMilli()
			for name, ms := range map[string]int64{"NOW": now, "SOON": now + 4_000, "LATER": now + 90*24*3600_000} {
				env.Setenv(name, fmt.Sprint(ms))
			}
			env.Setenv("TODAY", time.Now().UTC().Add(-24*time.Hour).Format(time.DateOnly))
			env.Setenv("HALFYEAR", time.Now().AddDate(0, 6, 0).Format(time.DateOnly))
			env.Setenv("CASE", statement.NewID(statement.Case))
			env.Setenv("PERSON", statement.NewID(statement.Person))
			env.Setenv("INST", statement.NewID(statement.Institution))
			env.Setenv("DESK", statement.NewID(statement.Desk))
			return os.WriteFile(filepath.Join(env.WorkDir, "passphrase"), []byte(passphrase+"\n"), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"world": func(ts *testscript.TestScript, _ bool, args []string) {
				worlds.install(ts, args)
				daemon(ts, false, nil)
			},
			"address": address,
			"setup":   setup,
			"fill":    fill,
			"between": between,
			"network": network,
			"random":  random,
			"disk":    disk,
			"daemon":  daemon,
			"halt":    halt,
			"capture": capture,
			"members": members,
			"watch":   watch,
			"asleep":  asleep,
			"files":   countFiles,
			"vault":   (&vaults{t}).command(),
		},
	})
}

// build compiles programs of this module into a folder.
func build(t *testing.T, bin string, programs ...string) {
	t.Helper()
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, "github.com/odziv/odziv/cmd/"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

// freeAddress finds a loopback port nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func address(ts *testscript.TestScript, _ bool, _ []string) {
	address, err := freeAddress()
	ts.Check(err)
	ts.Setenv("ADDRESS", address)
	ts.Setenv("URL", "http://"+address)
}

// setup enrolls, and then locks the keystore under the passphrase of all others.
func setup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: setup HOME FLAG…")
	}
	home, words := ts.MkAbs(args[0]), ts.MkAbs(args[0]+".words")
	ts.Check(ts.Exec("odziv", append([]string{"--demo", "--json", "--home", home, "enroll", "--new-passphrase-file", words}, args[1:]...)...))
	var a enrolled
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &a))
	ts.Setenv(args[0]+"_PUBLIC", encode64(a.Public))
	ts.Setenv(args[0]+"_OFFICER", a.Officer)
	ts.Setenv(args[0]+"_PRINT", a.Fingerprint)
	secret, err := passphraseFrom(words)
	ts.Check(err)
	keys, err := keystore.Open(a.Keystore, secret, keystore.Options{Demo: true})
	ts.Check(err)
	ts.Check(keys.Save(a.Keystore, keystore.NewSecret(passphrase)))
}

func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// daemon starts odzivd on $LISTEN, or else $ADDRESS, to which requests are
// signed.
func daemon(ts *testscript.TestScript, _ bool, args []string) {
	address := ts.Getenv("LISTEN")
	if address == "" {
		address = ts.Getenv("ADDRESS")
	}
	cmd := exec.Command("odzivd", append([]string{"serve", "--dir", ts.MkAbs("server"), "--listen", address, "--bookkeep", "0"}, args...)...)
	path, err := lookPath(ts, "odzivd")
	ts.Check(err)
	cmd.Path, cmd.Err = path, nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd.Stderr = log
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); log.Close(); close(ended) }()
	ts.Setenv("SERVER", fmt.Sprint(cmd.Process.Pid))
	ts.Defer(func() { cmd.Process.Kill(); <-ended })
	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			ts.Fatalf("odzivd ended:\n%s", ts.ReadFile("server.log"))
		case <-time.After(10 * time.Millisecond):
		}
	}
	ts.Fatalf("odzivd does not answer")
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, name); isFile(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s", name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// halt asks the server to stop and waits.
func halt(ts *testscript.TestScript, _ bool, _ []string) {
	var pid int
	fmt.Sscan(ts.Getenv("SERVER"), &pid)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGTERM))
	for range 3000 {
		if p.Signal(syscall.Signal(0)) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("odzivd does not stop")
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no match for %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// members holds the last output against a list of names, so that a program that
// reads it does not break unnoticed.
func members(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: members object|each NAME…")
	}
	want := slices.Sorted(slices.Values(args[1:]))
	dec := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile("stdout"))))
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
