package sqlstore

import (
	"context"
	"database/sql"

	"github.com/odziv/odziv/internal/exchange"
)

// Last implements exchange.View.
func (v *view) Last(ctx context.Context, obj string) (idx int64, err error) {
	found, err := v.row(ctx, "SELECT idx FROM last WHERE obj = $1", []any{obj}, &idx)
	if err != nil || !found {
		return -1, err
	}
	return idx, nil
}

// PutLast implements exchange.Tx.
func (t *tx) PutLast(ctx context.Context, obj string, idx int64) error {
	const query = "INSERT INTO last (obj, idx) VALUES ($1, $2) ON CONFLICT (obj) DO UPDATE SET idx = excluded.idx"
	return t.put(ctx, query, obj, idx)
}

// Statement implements exchange.View. The id of a refusal that waits to be
// counted is spent as well.
func (v *view) Statement(ctx context.Context, id string) (s exchange.StatementRow, ok bool, err error) {
	const query = `SELECT id, digest, idx, spent FROM statement WHERE id = $1
		UNION ALL SELECT id, '', -1, 1 FROM overflow WHERE id = $1 LIMIT 1`
	ok, err = v.row(ctx, query, []any{id}, &s.ID, &s.Digest, &s.Idx, &s.Spent)
	return s, ok, err
}

// PutStatement implements exchange.Tx. The digest of a set grows with its
// messages, so a row may be put again.
func (t *tx) PutStatement(ctx context.Context, s exchange.StatementRow) error {
	const query = `INSERT INTO statement (id, digest, idx, spent) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, idx = excluded.idx, spent = excluded.spent`
	return t.put(ctx, query, s.ID, s.Digest, s.Idx, bit(s.Spent))
}

const messageColumns = "SELECT msg, idx, at, case_, kind, desk, inst, basis, occurred, hold, reason, set_, pack, subj FROM msg "

func scanMessage(rows *sql.Rows) (m exchange.MessageRow, err error) {
	var subj string
	err = rows.Scan(&m.Msg, &m.Idx, &m.At, &m.Case, &m.Kind, &m.Desk, &m.Inst, &m.Basis, &m.Occurred, &m.Hold,
		&m.Reason, &m.Set, &m.Pack, &subj)
	if err != nil {
		return m, err
	}
	return m, readList(subj, &m.Subj)
}

func (v *view) messages(ctx context.Context, query string, args []any) (list []exchange.MessageRow, err error) {
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		m, err := scanMessage(rows)
		list = append(list, m)
		return err
	})
	return list, err
}

// Message implements exchange.View.
func (v *view) Message(ctx context.Context, msg string) (m exchange.MessageRow, ok bool, err error) {
	list, err := v.messages(ctx, messageColumns+"WHERE msg = $1", []any{msg})
	if err != nil || len(list) == 0 {
		return m, false, err
	}
	return list[0], true, nil
}

// Recipients implements exchange.View, in the order in which they were put.
func (v *view) Recipients(ctx context.Context, msg string) (list []exchange.RecipientRow, err error) {
	const query = `SELECT msg, desk, role, handed, handed_idx, served, opened, blocked, reason
		FROM msg_to WHERE msg = $1 ORDER BY ord, desk`
	err = v.each(ctx, query, []any{msg}, func(rows *sql.Rows) error {
		var r exchange.RecipientRow
		err := rows.Scan(&r.Msg, &r.Desk, &r.Role, &r.Handed, &r.HandedIdx, &r.Served, &r.Opened, &r.Blocked, &r.Reason)
		list = append(list, r)
		return err
	})
	return list, err
}

// Filed implements exchange.View.
func (v *view) Filed(ctx context.Context, cases []string, kind string) ([]string, error) {
	among, args, err := v.among("case_", 2, cases)
	if err != nil {
		return nil, err
	}
	query := "SELECT desk FROM msg WHERE kind = $1 AND " + among + " GROUP BY desk ORDER BY min(idx)"
	return v.texts(ctx, query, append([]any{kind}, args...))
}

// Sent implements exchange.View.
func (v *view) Sent(ctx context.Context, cases []string, kind string) ([]exchange.MessageRow, error) {
	among, args, err := v.among("case_", 2, cases)
	if err != nil {
		return nil, err
	}
	query := messageColumns + "WHERE kind = $1 AND " + among + " ORDER BY idx"
	return v.messages(ctx, query, append([]any{kind}, args...))
}

// Disclosed implements exchange.View.
func (v *view) Disclosed(ctx context.Context, consent string) ([]exchange.MessageRow, error) {
	const query = messageColumns + "WHERE msg IN (SELECT msg FROM msg_consent WHERE consent = $1) ORDER BY idx"
	return v.messages(ctx, query, []any{consent})
}

func (v *view) texts(ctx context.Context, query string, args []any) (list []string, err error) {
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		list = append(list, s)
		return err
	})
	return list, err
}

// PutMessage implements exchange.Tx. A message is put once. From then on its
// uploads are kept.
func (t *tx) PutMessage(ctx context.Context, m exchange.MessageRow, to []exchange.RecipientRow, consents []string) error {
	subj, err := listText(m.Subj)
	if err != nil {
		return err
	}
	const query = `INSERT INTO msg (msg, idx, at, case_, kind, desk, inst, basis, occurred, hold, reason, set_, pack, subj)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	err = t.put(ctx, query, m.Msg, m.Idx, m.At, m.Case, m.Kind, m.Desk, m.Inst, m.Basis, m.Occurred, m.Hold,
		m.Reason, m.Set, m.Pack, subj)
	if err != nil {
		return err
	}
	if err := t.putRecipients(ctx, m.Msg, to); err != nil {
		return err
	}
	for _, k := range consents {
		const query = "INSERT INTO msg_consent (consent, idx, msg) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
		if err := t.put(ctx, query, k, m.Idx, m.Msg); err != nil {
			return err
		}
	}
	return t.put(ctx, "UPDATE upload SET kept = 1 WHERE msg = $1 AND kept = 0", m.Msg)
}

func (t *tx) putRecipients(ctx context.Context, msg string, to []exchange.RecipientRow) error {
	const into = "msg_to (msg, desk, ord, role, handed, handed_idx, served, opened, blocked, reason)"
	return t.insertRows(ctx, into, 10, len(to), func(args []any, i int) []any {
		r := &to[i]
		return append(args, msg, r.Desk, int64(i), r.Role, r.Handed, r.HandedIdx, r.Served, r.Opened, r.Blocked, r.Reason)
	})
}

// MarkRecipient implements exchange.Tx. What was recorded before stays; the leaf
// goes with the handing over, the reason with the blocking.
func (t *tx) MarkRecipient(ctx context.Context, r exchange.RecipientRow) error {
	const query = `INSERT INTO msg_to (msg, desk, ord, role, handed, handed_idx, served, opened, blocked, reason)
		VALUES ($1, $2, (SELECT count(*) FROM msg_to WHERE msg = $1), $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (msg, desk) DO UPDATE SET
		handed     = CASE msg_to.handed  WHEN 0 THEN excluded.handed     ELSE msg_to.handed     END,
		handed_idx = CASE msg_to.handed  WHEN 0 THEN excluded.handed_idx ELSE msg_to.handed_idx END,
		served     = CASE msg_to.served  WHEN 0 THEN excluded.served     ELSE msg_to.served     END,
		opened     = CASE msg_to.opened  WHEN 0 THEN excluded.opened     ELSE msg_to.opened     END,
		blocked    = CASE msg_to.blocked WHEN 0 THEN excluded.blocked    ELSE msg_to.blocked    END,
		reason     = CASE msg_to.blocked WHEN 0 THEN excluded.reason     ELSE msg_to.reason     END`
	if r.Handed == 0 {
		r.HandedIdx = 0
	}
	if r.Blocked == 0 {
		r.Reason = ""
	}
	return t.put(ctx, query, r.Msg, r.Desk, r.Role, r.Handed, r.HandedIdx, r.Served, r.Opened, r.Blocked, r.Reason)
}
