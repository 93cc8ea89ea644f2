package deploy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// bin has the programs, built once.
var bin = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-o", programs+"/", "github.com/odziv/odziv/cmd/odziv", "github.com/odziv/odziv/cmd/odzivd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return programs, nil
})

var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "odziv-deploy-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's account runs scripts that call them
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	code := pgtest.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

func tools(t *testing.T) string {
	t.Helper()
	dir, err := bin()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a command to its end and returns what it printed; it fails the test
// unless the command ends well.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

func try(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// patience is how long a program may take to do what it was told; no test says how
// long it does take.
const patience = 2 * time.Minute

// A daemon is a program that a test started.
type daemon struct {
	cmd  *exec.Cmd
	name string
	mu   sync.Mutex
	said bytes.Buffer
}

func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(p)
}

func (d *daemon) output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// start starts a program, which ends with the test.
func start(t *testing.T, env []string, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(name, args...), name: filepath.Base(name)}
	d.cmd.Env = append(os.Environ(), env...)
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.end()
		if t.Failed() {
			t.Logf("%s said:\n%s", d.name, d.output())
		}
	})
	return d
}

// end asks the program to end, and returns how it did.
func (d *daemon) end() error {
	if d.cmd.ProcessState != nil {
		return nil
	}
	return errors.Join(d.cmd.Process.Signal(syscall.SIGTERM), d.cmd.Wait())
}

// says waits until the program has said something.
func (d *daemon) says(t *testing.T, what string) {
	t.Helper()
	until(t, fmt.Sprintf("%s says %q", d.name, what), func() error {
		if strings.Contains(d.output(), what) {
			return nil
		}
		if err := d.cmd.Process.Signal(syscall.Signal(0)); err != nil {
			return err
		}
		return errors.New("not yet")
	})
}

// until tries something until it works.
func until(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// council signs a genesis for the keys that odzivd init printed as JSON, alone.
func council(t *testing.T, printed, file string) {
	t.Helper()
	var made struct{ Dir, Ev string }
	if err := json.Unmarshal([]byte(printed), &made); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	key := statement.NewSigningKey(make([]byte, 32))
	body := &directory.Genesis{Demo: true, Name: "test", Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}, Logs: directory.Logs{Dir: made.Dir, Ev: made.Ev}}
	body.Council.K, body.Council.Keys = 1, append(body.Council.Keys, key.Public())
	payload, err := directory.New().Prepare(body, time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := statement.Sign(t.Context(), statement.TypeDirectory, payload, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := directory.Leaf(signed)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(leaf))
}

// begin makes the folder of a server and begins its ledger. It returns the hash of
// the genesis.
func begin(t *testing.T, dir string, flags ...string) (genesis string) {
	t.Helper()
	return beginAs(t, dir, "", flags...)
}

// beginAs is begin through another login of the database.
func beginAs(t *testing.T, dir, installer string, flags ...string) (hash string) {
	t.Helper()
	odzivd := filepath.Join(tools(t), "odzivd")
	cmd := exec.Command(odzivd, append([]string{"init", "--dir", dir, "--host", "exchange.example.rs", "--json"}, flags...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v %s %s", err, out, &said)
	}
	genesis := filepath.Join(t.TempDir(), "genesis.json")
	council(t, string(out), genesis)
	args := []string{"init", "--dir", dir, "--genesis", genesis}
	if installer != "" {
		args = append(args, "--db", installer)
	}
	run(t, nil, odzivd, args...)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, genesis))))
}
