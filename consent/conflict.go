package consent

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Events of a conflict of interest.
const (
	EventConflictSet    = "conflict.set"
	EventConflictLifted = "conflict.lifted"
)

// MaxSubjects bounds the persons one exclusion protects: a child and siblings.
const MaxSubjects = 16

// Levels of an exclusion. It acts at each of them alike, from suspicion on.
const (
	LevelSuspicion = "suspicion"
	LevelCharge    = "charge"
	LevelJudgment  = "judgment"
)

// ConflictSet is the payload of conflict.set, with an ID x_…: who may no longer
// decide, receive or read for the persons named.
type ConflictSet struct {
	statement.Head
	Ground   string   `json:"ground"`
	Level    string   `json:"level"`
	Rel      string   `json:"rel"`
	ReviewBy int64    `json:"review_by"` // ms; the exclusion does not end then
	Subj     []string `json:"subj"`
	Who      string   `json:"who"` // g_…, p_… or a desk d_…
}

// ConflictLifted is the payload of conflict.lifted, signed by two officers of
// different roles, which the caller checks.
type ConflictLifted struct {
	statement.Head
	Of     string `json:"of"` // the conflict.set, x_…
	Reason string `json:"reason"`
}

// ParseConflictSet decodes the payload of conflict.set.
func ParseConflictSet(d *statement.DSSE) (*ConflictSet, error) {
	var c ConflictSet
	if err := decode(d, &c); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if err := errors.Join(sameEvent(d, c.Ev), c.shape()); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return &c, nil
}

// Encode returns the payload and its type, ready to be signed.
func (c *ConflictSet) Encode() (payloadType string, payload []byte, err error) {
	if err := c.shape(); err != nil {
		return "", nil, fmt.Errorf("consent: %w", err)
	}
	return encode(c.Ev, c)
}

func (c *ConflictSet) shape() error {
	if c.Ev != EventConflictSet {
		return fmt.Errorf("ev: not %s", EventConflictSet)
	}
	if err := c.Head.Check(statement.Other); err != nil {
		return err
	}
	if c.Case == "" {
		return errors.New("case: an exclusion belongs to a case")
	}
	person := func(v string) bool { return statement.IsID(v, statement.Person) }
	if err := checkSet("subj", c.Subj, MaxSubjects, person); err != nil {
		return err
	}
	if len(c.Subj) == 0 {
		return errors.New("subj: names nobody")
	}
	if err := statement.CheckID("who", c.Who, statement.OtherPerson, statement.Person, statement.Desk); err != nil {
		return err
	}
	if slices.Contains(c.Subj, c.Who) {
		return errors.New("who: nobody is excluded from their own matter")
	}
	if !slices.Contains([]string{LevelSuspicion, LevelCharge, LevelJudgment}, c.Level) {
		return errors.New("level: suspicion, charge or judgment")
	}
	if c.ReviewBy <= c.At {
		return errors.New("review_by: lies before the statement")
	}
	return errors.Join(statement.CheckCode("rel", c.Rel), statement.CheckCode("ground", c.Ground))
}

// ParseConflictLifted decodes the payload of conflict.lifted.
func ParseConflictLifted(d *statement.DSSE) (*ConflictLifted, error) {
	var c ConflictLifted
	if err := decode(d, &c); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if err := errors.Join(sameEvent(d, c.Ev), c.shape()); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return &c, nil
}

// Encode returns the payload and its type, ready to be signed.
func (c *ConflictLifted) Encode() (payloadType string, payload []byte, err error) {
	if err := c.shape(); err != nil {
		return "", nil, fmt.Errorf("consent: %w", err)
	}
	return encode(c.Ev, c)
}

func (c *ConflictLifted) shape() error {
	if c.Ev != EventConflictLifted {
		return fmt.Errorf("ev: not %s", EventConflictLifted)
	}
	if err := c.Head.Check(statement.Other); err != nil {
		return err
	}
	if c.Case == "" {
		return errors.New("case: an exclusion belongs to a case")
	}
	if err := statement.CheckID("of", c.Of, statement.Other); err != nil {
		return err
	}
	return statement.CheckCode("reason", c.Reason)
}

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
