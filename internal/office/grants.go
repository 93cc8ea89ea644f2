package office

import (
	"context"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// GrantRecord is a grant as a desk sees it on record.
type GrantRecord struct {
	*evidence.Grant
	Ended    int64           // when rep.end was recorded, ms; 0 if it was not
	Standing ledger.Standing // of the grant's record
}

// InForce reports whether the grant lets its desk read at a time.
func (g *GrantRecord) InForce(ms int64) bool { return g.Ended == 0 && g.NB <= ms && ms < g.NA }

// Grants lists the grants that a desk made, hosts or holds, in ledger order.
func (o *Office) Grants(ctx context.Context, desk string) ([]*GrantRecord, error) {
	items, err := o.Feed(ctx, desk, 0)
	if err != nil {
		return nil, err
	}
	list := []*GrantRecord{}
	byID := map[string]*GrantRecord{}
	for _, f := range items {
		if f.M == nil || f.P.Stmt == nil {
			continue
		}
		switch f.M.Ev {
		case evidence.RepGrant:
			g, err := evidence.ParseGrant(f.P.Stmt)
			if err != nil {
				return nil, err
			}
			byID[g.ID] = &GrantRecord{Grant: g, Standing: f.Standing}
			list = append(list, byID[g.ID])
		case evidence.RepEnd:
			e, err := evidence.ParseGrantEnd(f.P.Stmt)
			if err != nil {
				return nil, err
			}
			if g, ok := byID[e.Grant]; ok {
				g.Ended = f.M.At
			}
		}
	}
	return list, nil
}
