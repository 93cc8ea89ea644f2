package consent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// stages are the conditions of the predicate in the order they are tested. A
// consent that fails at a later one is nearer to permitting, and so is the more
// telling reason.
var stages = [...]string{
	CodeSubject, CodeVersion, CodeStatus, CodeCase, CodeSender,
	CodeRecipient, CodePurpose, CodeCategory, CodeTime, CodeGrantor,
}

// passed is the stage of a consent that fails nowhere.
const passed = len(stages)

// Stages by name, where a condition is singled out.
const (
	stageSubject = iota
	stageVersion
	stageStatus
	stageCase
	stageSender
	stageRecipient
	stagePurpose
	stageCategory
	stageTime
	stageGrantor
)

// candidate is one consent that the message cites. before and later are the
// first conditions it fails that depend on the message as a whole: tested
// before the recipient, and after the category.
type candidate struct {
	ref    messaging.ConsentRef
	v      *Version // nil if there is no such record
	before int
	later  int
	serves bool // purpose
	used   bool
}

// DecideConsent is the second half of [Decide]: for each person, recipient and
// category some cited consent permits. It refuses with the condition of the
// consent that came nearest.
func DecideConsent(book Book, req Request, now int64) (Decision, error) {
	if err := req.bounded(); err != nil {
		return Decision{}, err
	}
	to := byDesk(req.To)
	if len(req.Subj) == 0 {
		return refused(CodeSubject, first(to), "names no person"), nil
	}
	cited, err := candidates(book, &req, now)
	if err != nil {
		return Decision{}, err
	}
	cats := sorted(req.Cats)
	if len(cats) == 0 {
		cats = []string{""} // saying nothing of the content needs a consent all the same
	}
	a := answer{furthest: -1}
	for _, t := range to {
		for _, s := range sorted(req.Subj) {
			open, stage, nearest := approach(cited, s, t)
			if len(open) == 0 {
				a.fail(stage, t, s, cats[0], nearest)
				continue
			}
			for _, cat := range cats {
				if stage, nearest := best(open, cat); stage < passed {
					a.fail(stage, t, s, cat, nearest)
				}
			}
		}
	}
	if a.furthest >= 0 {
		return a.refusal, nil
	}
	return Decision{Allow: true, Used: used(cited)}, nil
}

// answer keeps the failure that came furthest; of equals the first.
type answer struct {
	furthest int
	refusal  Decision
}

func (a *answer) fail(stage int, t Party, subj, cat string, nearest *candidate) {
	if stage > a.furthest {
		a.furthest, a.refusal = stage, refused(stages[stage], t.Desk, detail(subj, cat, nearest))
	}
}

// candidates reads each cited consent once, in the order of its ID and version,
// so that the order in which a message lists them cannot matter.
func candidates(book Book, req *Request, now int64) ([]*candidate, error) {
	refs := slices.Clone(req.Basis.Consents)
	slices.SortFunc(refs, func(a, b messaging.ConsentRef) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Ver, b.Ver))
	})
	cited := make([]*candidate, 0, len(refs))
	for _, ref := range slices.Compact(refs) {
		c := &candidate{ref: ref, before: passed, later: passed}
		record, ok, err := book.Record(ref.ID)
		if err != nil {
			return nil, fmt.Errorf("consent: record: %w", err)
		}
		if ok {
			c.v = record.Current()
		}
		if c.v != nil {
			if err := c.weigh(book, req, now); err != nil {
				return nil, err
			}
		}
		cited = append(cited, c)
	}
	return cited, nil
}

// weigh tests what does not depend on the single recipient or category.
func (c *candidate) weigh(book Book, req *Request, now int64) error {
	k := &c.v.S
	same, err := book.Same(k.Case, req.Case)
	if err != nil {
		return fmt.Errorf("consent: cases: %w", err)
	}
	out, err := book.Excluded(k.Grantor.H, k.Subj, now)
	if err != nil {
		return fmt.Errorf("consent: exclusions: %w", err)
	}
	switch {
	case k.Ver != c.ref.Ver:
		c.before = stageVersion
	case !c.v.Act.Permits():
		c.before = stageStatus
	case !same:
		c.before = stageCase
	case !slices.Contains(k.From, req.From.Inst):
		c.before = stageSender
	}
	switch {
	case now < k.NB || now >= k.NA:
		c.later = stageTime
	case out:
		c.later = stageGrantor
	}
	c.serves = slices.Contains(k.Purposes, req.Basis.Purpose)
	return nil
}

// fails returns the first condition before the category that c fails for one
// person and recipient, or stageCategory if it gets as far.
func (c *candidate) fails(subj string, t Party) int {
	switch {
	case c.v == nil || c.v.S.Subj != subj:
		return stageSubject
	case c.before < passed:
		return c.before
	case !c.v.S.names(t):
		return stageRecipient
	case !c.serves:
		return stagePurpose
	}
	return stageCategory
}

// rest returns the condition from the category on that c fails, or passed. An
// empty category stands for a message that names none.
func (c *candidate) rest(cat string) int {
	if cat != "" && !slices.Contains(c.v.S.Cats, cat) {
		return stageCategory
	}
	return c.later
}

// names reports whether t may receive under s: by desk, or by institution, but
// not a representative by the institution that merely hosts the desk.
func (s *Statement) names(t Party) bool {
	return slices.Contains(s.To, t.Desk) || t.Type != rules.TypeRepresentative && slices.Contains(s.To, t.Inst)
}

// approach returns the consents that fail nothing before the category, or, if
// there are none, how far the nearest comes.
func approach(cited []*candidate, subj string, t Party) (open []*candidate, stage int, nearest *candidate) {
	for _, c := range cited {
		n := c.fails(subj, t)
		if n == stageCategory {
			open = append(open, c)
		}
		if nearest == nil || n > stage {
			stage, nearest = n, c
		}
	}
	return open, stage, nearest
}

// best returns how far the nearest of open comes, which is never empty and past
// the first stage, and marks all that permit.
func best(open []*candidate, cat string) (stage int, nearest *candidate) {
	for _, c := range open {
		n := c.rest(cat)
		if n == passed {
			c.used = true
		}
		if n > stage {
			stage, nearest = n, c
		}
	}
	return stage, nearest
}

func used(cited []*candidate) []Ref {
	var refs []Ref
	for _, c := range cited {
		if c.used {
			refs = append(refs, Ref{ID: c.ref.ID, Ver: c.ref.Ver, Idx: c.v.Idx})
		}
	}
	return refs
}

func detail(subj, cat string, nearest *candidate) string {
	text := subj
	if cat != "" {
		text += " " + cat
	}
	if nearest == nil {
		return text + ": no consent is named"
	}
	return fmt.Sprintf("%s: %s version %d", text, nearest.ref.ID, nearest.ref.Ver)
}
