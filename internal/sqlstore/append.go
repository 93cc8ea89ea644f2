package sqlstore

import (
	"context"
	"fmt"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// InsertEntries implements ledger.Tx. It takes no gap: first is the size of the
// log, or follows what this transaction inserted before.
func (t *tx) InsertEntries(ctx context.Context, log ledger.Log, first int64, leaves [][]byte) error {
	for _, leaf := range leaves {
		if len(leaf) < 1 || len(leaf) > ledger.MaxEntry {
			return fmt.Errorf("sqlstore: entry of %d bytes: %w", len(leaf), ledger.ErrEntrySize)
		}
	}
	if err := t.checkNext(ctx, log, first, t.grown.entries, func(size int64) int64 { return size }); err != nil {
		return err
	}
	err := t.conn.engine.insertEntries(ctx, t.session, log, first, leaves)
	t.grown.entries[log] = first + int64(len(leaves))
	return err
}

// InsertNodes implements ledger.Tx. Like InsertEntries it takes no gap.
func (t *tx) InsertNodes(ctx context.Context, log ledger.Log, first int64, hashes []tlog.Hash) error {
	if err := t.checkNext(ctx, log, first, t.grown.nodes, tlog.StoredHashCount); err != nil {
		return err
	}
	err := t.conn.engine.insertNodes(ctx, t.session, log, first, hashes)
	t.grown.nodes[log] = first + int64(len(hashes))
	return err
}

// checkNext refuses an overwrite or a gap. stored turns the size of the log into
// the first free place.
func (t *tx) checkNext(ctx context.Context, log ledger.Log, first int64, grown [len(ledger.Logs)]int64, stored func(int64) int64) error {
	if err := checkLog(log); err != nil {
		return err
	}
	want := grown[log]
	if want == 0 {
		head, err := t.Head(ctx, log)
		if err != nil {
			return err
		}
		want = stored(head.Size)
	}
	if first != want {
		return fmt.Errorf("sqlstore: %s: row %d where %d is next: %w", log, first, want, ErrRefused)
	}
	return nil
}

// MoveHead implements ledger.Tx.
func (t *tx) MoveHead(ctx context.Context, log ledger.Log, old, new ledger.Head) error {
	if err := checkLog(log); err != nil {
		return err
	}
	const query = "UPDATE head SET size = $1, root = $2, at = $3 WHERE log = $4 AND size = $5 AND root = $6"
	n, err := t.exec(ctx, query, new.Size, new.Root[:], new.At, int64(log), old.Size, old.Root[:])
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("sqlstore: head of %s is not at %d: %w", log, old.Size, ledger.ErrConflict)
	}
	t.grown.heads[log], t.grown.known[log] = new, true
	return nil
}

// Head implements ledger.Tx: asked once, since nobody else moves it meanwhile.
func (t *tx) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	if err := checkLog(log); err != nil {
		return ledger.Head{}, err
	}
	if t.grown.known[log] {
		return t.grown.heads[log], t.usable(ctx)
	}
	h, err := t.view.Head(ctx, log)
	if err == nil {
		t.grown.heads[log], t.grown.known[log] = h, true
	}
	return h, err
}

// PublishCheckpoint implements ledger.Tx.
func (t *tx) PublishCheckpoint(ctx context.Context, log ledger.Log, p ledger.Published) error {
	if err := t.checkPublish(ctx, log, p); err != nil {
		return err
	}
	const query = "INSERT INTO checkpoint (log, size, seq, root, note, cosigs, quorum, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	_, err := t.exec(ctx, query, int64(log), p.Size, p.Seq, p.Root[:], blob(p.Note), p.Cosigs, bit(p.Quorum), p.At)
	return err
}

// checkPublish wants p to come after the last checkpoint.
func (t *tx) checkPublish(ctx context.Context, log ledger.Log, p ledger.Published) error {
	head, err := t.Head(ctx, log)
	if err != nil {
		return err
	}
	last, err := t.LastCheckpoint(ctx, log)
	if err != nil {
		return err
	}
	grown := p.Size > last.Size && p.Size <= head.Size && p.Seq == 0
	again := last.Exists() && p.Size == last.Size && p.Root == last.Root && p.Seq == last.Seq+1
	if grown || again {
		return nil
	}
	return fmt.Errorf("sqlstore: checkpoint of %s at size %d, seq %d is not next: %w", log, p.Size, p.Seq, ledger.ErrConflict)
}
