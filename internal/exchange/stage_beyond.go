package exchange

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

// errBeyond ends a job that asked what the stage does not answer.
var errBeyond = errors.New("exchange: a question for the store itself")

// ask notes that the store itself must be asked. A job that loses the error on
// its way up runs again nevertheless.
func (g *stage) ask() error {
	g.beyond = true
	return errBeyond
}

// Every other method of [Tx] stands here by name: whoever adds one to the
// interface is made to decide whether messages need it.

// Openings is beyond the stage.
func (g *stage) Openings(context.Context, int64, func(idx int64, o evidence.Opening) error) error {
	return g.ask()
}

// Sent is beyond the stage.
func (g *stage) Sent(context.Context, []string, string) ([]MessageRow, error) {
	return nil, g.ask()
}

// Disclosed is beyond the stage.
func (g *stage) Disclosed(context.Context, string) ([]MessageRow, error) {
	return nil, g.ask()
}

// Party is beyond the stage.
func (g *stage) Party(context.Context, []string, string) (bool, error) {
	return false, g.ask()
}

// ConsentsOf is beyond the stage.
func (g *stage) ConsentsOf(context.Context, string) ([]string, error) {
	return nil, g.ask()
}

// Conflict is beyond the stage.
func (g *stage) Conflict(context.Context, string) (ConflictRow, bool, error) {
	return ConflictRow{}, false, g.ask()
}

// Grant is beyond the stage.
func (g *stage) Grant(context.Context, string) (GrantRow, bool, error) {
	return GrantRow{}, false, g.ask()
}

// GrantsOf is beyond the stage.
func (g *stage) GrantsOf(context.Context, string) ([]GrantRow, error) {
	return nil, g.ask()
}

// Obligations is beyond the stage.
func (g *stage) Obligations(context.Context, ObligationQuery) ([]obligation.Obligation, error) {
	return nil, g.ask()
}

// Marked is beyond the stage.
func (g *stage) Marked(context.Context, string) (int, error) {
	return 0, g.ask()
}

// Feed is beyond the stage.
func (g *stage) Feed(context.Context, string, int64, int) ([]FeedRow, error) {
	return nil, g.ask()
}

// Scope is beyond the stage.
func (g *stage) Scope(context.Context, []string, int64) ([]int64, error) {
	return nil, g.ask()
}

// Accessed is beyond the stage.
func (g *stage) Accessed(context.Context, string, string, string) (bool, error) {
	return false, g.ask()
}

// Holes is beyond the stage.
func (g *stage) Holes(context.Context, int64, int) ([]int64, error) {
	return nil, g.ask()
}

// Pending is beyond the stage.
func (g *stage) Pending(context.Context, string) (PendingRow, bool, error) {
	return PendingRow{}, false, g.ask()
}

// PendingAll is beyond the stage.
func (g *stage) PendingAll(context.Context) ([]PendingRow, error) {
	return nil, g.ask()
}

// RefusalsSince is beyond the stage.
func (g *stage) RefusalsSince(context.Context, string, int64) (int, error) {
	return 0, g.ask()
}

// Overflow is beyond the stage.
func (g *stage) Overflow(context.Context, int64) ([]OverflowRow, error) {
	return nil, g.ask()
}

// Derived is beyond the stage.
func (g *stage) Derived(context.Context, func(table, key, row string) error) error {
	return g.ask()
}

// Chunk is beyond the stage.
func (g *stage) Chunk(context.Context, string, int, int64) ([]byte, bool, error) {
	return nil, false, g.ask()
}

// Shred is beyond the stage.
func (g *stage) Shred(context.Context, string) (string, []byte, bool, error) {
	return "", nil, false, g.ask()
}

// Period is beyond the stage.
func (g *stage) Period(context.Context, string) ([]byte, bool, error) {
	return nil, false, g.ask()
}

// LastPeriod is beyond the stage.
func (g *stage) LastPeriod(context.Context) (string, []byte, int64, bool, error) {
	return "", nil, 0, false, g.ask()
}

// Periods is beyond the stage.
func (g *stage) Periods(context.Context) ([]PeriodRow, error) { return nil, g.ask() }

// Package is beyond the stage.
func (g *stage) Package(context.Context, string) ([]byte, bool, error) {
	return nil, false, g.ask()
}

// RecipientKey is beyond the stage.
func (g *stage) RecipientKey(context.Context, string) (string, bool, error) {
	return "", false, g.ask()
}

// UseNonce is beyond the stage.
func (g *stage) UseNonce(context.Context, string, string, int64) (bool, error) {
	return false, g.ask()
}

// PutUpload is beyond the stage.
func (g *stage) PutUpload(context.Context, UploadRow) error {
	return g.ask()
}

// PutChunk is beyond the stage.
func (g *stage) PutChunk(context.Context, string, int, int64, []byte) error {
	return g.ask()
}

// PutShred is beyond the stage.
func (g *stage) PutShred(context.Context, string, string, []byte) error {
	return g.ask()
}

// PutPeriod is beyond the stage.
func (g *stage) PutPeriod(context.Context, string, []byte, int64) error {
	return g.ask()
}

// PutPackage is beyond the stage.
func (g *stage) PutPackage(context.Context, string, []byte) error {
	return g.ask()
}

// PutRecipientKey is beyond the stage.
func (g *stage) PutRecipientKey(context.Context, string, string) error {
	return g.ask()
}

// Sweep is beyond the stage.
func (g *stage) Sweep(context.Context, int64, int64) error {
	return g.ask()
}

// Now is beyond the stage.
func (g *stage) Now(context.Context) (int64, bool, error) {
	return 0, false, g.ask()
}

// Savepoint is beyond the stage.
func (g *stage) Savepoint(context.Context, func() error) error {
	return g.ask()
}

// EraseUpload is beyond the stage.
func (g *stage) EraseUpload(context.Context, string) error {
	return g.ask()
}

// EraseOpening is beyond the stage.
func (g *stage) EraseOpening(context.Context, int64) error {
	return g.ask()
}

// MarkRecipient is beyond the stage.
func (g *stage) MarkRecipient(context.Context, RecipientRow) error {
	return g.ask()
}

// Link is beyond the stage.
func (g *stage) Link(context.Context, []string) error {
	return g.ask()
}

// PutConsentVersion is beyond the stage.
func (g *stage) PutConsentVersion(context.Context, ConsentRow) error {
	return g.ask()
}

// PutConflict is beyond the stage.
func (g *stage) PutConflict(context.Context, ConflictRow) error {
	return g.ask()
}

// PutGrant is beyond the stage.
func (g *stage) PutGrant(context.Context, GrantRow) error {
	return g.ask()
}

// PutMark is beyond the stage.
func (g *stage) PutMark(context.Context, string, int, int64) error {
	return g.ask()
}

// PutAccess is beyond the stage.
func (g *stage) PutAccess(context.Context, string, string, string, int64) error {
	return g.ask()
}

// PutRefusal is beyond the stage.
func (g *stage) PutRefusal(context.Context, string, int64, int64) error {
	return g.ask()
}

// PutOverflow is beyond the stage.
func (g *stage) PutOverflow(context.Context, OverflowRow) error {
	return g.ask()
}

// DropOverflow is beyond the stage.
func (g *stage) DropOverflow(context.Context, string) error {
	return g.ask()
}

// PutPending is beyond the stage.
func (g *stage) PutPending(context.Context, PendingRow) error {
	return g.ask()
}

// DropPending is beyond the stage.
func (g *stage) DropPending(context.Context, string) error {
	return g.ask()
}

// DropDerived is beyond the stage.
func (g *stage) DropDerived(context.Context) error {
	return g.ask()
}

// The ledger's own rows are not staged: reading them is the store's.

// Head implements [ledger.Reader].
func (g *stage) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	return g.tx.Head(ctx, log)
}

// Hashes implements [ledger.Reader].
func (g *stage) Hashes(ctx context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	return g.tx.Hashes(ctx, log, positions)
}

// Entries implements [ledger.Reader].
func (g *stage) Entries(ctx context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	return g.tx.Entries(ctx, log, from, to)
}

// LastCheckpoint implements [ledger.Reader].
func (g *stage) LastCheckpoint(ctx context.Context, log ledger.Log) (ledger.Published, error) {
	return g.tx.LastCheckpoint(ctx, log)
}

// CheckpointFor implements [ledger.Reader].
func (g *stage) CheckpointFor(ctx context.Context, log ledger.Log, idx int64) (ledger.Published, error) {
	return g.tx.CheckpointFor(ctx, log, idx)
}

// CheckpointAt implements [ledger.Reader].
func (g *stage) CheckpointAt(ctx context.Context, log ledger.Log, at int64) (ledger.Published, error) {
	return g.tx.CheckpointAt(ctx, log, at)
}

// Checkpoints implements [ledger.Reader].
func (g *stage) Checkpoints(ctx context.Context, log ledger.Log, after ledger.Published, limit int) ([]ledger.Published, error) {
	return g.tx.Checkpoints(ctx, log, after, limit)
}

// InsertEntries is beyond the stage: trees are written by their [ledger.Batch].
func (g *stage) InsertEntries(context.Context, ledger.Log, int64, [][]byte) error { return g.ask() }

// InsertNodes is beyond the stage.
func (g *stage) InsertNodes(context.Context, ledger.Log, int64, []tlog.Hash) error { return g.ask() }

// MoveHead is beyond the stage.
func (g *stage) MoveHead(context.Context, ledger.Log, ledger.Head, ledger.Head) error { return g.ask() }

// PublishCheckpoint is beyond the stage.
func (g *stage) PublishCheckpoint(context.Context, ledger.Log, ledger.Published) error {
	return g.ask()
}

// Gather is beyond the stage: it gathered when it began.
func (g *stage) Gather(context.Context, *Wanted) (*Known, error) { return nil, g.ask() }

// PutAll is beyond the stage.
func (g *stage) PutAll(context.Context, *Rows) error { return g.ask() }

// UseNonces is beyond the stage.
func (g *stage) UseNonces(context.Context, []Nonce, int64) ([]bool, error) { return nil, g.ask() }
