package exchange

import (
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// tellObligees sends notice.owed to every desk to which something is owed since
// this act and that none of the act's openings reached, unless the rule keeps
// it from being told.
func (s *section) tellObligees() error {
	opened := s.opened
	s.opened = nil
	for _, o := range opened {
		if s.told[o.Obligee] || !statement.IsID(o.Obligee, statement.Desk) || s.tell(&o) != "open" {
			continue
		}
		if err := s.tellOwed(&o); err != nil {
			return err
		}
	}
	return nil
}

// tell says when the obligee of an obligation learns of it.
func (s *section) tell(o *obligation.Obligation) string {
	pack, ok := s.x.Packs.Get(o.Pack)
	if !ok {
		return "never"
	}
	rule, ok := pack.Rule(o.Rule)
	if !ok {
		return "never"
	}
	return rule.Tell
}

// tellOwed records one notice.owed.
func (s *section) tellOwed(o *obligation.Obligation) error {
	d, err := s.dutyDraft(evidence.NoticeOwed, o, 0)
	if err != nil {
		return err
	}
	if d.priv.Case, err = s.handleFor(o.Obligee, o.Case); err != nil {
		return err
	}
	d.to = []string{o.Obligee}
	_, err = s.record(d)
	return err
}

// dutyDraft is a server-made leaf about an obligation.
func (s *section) dutyDraft(event string, o *obligation.Obligation, level int) (*draft, error) {
	d := s.newDraft(event, evidence.System, o.ID)
	d.meta.Kind = o.Kind
	return d.data(evidence.DutyData{Due: o.Due, Level: level, O: o.ID, Obligee: o.Obligee, Obligor: o.Obligor,
		Rule: o.Rule, State: string(o.State)})
}

// handleFor is the handle under which a desk knows the matter, "" if it knows
// none: the links between handles are nobody else's business.
func (s *section) handleFor(desk, cas string) (string, error) {
	if cas == "" {
		return "", nil
	}
	cases, err := s.tx.Linked(s.ctx, cas)
	if err != nil {
		return "", err
	}
	grants, err := s.tx.Grants(s.ctx, cases)
	if err != nil {
		return "", err
	}
	for _, g := range grants {
		if g.Desk == desk {
			return g.Case, nil
		}
	}
	for _, c := range cases {
		rows, err := s.tx.Parties(s.ctx, []string{c})
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(rows, func(r PartyRow) bool { return r.Desk == desk }) {
			return c, nil
		}
	}
	return "", nil
}
