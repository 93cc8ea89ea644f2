// Package second asks the second verifier, testdata/verify.py of package audit,
// what it thinks of a file, for tests that hold it against the first.
package second

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/audit"
)

// Case is a question to the second verifier.
type Case struct {
	Data    []byte `json:"data"`
	Genesis string `json:"genesis,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Entry   []byte `json:"entry,omitempty"` // with VKey: Data is a .tlog-proof
	VKey    string `json:"vkey,omitempty"`
	Other   []byte `json:"other,omitempty"` // another bundle, to compare

	Leaves [][]byte `json:"leaves,omitempty"` // instead of all that: of a directory, to replay
}

// Verdict is what the second verifier says. Facts are there if OK.
type Verdict struct {
	OK    bool   `json:"ok"`
	Why   string `json:"why"`
	Facts Facts  `json:"facts"`
}

// Facts are what both verifiers must find alike.
type Facts struct {
	Kind     string              `json:"kind"`
	Digest   string              `json:"digest"` // of a directory's dump
	Genesis  string              `json:"genesis"`
	Demo     bool                `json:"demo"`
	Entries  []EntryFacts        `json:"entries"`
	Complete bool                `json:"complete"`
	Shown    int64               `json:"shown"`
	MetaOnly int64               `json:"meta_only"`
	Erased   int64               `json:"erased"`
	Hidden   int64               `json:"hidden"`
	Logs     map[string]LogFacts `json:"logs"`
	Same     map[string]bool     `json:"same"`
}

// EntryFacts are of one entry of a file.
type EntryFacts struct {
	Idx     int64    `json:"idx"`
	Ev      string   `json:"ev"`
	Obj     string   `json:"obj"`
	At      int64    `json:"at"`
	Signers []string `json:"signers"`
	Vouched
}

// LogFacts are of one log of a bundle.
type LogFacts struct {
	Root string `json:"root"`
	Size int64  `json:"size"`
	Vouched
}

// Vouched is who stands for a checkpoint.
type Vouched struct {
	Standing  string        `json:"standing"`
	Witnesses []WitnessFact `json:"witnesses"`
}

// WitnessFact is a valid cosignature.
type WitnessFact struct {
	At   int64  `json:"at"`
	Name string `json:"name"`
}

// A Verifier is the second verifier: a script that answers one line with one line,
// in a process that starts with the first question. It may be asked by several
// goroutines.
type Verifier struct {
	Script string // its path

	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr strings.Builder
}

// Command runs the script by hand, with arguments of its own.
func (s *Verifier) Command(args ...string) (*exec.Cmd, error) {
	name, err := python()
	return exec.Command(name, append([]string{"-B", s.Script}, args...)...), err
}

func (s *Verifier) start() (err error) {
	name, err := python()
	if err != nil || s.cmd != nil {
		return err
	}
	s.cmd = exec.Command(name, "-B", s.Script, "--batch")
	s.cmd.Stderr = &s.stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.out = bufio.NewReaderSize(out, 1<<16)
	return s.cmd.Start()
}

// python is a Python that has what the script needs. That there is none is an
// error: a test that silently compares with nothing proves nothing.
var python = sync.OnceValues(func() (string, error) {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import sys, cryptography; assert sys.version_info >= (3, 9)").Run() == nil {
			return name, nil
		}
	}
	return "", errors.New("no python3 (3.9 or later) with the package cryptography: apt-get install python3 python3-cryptography, or run ./test.sh as root")
})

// Ask asks for a verdict.
func (s *Verifier) Ask(t testing.TB, c Case) Verdict {
	t.Helper()
	v, err := s.ask(c)
	if err != nil {
		t.Fatal("the second verifier:", err)
	}
	return v
}

func (s *Verifier) ask(c Case) (v Verdict, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		if err := s.start(); err != nil {
			return v, err
		}
	}
	line, err := json.Marshal(c)
	if err != nil {
		return v, err
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return v, s.ended(err)
	}
	answer, err := s.out.ReadBytes('\n')
	if err != nil {
		return v, s.ended(err)
	}
	return v, json.Unmarshal(answer, &v)
}

// ended says how it died. The next question starts it again.
func (s *Verifier) ended(err error) error {
	s.in.Close()
	err = errors.Join(err, s.cmd.Wait())
	s.cmd = nil
	return fmt.Errorf("it ended: %w\n%s", err, s.stderr.String())
}

// Close ends the process.
func (s *Verifier) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return nil
	}
	s.in.Close()
	return s.cmd.Wait()
}

// FactsOf are the facts of a report in which nothing failed.
func FactsOf(r audit.Report) Facts {
	f := Facts{Kind: r.Kind, Genesis: r.Genesis, Demo: r.Demo}
	for _, it := range r.Items {
		e := EntryFacts{Idx: it.Idx, Ev: it.Event, Obj: it.Object, At: it.At, Signers: []string{}, Vouched: vouched(it.Seen)}
		for _, s := range it.Signers {
			e.Signers = append(e.Signers, s.Key)
		}
		slices.Sort(e.Signers)
		f.Entries = append(f.Entries, e)
	}
	if c := r.Bundle; c != nil {
		f.Complete, f.Shown, f.MetaOnly, f.Erased, f.Hidden = c.Complete(), c.Shown, c.MetaOnly, c.Erased, c.Ev-c.Shown-c.Erased
		f.Logs = map[string]LogFacts{"dir": {c.DirRoot, c.Dir, vouched(c.SeenDir)}, "ev": {c.EvRoot, c.Ev, vouched(c.SeenEv)}}
	}
	return f
}

func vouched(s audit.Seen) Vouched {
	v := Vouched{Standing: string(s.Standing), Witnesses: []WitnessFact{}}
	for _, c := range s.Cosigned {
		v.Witnesses = append(v.Witnesses, WitnessFact{c.At, c.Name})
	}
	slices.SortFunc(v.Witnesses, func(a, b WitnessFact) int { return strings.Compare(a.Name, b.Name) })
	return v
}
