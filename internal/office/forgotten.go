package office

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// forgottenFile notes which keys of desks an officer deleted on purpose. Without it
// the next old message that she opened would bring them back: the exchange still
// has the packages that were made for her. A damaged or missing file forgets
// nothing but that.
const (
	forgottenFile    = "forgotten.json"
	forgottenVersion = 1
)

// forgottenNotes are the keys that officers deleted, and when, ms: by key id of the
// officer, desk, and number.
type forgottenNotes struct {
	V        int                                    `json:"v"`
	Officers map[string]map[string]map[string]int64 `json:"officers"`
}

// readForgotten reads the file, or what memory holds. The caller holds n.mu.
func (n *Notebook) readForgotten() (forgottenNotes, error) {
	if n.dir == "" {
		return n.forgotten, nil
	}
	var notes forgottenNotes
	err := n.read(forgottenFile, &notes)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && notes.V > forgottenVersion {
		err = fmt.Errorf("office: %s: %w", n.path(forgottenFile), ErrNewer)
	}
	return notes, err
}

// forgottenAt is when an officer deleted a key of a desk, ms; 0 if she did not.
func (n *Notebook) forgottenAt(officer, desk string, epoch int64) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	notes, err := n.readForgotten()
	if err != nil {
		return 0
	}
	return notes.Officers[officer][desk][strconv.FormatInt(epoch, 10)]
}

// keepForgotten notes keys that an officer is about to delete.
func (n *Notebook) keepForgotten(officer, desk string, epochs []int64, at int64) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	unlock := func() error { return nil }
	if n.dir != "" {
		if unlock, err = n.lock(); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, unlock()) }()
	notes, err := n.readForgotten()
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	notes.V = forgottenVersion
	if notes.Officers == nil {
		notes.Officers = map[string]map[string]map[string]int64{}
	}
	if notes.Officers[officer] == nil {
		notes.Officers[officer] = map[string]map[string]int64{}
	}
	if notes.Officers[officer][desk] == nil {
		notes.Officers[officer][desk] = map[string]int64{}
	}
	for _, e := range epochs {
		notes.Officers[officer][desk][strconv.FormatInt(e, 10)] = at
	}
	if n.dir == "" {
		n.forgotten = notes
		return nil
	}
	return n.write(forgottenFile, notes)
}

// Forget drops keys of a desk, which the caller then keeps so. What is sealed to
// them this officer reads no more, unless a colleague who still has them grants
// them again. It reports how many were there.
func (o *Office) Forget(desk string, epochs []int64) (int, error) {
	keys, can := o.Keys.(Dropper)
	if !can {
		return 0, ErrKeepsAll
	}
	if err := o.Notebook.keepForgotten(o.me(), desk, epochs, o.Now()); err != nil {
		return 0, err
	}
	n := 0
	for _, e := range epochs {
		if keys.DropDeskEpoch(desk, e) {
			n++
		}
	}
	return n, nil
}
