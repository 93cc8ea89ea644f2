package office

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/filelock"
)

// marks are the last checkpoints that were verified. Those of a notebook of an
// earlier version lack the counted ones, which are then found again.
type marks struct {
	V          int    `json:"v,omitempty"`
	Dir        []byte `json:"dir,omitempty"`         // newest that the exchange signed
	Ev         []byte `json:"ev,omitempty"`          // largest that it signed
	DirCounted []byte `json:"dir_counted,omitempty"` // up to which entries count: confirmed, or nobody is asked
	EvCounted  []byte `json:"ev_counted,omitempty"`  // largest that was confirmed
	DirUntil   int64  `json:"dir_until,omitempty"`   // when a quorum last cosigned, ms
	EvUntil    int64  `json:"ev_until,omitempty"`
}

// marksVersion is the version this program writes. It reads earlier ones.
const marksVersion = 1

// merged are two programs' marks: of each the larger.
func merged(a, b marks) marks {
	larger := func(a, b []byte) []byte {
		if len(b) == 0 || len(a) > 0 && claimedSize(a) >= claimedSize(b) {
			return a
		}
		return b
	}
	return marks{marksVersion, larger(a.Dir, b.Dir), larger(a.Ev, b.Ev), larger(a.DirCounted, b.DirCounted), larger(a.EvCounted, b.EvCounted),
		max(a.DirUntil, b.DirUntil), max(a.EvUntil, b.EvUntil)}
}

func (m marks) equal(o marks) bool {
	return bytes.Equal(m.Dir, o.Dir) && bytes.Equal(m.Ev, o.Ev) && bytes.Equal(m.DirCounted, o.DirCounted) &&
		bytes.Equal(m.EvCounted, o.EvCounted) && m.DirUntil == o.DirUntil && m.EvUntil == o.EvUntil
}

// errOtherHistory says that another program, in the same folder, verified other
// entries under the same numbers.
var errOtherHistory = errors.New("office: the folder holds another history")

// commit keeps verified leaves, which begin with those held, and marks. What
// another program wrote into the folder meanwhile is kept too. What could not be
// written is not held either.
func (n *Notebook) commit(leaves [][]byte, m marks) error {
	m.V = marksVersion
	if len(leaves) <= len(n.leaves) && m.equal(n.marks) {
		return nil
	}
	if n.dir != "" {
		unlock, err := n.lock()
		if err != nil {
			return err
		}
		err = errors.Join(n.storeLeaves(leaves), n.storeMarks(m))
		if err := errors.Join(err, unlock()); err != nil {
			return err
		}
	}
	if len(leaves) > len(n.leaves) {
		n.leaves = leaves
	}
	n.marks = m
	return nil
}

// storeLeaves replaces the file whole: a line that was cut off goes with it.
// The caller holds the folder.
func (n *Notebook) storeLeaves(leaves [][]byte) error {
	if len(leaves) <= len(n.leaves) {
		return nil
	}
	stored, err := n.storedLeaves()
	if err != nil {
		return err
	}
	same := 0
	for same < min(len(stored), len(leaves)) && bytes.Equal(stored[same], leaves[same]) {
		same++
	}
	switch {
	case same == len(leaves): // another program is ahead
		return nil
	case same < len(stored) && n.marked(stored) > int64(same):
		return errOtherHistory
	}
	var text bytes.Buffer
	for _, leaf := range leaves {
		fmt.Fprintln(&text, base64.StdEncoding.EncodeToString(leaf))
	}
	return replaceFile(n.path(leavesFile), text.Bytes())
}

// marked is how many of the stored leaves the stored checkpoint covers: those
// were verified. None, where the file was damaged.
func (n *Notebook) marked(stored [][]byte) int64 {
	var m marks
	if n.read(marksFile, &m) != nil {
		return 0
	}
	size := claimedSize(m.Dir)
	if size < 0 || size > int64(len(stored)) {
		return 0
	}
	root := (tree{}).grown(stored[:size]).root(size)
	if !strings.Contains(string(m.Dir), "\n"+root.String()+"\n") {
		return 0
	}
	return size
}

// storeMarks writes the larger of what is there and m. The caller holds the
// folder.
func (n *Notebook) storeMarks(m marks) error {
	var stored marks
	if err := n.read(marksFile, &stored); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged) {
		return err
	}
	if m = merged(m, stored); m.equal(stored) {
		return nil
	}
	return n.write(marksFile, m)
}

// feedEnd is the last number that is known of a desk's feed.
func (n *Notebook) feedEnd(desk string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.feeds[desk]
}

// keepFeedEnd remembers that a feed goes at least up to a number.
func (n *Notebook) keepFeedEnd(desk string, number int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number <= n.feeds[desk] {
		return nil
	}
	if n.dir == "" {
		n.feeds[desk] = number
		return nil
	}
	unlock, err := n.lock()
	if err != nil {
		return err
	}
	all := map[string]int64{}
	if err := n.read(feedsFile, &all); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged) {
		return errors.Join(err, unlock())
	}
	next := maps.Clone(n.feeds)
	next[desk] = number
	for desk, number := range all {
		next[desk] = max(next[desk], number)
	}
	if err := errors.Join(n.write(feedsFile, next), unlock()); err != nil {
		return err
	}
	n.feeds = next
	return nil
}

// How long a program waits for another that writes into the same folder, and
// how often it looks. Nobody writes for longer than a disk takes.
const (
	lockWithin = 10 * time.Second
	lockEvery  = 20 * time.Millisecond
)

// lock holds the folder against other programs, for as long as it takes to read
// and write a few files. It ends with the program, however that ends.
func (n *Notebook) lock() (unlock func() error, err error) {
	for begun := time.Now(); ; time.Sleep(lockEvery) {
		f, err := filelock.Take(n.path(lockName))
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, filelock.ErrHeld) {
			return nil, fmt.Errorf("office: %w", err)
		}
		if time.Since(begun) > n.patience {
			return nil, fmt.Errorf("office: %s: %w", n.dir, ErrBusy)
		}
	}
}

const lockName = "lock"

// read decodes a file of the folder.
func (n *Notebook) read(name string, v any) error {
	data, err := os.ReadFile(n.path(name))
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("office: %s: %w: %w", n.path(name), ErrDamaged, err)
	}
	return nil
}
