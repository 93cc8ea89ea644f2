package office

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
)

// watchFile holds, by officer's key, which changes of who reads for her desks she
// accepted. It only ever makes less be shown: without it, or with an older one,
// everything that was not accepted is shown again, and nothing else.
const watchFile = "watch.json"

// watchVersion is the version this program writes.
const watchVersion = 1

type watchNotes struct {
	V        int                 `json:"v"`
	Officers map[string]lookedAt `json:"officers"` // by key id
}

// lookedAt is what one officer looked at.
type lookedAt struct {
	Accepted map[string]acceptedEntry `json:"accepted"`         // by index in the directory
	Started  map[string]int64         `json:"started"`          // desk to the entry from which it is watched, once shown
	Sealed   map[string]sealedTo      `json:"sealed,omitempty"` // what was last sealed to, by desk; kept where own acts are
	Observer *Observer                `json:"observer,omitempty"`
}

// acceptedEntry is an entry that was looked at.
type acceptedEntry struct {
	At     int64  `json:"at"` // ms
	By     string `json:"by"`
	SHA256 string `json:"sha256"` // hex, of the leaf
}

// By whom a change was looked at.
const (
	byOfficer       = "officer"
	byObserver      = "observer"
	byOtherComputer = "other-computer"
)

// sealedTo is a key of a desk, and how far the directory went when it was used.
type sealedTo struct {
	Epoch int64 `json:"epoch"`
	N     int64 `json:"n"`
	At    int64 `json:"at"`
}

func (l lookedAt) clone() lookedAt {
	c := lookedAt{Accepted: maps.Clone(l.Accepted), Started: maps.Clone(l.Started), Sealed: maps.Clone(l.Sealed), Observer: l.Observer}
	if c.Accepted == nil {
		c.Accepted = map[string]acceptedEntry{}
	}
	if c.Started == nil {
		c.Started = map[string]int64{}
	}
	if c.Sealed == nil {
		c.Sealed = map[string]sealedTo{}
	}
	return c
}

// looked is what an officer looked at, as it stands in the folder now: another
// program of hers may have written it. What cannot be read was not looked at, so
// that a damaged file shows everything again and stops nothing.
func (n *Notebook) looked(key string) lookedAt {
	n.mu.Lock()
	defer n.mu.Unlock()
	notes, err := n.readWatch()
	if err != nil {
		return lookedAt{}
	}
	return notes.Officers[key].clone()
}

// readWatch reads the file, or what memory holds. The caller holds n.mu.
func (n *Notebook) readWatch() (watchNotes, error) {
	if n.dir == "" {
		return n.watch, nil
	}
	var notes watchNotes
	err := n.read(watchFile, &notes)
	if err == nil && notes.V > watchVersion {
		return watchNotes{}, fmt.Errorf("office: %s: %w", n.path(watchFile), ErrNewer)
	}
	return notes, err
}

// keepLooked changes what an officer looked at. What other programs wrote, and
// what belongs to other officers who use the folder, stays. A damaged file is
// replaced; one of a later version is not.
func (n *Notebook) keepLooked(key string, edit func(*lookedAt)) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	unlock := func() error { return nil }
	if n.dir != "" {
		if unlock, err = n.lock(); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, unlock()) }()
	notes, err := n.readWatch()
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged) {
		return err
	}
	one := notes.Officers[key].clone()
	edit(&one)
	next := watchNotes{V: watchVersion, Officers: maps.Clone(notes.Officers)}
	if next.Officers == nil {
		next.Officers = map[string]lookedAt{}
	}
	next.Officers[key] = one
	if err := n.write(watchFile, next); err != nil {
		return err
	}
	if n.dir == "" {
		n.watch = next
	}
	return nil
}
