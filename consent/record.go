package consent

import (
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Version is one statement as the ledger holds it: At and Idx are the time it
// was received and its leaf in the evidence tree.
type Version struct {
	Idx int64
	At  int64 // ms
	Act Act
	S   Statement
	By  statement.By
}

// Recorded returns the version that a statement becomes with leaf idx, received
// at (ms).
func Recorded(s *Statement, idx, at int64) Version {
	return Version{Idx: idx, At: at, Act: s.Act(), S: *s, By: s.By}
}

// Record is one consent: a person, a family of purposes, and its versions 1..n
// in order. Versions never change.
type Record struct {
	ID       string
	Versions []Version
}

// Current returns the newest version, or nil. No argument of time: what was
// recorded last rules, even if a clock was set back meanwhile.
func (r *Record) Current() *Version {
	if len(r.Versions) == 0 {
		return nil
	}
	return &r.Versions[len(r.Versions)-1]
}

// Status returns the state of the record at now (ms): that of its newest
// version.
func (r *Record) Status(now int64) Status { return r.StatusOf(len(r.Versions), now) }

// StatusOf returns the state of version ver (from 1) at now: superseded if a
// newer one exists. A version that does not exist has the status None.
func (r *Record) StatusOf(ver int, now int64) Status {
	switch {
	case ver < 1 || ver > len(r.Versions):
		return None
	case ver < len(r.Versions):
		return Superseded
	}
	v := &r.Versions[ver-1]
	switch {
	case !v.Act.Permits():
		return Status(v.Act)
	case now >= v.S.NA:
		return Expired
	case now < v.S.NB:
		return NotYet
	}
	return Status(v.Act)
}

// Append adds a version that [Record.Next] admitted, now or long ago. It checks
// identity, density and order of leaves, no rule: the rules of then are not
// those of now.
func (r *Record) Append(v Version) error {
	n := len(r.Versions)
	switch {
	case v.S.ID != r.ID:
		return fmt.Errorf("consent: version of %s added to %s", v.S.ID, r.ID)
	case v.S.Ver != n+1 || v.S.Prev != n:
		return fmt.Errorf("consent: %s: version %d after %d", r.ID, v.S.Ver, n)
	case v.Act != v.S.Act():
		return fmt.Errorf("consent: %s: version %d: act %q of event %q", r.ID, v.S.Ver, v.Act, v.S.Ev)
	case n > 0 && v.Idx <= r.Versions[n-1].Idx:
		return fmt.Errorf("consent: %s: version %d at leaf %d, not after leaf %d", r.ID, v.S.Ver, v.Idx, r.Versions[n-1].Idx)
	}
	r.Versions = append(r.Versions, v)
	return nil
}
