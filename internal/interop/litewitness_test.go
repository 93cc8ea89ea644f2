package interop

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	_ "modernc.org/sqlite"

	"github.com/odziv/odziv/ledger"
)

// litewitnessVersion is built from the module proxy; its module cannot be in
// our go.mod, for tests of its own need what the proxy does not serve.
const litewitnessVersion = "filippo.io/torchwood/cmd/litewitness@v0.9.0"

// litewitness builds the program once.
var litewitness = sync.OnceValues(func() (string, error) {
	install := exec.Command("go", "install", litewitnessVersion)
	install.Env = append(os.Environ(), "GOBIN="+tools, "GOFLAGS=")
	install.Dir = tools
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s: %w: %s", litewitnessVersion, err, out)
	}
	return filepath.Join(tools, "litewitness"), nil
})

// startLitewitness runs the program with a key in an agent of its own and
// teaches it the log. It returns its URL and verifier key.
func startLitewitness(t *testing.T, log *ledger.SigningKey) (url, vkey string) {
	t.Helper()
	program, err := litewitness()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "olw") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fingerprint := serveAgent(t, filepath.Join(dir, "agent"))
	db := filepath.Join(dir, "lw.db")
	addr := freeAddress(t)
	cmd := exec.Command(program, "-db", db, "-name", "litewitness.example", "-key", fingerprint,
		"-ssh-agent", filepath.Join(dir, "agent"), "-listen", addr, "-obscurity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	vkey = keyOf(t, out)
	teach(t, db, log)
	return "http://" + addr, vkey
}

// serveAgent answers on a socket as ssh-agent would, with one key.
func serveAgent(t *testing.T, socket string) (fingerprint string) {
	t.Helper()
	seed := sha256.Sum256([]byte("litewitness"))
	key := ed25519.NewKeyFromSeed(seed[:])
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(pub)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var vkeyLine = regexp.MustCompile(`vkey=(\S+)`)

// keyOf reads the program's log up to its verifier key and until it listens.
func keyOf(t *testing.T, out io.Reader) (vkey string) {
	t.Helper()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-t.Context().Done():
			}
		}
	}()
	wait := time.After(time.Minute)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("litewitness ended")
			}
			t.Log(line)
			if m := vkeyLine.FindStringSubmatch(line); m != nil {
				vkey = strings.Trim(m[1], `"`)
			}
			if vkey != "" && strings.Contains(line, "listening") {
				go func() {
					for range lines {
					}
				}()
				return vkey
			}
		case <-wait:
			t.Fatal("litewitness does not say its key")
		}
	}
}

// teach enters the log as witnessctl does: a witness starts at size 0.
func teach(t *testing.T, path string, log *ledger.SigningKey) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	origin, empty := log.Verifier().Name(), ledger.EmptyRoot()
	if _, err := db.Exec("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", origin, base64.StdEncoding.EncodeToString(empty[:])); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO key (origin, key) VALUES (?, ?)", origin, log.VerifierKey()); err != nil {
		t.Fatal(err)
	}
}
