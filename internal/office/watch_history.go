package office

import (
	"context"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/transparency"
)

// DeskLog is who could ever read for a desk, with what the directory does not
// tell of a desk of one's own: past keys that were shared.
type DeskLog struct {
	transparency.DeskHistory
	// FeedRead says whether the desk's feed was read: only that of one's own can
	// be. Elsewhere, and where entries were erased, past keys may have been shared
	// that are not listed.
	FeedRead bool    `json:"feed_read"`
	Shared   []Share `json:"shared"`
}

// Share is a record by which somebody came to hold, or asked for, past keys of a
// desk.
type Share struct {
	Idx     int64   `json:"idx"`  // of the evidence tree
	At      int64   `json:"at"`   // ms
	What    string  `json:"what"` // event
	Epochs  []int64 `json:"epochs"`
	Officer string  `json:"officer,omitempty"` // who got them
	By      string  `json:"by"`                // key id
}

// DeskLog tells who could ever read for a desk. Of a desk of the officer's own it
// reads the feed too.
func (o *Office) DeskLog(ctx context.Context, desk string) (DeskLog, error) {
	h, err := o.DeskHistory(desk)
	if err != nil {
		return DeskLog{}, err
	}
	log := DeskLog{DeskHistory: h, Shared: []Share{}}
	if _, err := o.Desk(desk); err != nil {
		return log, nil
	}
	items, err := o.Feed(ctx, desk, 0)
	if err != nil {
		return log, err
	}
	log.FeedRead = true
	for _, f := range items {
		if s, ok := shareOf(f); ok {
			log.Shared = append(log.Shared, s)
		}
	}
	return log, nil
}

// shareOf reads what a record says of past keys.
func shareOf(f FeedItem) (Share, bool) {
	if f.M == nil || f.P.Stmt == nil || f.M.Ev != evidence.DeskGrant {
		return Share{}, false
	}
	b, err := evidence.ParseDeskShare(f.P.Stmt)
	if err != nil {
		return Share{}, false
	}
	return Share{Idx: f.Idx, At: f.M.At, What: f.M.Ev, Epochs: b.Epochs, Officer: b.Officer, By: b.By.Key}, true
}
