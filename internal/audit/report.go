package audit

import (
	"github.com/odziv/odziv/keys/directory"
)

// Trust is what a verifier knows from elsewhere.
type Trust struct {
	// Genesis is the hex SHA-256 of the directory's first leaf, as printed in the
	// annex of the agreement. Empty: nothing is pinned, and reports say so.
	Genesis string
	// Policy must be satisfied by every checkpoint, beside the directory's own. May
	// be nil.
	Policy *Policy
	// Directory is a directory that was replayed and verified before, such as
	// [Report.Directory] of a bundle. With it an evidence file's signer is held
	// against every revocation of the time. May be nil.
	Directory *directory.State
}

// Kinds of a [Report].
const (
	KindEvidence = "evidence"
	KindReceipt  = "receipt"
	KindBundle   = "bundle"
	KindProof    = "proof"
	KindConvict  = "conviction"
)

// Report says what was verified. It is complete only beside a nil error and no
// findings; else it holds what was established before.
type Report struct {
	Kind    string      `json:"kind"`
	Genesis string      `json:"genesis"`         // hash found; compare it with the annex
	Pinned  bool        `json:"pinned"`          // it is the one the verifier named
	Name    string      `json:"name"`            // what genesis calls the directory
	Host    string      `json:"host"`            // of the origins "<host>/dir" and "<host>/ev"
	Demo    bool        `json:"demo"`            // a demonstration: proves nothing about real institutions
	Items   []ItemFound `json:"items,omitempty"` // of an evidence file or receipt
	Convict *Conviction `json:"convict,omitempty"`
	Bundle  *Counts     `json:"bundle,omitempty"` // of a bundle
	Facts   []Fact      `json:"facts"`            // the same in words, in order

	// Directory is the directory as a bundle's replay left it, nil elsewhere.
	Directory *directory.State `json:"-"`
}

// ItemFound is one event that was verified against its leaf.
type ItemFound struct {
	Idx     int64    `json:"idx"`
	Event   string   `json:"event"`
	Object  string   `json:"object"`
	At      int64    `json:"at"` // received, ms since 1970 UTC, by the exchange's clock
	Signers []Signer `json:"signers,omitempty"`
	Size    int64    `json:"size"`   // of the checkpoint
	Root    string   `json:"root"`   // base64, of the checkpoint
	Replay  bool     `json:"replay"` // the signer was held against a replayed directory
	Seen
	TimeDoubt string `json:"time_doubt,omitempty"` // [TimeAfter], [TimeBefore]
}

// Signer is who signed a statement.
type Signer struct {
	Key     string `json:"key"` // key id
	Officer string `json:"officer"`
	Inst    string `json:"inst"`
	Type    string `json:"type,omitempty"` // of the institution
	Desk    string `json:"desk,omitempty"` // for which the first signer acts
}

// Counts says how much a bundle holds and how much of it was checked.
type Counts struct {
	MadeAt     int64  `json:"made_at"` // ms, as the manifest claims
	Dir        int64  `json:"dir"`     // entries
	Ev         int64  `json:"ev"`
	DirRoot    string `json:"dir_root"`
	EvRoot     string `json:"ev_root"`
	Shown      int64  `json:"shown"`        // openings held against their leaves
	MetaOnly   int64  `json:"meta_only"`    // of these, without the parties' half
	Erased     int64  `json:"erased"`       // accounted for by erasure.done
	Signatures int64  `json:"signatures"`   // of statements in openings
	Sends      int64  `json:"sends"`        // decisions on a message computed again
	Refused    int64  `json:"refused"`      // refusals on record, by META
	Opened     int64  `json:"opened"`       // obligations, by META
	Moved      int64  `json:"moved"`        // what was done to them, by META
	Duties     int64  `json:"duties"`       // derived again from the openings
	DutiesUpTo int64  `json:"duties_up_to"` // index up to which they were, exclusive
	SeenDir    Seen   `json:"seen_dir"`
	SeenEv     Seen   `json:"seen_ev"`
	TimeDoubt  string `json:"time_doubt,omitempty"` // of the last entry shown: [TimeAfter]
}

// Complete reports whether every index is shown or accounted for by an erasure.
func (c *Counts) Complete() bool { return c.Shown+c.Erased == c.Ev }

func (r *Report) say(code string, args ...any) { r.Facts = append(r.Facts, fact(code, args...)) }
