package observe

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Level says how bad it is.
type Level string

// The levels. A warning passes by itself or is looked into in working hours; an
// alarm means that the record, or somebody in it, is not what it ought to be.
const (
	Warning Level = "warning"
	Severe  Level = "alarm"
)

// A Kind says what is wrong, in one word. docs/observer.md says what to do.
type Kind string

// The kinds of alarms.
const (
	Fork       Kind = "fork"       // two signed checkpoints contradict each other
	Rollback   Kind = "rollback"   // the exchange shows less than it showed
	Entries    Kind = "entries"    // entries or hashes are not those that were signed
	Rules      Kind = "rules"      // a directory entry breaks the rules
	Receipt    Kind = "receipt"    // what an officer was shown is not in the ledger
	Unexpected Kind = "unexpected" // a statement about the own institution nobody expected
	Policy     Kind = "policy"     // who decides or witnesses changed
	Hole       Kind = "hole"       // a desk's feed lacks a number, or shows what is not recorded
	Stale      Kind = "stale"      // no fresh checkpoint under quorum
	Away       Kind = "away"       // the exchange does not answer
)

// An Alarm is one thing that is wrong. Its folder holds the evidence.
type Alarm struct {
	ID     string   `json:"id"`
	Kind   Kind     `json:"kind"`
	Level  Level    `json:"level"`
	Text   string   `json:"text"` // one line; of no case and no person
	At     int64    `json:"at"`   // ms since 1970 UTC, first seen
	Open   bool     `json:"open"`
	Closed int64    `json:"closed,omitempty"` // ms
	Files  []string `json:"files"`
	Folder string   `json:"-"`
}

// Alarms are a folder of alarms, one folder each. What is read is what is on
// disk: an administrator closes an alarm while the observer runs. Safe for
// concurrent use within one program.
type Alarms struct {
	dir   string
	clock func() int64
	tell  func(Alarm)
	mu    sync.Mutex
}

const alarmFile = "alarm.json"

func openAlarms(dir string, clock func() int64, tell func(Alarm)) (*Alarms, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return &Alarms{dir: dir, clock: clock, tell: tell}, nil
}

// read returns an alarm, and whether there is one.
func (a *Alarms) read(id string) (one Alarm, ok bool, err error) {
	one.Folder = filepath.Join(a.dir, id)
	if _, err := os.Stat(one.Folder); errors.Is(err, fs.ErrNotExist) {
		return one, false, nil
	}
	err = readJSON(filepath.Join(one.Folder, alarmFile), &one)
	return one, err == nil && one.ID == id, err
}

// alarmID is the same for the same thing, so that it is said once.
func alarmID(kind Kind, subject string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + subject))
	return fmt.Sprintf("%s-%x", kind, sum[:6])
}

// raise says what is wrong, with evidence, once: the same subject of a kind that
// is open already changes nothing, one that was closed by its cause opens again.
func (a *Alarms) raise(kind Kind, level Level, subject, text string, evidence map[string][]byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := alarmID(kind, subject)
	old, ok, err := a.read(id)
	if err != nil || ok && (old.Open || !passes(kind)) {
		return err
	}
	one := &Alarm{ID: id, Kind: kind, Level: level, Text: text, At: a.clock(), Open: true,
		Files: slices.Sorted(maps.Keys(evidence)), Folder: filepath.Join(a.dir, id)}
	if one.Files == nil {
		one.Files = []string{}
	}
	if err := a.write(one, evidence); err != nil {
		return err
	}
	a.tell(*one)
	return nil
}

// passes reports whether an alarm of a kind ends by itself, and so may come
// again.
func passes(kind Kind) bool { return kind == Stale || kind == Away }

// write makes the folder of an alarm appear whole.
func (a *Alarms) write(one *Alarm, evidence map[string][]byte) error {
	next := filepath.Join(a.dir, "."+one.ID)
	if err := os.RemoveAll(next); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	if err := os.Mkdir(next, 0o700); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	for name, data := range evidence {
		if err := replace(filepath.Join(next, name), data); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(next, alarmFile), one); err != nil {
		return err
	}
	if err := os.RemoveAll(one.Folder); err != nil { // of the same, closed before
		return fmt.Errorf("observe: %w", err)
	}
	if err := os.Rename(next, one.Folder); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	return syncFolder(a.dir)
}

// clear closes an alarm whose cause is gone.
func (a *Alarms) clear(kind Kind, subject string) error { return a.close(alarmID(kind, subject)) }

func (a *Alarms) close(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok, err := a.read(id)
	if err != nil || !ok || !one.Open {
		return err
	}
	one.Open, one.Closed = false, a.clock()
	return writeJSON(filepath.Join(one.Folder, alarmFile), one)
}

// ErrNoAlarm says that there is no alarm of that id.
var ErrNoAlarm = errors.New("no alarm has this id")

// Close closes an alarm that somebody has looked into. Its evidence stays. It is
// not said again for the same thing.
func (a *Alarms) Close(id string) error {
	if _, ok, err := a.read(id); err != nil || !ok || id != filepath.Base(id) {
		return errors.Join(err, fmt.Errorf("observe: %.60q: %w", id, ErrNoAlarm))
	}
	return a.close(id)
}

// List returns the alarms in the order in which they were first seen; without
// all, those that are open.
func (a *Alarms) List(all bool) ([]Alarm, error) {
	folders, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	list := []Alarm{}
	for _, f := range folders {
		if strings.HasPrefix(f.Name(), ".") {
			continue // being written, or never finished
		}
		one, ok, err := a.read(f.Name())
		if err != nil {
			return nil, err
		}
		if ok && (all || one.Open) {
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(x, y Alarm) int { return cmp.Compare(x.At, y.At) })
	return list, nil
}

// IsSevere reports whether an alarm that is open, not only a warning, is among
// them.
func IsSevere(list []Alarm) bool {
	return slices.ContainsFunc(list, func(one Alarm) bool { return one.Open && one.Level == Severe })
}

// Zip writes all alarms with their evidence into one file, the same bytes for
// the same alarms.
func (a *Alarms) Zip(w io.Writer) error {
	z := zip.NewWriter(w)
	err := filepath.WalkDir(a.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".") && name != a.dir {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(a.dir, name)
		if err != nil {
			return err
		}
		return zipFile(z, filepath.ToSlash(rel), name)
	})
	return errors.Join(err, z.Close())
}

func zipFile(z *zip.Writer, as, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := z.CreateHeader(&zip.FileHeader{Name: as, Method: zip.Deflate, Modified: time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
