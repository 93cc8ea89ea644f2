package sqlstore

import (
	"context"
	"database/sql"

	"github.com/odziv/odziv/ledger"
)

// Holes implements exchange.View.
func (v *view) Holes(ctx context.Context, from int64, limit int) (list []int64, err error) {
	const query = `SELECT idx FROM entry
WHERE log = $1 AND idx >= $2
AND NOT EXISTS (SELECT 1 FROM opening o WHERE o.idx = entry.idx)
AND NOT EXISTS (SELECT 1 FROM erasure e WHERE e.idx = entry.idx)
ORDER BY idx LIMIT $3`
	err = v.each(ctx, query, []any{int64(ledger.Ev), from, limit}, func(rows *sql.Rows) error {
		var idx int64
		err := rows.Scan(&idx)
		list = append(list, idx)
		return err
	})
	return list, err
}

// Now implements exchange.Tx.
func (t *tx) Now(ctx context.Context) (at int64, ok bool, err error) {
	return t.conn.engine.now(ctx, t.session)
}
