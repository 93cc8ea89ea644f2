package exchange

import (
	"context"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// Silence puts on record how an obligation stands at this index of the ledger.
// From then on one proof of an answer with a smaller index convicts whoever ran
// the ledger; nothing stronger is claimed.
func (x *Exchange) Silence(ctx context.Context, c Caller, id, request string) (evidence.Item, error) {
	if !statement.IsID(id, statement.Obligation) || !statement.IsID(request, statement.Other) {
		return evidence.Item{}, refuse(Malformed, "malformed", "the path names no obligation or request")
	}
	doc := StatementRow{ID: request, Digest: id}
	return submitOne(ctx, x, c, nil, doc, func(s *section) (evidence.Item, error) {
		o, ok, err := s.tx.Obligation(s.ctx, id)
		if err != nil {
			return evidence.Item{}, err
		}
		if !ok || !x.partyTo(c, &o) {
			return evidence.Item{}, notFound()
		}
		return s.recordSilence(c, request, &o)
	})
}

func (s *section) recordSilence(c Caller, request string, o *obligation.Obligation) (evidence.Item, error) {
	d, err := s.newDraft(evidence.Silence, evidence.System, request).data(evidence.DutyData{
		Due: o.Due, O: o.ID, Obligee: o.Obligee, Obligor: o.Obligor, Rule: o.Rule, Size: s.next(), State: s.stateOf(o)})
	if err != nil {
		return evidence.Item{}, err
	}
	officer, _ := s.dir.OfficerByKey(c.Key)
	for _, desk := range []string{o.Obligee, o.Obligor} {
		if statement.IsID(desk, statement.Desk) {
			d.to = append(d.to, desk)
		}
	}
	desks := s.dir.DesksOf(officer.U)
	if len(desks) > 0 && !s.dir.IsMember(o.Obligee, officer.U) && !s.dir.IsMember(o.Obligor, officer.U) {
		d.to = append(d.to, desks[0])
	}
	return s.record(d)
}

// stateOf is the state to show: overdue and unserved are what time made of it.
func (s *section) stateOf(o *obligation.Obligation) string {
	pack, ok := s.x.Packs.Get(o.Pack)
	if !ok {
		return string(o.State)
	}
	v := o.View(s.now, pack, s.calendar(pack))
	if v.Overdue {
		return "overdue"
	}
	return string(v.State)
}
