package exchange

import (
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// next is the index the next leaf of the evidence tree gets.
func (s *section) next() int64 { return s.log[ledger.Ev].Next() }

// typesOf lists the institution types of desks, sorted, each once.
func (s *section) typesOf(desks []string) []string { return typesOf(s.dir, desks) }

func typesOf(dir *directory.State, desks []string) []string {
	types := make([]string, 0, len(desks))
	for _, d := range desks {
		types = append(types, dir.TypeOfDesk(d))
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// mayAct refuses a caller who does not act for the desk now.
func (x *Exchange) mayAct(c Caller, desk string) error {
	dir, now := x.Directory(), x.Clock.Now()
	o, ok := dir.OfficerByKey(c.Key)
	if !ok || !o.ActiveAt(now) || !dir.IsMember(desk, o.U) {
		return refuse(Forbidden, "desk", "you do not act for this desk").
			hint("check the desk's id, or ask a registrar of your institution")
	}
	return nil
}

// mayCall refuses a caller whose key is not, or no longer, in the directory.
func (x *Exchange) mayCall(c Caller) (directory.Actor, error) {
	actor, ok := x.Directory().Actor(c.Key)
	if !ok || !actor.ActiveAt(x.Clock.Now()) {
		return actor, refuse(Unauthentic, "signature", "the key is not in the directory")
	}
	return actor, nil
}

// watching returns the representatives' desks whose grant in force covers an
// event of this case, about these persons, in this scope.
func (s *section) watching(cas string, subj []string, scope string) ([]string, error) {
	if cas == "" {
		return nil, nil
	}
	cases, err := s.tx.Linked(s.ctx, cas)
	if err != nil {
		return nil, err
	}
	grants, err := s.tx.Grants(s.ctx, cases)
	if err != nil {
		return nil, err
	}
	var desks []string
	for _, g := range grants {
		if g.InForce(s.now) && covers(&g, subj, scope) {
			desks = append(desks, g.Desk)
		}
	}
	return desks, nil
}

// covers reports whether a grant lets its desk see an event about the persons.
// An event that names no person belongs to all persons of the case.
func covers(g *GrantRow, subj []string, scope string) bool {
	if !slices.Contains(g.Scope, scope) {
		return false
	}
	return len(subj) == 0 || slices.ContainsFunc(subj, func(p string) bool { return slices.Contains(g.Subj, p) })
}

// scopeOf is the scope an event falls into, or "".
func scopeOf(event string) string {
	switch event {
	case evidence.MessageSubmitted, evidence.MessageRetrieved, evidence.MessageDecrypted,
		evidence.MessageDecryptFailed, evidence.Attested:
		return evidence.ScopeDisclosures
	case evidence.ObligationOverdue, evidence.ObligationEscalated, evidence.NoticeOwed, evidence.Silence:
		return evidence.ScopeDuties
	}
	if isConsent(event) {
		return evidence.ScopeConsent
	}
	return ""
}
