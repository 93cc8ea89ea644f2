package sqlstore

import (
	"context"
	"database/sql"

	"github.com/odziv/odziv/internal/exchange"
)

// ConsentVersions implements exchange.View.
func (v *view) ConsentVersions(ctx context.Context, id string) (list []exchange.ConsentRow, err error) {
	const query = "SELECT id, ver, idx, at, act, subj, stmt FROM consent_version WHERE id = $1 ORDER BY ver"
	err = v.each(ctx, query, []any{id}, func(rows *sql.Rows) error {
		var c exchange.ConsentRow
		err := rows.Scan(&c.ID, &c.Ver, &c.Idx, &c.At, &c.Act, &c.Subj, &c.Stmt)
		list = append(list, c)
		return err
	})
	return list, err
}

// ConsentsOf implements exchange.View.
func (v *view) ConsentsOf(ctx context.Context, subj string) (ids []string, err error) {
	const query = "SELECT DISTINCT id FROM consent_version WHERE subj = $1 ORDER BY id"
	err = v.each(ctx, query, []any{subj}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// PutConsentVersion implements exchange.Tx. A version is put once; the same
// again is no error, another is, since no column may be NULL.
func (t *tx) PutConsentVersion(ctx context.Context, c exchange.ConsentRow) error {
	const query = `INSERT INTO consent_version (id, ver, idx, at, act, subj, stmt) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id, ver) DO UPDATE SET idx = CASE
		WHEN consent_version.idx = excluded.idx AND consent_version.stmt = excluded.stmt THEN excluded.idx END`
	return t.put(ctx, query, c.ID, c.Ver, c.Idx, c.At, c.Act, c.Subj, blob(c.Stmt))
}

const conflictColumns = "SELECT id, who, subj, level, set_idx, set_at, lifted_idx, lifted_at FROM conflict "

// Conflicts implements exchange.View.
func (v *view) Conflicts(ctx context.Context, who string) ([]exchange.ConflictRow, error) {
	return v.conflicts(ctx, conflictColumns+"WHERE who = $1 ORDER BY set_idx, id", who)
}

// Conflict implements exchange.View.
func (v *view) Conflict(ctx context.Context, id string) (c exchange.ConflictRow, ok bool, err error) {
	list, err := v.conflicts(ctx, conflictColumns+"WHERE id = $1", id)
	if err != nil || len(list) == 0 {
		return c, false, err
	}
	return list[0], true, nil
}

func (v *view) conflicts(ctx context.Context, query, which string) (list []exchange.ConflictRow, err error) {
	err = v.each(ctx, query, []any{which}, func(rows *sql.Rows) error {
		c, err := scanConflict(rows)
		list = append(list, c)
		return err
	})
	return list, err
}

func scanConflict(rows *sql.Rows) (c exchange.ConflictRow, err error) {
	var subj string
	err = rows.Scan(&c.ID, &c.Who, &subj, &c.Level, &c.SetIdx, &c.SetAt, &c.LiftedIdx, &c.LiftedAt)
	if err != nil {
		return c, err
	}
	return c, readList(subj, &c.Subj)
}

// PutConflict implements exchange.Tx.
func (t *tx) PutConflict(ctx context.Context, c exchange.ConflictRow) error {
	subj, err := listText(c.Subj)
	if err != nil {
		return err
	}
	const query = `INSERT INTO conflict (id, who, subj, level, set_idx, set_at, lifted_idx, lifted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET who = excluded.who, subj = excluded.subj, level = excluded.level,
			set_idx = excluded.set_idx, set_at = excluded.set_at,
			lifted_idx = excluded.lifted_idx, lifted_at = excluded.lifted_at`
	return t.put(ctx, query, c.ID, c.Who, subj, c.Level, c.SetIdx, c.SetAt, c.LiftedIdx, c.LiftedAt)
}

const grantColumns = "SELECT id, idx, at, case_, desk, subj, scope, nb, na, ended_idx, ended_at, earlier FROM grant_ "

func (v *view) grants(ctx context.Context, query string, args []any) (list []exchange.GrantRow, err error) {
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		g, err := scanGrant(rows)
		list = append(list, g)
		return err
	})
	return list, err
}

func scanGrant(rows *sql.Rows) (g exchange.GrantRow, err error) {
	var subj, scope, earlier string
	err = rows.Scan(&g.ID, &g.Idx, &g.At, &g.Case, &g.Desk, &subj, &scope, &g.NB, &g.NA, &g.EndedIdx, &g.EndedAt, &earlier)
	if err != nil {
		return g, err
	}
	if err := readList(subj, &g.Subj); err != nil {
		return g, err
	}
	if err := readList(scope, &g.Scope); err != nil {
		return g, err
	}
	return g, readList(earlier, &g.Before)
}

// Grant implements exchange.View.
func (v *view) Grant(ctx context.Context, id string) (g exchange.GrantRow, ok bool, err error) {
	list, err := v.grants(ctx, grantColumns+"WHERE id = $1", []any{id})
	if err != nil || len(list) == 0 {
		return g, false, err
	}
	return list[0], true, nil
}

// Grants implements exchange.View.
func (v *view) Grants(ctx context.Context, cases []string) ([]exchange.GrantRow, error) {
	among, args, err := v.among("case_", 1, cases)
	if err != nil {
		return nil, err
	}
	return v.grants(ctx, grantColumns+"WHERE "+among+" ORDER BY idx, id", args)
}

// GrantsOf implements exchange.View.
func (v *view) GrantsOf(ctx context.Context, desk string) ([]exchange.GrantRow, error) {
	return v.grants(ctx, grantColumns+"WHERE desk = $1 ORDER BY idx, id", []any{desk})
}

// PutGrant implements exchange.Tx.
func (t *tx) PutGrant(ctx context.Context, g exchange.GrantRow) error {
	subj, err := listText(g.Subj)
	if err != nil {
		return err
	}
	scope, err := listText(g.Scope)
	if err != nil {
		return err
	}
	earlier, err := listText(g.Before)
	if err != nil {
		return err
	}
	const query = `INSERT INTO grant_ (id, idx, at, case_, desk, subj, scope, nb, na, ended_idx, ended_at, earlier)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET idx = excluded.idx, at = excluded.at, case_ = excluded.case_,
			desk = excluded.desk, subj = excluded.subj, scope = excluded.scope, nb = excluded.nb, na = excluded.na,
			ended_idx = excluded.ended_idx, ended_at = excluded.ended_at, earlier = excluded.earlier`
	return t.put(ctx, query, g.ID, g.Idx, g.At, g.Case, g.Desk, subj, scope, g.NB, g.NA, g.EndedIdx, g.EndedAt, earlier)
}
