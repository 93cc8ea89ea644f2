package sqlstore

import (
	"context"
	"database/sql"

	"github.com/odziv/odziv/internal/exchange"
)

// UseNonce implements exchange.Scratch.
func (s *scratch) UseNonce(ctx context.Context, key, nonce string, at int64) (fresh bool, err error) {
	const query = "INSERT INTO req_nonce (officer, nonce, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
	n, err := s.exec(ctx, query, key, nonce, at)
	return n == 1, err
}

// Package implements exchange.UploadView.
func (v *view) Package(ctx context.Context, sha256 string) (data []byte, ok bool, err error) {
	ok, err = v.row(ctx, "SELECT data FROM package WHERE sha256 = $1", []any{sha256}, &data)
	return data, ok, err
}

// PutPackage implements exchange.Scratch. The digest names the bytes, so the
// first ones stay.
func (s *scratch) PutPackage(ctx context.Context, sha256 string, data []byte) error {
	const query = "INSERT INTO package (sha256, data) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	_, err := s.exec(ctx, query, sha256, blob(data))
	return err
}

// RecipientKey implements exchange.UploadView.
func (v *view) RecipientKey(ctx context.Context, rk string) (recipient string, ok bool, err error) {
	ok, err = v.row(ctx, "SELECT recipient FROM recipient_key WHERE rk = $1", []any{rk}, &recipient)
	return recipient, ok, err
}

// PutRecipientKey implements exchange.Scratch. The digest names the key, so the
// first one stays.
func (s *scratch) PutRecipientKey(ctx context.Context, rk, recipient string) error {
	const query = "INSERT INTO recipient_key (rk, recipient) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	_, err := s.exec(ctx, query, rk, recipient)
	return err
}

// maxPending bounds the list of statements that wait.
const maxPending = 1000

const pendingColumns = "SELECT digest, dsse, at FROM pending "

// Pending implements exchange.View.
func (v *view) Pending(ctx context.Context, digest string) (p exchange.PendingRow, ok bool, err error) {
	ok, err = v.row(ctx, pendingColumns+"WHERE digest = $1", []any{digest}, &p.Digest, &p.DSSE, &p.At)
	return p, ok, err
}

// PendingAll implements exchange.View.
func (v *view) PendingAll(ctx context.Context) (list []exchange.PendingRow, err error) {
	err = v.each(ctx, pendingColumns+"ORDER BY at, digest LIMIT $1", []any{maxPending}, func(rows *sql.Rows) error {
		var p exchange.PendingRow
		err := rows.Scan(&p.Digest, &p.DSSE, &p.At)
		list = append(list, p)
		return err
	})
	return list, err
}

// PutPending implements exchange.Tx. A statement keeps the time it came at; its
// signatures grow.
func (t *tx) PutPending(ctx context.Context, p exchange.PendingRow) error {
	const query = `INSERT INTO pending (digest, dsse, at) VALUES ($1, $2, $3)
		ON CONFLICT (digest) DO UPDATE SET dsse = excluded.dsse, at = excluded.at`
	return t.put(ctx, query, p.Digest, blob(p.DSSE), p.At)
}

// DropPending implements exchange.Tx.
func (t *tx) DropPending(ctx context.Context, digest string) error {
	return t.put(ctx, "DELETE FROM pending WHERE digest = $1", digest)
}
