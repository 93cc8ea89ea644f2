package exchange

import "context"

// Stage shows the stage to the tests outside, which have a store.
type Stage struct{ *stage }

// NewStage begins a stage over tx.
func NewStage(ctx context.Context, tx Tx, w *Wanted) (Stage, error) {
	g, err := newStage(ctx, tx, w)
	return Stage{g}, err
}

// Begin, Rollback, Settle and Beyond are those of the stage.
func (s Stage) Begin()                           { s.begin() }
func (s Stage) Rollback()                        { s.rollback() }
func (s Stage) Settle(ctx context.Context) error { return s.settle(ctx) }
func (s Stage) Beyond() bool                     { return s.beyond }
