package wire

import (
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// Status is what the exchange says of itself to anyone.
type Status struct {
	Demo    bool   `json:"demo"`
	Genesis string `json:"genesis"` // hex SHA-256 of the genesis leaf; a client pins it
	Host    string `json:"host"`    // of the origins "<host>/dir" and "<host>/ev"
	Now     int64  `json:"now"`     // ms since 1970 UTC
	Quorum  string `json:"quorum"`  // of the evidence tree; "none" if nobody witnesses
	V       int    `json:"v"`
}

// UploadState is how much of a part is stored.
type UploadState struct {
	Part int   `json:"part"`
	Size int64 `json:"size"` // bytes; where the upload goes on
}

// Uploads are the parts of one message that the caller began to upload.
type Uploads struct {
	Parts []UploadState `json:"parts"`
	V     int           `json:"v"`
}

// SetAnswer holds the opening of each message of a set, in its order.
type SetAnswer struct {
	Items []evidence.Item `json:"items"`
	Set   string          `json:"set"`
	V     int             `json:"v"`
}

// Entry is where a directory statement stands in its tree.
type Entry struct {
	Idx int64 `json:"idx"`
}

// PendingAnswer says who signed a statement so far and, when it is complete,
// what was recorded: Entry for a directory statement, Item for any other.
type PendingAnswer struct {
	Complete bool           `json:"complete"`
	Entry    *Entry         `json:"entry,omitempty"`
	Item     *evidence.Item `json:"item,omitempty"`
	Signed   []string       `json:"signed"` // key ids
	V        int            `json:"v"`
}

// Pending is a statement that waits for signatures.
type Pending struct {
	Digest string          `json:"digest"` // hex SHA-256 of the payload
	DSSE   *statement.DSSE `json:"dsse"`   // as signed so far
	Until  int64           `json:"until"`  // when it is forgotten, ms
}

// Pendings are the statements that wait and concern one desk.
type Pendings struct {
	Pending []Pending `json:"pending"`
	V       int       `json:"v"`
}

// Feed is a stretch of a desk's feed, or of what a grant hands over.
type Feed struct {
	Items []evidence.Item `json:"items"`
	Size  int64           `json:"size"` // number of the last item there is; for a grant, how many it covers
	V     int             `json:"v"`
}

// Duty is an obligation and what this moment makes of it.
type Duty struct {
	obligation.Obligation
	View    obligation.View         `json:"view"`
	Steps   []obligation.Step       `json:"steps"`   // how the due time came about
	Clocks  []obligation.RightClock `json:"clocks"`  // of the person it informs
	Levels  []obligation.Level      `json:"levels"`  // of its escalation, past and to come
	Reached int                     `json:"reached"` // highest level on record, -1 for none
}

// Duties is a page of a desk's obligations, by (due, id).
type Duties struct {
	Duties []Duty `json:"duties"`
	Next   string `json:"next,omitempty"` // cursor of the page after this one; absent at the end
	Now    int64  `json:"now"`            // the moment that View speaks of, ms
	V      int    `json:"v"`
}

// Entries are leaves of the directory tree, in order.
type Entries struct {
	Entries [][]byte `json:"entries"`
	V       int      `json:"v"`
}

// Consistency proves that a smaller tree is a prefix of a larger (RFC 6962).
type Consistency struct {
	Proof [][]byte `json:"proof"` // hashes of 32 bytes
	V     int      `json:"v"`
}

// Holes are entries of the evidence tree whose openings a restored ledger lacks.
type Holes struct {
	Holes []int64 `json:"holes"` // indexes, ascending
	V     int     `json:"v"`
}

// Escrow is a stretch of what happened to the escrow of a desk, oldest first.
type Escrow struct {
	Items []evidence.Item `json:"items"` // with n 0: these are no feed
	Prev  int64           `json:"prev"`  // leaf from which to ask on backwards, -1 at the end
	V     int             `json:"v"`
}
