package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// An installation is a PostgreSQL server found on the machine.
type installation struct {
	bin        string              // folder of initdb and postgres
	credential *syscall.Credential // whom the server runs as; nil is ourselves
	home       string              // whom the server runs as has no other
}

// find looks for the newest server of Debian's packages, then in PATH.
func find() (*installation, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	in := &installation{bin: bin, home: "/nonexistent"}
	if os.Geteuid() != 0 {
		return in, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			in.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			return in, errors.Join(err, err2)
		}
	}
	return nil, errors.New("pgtest: PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}

func findBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) != 0 {
		return filepath.Dir(found[0]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("pgtest: there is no PostgreSQL server on this machine; install one (apt-get install postgresql-15) or let ./test.sh do it")
	}
	return filepath.Dir(path), nil
}

// version is the number in /usr/lib/postgresql/15/bin/initdb, 0 if there is none.
func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// findFaketime looks for the library that lies about the time.
func findFaketime() (string, error) {
	for _, pattern := range []string{"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1"} {
		if found, _ := filepath.Glob(pattern); len(found) != 0 {
			return found[0], nil
		}
	}
	return "", errors.New("pgtest: there is no libfaketime on this machine; install it (apt-get install libfaketime) or let ./test.sh do it")
}

// command prepares a program of the server, run as the server's user.
func (in *installation) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(in.bin, name), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + in.bin + ":/usr/bin:/bin", "HOME=" + in.home, "LC_ALL=C.UTF-8"}
	// A group of its own: an interrupt at the terminal is for the tests, and the
	// caretaker ends the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: in.credential}
	return cmd
}

// run runs a program to its end and returns what it said.
func (in *installation) run(dir, name string, args ...string) (string, error) {
	out, err := in.command(dir, name, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("pgtest: %s: %w\n%s", name, err, out)
	}
	return string(out), nil
}
