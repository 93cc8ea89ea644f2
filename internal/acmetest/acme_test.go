package acmetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

const host = "exchange.example.rs"

// patience is how long a program may take to do what it was asked; no test says
// how long it does take.
const patience = 2 * time.Minute

// bin has the programs that the tests start.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "odziv-acme-")
	if err == nil {
		bin = dir
		err = build()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func build() error {
	for dir, packages := range map[string][]string{
		".":     {"github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"},
		"../..": {"./cmd/odzivd"},
	} {
		cmd := exec.Command("go", append([]string{"build", "-o", bin + "/"}, packages...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// A program that a test started.
type program struct {
	said *bytes.Buffer
	end  func()
}

// start runs a program until the test or end ends it.
func start(t *testing.T, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{said: &bytes.Buffer{}}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = p.said, p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = func() {
		if cmd.ProcessState != nil {
			return
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.said)
		}
	})
	return p
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
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// authority starts Pebble, which issues for the given time and asks back at port.
// It returns the address of its directory and whom to believe.
func authority(t *testing.T, validity time.Duration, port int) (url, roots string) {
	t.Helper()
	dir := t.TempDir()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	roots, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))}))

	names, listen := freePort(t), freePort(t)
	start(t, nil, "pebble-challtestsrv", "-management", fmt.Sprintf("127.0.0.1:%d", freePort(t)), "-dnsserver", fmt.Sprintf("127.0.0.1:%d", names),
		"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	config := filepath.Join(dir, "pebble.json")
	write(t, config, must[[]byte](t)(json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", listen), "managementListenAddress": "", "certificate": roots, "privateKey": keyFile,
		"httpPort": 1, "tlsPort": port, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "-", "validityPeriod": int(validity.Seconds())}},
	}})))
	start(t, []string{"PEBBLE_VA_NOSLEEP=1"}, "pebble", "-strict", "-config", config, "-dnsserver", fmt.Sprintf("127.0.0.1:%d", names))
	for _, p := range []int{names, listen} {
		until(t, "pebble", func() error { return reach(p) })
	}
	return fmt.Sprintf("https://127.0.0.1:%d/dir", listen), roots
}

func reach(port int) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		conn.Close()
	}
	return err
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ledger makes the folder of a server whose council is one key of the test's.
func ledger(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "server")
	odzivd := func(args ...string) []byte {
		cmd := exec.Command(filepath.Join(bin, "odzivd"), args...)
		cmd.Stderr = os.Stderr
		return must[[]byte](t)(cmd.Output())
	}
	var made struct{ Dir, Ev string }
	if err := json.Unmarshal(odzivd("init", "--dir", dir, "--host", host, "--json"), &made); err != nil {
		t.Fatal(err)
	}
	council := statement.NewSigningKey(make([]byte, 32))
	body := &directory.Genesis{Demo: true, Name: "test", Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}, Logs: directory.Logs{Dir: made.Dir, Ev: made.Ev}}
	body.Council.K, body.Council.Keys = 1, append(body.Council.Keys, council.Public())
	payload := must[[]byte](t)(directory.New().Prepare(body, time.Now().UnixMilli()))
	signed := must[*statement.DSSE](t)(statement.Sign(t.Context(), statement.TypeDirectory, payload, council))
	file := filepath.Join(t.TempDir(), "genesis.json")
	write(t, file, must[[]byte](t)(directory.Leaf(signed)))
	odzivd("init", "--dir", dir, "--genesis", file)
	return dir
}

// shown is what a client is shown who asks for a name.
func shown(port int, name string) (*tls.ConnectionState, error) {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return &state, nil
}

// certificate waits for one that is not of the given serial number.
func certificate(t *testing.T, port int, other *big.Int) *x509.Certificate {
	t.Helper()
	var leaf *x509.Certificate
	until(t, "a certificate", func() error {
		state, err := shown(port, host)
		if err != nil {
			return err
		}
		leaf = state.PeerCertificates[0]
		if other != nil && leaf.SerialNumber.Cmp(other) == 0 {
			return fmt.Errorf("still number %s", other)
		}
		return nil
	})
	return leaf
}

// A server gets its certificate, keeps it for the next start, and answers to no
// other name.
func TestCertificateFromAuthority(t *testing.T) {
	port := freePort(t)
	url, roots := authority(t, 90*24*time.Hour, port)
	dir := ledger(t)
	folder := filepath.Join(dir, "acme")
	args := []string{"serve", "--dir", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--acme", host, "--acme-dir", folder, "--acme-url", url, "--acme-ca", roots}
	server := start(t, nil, "odzivd", args...)
	leaf := certificate(t, port, nil)
	if err := leaf.VerifyHostname(host); err != nil || !strings.HasPrefix(leaf.Issuer.CommonName, "Pebble") || leaf.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("a certificate of %s's for %s, %s", leaf.Issuer, leaf.DNSNames, leaf.PublicKeyAlgorithm)
	}
	state := must[*tls.ConnectionState](t)(shown(port, host))
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x, curve %s", state.Version, state.CurveID)
	}
	for _, name := range []string{"other.example.rs", ""} {
		if _, err := shown(port, name); err == nil {
			t.Errorf("it answers to the name %q", name)
		}
	}
	files := must[[]os.DirEntry](t)(os.ReadDir(folder))
	for _, f := range files {
		if info := must[os.FileInfo](t)(f.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f.Name(), info.Mode())
		}
	}
	if len(files) == 0 {
		t.Error("nothing is kept")
	}
	if out, err := exec.Command(filepath.Join(bin, "odzivd"), "doctor", "--dir", dir, "--acme-dir", folder).Output(); !strings.Contains(string(out), "ok    certificate") {
		t.Errorf("doctor: %v\n%s", err, out)
	}

	server.end()
	start(t, nil, "odzivd", args...)
	if again := certificate(t, port, nil); again.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
		t.Error("a new start asked for a new certificate")
	}
}

// A certificate near its end is renewed while the server runs.
func TestCertificateIsRenewed(t *testing.T) {
	port := freePort(t)
	url, roots := authority(t, 20*time.Second, port)
	dir := ledger(t)
	start(t, nil, "odzivd", "serve", "--dir", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port),
		"--acme", host, "--acme-dir", filepath.Join(dir, "acme"), "--acme-url", url, "--acme-ca", roots)
	first := certificate(t, port, nil)
	certificate(t, port, first.SerialNumber)
}
