package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// A Change is a directory statement about the own institution, its officers or
// desks, or about the directory as a whole.
type Change struct {
	Idx     int64    `json:"idx"`
	Hash    string   `json:"sha256"` // hex, of the leaf
	Type    string   `json:"type"`
	Subject string   `json:"subject"`
	At      int64    `json:"at"`      // claimed time, ms since 1970 UTC
	Signers []string `json:"signers"` // key ids
}

// noteChange adds a leaf to the changes if it is one; dir is the directory after
// it.
func (o *Observer) noteChange(changes []Change, dir *directory.State, idx int64, leaf []byte) []Change {
	signed, err := directory.Decode(leaf)
	if err != nil || !o.concerns(dir, signed.Subject) {
		return changes
	}
	c := Change{Idx: idx, Hash: signed.Hash, Type: signed.Type, Subject: signed.Subject, At: signed.Head.At}
	for _, s := range signed.DSSE.Signatures {
		c.Signers = append(c.Signers, s.KeyID)
	}
	return append(changes, c)
}

func (o *Observer) concerns(dir *directory.State, subject string) bool {
	if subject == o.Inst || subject == directory.Charter || dir.InstOfDesk(subject) == o.Inst {
		return true
	}
	officer, ok := dir.Officer(subject)
	return ok && officer.Inst == o.Inst
}

// accepted are the statements that somebody of the institution has looked at:
// hash of the leaf by index.
type accepted map[string]string

func (o *Observer) acceptedFile() string { return filepath.Join(o.Dir, "accepted.json") }

// readAccepted also reports whether anything was ever accepted.
func (o *Observer) readAccepted() (accepted, bool, error) {
	a := accepted{}
	_, err := os.Stat(o.acceptedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return a, false, nil
	}
	return a, true, readJSON(o.acceptedFile(), &a)
}

func (a accepted) has(c Change) bool { return a[strconv.FormatInt(c.Idx, 10)] == c.Hash }

// Waiting lists the changes that nobody has accepted.
func (o *Observer) Waiting() ([]Change, error) {
	a, _, err := o.readAccepted()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	list := []Change{}
	for _, c := range o.changes {
		if !a.has(c) {
			list = append(list, c)
		}
	}
	return list, nil
}

// firstLook is the subject of the one alarm that stands for all statements
// before anything was accepted.
const firstLook = "first look"

// checkChanges raises an alarm for each change that nobody has accepted; before
// the first was, one for all of them.
func (o *Observer) checkChanges(ctx context.Context) error {
	list, err := o.Waiting()
	if err != nil || len(list) == 0 {
		return err
	}
	if _, begun, err := o.readAccepted(); err != nil || !begun {
		return errors.Join(err, o.Alarms.raise(Unexpected, Severe, firstLook,
			"nobody has looked yet at what the directory says of this institution: odziv observe accept --all --show", nil))
	}
	for _, c := range list {
		if err := o.alarmChange(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (o *Observer) alarmChange(ctx context.Context, c Change) error {
	m := o.mirrors[ledger.Dir]
	leaf, err := m.Entry(ctx, c.Idx)
	if err != nil {
		return err
	}
	files := map[string][]byte{fmt.Sprintf("entry-%d.json", c.Idx): leaf}
	if err := o.addProof(ctx, m, c.Idx, files); err != nil {
		return err
	}
	kind, text := Unexpected, "directory entry %d (%s) is about this institution, and nobody here expected it: odziv observe accept --show %[1]d"
	if c.Subject == directory.Charter {
		kind, text = Policy, "directory entry %d (%s) changes who decides or who witnesses: odziv observe accept --show %[1]d"
	}
	return o.Alarms.raise(kind, Severe, c.subject(), fmt.Sprintf(text, c.Idx, c.Type), files)
}

func (c Change) subject() string { return fmt.Sprintf("%d %s", c.Idx, c.Hash) }

// ErrNoChange says that an index names no change that waits to be accepted.
var ErrNoChange = errors.New("no statement about this institution waits at that index")

// Accept says that the changes at the indexes given were expected. Nothing is
// accepted unless all can be. A running observer sees it in its next round.
func (o *Observer) Accept(indexes ...int64) error {
	list, err := o.Waiting()
	if err != nil {
		return err
	}
	a, _, err := o.readAccepted()
	if err != nil {
		return err
	}
	var done []Change
	for _, idx := range indexes {
		i := slices.IndexFunc(list, func(c Change) bool { return c.Idx == idx })
		if i < 0 {
			return fmt.Errorf("observe: %d: %w", idx, ErrNoChange)
		}
		a[strconv.FormatInt(idx, 10)] = list[i].Hash
		done = append(done, list[i])
	}
	if err := writeJSON(o.acceptedFile(), a); err != nil {
		return err
	}
	errs := []error{o.Alarms.clear(Unexpected, firstLook)}
	for _, c := range done {
		errs = append(errs, o.Alarms.clear(Unexpected, c.subject()), o.Alarms.clear(Policy, c.subject()))
	}
	return errors.Join(errs...)
}
