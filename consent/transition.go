package consent

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/rules"
)

// admissible lists the acts that may follow each state (FORMAT.md §3). Widening
// is in no row: more than was given is another record, with its own request.
var admissible = map[Status][]Act{
	None:                {Requested, Given, Refused, Deferred},
	Status(Requested):   {Given, Refused, Deferred},
	Status(Deferred):    {Given, Refused},
	Status(Given):       {Narrowed, Renewed, Withdrawn, Revoked, Invalidated},
	Status(Narrowed):    {Narrowed, Renewed, Withdrawn, Revoked, Invalidated},
	Status(Renewed):     {Narrowed, Renewed, Withdrawn, Revoked, Invalidated},
	NotYet:              {Narrowed, Renewed, Withdrawn, Revoked, Invalidated},
	Expired:             {Requested, Withdrawn, Revoked, Invalidated},
	Status(Refused):     {Requested},
	Status(Withdrawn):   {Requested},
	Status(Invalidated): {Requested},
	Status(Revoked):     {},
}

// Admissible returns the acts that may follow a state, none for an unknown one.
func Admissible(from Status) []Act { return slices.Clone(admissible[from]) }

// TransitionError says why a statement may not follow what is on record. Reason
// is one of the No constants.
type TransitionError struct {
	From   Status
	Act    Act
	Reason string
	Detail string
}

// Reasons of a [TransitionError].
const (
	NoVersion    = "version"    // not the next version: somebody was faster
	NoIdentity   = "identity"   // another consent, person or case
	NoTransition = "transition" // this act does not follow this state
	NoWidening   = "widening"   // names more than before; that is a new request
	NoChange     = "unchanged"  // narrowed to the same
	NoGrantor    = "grantor"    // narrowed in the name of somebody else
	NoTime       = "time"       // over already, or renewed without a later end
	NoReask      = "reask"      // asked again too soon after a refusal
)

func (e *TransitionError) Error() string {
	return fmt.Sprintf("consent: %q after %q: %s: %s", e.Act, e.From, e.Reason, e.Detail)
}

// Next reports whether s may become the next version of r at now (ms). It
// includes [Statement.Check], so that nothing is recorded past the rules. It
// returns a [*TransitionError], a [*CheckError], or another error for a broken
// pack. Whether somebody excluded is involved is [CheckConflict]'s question.
func (r *Record) Next(pack *rules.Pack, s *Statement, now int64) error {
	from, act := r.Status(now), s.Act()
	refuse := func(reason, detail string) error {
		return &TransitionError{From: from, Act: act, Reason: reason, Detail: detail}
	}
	prev := r.Current()
	switch {
	case s.ID != r.ID:
		return refuse(NoIdentity, "id is that of another consent")
	case s.Ver != len(r.Versions)+1 || s.Prev != len(r.Versions):
		return refuse(NoVersion, fmt.Sprintf("version %d is on record", len(r.Versions)))
	case prev != nil && (s.Subj != prev.S.Subj || s.Case != prev.S.Case):
		return refuse(NoIdentity, "person and case stay those of the first version")
	case !slices.Contains(admissible[from], act):
		return refuse(NoTransition, fmt.Sprintf("admissible: %v", admissible[from]))
	}
	if err := s.Check(pack); err != nil {
		return err
	}
	if act.Permits() && now >= s.NA {
		return refuse(NoTime, "it would be over before it is recorded")
	}
	if prev == nil {
		return nil
	}
	if act == Requested {
		return r.mayAsk(pack, from, s, now)
	}
	if reason, detail := prev.S.allows(s); reason != "" {
		return refuse(reason, detail)
	}
	return nil
}

// allows compares a following statement with the one before: nothing but a
// request may name more.
func (s *Statement) allows(next *Statement) (reason, detail string) {
	if member := next.outside(s); member != "" {
		return NoWidening, member + " names more than the version before; ask with a new consent"
	}
	switch next.Act() {
	case Narrowed:
		switch {
		case next.Grantor != s.Grantor:
			return NoGrantor, "what remains stands on the same grantor"
		case next.NB < s.NB || next.NA > s.NA:
			return NoWidening, "nb, na reach beyond the version before; ask with a new consent"
		case next.NB == s.NB && next.NA == s.NA && s.outside(next) == "":
			return NoChange, "the same scope as the version before"
		}
	case Renewed:
		switch {
		case next.NB < s.NB:
			return NoWidening, "nb reaches back beyond the version before"
		case next.NA <= s.NA:
			return NoTime, "a renewal ends later than the version before"
		}
	}
	return "", ""
}

// outside returns the first member of the scope in which s names something that
// old does not, or "".
func (s *Statement) outside(old *Statement) string {
	pairs := []struct {
		member   string
		now, was []string
	}{
		{"from", s.From, old.From}, {"to", s.To, old.To}, {"purposes", s.Purposes, old.Purposes},
		{"cats", s.Cats, old.Cats}, {"onward", s.Onward, old.Onward},
	}
	for _, p := range pairs {
		for _, v := range p.now {
			if !slices.Contains(p.was, v) {
				return p.member
			}
		}
	}
	return ""
}

// mayAsk protects a person who said no from being asked until they say yes.
func (r *Record) mayAsk(pack *rules.Pack, from Status, s *Statement, now int64) error {
	if from != Status(Refused) {
		return nil
	}
	again, err := after(r.Current().At, pack.Consent.Reask, pack.Location())
	if err != nil {
		return err
	}
	if now < again {
		return &TransitionError{from, s.Act(), NoReask, fmt.Sprintf("not before %d", again)}
	}
	return nil
}

// CheckReask holds a request against the person's other records: a new record
// is no way around a refusal of the same. It looks at requests for a recipient
// and a purpose that a refusal not older than the pack's term also names.
func CheckReask(pack *rules.Pack, others []*Record, s *Statement, now int64) error {
	if s.Act() != Requested {
		return nil
	}
	for _, r := range others {
		v := r.Current()
		if r.ID == s.ID || v == nil || v.Act != Refused || v.S.Subj != s.Subj {
			continue
		}
		if !overlap(v.S.To, s.To) || !overlap(v.S.Purposes, s.Purposes) {
			continue
		}
		if err := r.mayAsk(pack, Status(Refused), s, now); err != nil {
			return err
		}
	}
	return nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}
