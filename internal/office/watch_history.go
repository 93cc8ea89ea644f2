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
	Idx     int64    `json:"idx"`  // of the evidence tree
	At      int64    `json:"at"`   // ms
	What    string   `json:"what"` // event
	Epochs  []int64  `json:"epochs"`
	Officer string   `json:"officer,omitempty"` // who got them
	Purpose string   `json:"purpose,omitempty"` // of an escrow: recovery, or rehearsal, at which nobody gets any
	By      []string `json:"by"`                // key ids: of the member who shared, of the custodians
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

// shareOf reads what a record says of past keys: that a member shared them, or
// that custodians were let at their escrow.
func shareOf(f FeedItem) (Share, bool) {
	if f.M == nil {
		return Share{}, false
	}
	s := Share{Idx: f.Idx, At: f.M.At, What: f.M.Ev}
	switch f.M.Ev {
	case evidence.DeskGrant:
		if f.P.Stmt == nil {
			return s, false
		}
		b, err := evidence.ParseDeskShare(f.P.Stmt)
		if err != nil {
			return s, false
		}
		s.Epochs, s.Officer, s.By = b.Epochs, b.Officer, []string{b.By.Key}
	case evidence.EscrowReleased:
		step, err := evidence.EscrowStepOf(f.M, f.P)
		if err != nil {
			return s, false
		}
		s.Epochs, s.Officer, s.Purpose, s.By = step.Ask.Epochs, step.Ask.Officer, step.Ask.Purpose, step.Release.Keys()
	default:
		return s, false
	}
	return s, true
}
