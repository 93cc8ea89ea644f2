package consent

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
)

// Events of a conflict of interest.
const (
	EventConflictSet    = "conflict.set"
	EventConflictLifted = "conflict.lifted"
)

// MaxSubjects bounds the persons one exclusion protects: a child and siblings.
const MaxSubjects = 16

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
	if c.ReviewBy <= c.At {
		return errors.New("review_by: lies before the statement")
	}
	return errors.Join(
		statement.CheckCode("rel", c.Rel), statement.CheckCode("ground", c.Ground), statement.CheckCode("level", c.Level))
}

// Check holds a parsed conflict.set against the rule pack in force. It returns
// a [*CheckError], or another error for a broken pack.
func (c *ConflictSet) Check(pack *rules.Pack) error {
	switch p := &pack.Consent; {
	case !knows(p.Relations, c.Rel):
		return unknown("rel", c.Rel)
	case !knows(p.Grounds, c.Ground):
		return unknown("ground", c.Ground)
	case !knows(p.Levels, c.Level):
		return unknown("level", c.Level)
	}
	latest, err := after(c.At, pack.Consent.Review, pack.Location())
	if err != nil {
		return err
	}
	if c.ReviewBy > latest {
		return &CheckError{"review_by", FaultValidity, fmt.Sprintf("is reviewed by %d at the latest", latest)}
	}
	return nil
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

// Check holds a parsed conflict.lifted against the rule pack in force. It
// returns a [*CheckError].
func (c *ConflictLifted) Check(pack *rules.Pack) error {
	if _, ok := pack.ReasonFor(c.Reason, "conflict"); !ok {
		return unknown("reason", c.Reason)
	}
	return nil
}
