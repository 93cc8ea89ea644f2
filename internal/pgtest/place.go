package pgtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// caretaker waits until its standard input ends, which it does when the test
// program ends, however that happens. Then it ends every server in the folder,
// removes what a killed one left in the kernel, and the folder.
//
// A killed server leaves a segment of System V shared memory, by which the next
// one notices processes that outlived it; its number stands in line 7 of the pid
// file.
const caretaker = `
read -r _
ours() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -q -F -- "$base/"; }
base="$1"
for file in "$base"/*/data/postmaster.pid; do
  [ -f "$file" ] || continue
  pid="$(sed -n 1p "$file")"; set -- $(sed -n 7p "$file")
  if ours "$pid"; then kill -QUIT "$pid"; fi
  n=0; while ours "$pid" && [ $n -lt 400 ]; do n=$((n+1)); sleep 0.02; done
  if ours "$pid"; then kill -KILL "$pid"; fi
  if [ -f "$file" ] && [ -n "$2" ]; then ipcrm -m "$2" 2>/dev/null; fi
done
rm -rf -- "$base"
`

// A place is the folder of one test program, with an empty cluster to copy.
type place struct {
	*installation
	base  string
	leave io.Closer // the caretaker's standard input
	care  *exec.Cmd

	mu   sync.Mutex
	next int
}

// Password of the login postgres of every cluster, over TCP. Over the socket,
// which only the server's user and root can reach, none is asked.
const Password = "throw-away"

// found is the place of this test program, made on first use.
var found = struct {
	mu     sync.Mutex
	place  *place
	err    error
	shared *server
}{}

// Run runs the tests and then ends every cluster: for TestMain, which exits with
// the result. Without it, the caretaker ends them a moment later.
func Run(m *testing.M) int {
	code := m.Run()
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.place != nil {
		found.place.end()
		found.place = nil
	}
	return code
}

// thePlace returns the place of this test program.
func thePlace() (*place, error) {
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.place == nil && found.err == nil {
		found.place, found.err = newPlace()
	}
	return found.place, found.err
}

func newPlace() (*place, error) {
	in, err := find()
	if err != nil {
		return nil, err
	}
	// Short, because a socket's path must be: at most 107 bytes.
	base, err := os.MkdirTemp(roomy(), "opg-")
	if err != nil {
		return nil, err
	}
	p := &place{installation: in, base: base}
	p.care = exec.Command("/bin/sh", "-c", caretaker, "pgtest-caretaker", base)
	p.care.Dir = "/"
	p.care.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to the tests' group is not for it
	if p.leave, err = p.care.StdinPipe(); err == nil {
		err = p.care.Start()
	}
	if err != nil {
		os.RemoveAll(base)
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	if err := p.own(base); err != nil {
		p.end()
		return nil, err
	}
	if err := p.template(); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// roomy is where the clusters go: in memory where there is room for them. A
// killed server writes nothing less to its files for that, and hundreds of
// fsyncs per start would wait for a disk that others use too.
func roomy() string {
	const enough = 4 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= enough {
		return "/dev/shm"
	}
	return "/tmp"
}

// own gives a file or folder to the server's user.
func (p *place) own(name string) error {
	if p.credential == nil {
		return nil
	}
	return os.Chown(name, int(p.credential.Uid), int(p.credential.Gid))
}

// template makes the empty cluster that all others are copies of: initdb takes
// half a second, a copy a tenth of that.
func (p *place) template() error {
	password := filepath.Join(p.base, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o600); err != nil {
		return err
	}
	if err := p.own(password); err != nil {
		return err
	}
	_, err := p.run(p.base, "initdb", "--no-sync", "--data-checksums", "--username=postgres", "--pwfile="+password,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
		"--locale-provider=icu", "--icu-locale=sr", filepath.Join(p.base, "template"))
	if err != nil {
		return err
	}
	// All settings are in the command line. These are for the server that pg_rewind
	// starts by itself: it must not throw away the log that pg_rewind then reads.
	conf := filepath.Join(p.base, "template", "postgresql.conf")
	return os.WriteFile(conf, []byte("dynamic_shared_memory_type = mmap\nwal_keep_size = 256MB\n"), 0o600)
}

// folder makes the folder of the next cluster.
func (p *place) folder() (string, error) {
	p.mu.Lock()
	p.next++
	dir := filepath.Join(p.base, strconv.Itoa(p.next))
	p.mu.Unlock()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, p.own(dir)
}

// end ends everything and waits until it is gone.
func (p *place) end() {
	p.leave.Close()
	_ = p.care.Wait()
}
