package ledger

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// Published is one checkpoint that left the program. Note is the signed note,
// verbatim; Cosigs counts the witnesses' signatures in it, and Quorum says
// whether they were as many as the policy asked for then (under a policy that
// asks nobody they always are). At is in ms since 1970 UTC. Seq tells apart
// notes of one Size: the first is 0, a refresh or a late cosignature takes the
// next.
type Published struct {
	Size   int64
	Seq    int
	Root   tlog.Hash
	Note   []byte
	Cosigs int
	Quorum bool
	At     int64
}

// Nothing is what stands for a checkpoint where none is: Size -1.
func Nothing() Published { return Published{Size: -1} }

// Exists reports whether p is a checkpoint rather than [Nothing].
func (p Published) Exists() bool { return p.Size >= 0 }

// A Reader shows one consistent snapshot of all logs: however long it is used,
// it sees no write that was committed after it began.
//
// In a new Storage every log has the Head{0, EmptyRoot(), 0} and no checkpoint.
// Slices returned belong to the caller. A log other than [Logs] is an error.
type Reader interface {
	// Head returns the state of a log.
	Head(ctx context.Context, log Log) (Head, error)

	// Hashes returns the node hashes at the positions given (the order of
	// tlog.StoredHashIndex, dense from 0), in the order asked: at most MaxPage,
	// distinct. A position without a row is an error that wraps [ErrMissing].
	Hashes(ctx context.Context, log Log, positions []int64) ([]tlog.Hash, error)

	// Entries returns the entries with from <= index < to, at most MaxPage. If
	// one of them is not stored the error wraps [ErrMissing].
	Entries(ctx context.Context, log Log, from, to int64) ([][]byte, error)

	// LastCheckpoint returns the published checkpoint of the greatest size, of
	// these the one with the greatest Seq, or [Nothing].
	LastCheckpoint(ctx context.Context, log Log) (Published, error)

	// CheckpointFor returns the first checkpoint under Quorum that covers entry
	// idx: the least (Size, Seq) with Size above idx. It never changes once it
	// exists, which is why evidence uses it. [Nothing] if none covers idx yet.
	CheckpointFor(ctx context.Context, log Log, idx int64) (Published, error)

	// CheckpointAt returns the checkpoint under Quorum of the greatest (Size,
	// Seq) among those published at or before a time: what the public may see.
	// [Nothing] if there was none.
	CheckpointAt(ctx context.Context, log Log, at int64) (Published, error)

	// Checkpoints returns up to limit (at most MaxPage) checkpoints after the
	// one given, by (Size, Seq) ascending. Start after [Nothing].
	Checkpoints(ctx context.Context, log Log, after Published, limit int) ([]Published, error)
}

// A Tx is one serialized transaction: no other Tx of the same Storage, in this
// process or another, runs at the same time. It reads its own writes. After an
// error of a write the caller returns that error from its function; nothing of
// the transaction is kept.
type Tx interface {
	Reader

	// InsertEntries stores leaves at indexes first, first+1, … An index that is
	// taken, or a leaf outside 1 to MaxEntry bytes, is an error.
	InsertEntries(ctx context.Context, log Log, first int64, leaves [][]byte) error

	// InsertNodes stores hashes at positions first, first+1, … A position that
	// is taken is an error.
	InsertNodes(ctx context.Context, log Log, first int64, hashes []tlog.Hash) error

	// MoveHead replaces the head if its Size and Root are those of old, else
	// the error wraps [ErrConflict]. The new head must be larger and its last
	// entry stored, or it is an error.
	MoveHead(ctx context.Context, log Log, old, new Head) error

	// PublishCheckpoint adds p. Either p.Size is larger than every size
	// published, at most that of the head, and p.Seq is 0; or p.Size and p.Root
	// are those of the last published, and p.Seq is one more than its. Else the
	// error wraps [ErrConflict]. So nothing is ever published before something
	// that stands, which is what freezes [Reader.CheckpointFor].
	PublishCheckpoint(ctx context.Context, log Log, p Published) error
}

// Storage keeps the logs. Implementations are safe for concurrent use and pass
// the suite of package storagetest.
type Storage interface {
	// Update runs f, at most once, in a transaction and commits if f returns
	// nil. When Update returns nil everything f wrote survives a power loss.
	// When f returns an error or panics nothing of it is kept, and Update
	// returns that error (or panics on). Any other error may mean that the
	// outcome is unknown: read before repeating. f must not call a remote
	// service, and must not use tx after it returned.
	Update(ctx context.Context, f func(tx Tx) error) error

	// View runs f on a snapshot. It neither blocks an Update nor waits for one
	// begun later.
	View(ctx context.Context, f func(r Reader) error) error
}
