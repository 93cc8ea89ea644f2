package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/odziv/odziv/internal/exchange"
)

// Party implements exchange.View.
func (v *view) Party(ctx context.Context, cases []string, inst string) (bool, error) {
	among, args, err := v.among("case_", 2, cases)
	if err != nil {
		return false, err
	}
	var one int
	query := "SELECT 1 FROM party WHERE inst = $1 AND " + among + " LIMIT 1"
	return v.row(ctx, query, append([]any{inst}, args...), &one)
}

// Parties implements exchange.View.
func (v *view) Parties(ctx context.Context, cases []string) (parties []exchange.PartyRow, err error) {
	among, args, err := v.among("case_", 1, cases)
	if err != nil {
		return nil, err
	}
	query := "SELECT DISTINCT desk, inst FROM party WHERE " + among + " ORDER BY desk, inst"
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		var p exchange.PartyRow
		err := rows.Scan(&p.Desk, &p.Inst)
		parties = append(parties, p)
		return err
	})
	return parties, err
}

// PutParty implements exchange.Tx. A desk belongs to one institution for ever,
// so a party may be put again.
func (t *tx) PutParty(ctx context.Context, cas string, p exchange.PartyRow) error {
	const query = "INSERT INTO party (case_, desk, inst) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
	return t.put(ctx, query, cas, p.Desk, p.Inst)
}

// Linked implements exchange.View.
func (v *view) Linked(ctx context.Context, cas string) ([]string, error) {
	const query = "SELECT case_ FROM case_link WHERE matter = (SELECT matter FROM case_link WHERE case_ = $1) ORDER BY case_"
	list, err := v.texts(ctx, query, []any{cas})
	if err != nil || len(list) > 0 {
		return list, err
	}
	return []string{cas}, nil
}

// Link implements exchange.Tx. The matters of all the cases become one, named by
// its least handle, whatever the order of the links was.
func (t *tx) Link(ctx context.Context, cases []string) error {
	var all []string
	for _, c := range cases {
		linked, err := t.Linked(ctx, c)
		if err != nil {
			return err
		}
		all = append(all, linked...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, c := range all {
		const query = "INSERT INTO case_link (case_, matter) VALUES ($1, $2) ON CONFLICT (case_) DO UPDATE SET matter = excluded.matter"
		if err := t.put(ctx, query, c, all[0]); err != nil {
			return err
		}
	}
	return nil
}

// Scope implements exchange.View.
func (v *view) Scope(ctx context.Context, cases []string, before int64) ([]int64, error) {
	among, args, err := v.among("case_", 2, cases)
	if err != nil {
		return nil, err
	}
	query := "SELECT DISTINCT idx FROM scope WHERE idx < $1 AND " + among + " ORDER BY idx"
	var leaves []int64
	err = v.each(ctx, query, append([]any{before}, args...), func(rows *sql.Rows) error {
		var idx int64
		err := rows.Scan(&idx)
		leaves = append(leaves, idx)
		return err
	})
	return leaves, err
}

// PutScope implements exchange.Tx.
func (t *tx) PutScope(ctx context.Context, cas string, idx int64, scope string) error {
	const query = "INSERT INTO scope (case_, idx, scope) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
	return t.put(ctx, query, cas, idx, scope)
}

// Accessed implements exchange.View.
func (v *view) Accessed(ctx context.Context, officer, cas, day string) (bool, error) {
	var one int
	const query = "SELECT 1 FROM access WHERE officer = $1 AND case_ = $2 AND day = $3"
	return v.row(ctx, query, []any{officer, cas, day}, &one)
}

// PutAccess implements exchange.Tx. The first leaf of the day stays.
func (t *tx) PutAccess(ctx context.Context, officer, cas, day string, idx int64) error {
	const query = "INSERT INTO access (officer, case_, day, idx) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
	return t.put(ctx, query, officer, cas, day, idx)
}
