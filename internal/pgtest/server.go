package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/lib/pq" // "postgres"
)

// patience is how long a server may take for anything before the test fails. It
// is a limit for what hangs, not a measure.
const patience = 2 * time.Minute

// A server is one cluster on disk, running or not.
type server struct {
	place    *place
	dir      string // socket and log; the data are in dir/data
	port     int
	settings map[string]string
	clock    string // the faked clock's file, "" for the machine's clock

	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

// always are the settings of every cluster. What a test asks goes before them.
func always() map[string]string {
	return map[string]string{
		"listen_addresses":               "127.0.0.1",
		"unix_socket_permissions":        "0700",
		"synchronous_commit":             "on",
		"shared_buffers":                 "32MB",
		"dynamic_shared_memory_type":     "mmap",  // what a killed server leaves lies in its folder
		"wal_retrieve_retry_interval":    "200ms", // at 5 s one promotion in twenty takes that long
		"wal_keep_size":                  "256MB", // a standby that was away finds its way back
		"max_connections":                "200",   // several servers with several pools each
		"superuser_reserved_connections": "3",
		"timezone":                       "Europe/Belgrade",
		"jit":                            "off",
		"log_line_prefix":                "%m [%p] %u@%d/%a ",
		"lc_messages":                    "C",
	}
}

// newServer copies the empty cluster.
func (p *place) newServer(settings map[string]string) (*server, error) {
	s, err := p.bare(settings)
	if err != nil {
		return nil, err
	}
	cp := p.command(p.base, "cp", "-a", filepath.Join(p.base, "template"), s.data())
	cp.Path = "/bin/cp"
	if out, err := cp.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pgtest: copy the empty cluster: %w %s", err, out)
	}
	return s, nil
}

// bare is a server without data.
func (p *place) bare(settings map[string]string) (*server, error) {
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	s := &server{place: p, dir: dir, settings: always()}
	maps.Copy(s.settings, settings)
	s.port, err = freePort()
	return s, err
}

func (s *server) data() string    { return filepath.Join(s.dir, "data") }
func (s *server) logFile() string { return filepath.Join(s.dir, "log") }

// freePort finds one below those the kernel gives to outgoing connections: a
// port of these could be taken while the server is down, even by a client that
// tries to connect to it and reaches itself.
func freePort() (int, error) {
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("pgtest: no free port")
}

// launch starts the server and waits until it answers.
func (s *server) launch() error {
	if s.running() {
		return fmt.Errorf("pgtest: the cluster in %s is running", s.dir)
	}
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		args = append(args, "-c", name+"="+s.settings[name])
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.place.command(s.dir, "postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.clock != "" {
		library, err := findFaketime()
		if err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+library, "FAKETIME_TIMESTAMP_FILE="+s.clock, "FAKETIME_NO_CACHE=1",
			"FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DISABLE_SHM=1")
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	gone := make(chan struct{})
	s.cmd, s.gone = cmd, gone
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
	return s.answering()
}

func (s *server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// answering waits until the server lets one in.
func (s *server) answering() error {
	db, err := sql.Open("postgres", s.socket("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	var last error
	ok := within(func() bool {
		last = db.PingContext(context.Background())
		return last == nil || !s.running()
	})
	if !ok || last != nil {
		return fmt.Errorf("pgtest: the server does not answer: %w\n%s", last, s.log())
	}
	return nil
}

// within asks until the answer is yes; false after patience has gone.
func within(yes func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if yes() {
			return true
		}
	}
	return false
}

// socket names a database through the socket, for any login.
func (s *server) socket(login, database string) string {
	return fmt.Sprintf("postgres:///%s?host=%s&port=%d&user=%s&sslmode=disable", database, s.dir, s.port, login)
}

// tcp names a database for the login postgres.
func (s *server) tcp(database string) string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/%s?sslmode=disable", Password, s.port, database)
}

// signal sends the server a signal and waits for its end.
func (s *server) signal(sig syscall.Signal) error {
	if !s.running() {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil && s.running() {
		return err
	}
	select {
	case <-s.gone:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("pgtest: the server did not stop on %s\n%s", sig, s.log())
	}
}

// kill ends the server and every process of it at once. The father is stopped
// first, so that it neither forks nor tells its children.
func (s *server) kill() error {
	if !s.running() {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	tree := children(s.cmd.Process.Pid)
	for _, pid := range tree {
		_ = tell(pid, syscall.SIGKILL)
	}
	if err := s.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !within(func() bool { return !slices.ContainsFunc(tree, alive) }) {
		return fmt.Errorf("pgtest: processes outlive SIGKILL: %v", tree)
	}
	return nil
}

// remove ends the server and takes away all that it left.
func (s *server) remove() error {
	if err := s.kill(); err != nil {
		return err
	}
	if raw, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid")); err == nil {
		lines := strings.Split(string(raw), "\n")
		if len(lines) > 6 {
			if key := strings.Fields(lines[6]); len(key) == 2 {
				_ = exec.Command("ipcrm", "-m", key[1]).Run() // gone already is as good
			}
		}
	}
	return os.RemoveAll(s.dir)
}

// log is the end of what the server wrote.
func (s *server) log() string {
	f, err := os.Open(s.logFile())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 6000
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	raw, _ := io.ReadAll(f)
	return string(raw)
}
