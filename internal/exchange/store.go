package exchange

import (
	"context"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

// Store keeps what the exchange knows: the ledger with its openings, the tables
// derived from them, and scratch that no ledger entry speaks of. It is also the
// ledger's Storage. Implementations are safe for concurrent use and pass the
// suite of package exchange/storetest on every engine.
type Store interface {
	ledger.Storage

	// Write runs f in one serialized transaction, under the contract of
	// [ledger.Storage.Update]. Neither Write nor Scratch may be called within
	// another.
	Write(ctx context.Context, f func(tx Tx) error) error

	// Read runs f on one consistent snapshot, under the contract of
	// [ledger.Storage.View].
	Read(ctx context.Context, f func(v View) error) error

	// Scratch runs f in a transaction outside the serialized section: for
	// uploads, keys and packages, which no rule reads.
	Scratch(ctx context.Context, f func(s Scratch) error) error

	// Close releases the store. No method may be called after it.
	Close() error
}

// View reads. A row that is not there is reported by ok == false; err is a
// failure of the store.
type View interface {
	ledger.Reader

	Opening(ctx context.Context, idx int64) (o evidence.Opening, ok bool, err error)
	// Openings calls f for every opening with idx >= from in ascending order,
	// until f returns an error.
	Openings(ctx context.Context, from int64, f func(idx int64, o evidence.Opening) error) error
	// Last returns the last leaf about obj, or -1.
	Last(ctx context.Context, obj string) (idx int64, err error)
	// Statement finds an accepted or spent statement by its natural id (m_…,
	// n_…, x_…, "k_…/3") and the hex digest of its bytes.
	Statement(ctx context.Context, id string) (s StatementRow, ok bool, err error)

	Message(ctx context.Context, msg string) (m MessageRow, ok bool, err error)
	Recipients(ctx context.Context, msg string) ([]RecipientRow, error)
	// Filed returns the desks that sent an accepted message of kind in the
	// cases, each once, in ledger order.
	Filed(ctx context.Context, cases []string, kind string) ([]string, error)
	// Sent returns the messages of kind in the cases, in ledger order.
	Sent(ctx context.Context, cases []string, kind string) ([]MessageRow, error)
	// Disclosed returns the messages submitted under a consent, any version, in
	// ledger order.
	Disclosed(ctx context.Context, consent string) ([]MessageRow, error)
	// Party reports whether the institution is party to one of the cases.
	Party(ctx context.Context, cases []string, inst string) (bool, error)
	// Parties returns the desks that are party to the cases, sorted.
	Parties(ctx context.Context, cases []string) ([]PartyRow, error)
	// Linked returns the handles of the matter a case belongs to, sorted, the
	// case itself among them.
	Linked(ctx context.Context, cas string) ([]string, error)

	// ConsentVersions returns the versions of a consent record, ascending.
	ConsentVersions(ctx context.Context, id string) ([]ConsentRow, error)
	// ConsentsOf returns the ids of the consent records about a person, sorted.
	ConsentsOf(ctx context.Context, subj string) ([]string, error)
	// Conflicts returns the exclusions of who (a desk or a person), newest last.
	Conflicts(ctx context.Context, who string) ([]ConflictRow, error)
	// Conflict finds an exclusion by the id of its conflict.set.
	Conflict(ctx context.Context, id string) (c ConflictRow, ok bool, err error)
	// Grant finds a representative's grant.
	Grant(ctx context.Context, id string) (g GrantRow, ok bool, err error)
	// Grants returns the grants over any of the cases, in ledger order, ended
	// ones among them.
	Grants(ctx context.Context, cases []string) ([]GrantRow, error)
	// GrantsOf returns the grants a desk holds or held, in ledger order.
	GrantsOf(ctx context.Context, desk string) ([]GrantRow, error)

	Obligation(ctx context.Context, id string) (o obligation.Obligation, ok bool, err error)
	// Opened returns the obligations that obj opened, of one rule or, with an
	// empty rule, of all, by id.
	Opened(ctx context.Context, obj, rule string) ([]obligation.Obligation, error)
	// Live returns the obligations of the cases that are not closed, by
	// (trigger index, id).
	Live(ctx context.Context, cases []string) ([]obligation.Obligation, error)
	// Twin reports whether the cases have an obligation with these members, whom
	// being the person it is owed to, whoever represents them, else the obligee.
	Twin(ctx context.Context, cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error)
	// Obligations lists by (due, id), after the cursor given; see
	// [ObligationQuery].
	Obligations(ctx context.Context, q ObligationQuery) ([]obligation.Obligation, error)
	// Marked returns the highest escalation level recorded for an obligation,
	// or -1.
	Marked(ctx context.Context, o string) (level int, err error)

	// FeedLast returns the greatest feed number of a desk, 0 if it has none.
	FeedLast(ctx context.Context, desk string) (n int64, err error)
	// Feed returns the rows of a desk's feed with number > after, ascending, at
	// most limit.
	Feed(ctx context.Context, desk string, after int64, limit int) ([]FeedRow, error)
	// Scope returns the leaves of the cases whose event a grant's scope covers,
	// ascending: what a representative may see of the time before the grant.
	Scope(ctx context.Context, cases []string, before int64) ([]int64, error)
	// Read reports whether an officer's reading of a case on a day (YYYY-MM-DD)
	// is recorded.
	Accessed(ctx context.Context, officer, cas, day string) (bool, error)

	// Incomplete reports whether an index is neither opened nor covered by an
	// erasure.
	Incomplete(ctx context.Context) (bool, error)
	// Holes returns the indexes from one on that are neither opened nor covered
	// by an erasure, ascending, at most limit.
	Holes(ctx context.Context, from int64, limit int) ([]int64, error)

	// Pending returns a two-person statement that still waits.
	Pending(ctx context.Context, digest string) (p PendingRow, ok bool, err error)
	// PendingAll returns all that wait, oldest first, at most 1,000.
	PendingAll(ctx context.Context) ([]PendingRow, error)
	// RefusalsSince counts an officer's refusal leaves with at >= since.
	RefusalsSince(ctx context.Context, key string, since int64) (int, error)
	// Overflow returns the refusals at or before a time that wait to be counted
	// in one leaf, by (key, at, id). It is scratch, but [View.Statement] finds
	// their ids as spent, with Idx -1.
	Overflow(ctx context.Context, until int64) ([]OverflowRow, error)

	// Derived calls f for every row of every derived table as (table, key,
	// canonical row), ordered by table and key: two stores with equal dumps
	// derive the same.
	Derived(ctx context.Context, f func(table, key, row string) error) error
	UploadView
}

// UploadView reads what was uploaded.
type UploadView interface {
	Upload(ctx context.Context, msg string, part int) (u UploadRow, ok bool, err error)
	// Chunk returns the wrapped chunk that begins at off.
	Chunk(ctx context.Context, msg string, part int, off int64) (data []byte, ok bool, err error)
	Shred(ctx context.Context, msg string) (period string, wrapped []byte, ok bool, err error)
	Period(ctx context.Context, id string) (wrapped []byte, ok bool, err error)
	// LastPeriod returns the newest period key.
	LastPeriod(ctx context.Context) (id string, wrapped []byte, at int64, ok bool, err error)
	// Periods returns all period keys, the oldest first.
	Periods(ctx context.Context) ([]PeriodRow, error)
	Package(ctx context.Context, sha256 string) (data []byte, ok bool, err error)
	RecipientKey(ctx context.Context, rk string) (recipient string, ok bool, err error)
}

// Scratch writes what no ledger entry speaks of.
type Scratch interface {
	UploadView
	// UseNonce records a request's nonce; fresh is false when it was used.
	UseNonce(ctx context.Context, key, nonce string, at int64) (fresh bool, err error)
	// UseNonces is UseNonce for each in turn, with few statements.
	UseNonces(ctx context.Context, nonces []Nonce, at int64) (fresh []bool, err error)
	PutUpload(ctx context.Context, u UploadRow) error
	PutChunk(ctx context.Context, msg string, part int, off int64, data []byte) error
	PutShred(ctx context.Context, msg, period string, wrapped []byte) error
	PutPeriod(ctx context.Context, id string, wrapped []byte, at int64) error
	PutPackage(ctx context.Context, sha256 string, data []byte) error
	PutRecipientKey(ctx context.Context, rk, recipient string) error
	// Sweep deletes nonces before the first time, and uploads begun before the
	// second that no accepted message names.
	Sweep(ctx context.Context, nonces, uploads int64) error
}

// Tx is the serialized section. It reads its own writes.
type Tx interface {
	View
	ledger.Tx
	Scratch

	// Now reads the engine's own clock, in ms since 1970 UTC: several servers on
	// one database share it. ok is false where the engine has none of its own.
	Now(ctx context.Context) (at int64, ok bool, err error)

	// Savepoint runs f; if f returns an error, nothing f wrote is kept and the
	// error is returned, but the transaction goes on.
	Savepoint(ctx context.Context, f func() error) error

	// Gather reads many rows with few statements: what the methods of [View] with
	// the names of its members would answer.
	Gather(ctx context.Context, w *Wanted) (*Known, error)
	// PutAll stores many rows with few statements: what the Put methods would
	// store for one after the other. If one of them is refused, so are all.
	PutAll(ctx context.Context, r *Rows) error

	PutOpening(ctx context.Context, idx int64, o evidence.Opening) error
	// EraseUpload destroys the shred key of a message, then its chunks and
	// uploads. Only the eraser may.
	EraseUpload(ctx context.Context, msg string) error
	// EraseOpening deletes an opening. Only the eraser may. It may be repeated,
	// and may cover an index that was never opened.
	EraseOpening(ctx context.Context, idx int64) error
	PutLast(ctx context.Context, obj string, idx int64) error
	PutStatement(ctx context.Context, s StatementRow) error
	// PutMessage is called once for a message.
	PutMessage(ctx context.Context, m MessageRow, to []RecipientRow, consents []string) error
	// MarkRecipient records the first handing over (with its leaf and proof of
	// service), opening or blocking; the zero members of r change nothing, and a
	// row that is not there is added.
	MarkRecipient(ctx context.Context, r RecipientRow) error
	PutParty(ctx context.Context, cas string, p PartyRow) error
	Link(ctx context.Context, cases []string) error
	// PutConsentVersion refuses another version in the place of one.
	PutConsentVersion(ctx context.Context, c ConsentRow) error
	PutConflict(ctx context.Context, c ConflictRow) error
	PutGrant(ctx context.Context, g GrantRow) error
	PutObligation(ctx context.Context, o obligation.Obligation) error
	PutMark(ctx context.Context, o string, level int, idx int64) error
	// PutFeed adds a place in a feed; a second call changes only Erased.
	PutFeed(ctx context.Context, f FeedRow) error
	PutScope(ctx context.Context, cas string, idx int64, scope string) error
	PutAccess(ctx context.Context, officer, cas, day string, idx int64) error
	PutRefusal(ctx context.Context, key string, at, idx int64) error
	PutOverflow(ctx context.Context, o OverflowRow) error
	DropOverflow(ctx context.Context, id string) error
	PutPending(ctx context.Context, p PendingRow) error
	DropPending(ctx context.Context, digest string) error
	// DropDerived empties every derived table, so that they can be rebuilt.
	DropDerived(ctx context.Context) error
}

// StatementRow says that a natural id is taken: by the leaf Idx, or, when
// Spent, by a refusal (Idx is then the refusal's leaf, or -1).
type StatementRow struct {
	ID     string
	Digest string // hex SHA-256 of the canonical DSSE or set
	Idx    int64
	Spent  bool
}

// OverflowRow is a refusal beyond those that get a leaf each.
type OverflowRow struct {
	Key  string
	ID   string
	Desk string
	At   int64
}

// MessageRow is the header of an accepted message, or of an attested act (then
// Msg is its x_ id and Basis is empty).
type MessageRow struct {
	Msg      string
	Idx      int64
	At       int64 // received
	Case     string
	Kind     string
	Desk     string // from
	Inst     string
	Basis    string
	Occurred int64
	Hold     int64  // until when representatives see it withheld; 0: no hold
	Reason   string // of the hold
	Set      string
	Pack     string
	Subj     []string
}

// RecipientRow is one desk (or, attested, one person) a message was sent to and
// what became of it there. Times are ms since 1970 UTC, 0 for not yet.
type RecipientRow struct {
	Msg       string
	Desk      string
	Role      string
	Handed    int64 // first message.retrieved, or attested service
	HandedIdx int64 // the leaf that says so; meaningful when Handed is set
	Served    int64 // date on a proof of service
	Opened    int64 // first message.decrypted
	Blocked   int64 // release closed
	Reason    string
}

// PartyRow is a desk that took part in a case.
type PartyRow struct {
	Desk string
	Inst string
}

// ConsentRow is one version of a consent record; Stmt is the canonical payload
// of the signed statement, or of the server's own act.
type ConsentRow struct {
	ID   string
	Ver  int
	Idx  int64
	At   int64
	Act  string
	Subj string
	Stmt []byte
}

// ConflictRow is a conflict exclusion. LiftedIdx is -1 while it stands.
type ConflictRow struct {
	ID        string
	Who       string
	Subj      []string
	Level     string
	SetIdx    int64
	SetAt     int64
	LiftedIdx int64
	LiftedAt  int64
}

// GrantRow is a representative's grant. EndedIdx is -1 while it was not ended
// early.
type GrantRow struct {
	ID       string
	Idx      int64
	At       int64
	Case     string
	Desk     string
	Subj     []string
	Scope    []string
	NB       int64
	NA       int64
	EndedIdx int64
	EndedAt  int64
	Before   []int64 // leaves of the time before the grant, in scope
}

// InForce reports whether the grant holds at a time.
func (g *GrantRow) InForce(at int64) bool {
	return g.NB <= at && at < g.NA && g.EndedIdx < 0
}

// FeedRow is one place in a desk's feed. Erased is the index of erasure.done
// when the opening is gone, else -1.
type FeedRow struct {
	Desk   string
	N      int64
	Idx    int64
	Erased int64
}

// UploadRow is the state of one part's upload. Hash is the marshalled SHA-256
// over the first Size bytes, so that any server can go on with it.
type UploadRow struct {
	Msg     string
	Part    int
	Key     string // the key that wrote first; no other may go on
	Size    int64
	Hash    []byte
	Stanzas int // of the age header, counted when its chunk arrived
	At      int64
}

// PeriodRow is a period key of the shred layer as it is stored.
type PeriodRow struct {
	ID      string
	Wrapped []byte
	At      int64 // made, ms since 1970 UTC
}

// PendingRow is a statement that waits for further signatures.
type PendingRow struct {
	Digest string // hex SHA-256 of the payload
	DSSE   []byte // canonical, signed so far
	At     int64
}

// ObligationQuery selects from the list of obligations. Exactly one of Obligor
// and Obligee is set, or neither for the worker.
type ObligationQuery struct {
	Obligor  string
	Obligee  string
	Closed   bool  // closed ones too
	DueUntil int64 // only those due at or before; 0: all
	AfterDue int64
	AfterID  string
	Limit    int
}
