package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// openingsPage is how many openings are read at a time: the caller of Openings
// may use the transaction while it goes through them.
const openingsPage = 64

const openingColumns = "SELECT idx, meta, r_m, priv, r_p FROM opening "

// Opening implements exchange.View.
func (v *view) Opening(ctx context.Context, idx int64) (o evidence.Opening, ok bool, err error) {
	var at int64
	ok, err = v.row(ctx, openingColumns+"WHERE idx = $1", []any{idx}, &at, &o.Meta, &o.RM, &o.Priv, &o.RP)
	return o, ok, err
}

// Openings implements exchange.View.
func (v *view) Openings(ctx context.Context, from int64, f func(idx int64, o evidence.Opening) error) error {
	for {
		page, at, err := v.openings(ctx, from)
		if err != nil || len(page) == 0 {
			return err
		}
		for i, o := range page {
			if err := f(at[i], o); err != nil {
				return err
			}
		}
		from = at[len(at)-1] + 1
	}
}

func (v *view) openings(ctx context.Context, from int64) (page []evidence.Opening, at []int64, err error) {
	const query = openingColumns + "WHERE idx >= $1 ORDER BY idx LIMIT $2"
	err = v.each(ctx, query, []any{from, openingsPage}, func(rows *sql.Rows) error {
		var o evidence.Opening
		var idx int64
		err := rows.Scan(&idx, &o.Meta, &o.RM, &o.Priv, &o.RP)
		page, at = append(page, o), append(at, idx)
		return err
	})
	return page, at, err
}

// PutOpening implements exchange.Tx. An index that has an opening, or had one
// that was erased, is an error.
func (t *tx) PutOpening(ctx context.Context, idx int64, o evidence.Opening) error {
	const query = "INSERT INTO opening (idx, meta, r_m, priv, r_p) VALUES ($1, $2, $3, $4, $5)"
	err := t.put(ctx, query, idx, blob(o.Meta), blob(o.RM), blob(o.Priv), blob(o.RP))
	if err != nil {
		return err
	}
	t.cover(idx)
	return nil
}

// EraseOpening implements exchange.Tx. It may be repeated, and also marks an
// index that has no opening: a ledger whose tail was imported from a mirror
// replays its erasures that way.
func (t *tx) EraseOpening(ctx context.Context, idx int64) error {
	return t.asEraser(ctx, func() error {
		deleted, err := t.exec(ctx, "DELETE FROM opening WHERE idx = $1", idx)
		if err != nil {
			return err
		}
		fresh, err := t.exec(ctx, "INSERT INTO erasure (idx) VALUES ($1) ON CONFLICT DO NOTHING", idx)
		if err != nil {
			return err
		}
		if fresh == 1 && deleted == 0 {
			t.cover(idx)
		}
		return nil
	})
}

// asEraser runs f with the right to delete, which triggers or roles ask for.
func (s *scratch) asEraser(ctx context.Context, f func() error) error {
	*s.erased = true
	return s.conn.engine.asEraser(ctx, s.session, f)
}

// cover counts a leaf that has an opening or an erasure now and had neither.
func (t *tx) cover(idx int64) {
	t.grown.covered++
	t.grown.beyond = max(t.grown.beyond, idx+1)
}

// keepCovered writes the count once per transaction. An opening that was lost
// and comes back was counted before: the count never exceeds the leaves.
func (t *tx) keepCovered(ctx context.Context) error {
	if t.grown.covered == 0 {
		return nil
	}
	head, err := t.Head(ctx, ledger.Ev)
	if err != nil {
		return err
	}
	const query = "UPDATE covered SET count = CASE WHEN count + $1 > $2 THEN $2 ELSE count + $1 END"
	return t.put(ctx, query, t.grown.covered, head.Size)
}

// recount counts anew what is covered. A rebuild does so, since it goes through
// everything anyway: if rows were deleted behind the guards it shows.
func (t *tx) recount(ctx context.Context) error {
	t.grown.covered = 0
	err := t.put(ctx, "UPDATE covered SET count = (SELECT count(*) FROM opening) + (SELECT count(*) FROM erasure)")
	return err
}

// Incomplete implements exchange.View. A leaf is covered at most once and none
// beyond the head is, so the count alone decides.
func (v *view) Incomplete(ctx context.Context) (bool, error) { return v.incomplete(ctx, 0) }

// Incomplete implements exchange.Tx, with what this transaction added.
func (t *tx) Incomplete(ctx context.Context) (bool, error) {
	return t.incomplete(ctx, t.grown.covered)
}

func (v *view) incomplete(ctx context.Context, more int64) (bool, error) {
	var size, count int64
	const query = "SELECT head.size, covered.count FROM head, covered WHERE head.log = $1"
	found, err := v.row(ctx, query, []any{int64(ledger.Ev)}, &size, &count)
	if err == nil && !found {
		err = fmt.Errorf("sqlstore: head of %s: %w", ledger.Ev, ledger.ErrMissing)
	}
	return count+more < size, err
}
