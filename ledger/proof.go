package ledger

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// hashReader lets the tree arithmetic of tlog read from a Reader.
func hashReader(ctx context.Context, r Reader, log Log) tlog.HashReader {
	return tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) {
		if len(positions) == 0 {
			return nil, nil
		}
		return r.Hashes(ctx, log, positions)
	})
}

// RootAt recomputes from stored nodes the root that log had at an earlier or
// its present size. It makes one query.
func RootAt(ctx context.Context, r Reader, log Log, size int64) (tlog.Hash, error) {
	if err := checkSize(size); err != nil {
		return tlog.Hash{}, err
	}
	root, err := tlog.TreeHash(size, hashReader(ctx, r, log))
	if err != nil {
		return root, fmt.Errorf("ledger: root of %s at %d: %w", log, size, err)
	}
	return root, nil
}

// ProveInclusion returns the audit path of entry idx in the tree of a size
// (RFC 6962 §2.1.1), at most 53 hashes, in one query. The size is that of a
// checkpoint or head; one the log has not reached gives an error or a path to a
// root that nobody signed.
func ProveInclusion(ctx context.Context, r Reader, log Log, size, idx int64) (tlog.RecordProof, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if idx < 0 || idx >= size {
		return nil, fmt.Errorf("ledger: entry %d is not in a tree of %d", idx, size)
	}
	p, err := tlog.ProveRecord(size, idx, hashReader(ctx, r, log))
	if err != nil {
		return nil, fmt.Errorf("ledger: prove entry %d of %s: %w", idx, log, err)
	}
	return p, nil
}

// ProveConsistency returns the proof that the tree of size old is a prefix of
// the tree of size new (RFC 6962 §2.1.2), in one query. It is empty where
// nothing needs proving: from the empty tree, or between equal sizes.
func ProveConsistency(ctx context.Context, r Reader, log Log, old, new int64) (tlog.TreeProof, error) {
	if err := checkSize(new); err != nil {
		return nil, err
	}
	if old < 0 || old > new {
		return nil, fmt.Errorf("ledger: no proof from size %d to %d", old, new)
	}
	if old == 0 {
		return tlog.TreeProof{}, nil
	}
	p, err := tlog.ProveTree(new, old, hashReader(ctx, r, log))
	if err != nil {
		return nil, fmt.Errorf("ledger: prove %s from %d to %d: %w", log, old, new, err)
	}
	return p, nil
}

// VerifyInclusion checks that p proves leaf to be entry idx of the tree that c
// commits to. Any failure wraps [ErrProof].
func VerifyInclusion(p tlog.RecordProof, c Checkpoint, idx int64, leaf []byte) error {
	if err := checkEntry(leaf); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return verifyRecord(p, c, idx, tlog.RecordHash(leaf))
}

func verifyRecord(p tlog.RecordProof, c Checkpoint, idx int64, leaf tlog.Hash) error {
	if err := checkSize(c.Size); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if idx < 0 || idx >= c.Size {
		return fmt.Errorf("ledger: entry %d is not in a tree of %d: %w", idx, c.Size, ErrProof)
	}
	if err := tlog.CheckRecord(p, c.Size, c.Root, idx, leaf); err != nil {
		return fmt.Errorf("ledger: entry %d in the tree of %d: %w", idx, c.Size, ErrProof)
	}
	return nil
}

// VerifyConsistency checks that p proves the tree of old to be a prefix of the
// tree of new, of the same origin. Any failure wraps [ErrProof].
func VerifyConsistency(p tlog.TreeProof, old, new Checkpoint) error {
	if err := verifyTree(p, old, new); err != nil {
		return fmt.Errorf("ledger: from size %d to %d: %w: %w", old.Size, new.Size, ErrProof, err)
	}
	return nil
}

func verifyTree(p tlog.TreeProof, old, new Checkpoint) error {
	if err := errors.Join(checkSize(old.Size), checkSize(new.Size)); err != nil {
		return err
	}
	if old.Origin != new.Origin {
		return errors.New("two different logs")
	}
	if old.Size == 0 {
		if len(p) != 0 || old.Root != EmptyRoot() || new.Size == 0 && new.Root != old.Root {
			return errors.New("not a proof from the empty tree")
		}
		return nil
	}
	return tlog.CheckTree(p, new.Size, new.Root, old.Size, old.Root)
}
