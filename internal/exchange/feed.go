package exchange

import (
	"context"
	"time"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// MaxPage bounds the rows of one answer.
const MaxPage = 500

// FeedPage is a stretch of a desk's feed. Size is the number of the feed's last
// item, so that a reader knows what is still to come.
type FeedPage struct {
	Items []evidence.Item `json:"items"`
	Size  int64           `json:"size"`
	V     int             `json:"v"`
}

// Feed returns the items of a desk's feed after a number. A representative's
// desk reads only while a grant is in force, and its reading is recorded once
// per officer, case and day.
func (x *Exchange) Feed(ctx context.Context, c Caller, desk string, after int64, limit int) (FeedPage, error) {
	if err := x.mayAct(c, desk); err != nil {
		return FeedPage{}, err
	}
	if x.Directory().TypeOfDesk(desk) == directory.Representative {
		if err := x.recordAccess(ctx, c, desk, ""); err != nil {
			return FeedPage{}, err
		}
	}
	page := FeedPage{Items: []evidence.Item{}, V: 1}
	err := x.Store.Read(ctx, func(v View) error {
		rows, err := v.Feed(ctx, desk, after, clampLimit(limit))
		if err != nil {
			return err
		}
		if page.Size, err = v.FeedLast(ctx, desk); err != nil {
			return err
		}
		if after > page.Size { // the reader knows more than the ledger does
			if err := whole(ctx, v); err != nil {
				return err
			}
		}
		for _, row := range rows {
			item, err := x.feedItem(ctx, v, desk, row)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, item)
		}
		return nil
	})
	return page, err
}

func clampLimit(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

// GrantFeed returns the openings of the time before a grant that it covers;
// after is an index. Size is their count, as PRIV.hist fixed it.
func (x *Exchange) GrantFeed(ctx context.Context, c Caller, desk, grant string, after int64, limit int) (FeedPage, error) {
	if err := x.mayAct(c, desk); err != nil {
		return FeedPage{}, err
	}
	if err := x.recordAccess(ctx, c, desk, grant); err != nil {
		return FeedPage{}, err
	}
	page := FeedPage{Items: []evidence.Item{}, V: 1}
	err := x.Store.Read(ctx, func(v View) error {
		g, _, err := v.Grant(ctx, grant)
		if err != nil {
			return err
		}
		page.Size = int64(len(g.Before))
		for _, idx := range g.Before {
			if idx <= after || len(page.Items) >= clampLimit(limit) {
				continue
			}
			item, err := x.feedItem(ctx, v, desk, FeedRow{Desk: desk, Idx: idx, Erased: -1})
			if err != nil {
				return err
			}
			page.Items = append(page.Items, item)
		}
		return nil
	})
	return page, err
}

// recordAccess refuses a representative's desk without a grant in force, and
// records the reading: for the grant named, or for every one in force.
func (x *Exchange) recordAccess(ctx context.Context, c Caller, desk, grant string) error {
	now := x.Clock.Now()
	today := time.UnixMilli(now).UTC().Format(time.DateOnly)
	var unread []GrantRow
	inForce := false
	err := x.Store.Read(ctx, func(v View) error {
		if err := whole(ctx, v); err != nil { // the grant's end may be missing
			return err
		}
		grants, err := v.GrantsOf(ctx, desk)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if !g.InForce(now) || grant != "" && g.ID != grant {
				continue
			}
			inForce = true
			seen, err := v.Accessed(ctx, c.Key, g.Case, today)
			if err != nil {
				return err
			}
			if !seen {
				unread = append(unread, g)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !inForce {
		return refuse(Forbidden, "grant_ended", "no grant of this desk is in force").
			hint("evidence files issued before stay valid; a new grant is made by the institution and the sponsor")
	}
	for _, g := range unread {
		if err := x.writeAccess(ctx, c.Key, desk, today, g); err != nil {
			return err
		}
	}
	return nil
}

// writeAccess appends access.read before anything is shown.
func (x *Exchange) writeAccess(ctx context.Context, key, desk, today string, g GrantRow) error {
	_, err := submit(ctx, x, Caller{}, nil, func(s *section) (bool, error) {
		seen, err := s.tx.Accessed(s.ctx, key, g.Case, today)
		if err != nil || seen {
			return true, err
		}
		d, err := s.newDraft(evidence.AccessRead, evidence.System, g.ID).
			data(evidence.AccessData{Day: today, Grant: g.ID, Officer: key})
		if err != nil {
			return false, err
		}
		d.priv.Case = g.Case
		if d.to, err = s.grantDesks(g, desk); err != nil {
			return false, err
		}
		_, err = s.record(d)
		return true, err
	})
	return err
}

// grantDesks are the desk that reads and the desk that granted.
func (s *section) grantDesks(g GrantRow, desk string) ([]string, error) {
	o, ok, err := s.tx.Opening(s.ctx, g.Idx)
	if err != nil || !ok {
		return []string{desk}, err
	}
	meta, _, err := o.Decode()
	if err != nil {
		return nil, err
	}
	_, granting := splitBy(meta.By)
	return []string{desk, granting}, nil
}

// feedItem shows one row: erased, withheld, or open.
func (x *Exchange) feedItem(ctx context.Context, v View, desk string, row FeedRow) (evidence.Item, error) {
	if row.Erased >= 0 {
		erased := row.Erased
		return evidence.Item{Erased: &erased, Idx: row.Idx, N: row.N}, nil
	}
	o, ok, err := v.Opening(ctx, row.Idx)
	if err != nil {
		return evidence.Item{}, err
	}
	if !ok {
		return evidence.Item{}, refuse(Unavailable, "ledger_incomplete", "an opening of this feed is missing").
			hint("the operator is importing the missing part")
	}
	held, err := x.heldFrom(ctx, v, desk, o)
	if err != nil {
		return evidence.Item{}, err
	}
	if held != nil {
		return evidence.Item{Held: held, Idx: row.Idx, N: row.N}, nil
	}
	return evidence.ItemOf(row.Idx, row.N, o), nil
}

// heldFrom says whether an opening is on hold for a representative's desk. A
// desk that was itself sent the message is never kept from it.
func (x *Exchange) heldFrom(ctx context.Context, v View, desk string, o evidence.Opening) (*evidence.Held, error) {
	if x.Directory().TypeOfDesk(desk) != directory.Representative {
		return nil, nil
	}
	meta, _, err := o.Decode()
	if err != nil {
		return nil, err
	}
	about := meta.Obj
	if statement.IsID(about, statement.Obligation) { // a duty tells of the message that opened it
		duty, _, err := v.Obligation(ctx, about)
		if err != nil {
			return nil, err
		}
		about = duty.TriggerObj
	}
	return x.heldMessage(ctx, v, desk, about)
}

// heldMessage says whether a message is on hold for a representative's desk.
func (x *Exchange) heldMessage(ctx context.Context, v View, desk, msg string) (*evidence.Held, error) {
	if x.Directory().TypeOfDesk(desk) != directory.Representative {
		return nil, nil
	}
	m, ok, err := v.Message(ctx, msg)
	if err != nil || !ok || m.Hold <= x.Clock.Now() {
		return nil, err
	}
	to, err := v.Recipients(ctx, m.Msg)
	if err != nil {
		return nil, err
	}
	for _, r := range to {
		if r.Desk == desk {
			return nil, nil
		}
	}
	return &evidence.Held{Reason: m.Reason, Until: m.Hold}, nil
}
