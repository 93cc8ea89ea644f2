package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// arenaChunk is how much room for entries a Batch takes at a time, in bytes.
const arenaChunk = 64 << 10

// A Mark is a place in a Batch to which [Batch.Rollback] returns.
type Mark int64

// A Batch appends entries to one log inside a transaction. It holds the right
// edge only: the work per entry is constant on average and all of it happens in
// memory until [Batch.Flush]. A Batch is not safe for concurrent use and ends
// with its transaction.
type Batch struct {
	tx     Tx
	log    Log
	head   Head     // as stored
	stored edge     // the edge at head
	edge   edge     // the edge after what was appended
	leaves [][]byte // appended since head
	nodes  []tlog.Hash
	bytes  int
	arena  []byte // copies of leaves, each after the RFC 6962 prefix 0x00
	err    error  // after it the Batch is of no use
}

// NewBatch reads the head and the right edge of log and recomputes the root. A
// tree that does not match its head gives an error that wraps
// [ErrTreeMismatch]: nothing may be appended to it.
func NewBatch(ctx context.Context, tx Tx, log Log) (*Batch, error) {
	head, err := tx.Head(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("ledger: read head of %s: %w", log, err)
	}
	e, err := readEdge(ctx, tx, log, head)
	if err != nil {
		return nil, err
	}
	return &Batch{tx: tx, log: log, head: head, stored: e, edge: e}, nil
}

// readEdge returns the right edge of the tree at head, checked against its
// root. It makes at most one query.
func readEdge(ctx context.Context, r Reader, log Log, head Head) (edge, error) {
	if err := checkSize(head.Size); err != nil {
		return edge{}, fmt.Errorf("%w: %w", err, ErrTreeMismatch)
	}
	var hashes []tlog.Hash
	if head.Size > 0 {
		var err error
		hashes, err = r.Hashes(ctx, log, edgePositions(head.Size))
		if errors.Is(err, ErrMissing) {
			return edge{}, fmt.Errorf("ledger: %s at size %d: %w: %w", log, head.Size, ErrTreeMismatch, err)
		}
		if err != nil {
			return edge{}, fmt.Errorf("ledger: read right edge of %s: %w", log, err)
		}
	}
	e, err := newEdge(head.Size, hashes)
	if err != nil {
		return edge{}, err
	}
	if e.root() != head.Root {
		return edge{}, fmt.Errorf("ledger: %s at size %d: %w", log, head.Size, ErrTreeMismatch)
	}
	return e, nil
}

// Next is the index that the next appended entry will have.
func (b *Batch) Next() int64 { return b.edge.size }

// Head is the head as stored: what the Batch began with, or last flushed.
func (b *Batch) Head() Head { return b.head }

// Append adds an entry and returns its index. The Batch keeps a copy.
func (b *Batch) Append(leaf []byte) (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	if err := checkEntry(leaf); err != nil {
		return 0, err
	}
	if len(b.leaves) == MaxBatch || b.bytes+len(leaf) > MaxBatchBytes {
		return 0, fmt.Errorf("ledger: %d entries, %d bytes: %w", len(b.leaves), b.bytes, ErrBatchFull)
	}
	if b.edge.size == MaxSize {
		return 0, fmt.Errorf("ledger: %s holds 2^53-1 entries and takes no more", b.log)
	}
	hashed := b.keep(leaf)
	b.leaves = append(b.leaves, hashed[1:])
	b.bytes += len(leaf)
	b.nodes = b.edge.add(sha256.Sum256(hashed), b.nodes)
	return b.edge.size - 1, nil
}

// keep copies 0x00 and leaf into the arena. Slices handed out stay valid when
// the arena moves on to its next chunk.
func (b *Batch) keep(leaf []byte) []byte {
	if cap(b.arena)-len(b.arena) < 1+len(leaf) {
		b.arena = make([]byte, 0, max(arenaChunk, 1+len(leaf)))
	}
	start := len(b.arena)
	b.arena = append(append(b.arena, 0x00), leaf...)
	return b.arena[start:len(b.arena):len(b.arena)]
}

// Mark remembers the present place, for a later [Batch.Rollback].
func (b *Batch) Mark() Mark { return Mark(b.edge.size) }

// Rollback forgets every entry appended since m. A mark that the Batch has
// meanwhile flushed or rolled back past spoils the Batch: [Batch.Flush] will
// refuse.
func (b *Batch) Rollback(m Mark) {
	size := int64(m)
	if size < b.head.Size || size > b.edge.size {
		b.err = fmt.Errorf("ledger: mark %d lies outside the batch of %d to %d", size, b.head.Size, b.edge.size)
		return
	}
	for _, leaf := range b.leaves[size-b.head.Size:] {
		b.bytes -= len(leaf)
	}
	b.leaves = b.leaves[:size-b.head.Size]
	b.edge = b.edgeAt(size)
	b.nodes = b.nodes[:tlog.StoredHashCount(size)-tlog.StoredHashCount(b.head.Size)]
}

// edgeAt rebuilds the edge of a size within the Batch. Each of its hashes is
// either part of the stored edge or among the nodes not yet flushed.
func (b *Batch) edgeAt(size int64) edge {
	e := edge{size: size}
	first := tlog.StoredHashCount(b.head.Size)
	for level, n := 0, size; n > 0; level, n = level+1, n>>1 {
		if n&1 == 0 {
			continue
		}
		if pos := tlog.StoredHashIndex(level, n-1); pos >= first {
			e.hash[level] = b.nodes[pos-first]
		} else {
			e.hash[level] = b.stored.hash[level]
		}
	}
	return e
}

// Flush stores what was appended and moves the head; with nothing appended it
// does nothing. at is the time in ms since 1970 UTC, raised to that of the old
// head if it lies before. It returns the head as it now stands. After an error
// the transaction must be given up.
func (b *Batch) Flush(ctx context.Context, at int64) (Head, error) {
	if b.err != nil {
		return Head{}, b.err
	}
	if len(b.leaves) == 0 {
		return b.head, nil
	}
	next := Head{Size: b.edge.size, Root: b.edge.root(), At: max(at, b.head.At)}
	if err := b.write(ctx, next); err != nil {
		b.err = fmt.Errorf("ledger: flush %d entries to %s: %w", len(b.leaves), b.log, err)
		return Head{}, b.err
	}
	b.head, b.stored = next, b.edge
	b.leaves, b.nodes, b.bytes = nil, nil, 0
	return next, nil
}

func (b *Batch) write(ctx context.Context, next Head) error {
	if err := b.tx.InsertEntries(ctx, b.log, b.head.Size, b.leaves); err != nil {
		return err
	}
	if err := b.tx.InsertNodes(ctx, b.log, tlog.StoredHashCount(b.head.Size), b.nodes); err != nil {
		return err
	}
	return b.tx.MoveHead(ctx, b.log, b.head, next)
}
