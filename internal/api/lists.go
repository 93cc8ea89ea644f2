package api

import (
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// maxNumber is the largest integer that JSON carries exactly.
const maxNumber = 1<<53 - 1

func getFeed(c *call) error {
	desk, err := c.queryID("desk", statement.Desk)
	if err != nil {
		return err
	}
	limit, err := c.limit()
	if err != nil {
		return err
	}
	page, err := c.feed(desk, limit)
	if err != nil {
		return err
	}
	return c.json(wire.Feed(page))
}

// feed reads a desk's feed by number or, for a grant, what it hands over by
// index, of which the first is 0.
func (c *call) feed(desk string, limit int) (exchange.FeedPage, error) {
	if !c.query.Has("grant") {
		after, err := c.queryNumber("after", 0, maxNumber, 0)
		if err != nil {
			return exchange.FeedPage{}, err
		}
		return c.x.Feed(c.ctx, c.caller, desk, after, limit)
	}
	grant, err := c.queryID("grant", statement.Other)
	if err != nil {
		return exchange.FeedPage{}, err
	}
	after, err := c.queryNumber("after", -1, maxNumber, -1)
	if err != nil {
		return exchange.FeedPage{}, err
	}
	return c.x.GrantFeed(c.ctx, c.caller, desk, grant, after, limit)
}

func getObligations(c *call) error {
	q, err := c.dutyQuery()
	if err != nil {
		return err
	}
	page, err := c.x.Duties(c.ctx, c.caller, q)
	if err != nil {
		return err
	}
	list := wire.Duties{Duties: make([]wire.Duty, 0, len(page.Duties)), Next: page.Next, Now: page.Now, V: wire.V}
	for i := range page.Duties {
		list.Duties = append(list.Duties, dutyOf(&page.Duties[i]))
	}
	return c.json(list)
}

// dutyOf keeps empty lists empty, instead of null.
func dutyOf(d *exchange.Duty) wire.Duty {
	return wire.Duty{Obligation: d.Obligation, View: d.View, Steps: append([]obligation.Step{}, d.Steps...),
		Clocks: append([]obligation.RightClock{}, d.Clock...), Levels: append([]obligation.Level{}, d.Levels...), Reached: d.Reached}
}

func (c *call) dutyQuery() (q exchange.DutyQuery, err error) {
	if q.Desk, err = c.queryID("desk", statement.Desk); err != nil {
		return q, err
	}
	switch side := c.query.Get("side"); {
	case side == "owing":
		q.Owing = true
	case side != "owed" && c.query.Has("side"):
		return q, malformed("side in the query is neither owed nor owing")
	}
	if q.Closed, err = c.flag("closed"); err != nil {
		return q, err
	}
	if q.Missing, err = c.flag("missing"); err != nil {
		return q, err
	}
	if q.Limit, err = c.limit(); err != nil {
		return q, err
	}
	ok := true
	if q.AfterDue, q.AfterID, ok = exchange.ParseCursor(c.query.Get("after")); !ok {
		return q, malformed("after in the query is no cursor of this list")
	}
	return q, nil
}

func getObligation(c *call) error {
	id, err := c.id("o", statement.Obligation)
	if err != nil {
		return err
	}
	duty, err := c.x.DutyByID(c.ctx, c.caller, id)
	if err != nil {
		return err
	}
	return c.json(dutyOf(&duty))
}

func putSilence(c *call) error {
	id, err := c.id("o", statement.Obligation)
	if err != nil {
		return err
	}
	wanted, err := c.id("x", statement.Other)
	if err != nil {
		return err
	}
	item, err := c.x.Silence(c.ctx, c.caller, id, wanted)
	if err != nil {
		return err
	}
	return c.json(item)
}
