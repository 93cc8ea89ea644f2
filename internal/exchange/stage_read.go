package exchange

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging/obligation"
)

// What follows answers a question out of what is staged, laid over what is
// known, else over what the store says.

// Opening implements [View].
func (g *stage) Opening(ctx context.Context, idx int64) (evidence.Opening, bool, error) {
	if row, ok := g.openings.get(idx); ok {
		return row.Opening, true, nil
	}
	return g.tx.Opening(ctx, idx)
}

// Last implements [View].
func (g *stage) Last(ctx context.Context, obj string) (int64, error) {
	if row, ok := g.last.get(obj); ok {
		return row.Idx, nil
	}
	if idx, ok := g.known.Last[obj]; ok {
		return idx, nil
	}
	return g.tx.Last(ctx, obj)
}

// Statement implements [View].
func (g *stage) Statement(ctx context.Context, id string) (StatementRow, bool, error) {
	if row, ok := g.statements.get(id); ok {
		return row, true, nil
	}
	if row, ok := g.known.Statements[id]; ok {
		return orZero(row), row != nil, nil
	}
	return g.tx.Statement(ctx, id)
}

func orZero[T any](row *T) (v T) {
	if row != nil {
		v = *row
	}
	return v
}

// Upload implements [UploadView].
func (g *stage) Upload(ctx context.Context, msg string, part int) (UploadRow, bool, error) {
	rows, ok := g.known.Uploads[msg]
	if !ok {
		return g.tx.Upload(ctx, msg, part)
	}
	for _, u := range rows {
		if u.Part == part {
			return u, true, nil
		}
	}
	return UploadRow{}, false, nil
}

// Message implements [View].
func (g *stage) Message(ctx context.Context, msg string) (MessageRow, bool, error) {
	if row, ok := g.messages.get(msg); ok {
		return row.Message, true, nil
	}
	if row, ok := g.known.Messages[msg]; ok {
		return orZero(row), row != nil, nil
	}
	return g.tx.Message(ctx, msg)
}

// Recipients implements [View].
func (g *stage) Recipients(ctx context.Context, msg string) ([]RecipientRow, error) {
	if row, ok := g.messages.get(msg); ok {
		return slices.Clone(row.To), nil
	}
	if rows, ok := g.known.Recipients[msg]; ok {
		return slices.Clone(rows), nil
	}
	return g.tx.Recipients(ctx, msg)
}

// Filed implements [View]. What is staged comes after all that is stored.
func (g *stage) Filed(ctx context.Context, cases []string, kind string) ([]string, error) {
	desks, err := g.tx.Filed(ctx, cases, kind)
	if err != nil {
		return nil, err
	}
	for _, row := range g.messages.list {
		m := &row.Message
		if m.Kind == kind && slices.Contains(cases, m.Case) && !slices.Contains(desks, m.Desk) {
			desks = append(desks, m.Desk)
		}
	}
	return desks, nil
}

// Linked implements [View].
func (g *stage) Linked(ctx context.Context, cas string) ([]string, error) {
	if c, ok := g.known.Cases[cas]; ok {
		return slices.Clone(c.Linked), nil
	}
	return g.tx.Linked(ctx, cas)
}

// caseRows joins a list of all cases, if all of them are known.
func caseRows[T any](g *stage, cases []string, list func(*KnownCase) []T) ([]T, bool) {
	var all []T
	for i, cas := range cases {
		c, ok := g.known.Cases[cas]
		if !ok {
			return nil, false
		}
		if !slices.Contains(cases[:i], cas) {
			all = append(all, list(c)...)
		}
	}
	return all, true
}

// Parties implements [View].
func (g *stage) Parties(ctx context.Context, cases []string) ([]PartyRow, error) {
	all, ok := caseRows(g, cases, func(c *KnownCase) []PartyRow { return c.Parties })
	if !ok {
		var err error
		if all, err = g.tx.Parties(ctx, cases); err != nil {
			return nil, err
		}
	}
	for _, row := range g.parties.list {
		if slices.Contains(cases, row.Case) {
			all = append(all, row.Party)
		}
	}
	slices.SortFunc(all, func(a, b PartyRow) int {
		return cmp.Or(strings.Compare(a.Desk, b.Desk), strings.Compare(a.Inst, b.Inst))
	})
	return slices.Compact(all), nil
}

// Grants implements [View].
func (g *stage) Grants(ctx context.Context, cases []string) ([]GrantRow, error) {
	all, ok := caseRows(g, cases, func(c *KnownCase) []GrantRow { return c.Grants })
	if !ok {
		return g.tx.Grants(ctx, cases)
	}
	slices.SortFunc(all, func(a, b GrantRow) int { return cmp.Or(cmp.Compare(a.Idx, b.Idx), strings.Compare(a.ID, b.ID)) })
	return all, nil
}

// Conflicts implements [View].
func (g *stage) Conflicts(ctx context.Context, who string) ([]ConflictRow, error) {
	if rows, ok := g.known.Excluded[who]; ok {
		return slices.Clone(rows), nil
	}
	return g.tx.Conflicts(ctx, who)
}

// Obligation implements [View].
func (g *stage) Obligation(ctx context.Context, id string) (obligation.Obligation, bool, error) {
	if o, ok := g.obligations.get(id); ok {
		return own(o), true, nil
	}
	if o, ok := g.known.Obligations[id]; ok {
		return own(orZero(o)), o != nil, nil
	}
	return g.tx.Obligation(ctx, id)
}

// Opened implements [View].
func (g *stage) Opened(ctx context.Context, obj, rule string) ([]obligation.Obligation, error) {
	stored, ok := g.known.Opened[obj]
	if !ok {
		var err error
		if stored, err = g.tx.Opened(ctx, obj, ""); err != nil {
			return nil, err
		}
	}
	all := g.overlay(stored, func(o *obligation.Obligation) bool {
		return o.TriggerObj == obj && (rule == "" || o.Rule == rule)
	})
	slices.SortFunc(all, func(a, b obligation.Obligation) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Live implements [View].
func (g *stage) Live(ctx context.Context, cases []string) ([]obligation.Obligation, error) {
	stored, ok := caseRows(g, cases, func(c *KnownCase) []obligation.Obligation { return c.Live })
	if !ok {
		var err error
		if stored, err = g.tx.Live(ctx, cases); err != nil {
			return nil, err
		}
	}
	all := g.overlay(stored, func(o *obligation.Obligation) bool {
		return !o.State.Final() && slices.Contains(cases, o.Case)
	})
	slices.SortFunc(all, func(a, b obligation.Obligation) int {
		return cmp.Or(cmp.Compare(a.Trigger, b.Trigger), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// overlay lays staged obligations over stored ones and keeps those that fit.
func (g *stage) overlay(stored []obligation.Obligation, fits func(*obligation.Obligation) bool) []obligation.Obligation {
	var all []obligation.Obligation
	for _, o := range stored {
		if _, staged := g.obligations.at[o.ID]; !staged && fits(&o) {
			all = append(all, own(o))
		}
	}
	for _, o := range g.obligations.list {
		if fits(&o) {
			all = append(all, own(o))
		}
	}
	return all
}

// own copies what an obligation points to: a reader may change what it was given,
// as it may what it reads from a store.
func own(o obligation.Obligation) obligation.Obligation {
	o.Sent = slices.Clone(o.Sent)
	for i := range o.Sent {
		o.Sent[i].To = slices.Clone(o.Sent[i].To)
	}
	if o.Transfer != nil {
		to := *o.Transfer
		o.Transfer = &to
	}
	return o
}

// Twin implements [View]. The store cannot tell which of its rows a staged one
// replaces: where that could matter it is asked itself, after all is stored.
func (g *stage) Twin(ctx context.Context, cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error) {
	for _, o := range g.obligations.list {
		if o.Rule != rule || o.Kind != kind || o.Occurred != occurred || !slices.Contains(cases, o.Case) {
			continue
		}
		if o.State != obligation.Open {
			return false, g.ask()
		}
		if o.Obligor == obligor && o.Whom() == whom {
			return true, nil
		}
	}
	return g.tx.Twin(ctx, cases, rule, obligor, whom, kind, occurred)
}

// Incomplete implements [View]. What is staged is covered, and not yet counted on
// either side.
func (g *stage) Incomplete(ctx context.Context) (bool, error) { return g.tx.Incomplete(ctx) }

// FeedLast implements [View].
func (g *stage) FeedLast(ctx context.Context, desk string) (int64, error) {
	if n, ok := g.feedLast.get(desk); ok {
		return n, nil
	}
	if n, ok := g.known.FeedLast[desk]; ok {
		return n, nil
	}
	n, err := g.tx.FeedLast(ctx, desk)
	if err == nil {
		g.known.FeedLast[desk] = n // nothing but the stage writes until it settles
	}
	return n, err
}

// ConsentVersions implements [View]: messages write none.
func (g *stage) ConsentVersions(ctx context.Context, id string) ([]ConsentRow, error) {
	return g.tx.ConsentVersions(ctx, id)
}
