package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/exchange"
)

// maxChunk bounds a row of blob_chunk in bytes: the 1 MiB of a stored chunk
// with room for the server's own header and tags.
const maxChunk = 1<<20 + 1<<16

// Upload implements exchange.UploadView.
func (v *view) Upload(ctx context.Context, msg string, part int) (u exchange.UploadRow, ok bool, err error) {
	return v.upload(ctx, msg, part, "")
}

// Upload implements exchange.Scratch and exchange.Tx. What this transaction may
// build upon nobody changes until it ends.
func (s *scratch) Upload(ctx context.Context, msg string, part int) (u exchange.UploadRow, ok bool, err error) {
	if err := s.lockMessage(ctx, msg); err != nil {
		return u, false, err
	}
	return s.upload(ctx, msg, part, s.conn.engine.lock())
}

func (v *view) upload(ctx context.Context, msg string, part int, lock string) (u exchange.UploadRow, ok bool, err error) {
	query := "SELECT msg, part, officer, size, hash, stanzas, at FROM upload WHERE msg = $1 AND part = $2" + lock
	ok, err = v.row(ctx, query, []any{msg, part}, &u.Msg, &u.Part, &u.Key, &u.Size, &u.Hash, &u.Stanzas, &u.At)
	return u, ok, err
}

// PutUpload implements exchange.Scratch. Once a message names the upload, its
// size and hash stay.
func (s *scratch) PutUpload(ctx context.Context, u exchange.UploadRow) error {
	const query = `INSERT INTO upload (msg, part, officer, size, hash, stanzas, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (msg, part) DO UPDATE SET officer = excluded.officer, size = excluded.size, hash = excluded.hash,
			stanzas = excluded.stanzas, at = excluded.at`
	_, err := s.exec(ctx, query, u.Msg, u.Part, u.Key, u.Size, blob(u.Hash), u.Stanzas, u.At)
	return err
}

// Chunk implements exchange.UploadView.
func (v *view) Chunk(ctx context.Context, msg string, part int, off int64) (data []byte, ok bool, err error) {
	const query = "SELECT data FROM blob_chunk WHERE msg = $1 AND part = $2 AND off = $3"
	ok, err = v.row(ctx, query, []any{msg, part, off}, &data)
	return data, ok, err
}

// PutChunk implements exchange.Scratch. Until a message names the upload a chunk
// may be replaced.
func (s *scratch) PutChunk(ctx context.Context, msg string, part int, off int64, data []byte) error {
	if len(data) > maxChunk {
		return fmt.Errorf("sqlstore: chunk of %d bytes, at most %d", len(data), maxChunk)
	}
	const query = `INSERT INTO blob_chunk (msg, part, off, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (msg, part, off) DO UPDATE SET data = excluded.data`
	_, err := s.exec(ctx, query, msg, part, off, blob(data))
	return err
}

// Shred implements exchange.UploadView.
func (v *view) Shred(ctx context.Context, msg string) (period string, wrapped []byte, ok bool, err error) {
	ok, err = v.row(ctx, "SELECT period, wrapped FROM shred WHERE msg = $1", []any{msg}, &period, &wrapped)
	return period, wrapped, ok, err
}

// Shred implements exchange.Scratch and exchange.Tx. Whoever finds no key may put
// one: nobody else does meanwhile.
func (s *scratch) Shred(ctx context.Context, msg string) (period string, wrapped []byte, ok bool, err error) {
	if err := s.lockMessage(ctx, msg); err != nil {
		return "", nil, false, err
	}
	return s.view.Shred(ctx, msg)
}

// lockMessage is for what is written beside the section; within it nothing but
// that could be in the way, and rows are locked as they are read.
func (s *scratch) lockMessage(ctx context.Context, msg string) error {
	if s.section {
		return nil
	}
	return s.conn.engine.lockMessage(ctx, s.session, msg)
}

// PutShred implements exchange.Scratch. A key may be wrapped again.
func (s *scratch) PutShred(ctx context.Context, msg, period string, wrapped []byte) error {
	const query = `INSERT INTO shred (msg, period, wrapped) VALUES ($1, $2, $3)
		ON CONFLICT (msg) DO UPDATE SET period = excluded.period, wrapped = excluded.wrapped`
	_, err := s.exec(ctx, query, msg, period, blob(wrapped))
	return err
}

// Period implements exchange.UploadView.
func (v *view) Period(ctx context.Context, id string) (wrapped []byte, ok bool, err error) {
	ok, err = v.row(ctx, "SELECT wrapped FROM shred_period WHERE id = $1", []any{id}, &wrapped)
	return wrapped, ok, err
}

// LastPeriod implements exchange.UploadView.
func (v *view) LastPeriod(ctx context.Context) (id string, wrapped []byte, at int64, ok bool, err error) {
	ok, err = v.row(ctx, "SELECT id, wrapped, at FROM shred_period ORDER BY at DESC, id DESC LIMIT 1", nil, &id, &wrapped, &at)
	return id, wrapped, at, ok, err
}

// allPeriods goes through the table, which grows by one row in 30 days.
const allPeriods = "SELECT id, wrapped, at FROM shred_period ORDER BY at, id"

// Periods implements exchange.UploadView.
func (v *view) Periods(ctx context.Context) (list []exchange.PeriodRow, err error) {
	err = v.each(ctx, allPeriods, nil, func(rows *sql.Rows) error {
		var p exchange.PeriodRow
		err := rows.Scan(&p.ID, &p.Wrapped, &p.At)
		list = append(list, p)
		return err
	})
	return list, err
}

// PutPeriod implements exchange.Scratch. A key may be wrapped again.
func (s *scratch) PutPeriod(ctx context.Context, id string, wrapped []byte, at int64) error {
	const query = `INSERT INTO shred_period (id, wrapped, at) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped, at = excluded.at`
	_, err := s.exec(ctx, query, id, blob(wrapped), at)
	return err
}

// maxSwept bounds the uploads that one Sweep deletes, and so how long it holds up
// everybody else.
const maxSwept = 64

const abandonedUploads = "SELECT msg FROM upload WHERE kept = 0 AND at < $1 ORDER BY at LIMIT $2"

// Sweep implements exchange.Scratch. A message's parts go together with their
// shred key, when the oldest of them was begun before; of many abandoned uploads
// the next Sweep takes the rest. It waits for nobody: an upload that goes on, or
// whose message is being accepted, is not abandoned.
func (s *scratch) Sweep(ctx context.Context, nonces, uploads int64) error {
	if _, err := s.exec(ctx, "DELETE FROM req_nonce WHERE at < $1", nonces); err != nil {
		return err
	}
	abandoned, err := s.texts(ctx, abandonedUploads+s.conn.engine.skip(), []any{uploads, maxSwept})
	if err != nil || len(abandoned) == 0 {
		return err
	}
	slices.Sort(abandoned) // a row per part
	abandoned = slices.Compact(abandoned)
	var whole []string
	for _, msg := range abandoned {
		free, err := s.free(ctx, msg)
		if err != nil {
			return err
		}
		if free {
			whole = append(whole, msg)
		}
	}
	return s.asEraser(ctx, func() error {
		for _, msg := range whole {
			if err := s.deleteUpload(ctx, msg); err != nil {
				return err
			}
		}
		return nil
	})
}

// free reports whether no part of a message is kept, or in anybody's hands, and
// keeps it so.
func (s *scratch) free(ctx context.Context, msg string) (is bool, err error) {
	query := `SELECT (SELECT count(*) FROM upload WHERE msg = $1) = count(*)
		FROM (SELECT 1 FROM upload WHERE msg = $1 AND kept = 0` + s.conn.engine.skip() + ") AS a"
	_, err = s.row(ctx, query, []any{msg}, &is)
	return is, err
}

// EraseUpload destroys a message's shred key and what it wrapped, also when the
// message was accepted.
func (s *scratch) EraseUpload(ctx context.Context, msg string) error {
	return s.asEraser(ctx, func() error { return s.deleteUpload(ctx, msg) })
}

func (s *scratch) deleteUpload(ctx context.Context, msg string) error {
	for _, query := range [...]string{
		"DELETE FROM shred WHERE msg = $1",
		"DELETE FROM blob_chunk WHERE msg = $1",
		"DELETE FROM upload WHERE msg = $1",
	} {
		if _, err := s.exec(ctx, query, msg); err != nil {
			return err
		}
	}
	return nil
}
