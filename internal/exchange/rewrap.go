package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/shred"
)

// ErrPeriods says that period keys changed while they were wrapped anew: a
// server is running. Nothing was stored.
var ErrPeriods = errors.New("period keys changed meanwhile")

// RewrapPeriods wraps every period key of a store with another wrapper, in one
// transaction, and returns how many it changed. A key that the other opens
// already stays as it is, so that it may be repeated after an interruption; with
// anew they all change, for a wrapper whose own key has a new version.
//
// Nothing is stored before the other wrapper has opened what it wrapped: at no
// moment is there a key that nobody opens. No server that wraps with from may
// run meanwhile.
func RewrapPeriods(ctx context.Context, store Store, from, to shred.PeriodWrapper, anew bool) (changed int, err error) {
	rows, err := periodsOf(ctx, store)
	if err != nil {
		return 0, err
	}
	next := make([]PeriodRow, len(rows))
	for i, row := range rows {
		if next[i], err = rewrapped(ctx, row, from, to, anew); err != nil {
			return 0, fmt.Errorf("exchange: period key %s: %w", row.ID, err)
		}
		if !bytes.Equal(next[i].Wrapped, row.Wrapped) {
			changed++
		}
	}
	err = store.Scratch(ctx, func(s Scratch) error {
		now, err := s.Periods(ctx)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(now, rows, PeriodRow.equal) {
			return fmt.Errorf("exchange: %w", ErrPeriods)
		}
		for _, row := range next {
			if err := s.PutPeriod(ctx, row.ID, row.Wrapped, row.At); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	after, err := periodsOf(ctx, store)
	if err == nil && !slices.EqualFunc(after, next, PeriodRow.equal) {
		err = fmt.Errorf("exchange: %w: run the same command again", ErrPeriods)
	}
	return changed, err
}

func rewrapped(ctx context.Context, row PeriodRow, from, to shred.PeriodWrapper, anew bool) (PeriodRow, error) {
	p, err := to.UnwrapPeriod(ctx, row.ID, row.Wrapped)
	switch {
	case err == nil && !anew:
		return row, nil
	case err != nil && from == nil:
		return row, err
	case err != nil:
		var other error
		if p, other = from.UnwrapPeriod(ctx, row.ID, row.Wrapped); other != nil {
			return row, errors.Join(other, err)
		}
	}
	if row.Wrapped, err = to.WrapPeriod(ctx, p); err != nil {
		return row, err
	}
	again, err := to.UnwrapPeriod(ctx, row.ID, row.Wrapped)
	if err != nil {
		return row, err
	}
	if !bytes.Equal(again.Key.Secret(), p.Key.Secret()) {
		return row, errors.New("what was wrapped opens to another key")
	}
	return row, nil
}

func (p PeriodRow) equal(o PeriodRow) bool {
	return p.ID == o.ID && p.At == o.At && bytes.Equal(p.Wrapped, o.Wrapped)
}
