package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/odziv/odziv/internal/exchange"
)

// FeedLast implements exchange.View.
func (v *view) FeedLast(ctx context.Context, desk string) (n int64, err error) {
	_, err = v.row(ctx, "SELECT n FROM feed WHERE desk = $1 ORDER BY n DESC LIMIT 1", []any{desk}, &n)
	return n, err
}

// FeedLast implements exchange.Tx. It asks once: nobody else adds meanwhile.
func (t *tx) FeedLast(ctx context.Context, desk string) (int64, error) {
	if n, ok := t.feeds[desk]; ok {
		return n, t.usable(ctx)
	}
	n, err := t.view.FeedLast(ctx, desk)
	if err == nil {
		t.remember(desk, n)
	}
	return n, err
}

func (t *tx) remember(desk string, n int64) {
	if t.feeds == nil {
		t.feeds = map[string]int64{}
	}
	t.feeds[desk] = n
}

// Feed implements exchange.View.
func (v *view) Feed(ctx context.Context, desk string, after int64, limit int) (list []exchange.FeedRow, err error) {
	if limit < 1 || limit > maxPage {
		return nil, fmt.Errorf("sqlstore: %d rows of a feed asked at once, want 1 to %d", limit, maxPage)
	}
	const query = "SELECT desk, n, idx, erased FROM feed WHERE desk = $1 AND n > $2 ORDER BY n LIMIT $3"
	err = v.each(ctx, query, []any{desk, after, limit}, func(rows *sql.Rows) error {
		var f exchange.FeedRow
		err := rows.Scan(&f.Desk, &f.N, &f.Idx, &f.Erased)
		list = append(list, f)
		return err
	})
	return list, err
}

// PutFeed implements exchange.Tx. A place keeps its leaf, since no column may be
// NULL; what may change is whether it was erased.
func (t *tx) PutFeed(ctx context.Context, f exchange.FeedRow) error {
	const query = `INSERT INTO feed (desk, n, idx, erased) VALUES ($1, $2, $3, $4)
		ON CONFLICT (desk, n) DO UPDATE SET erased = CASE WHEN feed.idx = excluded.idx THEN excluded.erased END`
	if n, ok := t.feeds[f.Desk]; ok && f.N > n {
		t.remember(f.Desk, f.N)
	}
	return t.put(ctx, query, f.Desk, f.N, f.Idx, f.Erased)
}

// RefusalsSince implements exchange.View.
func (v *view) RefusalsSince(ctx context.Context, key string, since int64) (n int, err error) {
	_, err = v.row(ctx, "SELECT count(*) FROM refusal WHERE officer = $1 AND at >= $2", []any{key, since}, &n)
	return n, err
}

// PutRefusal implements exchange.Tx.
func (t *tx) PutRefusal(ctx context.Context, key string, at, idx int64) error {
	return t.put(ctx, "INSERT INTO refusal (officer, at, idx) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", key, at, idx)
}

// Overflow implements exchange.View.
func (v *view) Overflow(ctx context.Context, until int64) (list []exchange.OverflowRow, err error) {
	const query = "SELECT officer, id, desk, at FROM overflow WHERE at <= $1 ORDER BY officer, at, id"
	err = v.each(ctx, query, []any{until}, func(rows *sql.Rows) error {
		var o exchange.OverflowRow
		err := rows.Scan(&o.Key, &o.ID, &o.Desk, &o.At)
		list = append(list, o)
		return err
	})
	return list, err
}

// PutOverflow implements exchange.Tx. An id is spent once; the first time stays.
func (t *tx) PutOverflow(ctx context.Context, o exchange.OverflowRow) error {
	const query = "INSERT INTO overflow (id, officer, desk, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
	return t.put(ctx, query, o.ID, o.Key, o.Desk, o.At)
}

// DropOverflow implements exchange.Tx.
func (t *tx) DropOverflow(ctx context.Context, id string) error {
	return t.put(ctx, "DELETE FROM overflow WHERE id = $1", id)
}
