package consent

import (
	"fmt"
	"slices"
)

// Exclusion is a conflict of interest on record.
type Exclusion struct {
	ID       string // x_… of the conflict.set
	Case     string
	Subj     []string
	Who      string
	Level    string
	Ground   string
	Rel      string
	ReviewBy int64 // ms
	SetIdx   int64
	SetAt    int64 // received, ms

	LiftedIdx int64
	LiftedAt  int64 // received, ms; 0 while in force
}

// Excluding returns the exclusion that a conflict.set becomes with leaf idx,
// received at (ms).
func Excluding(c *ConflictSet, idx, at int64) Exclusion {
	return Exclusion{
		ID: c.ID, Case: c.Case, Subj: slices.Clone(c.Subj), Who: c.Who, Level: c.Level, Ground: c.Ground,
		Rel: c.Rel, ReviewBy: c.ReviewBy, SetIdx: idx, SetAt: at,
	}
}

// Lift ends x by a conflict.lifted with leaf idx, received at (ms).
func (x *Exclusion) Lift(c *ConflictLifted, idx, at int64) error {
	switch {
	case c.Of != x.ID || c.Case != x.Case:
		return fmt.Errorf("consent: %s lifts another exclusion than %s", c.ID, x.ID)
	case x.LiftedAt != 0:
		return fmt.Errorf("consent: %s is lifted already", x.ID)
	case idx <= x.SetIdx:
		return fmt.Errorf("consent: %s lifted at leaf %d, set at leaf %d", x.ID, idx, x.SetIdx)
	}
	x.LiftedIdx, x.LiftedAt = idx, at
	return nil
}

// Excludes reports whether who is excluded for the person subj at now (ms). An
// exclusion acts from the moment it is on record, whatever its time says, until
// it is lifted: a passed review date ends nothing.
func (x *Exclusion) Excludes(who, subj string, now int64) bool {
	return x.Who == who && slices.Contains(x.Subj, subj) && (x.LiftedAt == 0 || now < x.LiftedAt)
}

// CheckConflict refuses a request, a consent or a renewal in which somebody
// excluded for the person would decide or receive. Steps towards less pass.
func CheckConflict(book Book, s *Statement, now int64) error {
	if !s.Act().asks() {
		return nil
	}
	parties := append([]string{s.Grantor.H}, s.To...)
	parties = append(parties, s.Onward...)
	for i, who := range parties {
		out, err := book.Excluded(who, s.Subj, now)
		if err != nil {
			return fmt.Errorf("consent: exclusions: %w", err)
		}
		if !out {
			continue
		}
		member := "to"
		switch {
		case i == 0:
			member = "grantor"
		case i > len(s.To):
			member = "onward"
		}
		return &CheckError{member, FaultExcluded, "not possible for this person"}
	}
	return nil
}
