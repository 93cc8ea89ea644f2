package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

func (v *view) obligations(ctx context.Context, query string, args []any) (list []obligation.Obligation, err error) {
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return err
		}
		var o obligation.Obligation
		if err := json.Unmarshal(body, &o); err != nil {
			return fmt.Errorf("sqlstore: stored obligation: %w: %w", ErrDamaged, err)
		}
		list = append(list, o)
		return nil
	})
	return list, err
}

// Obligation implements exchange.View.
func (v *view) Obligation(ctx context.Context, id string) (o obligation.Obligation, ok bool, err error) {
	list, err := v.obligations(ctx, "SELECT body FROM obligation WHERE o = $1", []any{id})
	if err != nil || len(list) == 0 {
		return o, false, err
	}
	return list[0], true, nil
}

// Opened implements exchange.View.
func (v *view) Opened(ctx context.Context, obj, rule string) ([]obligation.Obligation, error) {
	const query = "SELECT body FROM obligation WHERE obj = $1 AND ($2 = '' OR rule = $2) ORDER BY o"
	return v.obligations(ctx, query, []any{obj, rule})
}

// Live implements exchange.View.
func (v *view) Live(ctx context.Context, cases []string) ([]obligation.Obligation, error) {
	among, args, err := v.among("case_", 1, cases)
	if err != nil {
		return nil, err
	}
	query := "SELECT body FROM obligation WHERE live = 1 AND " + among + " ORDER BY trigger_, o"
	return v.obligations(ctx, query, args)
}

// Twin implements exchange.View.
func (v *view) Twin(ctx context.Context, cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error) {
	among, args, err := v.among("case_", 6, cases)
	if err != nil {
		return false, err
	}
	var one int
	query := `SELECT 1 FROM obligation WHERE rule = $1 AND kind = $2 AND occurred = $3 AND obligor = $4 AND whom = $5
		AND ` + among + " LIMIT 1"
	return v.row(ctx, query, append([]any{rule, kind, occurred, obligor, whom}, args...), &one)
}

// maxPage bounds a page of obligations or of a feed.
const maxPage = 10000

// Obligations implements exchange.View. What has no due time comes first; it is
// left out where DueUntil is given.
func (v *view) Obligations(ctx context.Context, q exchange.ObligationQuery) ([]obligation.Obligation, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fmt.Errorf("sqlstore: %d obligations asked at once, want 1 to %d", q.Limit, maxPage)
	}
	if q.Obligor != "" && q.Obligee != "" {
		return nil, fmt.Errorf("sqlstore: obligations of one obligor or one obligee, not both")
	}
	args := []any{q.AfterDue, q.AfterID, q.Limit}
	where := ""
	if who := q.Obligor + q.Obligee; who != "" {
		column := "obligor"
		if q.Obligee != "" {
			column = "obligee"
		}
		where += " AND " + column + " = $4"
		args = append(args, who)
	}
	if q.DueUntil != 0 {
		where += fmt.Sprintf(" AND due > 0 AND due <= $%d", len(args)+1)
		args = append(args, q.DueUntil)
	}
	return v.obligations(ctx, obligationPage(where, q.Closed), args)
}

// obligationPage reads one index from the cursor on. With closed ones it reads
// the index twice and merges, so that a page costs the same however many there
// are on either side.
func obligationPage(where string, closed bool) string {
	half := func(live string) string {
		return "SELECT due, o, body FROM obligation WHERE live = " + live + where +
			" AND (due, o) > ($1, $2) ORDER BY due, o LIMIT $3"
	}
	pages := []string{half("1")}
	if closed {
		pages = append(pages, half("0"))
	}
	return "SELECT body FROM (SELECT * FROM (" + strings.Join(pages, ") AS a UNION ALL SELECT * FROM (") +
		") AS b) AS c ORDER BY due, o LIMIT $3"
}

// PutObligation implements exchange.Tx.
func (t *tx) PutObligation(ctx context.Context, o obligation.Obligation) error {
	body, err := json.Marshal(&o)
	if err != nil {
		return fmt.Errorf("sqlstore: obligation %s: %w", o.ID, err)
	}
	const query = `INSERT INTO obligation (o, rule, obligor, obligee, whom, case_, obj, trigger_, kind, occurred, due, live, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (o) DO UPDATE SET rule = excluded.rule, obligor = excluded.obligor, obligee = excluded.obligee, whom = excluded.whom,
			case_ = excluded.case_, obj = excluded.obj, trigger_ = excluded.trigger_, kind = excluded.kind,
			occurred = excluded.occurred, due = excluded.due, live = excluded.live, body = excluded.body`
	err = t.put(ctx, query, o.ID, o.Rule, o.Obligor, o.Obligee, o.Whom(), o.Case, o.TriggerObj, o.Trigger, o.Kind,
		o.Occurred, o.Due, bit(!o.State.Final()), string(body))
	return err
}

// Marked implements exchange.View.
func (v *view) Marked(ctx context.Context, o string) (level int, err error) {
	found, err := v.row(ctx, "SELECT level FROM mark WHERE o = $1 ORDER BY level DESC LIMIT 1", []any{o}, &level)
	if err != nil || !found {
		return -1, err
	}
	return level, nil
}

// PutMark implements exchange.Tx. The first leaf of a level stays.
func (t *tx) PutMark(ctx context.Context, o string, level int, idx int64) error {
	return t.put(ctx, "INSERT INTO mark (o, level, idx) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", o, level, idx)
}
