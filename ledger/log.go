package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A Log names one of the trees of a ledger.
type Log int16

// The two trees: the directory, replayed by every client, and the evidence.
const (
	Dir Log = 0
	Ev  Log = 1
)

// Logs lists every log of a ledger, in the order in which locks are taken.
var Logs = [...]Log{Dir, Ev}

// String is the log's short name, part of its origin and of file names.
func (l Log) String() string {
	switch l {
	case Dir:
		return "dir"
	case Ev:
		return "ev"
	}
	return fmt.Sprintf("log(%d)", int16(l))
}

// ParseLog is the inverse of [Log.String] for the logs that exist.
func ParseLog(name string) (Log, error) {
	for _, l := range Logs {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("ledger: no log %.20q, only dir and ev", name)
}

// Origin is the first line of the log's checkpoints and the name of its key:
// "<host>/dir" or "<host>/ev".
func (l Log) Origin(host string) string { return host + "/" + l.String() }

// Limits. What lies outside is refused, never cut.
const (
	MaxEntry      = 65535     // bytes in an entry: a bundle prefixes 16 bits of length
	MaxSize       = 1<<53 - 1 // entries in a log: the largest integer every JSON reader keeps exact
	MaxBatch      = 1 << 16   // entries in one Batch
	MaxBatchBytes = 64 << 20  // bytes of all entries in one Batch
	MaxPage       = 1024      // rows the package asks of a Reader in one call
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrTreeMismatch: a stored node or the head was edited. Stop writing and
	// run fsck; appending would seal the damage.
	ErrTreeMismatch = errors.New("stored tree does not match head root")

	// ErrConflict: the head or a checkpoint is not what the caller saw. Nothing
	// was written; begin again from a fresh transaction.
	ErrConflict = errors.New("ledger changed in between")

	// ErrMissing: a row that the size of the log promises is not stored.
	ErrMissing = errors.New("row is missing")

	// ErrNotPublished: no checkpoint covers the entry yet. Ask again after the
	// publisher's next step.
	ErrNotPublished = errors.New("no checkpoint covers this entry yet")

	// ErrEntrySize: an entry is empty or longer than MaxEntry.
	ErrEntrySize = errors.New("entry must have 1 to 65535 bytes")

	// ErrBatchFull: flush in several transactions instead.
	ErrBatchFull = errors.New("batch is full")

	// ErrRollback: the ledger does not extend what was already published.
	ErrRollback = errors.New("ledger does not extend what was published; " +
		"stop writing, import the missing entries from a mirror, verify, then start again; never issue an index twice")

	// ErrContradicted: a witness holds a larger tree, or another one.
	ErrContradicted = errors.New("a witness has seen another ledger under this name")

	// ErrAnchorEmpty: checkpoints were published, but the anchor outside the
	// database holds none.
	ErrAnchorEmpty = errors.New("the anchor outside the database is empty although checkpoints were published; " +
		"put the anchor back, or compare the ledger with a mirror and then adopt it as the anchor")

	// ErrCheckpoint: a note is not a checkpoint of this log under this key.
	ErrCheckpoint = errors.New("checkpoint does not verify")

	// ErrProof: a proof is malformed or proves something else.
	ErrProof = errors.New("proof does not verify")
)

// A Head is the state of one log: how many entries, under which root, since
// when (At, ms since 1970 UTC).
type Head struct {
	Size int64
	Root tlog.Hash
	At   int64
}

// EmptyRoot is the root of a log without entries (RFC 6962 §2.1).
func EmptyRoot() tlog.Hash { return sha256.Sum256(nil) }

func checkEntry(leaf []byte) error {
	if len(leaf) < 1 || len(leaf) > MaxEntry {
		return fmt.Errorf("ledger: entry of %d bytes: %w", len(leaf), ErrEntrySize)
	}
	return nil
}

func checkSize(size int64) error {
	if size < 0 || size > MaxSize {
		return fmt.Errorf("ledger: tree size %d is outside 0 to 2^53-1", size)
	}
	return nil
}
