package vaulttest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is a Vault for one test. Its methods fail that test when the server
// does not do as told. Not safe for concurrent use, except Call and CallAs.
type Server struct {
	Address   string // http://127.0.0.1:PORT, or https
	RootToken string
	CACert    string // file of the certificate to trust, "" without TLS

	t      testing.TB
	dir    string // configuration, data, log, and the HOME of its commands
	keys   []string
	client *http.Client
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Options say how a server differs from one in memory over plain HTTP.
type Options struct {
	// Raft keeps the data on disk, so that the server can be killed and started
	// again. It is unsealed with two of three keys.
	Raft bool
	// TLS listens with a certificate of its own for 127.0.0.1.
	TLS bool
}

// Dev starts a server in memory, unsealed. What it holds ends with it.
func Dev(t testing.TB) *Server { t.Helper(); return Start(t, Options{}) }

// Raft starts a server with raft storage, initialised and unsealed.
func Raft(t testing.TB) *Server { t.Helper(); return Start(t, Options{Raft: true}) }

// Start starts a server, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	s.client = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		s.Kill(t)
		if t.Failed() {
			t.Logf("log of Vault:\n%s", s.log())
		}
	})
	s.configure(o)
	s.launch()
	s.initialise()
	return s
}

// configure writes what the server reads. A server in memory is initialised and
// unsealed like the other, since the development mode of Vault mounts things and
// prints its token.
func (s *Server) configure(o Options) {
	s.t.Helper()
	port, cluster := s.freePort(), s.freePort()
	storage, scheme, tls := `storage "inmem" {}`, "http", `tls_disable = true`
	if o.Raft {
		data := filepath.Join(s.dir, "data")
		s.must(os.Mkdir(data, 0o700))
		storage = fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = \"a\"\n  performance_multiplier = 1\n}", data)
	}
	if o.TLS {
		cert, key := s.certify()
		s.CACert, scheme = cert, "https"
		tls = fmt.Sprintf("tls_cert_file = %q\n  tls_key_file = %q\n  tls_min_version = \"tls13\"", cert, key)
	}
	s.Address = fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
	config := fmt.Sprintf("%s\nlistener \"tcp\" {\n  address = \"127.0.0.1:%d\"\n  cluster_address = \"127.0.0.1:%d\"\n  %s\n}\napi_addr = %q\ncluster_addr = \"https://127.0.0.1:%d\"\ndisable_mlock = true\nlog_level = \"warn\"\n",
		storage, port, cluster, tls, s.Address, cluster)
	s.must(os.WriteFile(s.config(), []byte(config), 0o600))
	s.client.Transport = s.transport()
}

func (s *Server) config() string { return filepath.Join(s.dir, "vault.hcl") }

func (s *Server) freePort() int {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// launch starts the process and waits until it answers, sealed or not.
func (s *Server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	s.must(err)
	defer log.Close()
	s.cmd = exec.Command(Binary(s.t), "server", "-config="+s.config())
	s.cmd.Env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "VAULT_SKIP_DOTFILES=1"}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not even a killed test leaves one behind
	s.must(s.cmd.Start())
	ended := make(chan struct{})
	s.ended = ended
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(ended) }(s.cmd)
	s.until("Vault answers", func() bool {
		status, _ := s.try(http.MethodGet, "sys/health")
		return status != 0
	})
}

// initialise makes the keys once and unseals.
func (s *Server) initialise() {
	s.t.Helper()
	status, made := s.CallAs(s.t, "", http.MethodPut, "sys/init", map[string]any{"secret_shares": 3, "secret_threshold": 2})
	if status != http.StatusOK {
		s.t.Fatalf("vaulttest: init: %d %v", status, made)
	}
	for _, key := range made["keys_base64"].([]any) {
		s.keys = append(s.keys, key.(string))
	}
	s.RootToken = made["root_token"].(string)
	s.Unseal(s.t)
}

// Unseal gives two of three keys and waits until the server is active.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	for _, key := range s.keys[:2] {
		if status, answer := s.CallAs(t, "", http.MethodPut, "sys/unseal", map[string]any{"key": key}); status != http.StatusOK {
			t.Fatalf("vaulttest: unseal: %d %v", status, answer)
		}
	}
	s.until("Vault is active", func() bool {
		status, _ := s.try(http.MethodGet, "sys/health")
		return status == http.StatusOK
	})
}

// Seal seals the server: it answers 503 to everything but being unsealed.
func (s *Server) Seal(t testing.TB) { t.Helper(); s.Call(t, http.MethodPut, "sys/seal", nil) }

// Kill ends the process at once. A server in memory forgets everything.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-s.ended
}

// Start starts a killed server with raft storage again, and unseals it.
func (s *Server) Start(t testing.TB) { t.Helper(); s.StartSealed(t); s.Unseal(t) }

// StartSealed starts a killed server with raft storage again.
func (s *Server) StartSealed(t testing.TB) { t.Helper(); s.launch() }

// Freeze stops the process without ending it: connections stay open and nobody
// answers.
func (s *Server) Freeze(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Env is the environment of a command or script that speaks to the server as
// root.
func (s *Server) Env() []string {
	env := []string{"HOME=" + s.dir, "PATH=" + filepath.Dir(s.linked()) + ":" + os.Getenv("PATH"), "VAULT_ADDR=" + s.Address, "VAULT_TOKEN=" + s.RootToken, "VAULT_SKIP_DOTFILES=1"}
	if s.CACert != "" {
		env = append(env, "VAULT_CACERT="+s.CACert)
	}
	return env
}

// linked is the command under its own name, for scripts that call "vault".
func (s *Server) linked() string {
	name := filepath.Join(s.dir, "bin", "vault")
	s.must(os.MkdirAll(filepath.Dir(name), 0o700))
	if err := os.Symlink(Binary(s.t), name); err != nil && !os.IsExist(err) {
		s.t.Fatal(err)
	}
	return name
}

// Command runs the vault command as root and returns what it printed.
func (s *Server) Command(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.linked(), args...)
	cmd.Env = s.Env()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("vault %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String()
}

func (s *Server) log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(data[max(0, len(data)-16<<10):])
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("vaulttest: %v", err)
	}
}

// startWithin bounds how long a server may take to answer: a busy machine is
// slow, and a server that ends is noticed at once.
const startWithin = 2 * time.Minute

func (s *Server) until(what string, happened func() bool) {
	s.t.Helper()
	for end := time.Now().Add(startWithin); ; {
		if happened() {
			return
		}
		select {
		case <-s.ended:
			s.t.Fatalf("vaulttest: Vault ended before %s:\n%s", what, s.log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			s.t.Fatalf("vaulttest: not true within %v: %s\n%s", startWithin, what, s.log())
		}
	}
}
