package scenario

import (
	"context"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
)

// look keeps what the desks were told at one moment, so that many expectations
// cost one question.
type look struct {
	duties  map[string][]wire.Duty // "owing d_…", "owed d_…"
	feeds   map[string][]office.FeedItem
	missing map[string][]string
}

func newLook() *look {
	return &look{duties: map[string][]wire.Duty{}, feeds: map[string][]office.FeedItem{}, missing: map[string][]string{}}
}

// dutiesOf lists every obligation of a desk, closed ones too.
func (c *cast) dutiesOf(ctx context.Context, actor string, owing bool) ([]wire.Duty, error) {
	o, d, err := c.office(ctx, actor)
	if err != nil {
		return nil, err
	}
	key := "owed " + d.ID
	if owing {
		key = "owing " + d.ID
	}
	if list, ok := c.seen.duties[key]; ok {
		return list, nil
	}
	list, err := o.Duties(ctx, d.ID, owing, true)
	if err == nil {
		c.seen.duties[key] = list
	}
	return list, err
}

// feedOf is everything a desk was told. A representative's includes what a grant
// handed over.
func (c *cast) feedOf(ctx context.Context, actor string) ([]office.FeedItem, error) {
	o, d, err := c.office(ctx, actor)
	if err != nil {
		return nil, err
	}
	if items, ok := c.seen.feeds[d.ID]; ok {
		return items, nil
	}
	read := func() ([]office.FeedItem, error) { return o.Feed(ctx, d.ID, 0) }
	if d.Fn == directory.Rep {
		read = func() ([]office.FeedItem, error) { return o.Seen(ctx, d.ID) }
	}
	items, err := read()
	if err == nil {
		c.seen.feeds[d.ID] = items
	}
	return items, err
}
