package exchange

import (
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// The projection answers what obligations and consent ask: it is their World
// (from the directory and the packs) and their Book (from the derived tables).
var (
	_ obligation.World = (*projection)(nil)
	_ obligation.Book  = (*projection)(nil)
	_ consent.Book     = (*projection)(nil)
)

// TypeOf implements [obligation.World].
func (p *projection) TypeOf(n int64, desk string) string { return p.dir.At(n).TypeOfDesk(desk) }

// Function implements [obligation.World].
func (p *projection) Function(n int64, typ, fn, near string) (string, bool) {
	v := p.dir.At(n)
	if near != "" {
		if d, ok := v.DeskOfInst(v.InstOfDesk(near), fn, p.at); ok {
			return d, true
		}
		return near, true
	}
	desks := v.DesksByTypeFn(typ, fn, p.at)
	if len(desks) == 0 {
		return "", false
	}
	return desks[0], true
}

// Pack implements [obligation.World].
func (p *projection) Pack(id string) (*rules.Pack, bool) { return p.packs.Get(id) }

// Calendar implements [obligation.World].
func (p *projection) Calendar(packID string, n int64) *obligation.Calendar {
	pack, ok := p.packs.Get(packID)
	if !ok {
		return nil
	}
	return p.cals.of(pack, p.dir.At(n).CalendarDays(pack.Zone))
}

func (s *section) calendar(pack *rules.Pack) *obligation.Calendar {
	return s.x.cals.of(pack, s.dir.CalendarDays(pack.Zone))
}

// Obligation implements [obligation.Book].
func (p *projection) Obligation(id string) (obligation.Obligation, bool, error) {
	return p.tx.Obligation(p.ctx, id)
}

// Opened implements [obligation.Book].
func (p *projection) Opened(obj, rule string) ([]obligation.Obligation, error) {
	return p.tx.Opened(p.ctx, obj, rule)
}

// Live implements [obligation.Book].
func (p *projection) Live(cases []string) ([]obligation.Obligation, error) {
	return p.tx.Live(p.ctx, cases)
}

// Twin implements [obligation.Book].
func (p *projection) Twin(cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error) {
	return p.tx.Twin(p.ctx, cases, rule, obligor, whom, kind, occurred)
}

// Linked implements [obligation.Book].
func (p *projection) Linked(cas string) ([]string, error) {
	if cas == "" {
		return nil, nil
	}
	return p.tx.Linked(p.ctx, cas)
}

// Filed implements [obligation.Book].
func (p *projection) Filed(cases []string, kind string) ([]string, error) {
	return p.tx.Filed(p.ctx, cases, kind)
}

// Grants implements [obligation.Book].
func (p *projection) Grants(cases []string, subj string) ([]obligation.Grant, error) {
	rows, err := p.tx.Grants(p.ctx, cases)
	if err != nil {
		return nil, err
	}
	var grants []obligation.Grant
	for _, g := range rows {
		if g.EndedIdx < 0 && slices.Contains(g.Subj, subj) {
			grants = append(grants, obligation.Grant{ID: g.ID, Case: g.Case, Desk: g.Desk, Subj: g.Subj, Scope: g.Scope, NB: g.NB, NA: g.NA})
		}
	}
	return grants, nil
}

// Message implements [obligation.Book].
func (p *projection) Message(obj string) (obligation.Sent, bool, error) {
	m, ok, err := p.tx.Message(p.ctx, obj)
	if err != nil || !ok {
		return obligation.Sent{}, false, err
	}
	to, err := p.tx.Recipients(p.ctx, obj)
	if err != nil {
		return obligation.Sent{}, false, err
	}
	sent := obligation.Sent{Obj: m.Msg, Idx: m.Idx, At: m.At, Case: m.Case, Kind: m.Kind, From: m.Desk, Set: m.Set,
		Pack: m.Pack, Occurred: m.Occurred}
	for _, r := range to {
		if r.Role != messaging.RoleSelf {
			sent.To = append(sent.To, r.Desk)
		}
	}
	return sent, true, nil
}

// HandedOver implements [obligation.Book].
func (p *projection) HandedOver(obj, to string) (obligation.Handed, bool, error) {
	rows, err := p.tx.Recipients(p.ctx, obj)
	if err != nil {
		return obligation.Handed{}, false, err
	}
	for _, r := range rows {
		if r.Desk == to && r.Handed != 0 {
			return obligation.Handed{Idx: r.HandedIdx, At: r.Handed, Served: r.Served}, true, nil
		}
	}
	return obligation.Handed{}, false, nil
}

// Record implements [consent.Book].
func (p *projection) Record(id string) (*consent.Record, bool, error) {
	rows, err := p.tx.ConsentVersions(p.ctx, id)
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	r := &consent.Record{ID: id}
	for _, row := range rows {
		v := consent.Version{Idx: row.Idx, At: row.At, Act: consent.Act(row.Act)}
		if err := statement.Unmarshal(row.Stmt, &v.S); err != nil {
			return nil, false, err
		}
		v.By = v.S.By
		r.Versions = append(r.Versions, v)
	}
	return r, true, nil
}

// Excluded implements [consent.Book].
func (p *projection) Excluded(who, subj string, now int64) (bool, error) {
	rows, err := p.tx.Conflicts(p.ctx, who)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(rows, func(c ConflictRow) bool {
		return c.LiftedIdx < 0 && slices.Contains(c.Subj, subj)
	}), nil
}

// Same implements [consent.Book].
func (p *projection) Same(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	linked, err := p.Linked(a)
	return slices.Contains(linked, b), err
}
