package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

func checkLog(log ledger.Log) error {
	if log != ledger.Dir && log != ledger.Ev {
		return fmt.Errorf("sqlstore: no log %d, only dir and ev", int16(log))
	}
	return nil
}

// Head implements ledger.Reader.
func (v *view) Head(ctx context.Context, log ledger.Log) (h ledger.Head, err error) {
	if err := checkLog(log); err != nil {
		return h, err
	}
	var root []byte
	found, err := v.row(ctx, "SELECT size, root, at FROM head WHERE log = $1", []any{int64(log)}, &h.Size, &root, &h.At)
	if err != nil {
		return h, err
	}
	if !found {
		return h, fmt.Errorf("sqlstore: head of %s: %w", log, ledger.ErrMissing)
	}
	return h, setHash(&h.Root, root)
}

func setHash(h *tlog.Hash, b []byte) error {
	if len(b) != len(h) {
		return fmt.Errorf("sqlstore: stored hash of %d bytes: %w", len(b), ErrDamaged)
	}
	copy(h[:], b)
	return nil
}

// Hashes implements ledger.Reader.
func (v *view) Hashes(ctx context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	if err := checkLog(log); err != nil || len(positions) == 0 {
		return nil, err
	}
	if len(positions) > ledger.MaxPage {
		return nil, fmt.Errorf("sqlstore: %d positions asked at once, at most %d", len(positions), ledger.MaxPage)
	}
	at := make(map[int64]int, len(positions))
	for i, pos := range positions {
		at[pos] = i
	}
	among, args := v.conn.engine.positions("pos", 2, positions)
	args = append([]any{int64(log)}, args...)
	hashes, found := make([]tlog.Hash, len(positions)), 0
	query := "SELECT pos, hash FROM node WHERE log = $1 AND " + among
	err := v.each(ctx, query, args, func(rows *sql.Rows) error {
		var pos int64
		var hash sql.RawBytes
		if err := rows.Scan(&pos, &hash); err != nil {
			return err
		}
		found++
		return setHash(&hashes[at[pos]], hash)
	})
	if err != nil {
		return nil, err
	}
	if found != len(at) {
		return nil, fmt.Errorf("sqlstore: %s: %d of %d nodes: %w", log, found, len(at), ledger.ErrMissing)
	}
	return hashes, nil
}

// Entries implements ledger.Reader.
func (v *view) Entries(ctx context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	if err := checkLog(log); err != nil {
		return nil, err
	}
	if from < 0 || to < from || to-from > ledger.MaxPage {
		return nil, fmt.Errorf("sqlstore: entries %d to %d asked at once, at most %d", from, to, ledger.MaxPage)
	}
	leaves := make([][]byte, 0, to-from)
	const query = "SELECT leaf FROM entry WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"
	err := v.each(ctx, query, []any{int64(log), from, to}, func(rows *sql.Rows) error {
		var leaf []byte
		err := rows.Scan(&leaf)
		leaves = append(leaves, leaf)
		return err
	})
	if err != nil {
		return nil, err
	}
	if int64(len(leaves)) != to-from {
		return nil, fmt.Errorf("sqlstore: %s: %d of the entries %d to %d: %w", log, len(leaves), from, to, ledger.ErrMissing)
	}
	return leaves, nil
}

const checkpointColumns = "SELECT size, seq, root, note, cosigs, quorum, at FROM checkpoint WHERE log = $1 "

// LastCheckpoint implements ledger.Reader.
func (v *view) LastCheckpoint(ctx context.Context, log ledger.Log) (ledger.Published, error) {
	return v.checkpoint(ctx, log, checkpointColumns+"ORDER BY size DESC, seq DESC LIMIT 1")
}

// CheckpointFor implements ledger.Reader.
func (v *view) CheckpointFor(ctx context.Context, log ledger.Log, idx int64) (ledger.Published, error) {
	return v.checkpoint(ctx, log, checkpointColumns+"AND size > $2 AND quorum = 1 ORDER BY size, seq LIMIT 1", idx)
}

// CheckpointAt implements ledger.Reader.
func (v *view) CheckpointAt(ctx context.Context, log ledger.Log, at int64) (ledger.Published, error) {
	return v.checkpoint(ctx, log, checkpointColumns+"AND at <= $2 AND quorum = 1 ORDER BY size DESC, seq DESC LIMIT 1", at)
}

func (v *view) checkpoint(ctx context.Context, log ledger.Log, query string, args ...any) (ledger.Published, error) {
	list, err := v.checkpoints(ctx, log, query, args...)
	if err != nil || len(list) == 0 {
		return ledger.Nothing(), err
	}
	return list[0], nil
}

// Checkpoints implements ledger.Reader.
func (v *view) Checkpoints(ctx context.Context, log ledger.Log, after ledger.Published, limit int) ([]ledger.Published, error) {
	if limit < 1 || limit > ledger.MaxPage {
		return nil, fmt.Errorf("sqlstore: %d checkpoints asked at once, want 1 to %d", limit, ledger.MaxPage)
	}
	query := checkpointColumns + "AND (size, seq) > ($2, $3) ORDER BY size, seq LIMIT $4"
	return v.checkpoints(ctx, log, query, after.Size, after.Seq, limit)
}

func (v *view) checkpoints(ctx context.Context, log ledger.Log, query string, args ...any) (list []ledger.Published, err error) {
	if err := checkLog(log); err != nil {
		return nil, err
	}
	err = v.each(ctx, query, append([]any{int64(log)}, args...), func(rows *sql.Rows) error {
		var p ledger.Published
		var root []byte
		if err := rows.Scan(&p.Size, &p.Seq, &root, &p.Note, &p.Cosigs, &p.Quorum, &p.At); err != nil {
			return err
		}
		list = append(list, p)
		return setHash(&list[len(list)-1].Root, root)
	})
	return list, err
}
