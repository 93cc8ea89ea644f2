package office

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// A SecurityError says that the exchange showed something that an honest one
// cannot show. What it showed is kept beside the notebook, as evidence.
type SecurityError struct {
	What  string
	Shown [][]byte // checkpoints, leaves or openings, verbatim
	Kept  string   // file that holds them, "" if there is none
}

func (e *SecurityError) Error() string {
	return "the exchange's record does not agree with itself: " + e.What
}

// caughtLie is what a file of evidence holds.
type caughtLie struct {
	At      int64    `json:"at"` // ms since 1970 UTC, by this computer
	Genesis string   `json:"genesis"`
	Shown   [][]byte `json:"shown"`
	URL     string   `json:"url"`
	What    string   `json:"what"`
}

// lie makes the error and keeps what was shown. That the keeping fails, on a
// full disk for one, must not hide the lie.
func (o *Office) lie(what string, shown ...[]byte) error {
	e := &SecurityError{What: what, Shown: shown}
	n := o.Notebook
	if n.dir == "" {
		return e
	}
	now := o.Clock()
	data, err := json.MarshalIndent(caughtLie{At: now, Genesis: n.Pin.Genesis, Shown: shown, URL: n.Pin.URL, What: what}, "", " ")
	if err != nil {
		return e
	}
	name := filepath.Join(n.dir, fmt.Sprintf("evidence-%d.json", now))
	if replaceFile(name, data) == nil {
		e.Kept = name
	}
	return e
}
