package exchange

import (
	"context"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging/obligation"
)

// What follows holds rows back until [stage.settle].

// PutOpening implements [Tx].
func (g *stage) PutOpening(_ context.Context, idx int64, o evidence.Opening) error {
	g.openings.put(idx, OpeningRow{Idx: idx, Opening: o})
	return nil
}

// PutLast implements [Tx].
func (g *stage) PutLast(_ context.Context, obj string, idx int64) error {
	g.last.put(obj, LastRow{Obj: obj, Idx: idx})
	return nil
}

// PutStatement implements [Tx].
func (g *stage) PutStatement(_ context.Context, s StatementRow) error {
	g.statements.put(s.ID, s)
	return nil
}

// PutMessage implements [Tx].
func (g *stage) PutMessage(ctx context.Context, m MessageRow, to []RecipientRow, consents []string) error {
	if _, twice := g.messages.get(m.Msg); twice {
		return g.ask() // the store refuses it
	}
	g.messages.put(m.Msg, SubmittedRow{Message: m, To: slices.Clone(to), Consents: consents})
	return nil
}

// PutParty implements [Tx]. The first row of a desk stays.
func (g *stage) PutParty(_ context.Context, cas string, p PartyRow) error {
	key := [2]string{cas, p.Desk}
	if _, there := g.parties.get(key); !there {
		g.parties.put(key, CaseParty{Case: cas, Party: p})
	}
	return nil
}

// PutObligation implements [Tx].
func (g *stage) PutObligation(_ context.Context, o obligation.Obligation) error {
	g.obligations.put(o.ID, own(o))
	return nil
}

// PutFeed implements [Tx].
func (g *stage) PutFeed(ctx context.Context, f FeedRow) error {
	last, err := g.FeedLast(ctx, f.Desk)
	if err != nil {
		return err
	}
	if f.N != last+1 || f.Erased >= 0 {
		return g.ask() // not a message that arrives
	}
	g.feedLast.put(f.Desk, f.N)
	g.feed.put(feedPlace{f.Desk, f.N}, f)
	return nil
}

// PutScope implements [Tx].
func (g *stage) PutScope(_ context.Context, cas string, idx int64, scope string) error {
	row := ScopeRow{Case: cas, Idx: idx, Scope: scope}
	g.scope.put(row, row)
	return nil
}
