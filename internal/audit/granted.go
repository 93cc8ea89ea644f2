package audit

import (
	"errors"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
)

// coverable is an entry that a later grant may hand over.
type coverable struct {
	idx   int64
	scope string
	subj  []string // persons it speaks of; none: of all in the case
}

// handedOver wants PRIV.hist of a grant to fix exactly the entries before it that
// the grant covers: of its case and those linked with it, in its scope, about its
// persons.
func (r *replay) handedOver(c *checked) error {
	g, ok := c.said.body.(*evidence.Grant)
	switch {
	case !ok && c.priv.Hist != nil:
		return errors.New("hist: only a grant hands anything over")
	case !ok || r.holes: // what was erased since may have been handed over then
		return nil
	case c.priv.Hist == nil:
		return errors.New("hist: a grant without what it hands over")
	}
	cases, err := r.book.Linked(g.Case)
	if err != nil {
		return err
	}
	var covered []int64
	for _, cas := range cases {
		for _, e := range r.coverable[cas] {
			about := len(e.subj) == 0 || slices.ContainsFunc(e.subj, func(p string) bool { return slices.Contains(g.Subj, p) })
			if about && slices.Contains(g.Scope, e.scope) {
				covered = append(covered, e.idx)
			}
		}
	}
	slices.Sort(covered)
	if *c.priv.Hist != evidence.HistoryOf(covered) {
		return errors.New("hist: not the entries before it that the grant covers")
	}
	return nil
}

// cover remembers an entry for grants to come.
func (r *replay) cover(c *checked) {
	if n, ok := c.said.body.(*messaging.Notice); ok {
		r.persons[n.Core.Msg] = n.Core.Subj
	}
	if scope := scopeOf(c.meta.Ev); scope != "" && c.priv.Case != "" {
		r.coverable[c.priv.Case] = append(r.coverable[c.priv.Case], coverable{c.meta.Idx, scope, r.about(c.said.body)})
	}
}

// scopeOf is the scope of a grant that an event falls into, or "" (FORMAT.md,
// section 3).
func scopeOf(event string) string {
	switch event {
	case evidence.MessageSubmitted, evidence.MessageRetrieved, evidence.MessageDecrypted, evidence.MessageDecryptFailed, evidence.Attested:
		return evidence.ScopeDisclosures
	case evidence.ObligationOverdue, evidence.ObligationEscalated, evidence.NoticeOwed, evidence.Silence:
		return evidence.ScopeDuties
	}
	if _, ok := consent.ActOf(event); ok {
		return evidence.ScopeConsent
	}
	return ""
}

// about lists the persons that an event speaks of.
func (r *replay) about(body any) []string {
	switch b := body.(type) {
	case *messaging.Notice:
		return b.Core.Subj
	case *messaging.Attested:
		return b.Subj
	case *consent.Statement:
		return []string{b.Subj}
	case messaging.Statement:
		msg, _ := receiptOf(b)
		return r.persons[msg]
	}
	return nil
}
