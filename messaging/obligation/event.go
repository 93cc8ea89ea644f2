package obligation

import "github.com/odziv/odziv/messaging"

// Names of the events that Advance knows. Others open duties only if a rule of
// the pack names them as its trigger.
const (
	EvSubmitted = "message.submitted"
	EvRetrieved = "message.retrieved"
	EvDecrypted = "message.decrypted"
	EvAttested  = "attested"
	EvKept      = "obligation.kept"
	EvGrant     = "rep.grant"
	EvGrantEnd  = "rep.end"
	EvLink      = "case.link"
)

// Event is one accepted leaf of the evidence tree, as far as duties depend on
// it. The caller has checked signatures, membership, matrix and consent.
type Event struct {
	Idx  int64    `json:"idx"`
	At   int64    `json:"at"`   // META.at: received
	DirN int64    `json:"dirn"` // directory state it was accepted under
	Ev   string   `json:"ev"`
	Obj  string   `json:"obj"`            // m_, k_, x_ …
	Pack string   `json:"pack,omitempty"` // pack in force; of a message, its core's
	Desk string   `json:"desk,omitempty"` // acting; empty for a leaf of the server
	Inst string   `json:"inst,omitempty"`
	Type string   `json:"type,omitempty"` // institution type of the acting desk
	Case string   `json:"case,omitempty"` // of a message, its core's
	Subj []string `json:"subj,omitempty"`
	To   []string `json:"to,omitempty"` // desks addressed, when neither a message nor an attestation

	Core      *messaging.Core `json:"core,omitempty"`       // message.submitted
	Receipt   *Receipt        `json:"receipt,omitempty"`    // message.retrieved, message.decrypted
	Attested  *Attested       `json:"attested,omitempty"`   // attested
	Change    *ConsentChange  `json:"change,omitempty"`     // consent.*
	Kept      *Kept           `json:"kept,omitempty"`       // obligation.kept
	Grant     *Grant          `json:"grant,omitempty"`      // rep.grant
	GrantEnds []string        `json:"grant_ends,omitempty"` // grants this event ends (rep.end, conflict.set)
	Link      []string        `json:"link,omitempty"`       // case.link: handles of one matter
	Blocked   []Block         `json:"blocked,omitempty"`    // release closed: duties of that desk from that message end
	Opens     []string        `json:"opens,omitempty"`      // ids that PRIV.opens lists; read by Replay only
	Listed    []Listed        `json:"listed,omitempty"`     // the same in full; read by Replay over holes only
	Moved     []Moved         `json:"moved,omitempty"`      // PRIV.moves; read by Replay over holes only
}

// Moved is one entry of PRIV.moves.
type Moved struct {
	O     string `json:"o"`
	Op    string `json:"op"`
	State State  `json:"state"`
}

// Listed is one entry of PRIV.opens.
type Listed struct {
	O       string `json:"o"`
	Rule    string `json:"rule"`
	Obligor string `json:"obligor"`
	Obligee string `json:"obligee"`
	Due     int64  `json:"due,omitempty"`
	N       int    `json:"n"`
}

// Receipt says that a desk fetched (message.retrieved) or opened
// (message.decrypted) a message.
type Receipt struct {
	Msg  string `json:"msg"`
	Desk string `json:"desk"`
}

// What an attestation attests.
const (
	WhatSent     = "sent"     // sent off the system, no proof of service yet
	WhatServed   = "served"   // sent, with proof of service
	WhatReceived = "received" // the attesting desk received something off the system
	WhatAttempt  = "attempt"  // tried in vain; performs no act
)

// Attested is an act off the system. With Kind it triggers and fulfils like a
// message of that kind. Of names an earlier message or attestation which it
// delivered, or which a proof of service now belongs to.
type Attested struct {
	Channel  string            `json:"channel"` // a letter of the pack
	What     string            `json:"what"`
	Occurred int64             `json:"occurred,omitempty"`
	Kind     string            `json:"kind,omitempty"`
	From     string            `json:"from,omitempty"` // empty: the attesting desk
	To       []string          `json:"to,omitempty"`   // d_ or p_
	Of       string            `json:"of,omitempty"`   // m_ or x_
	Facts    map[string]string `json:"facts,omitempty"`
	Urg      string            `json:"urg,omitempty"`
	Obl      []messaging.Act   `json:"obl,omitempty"`
}

// ConsentChange is what a consent act means for duties. Removed are the desks
// taken out to whom something had been submitted under it.
type ConsentChange struct {
	Consent  string   `json:"consent"`
	Ver      int      `json:"ver"`
	Case     string   `json:"case"`
	Subj     string   `json:"subj"`
	Removed  []string `json:"removed,omitempty"`
	Recorder string   `json:"recorder"` // desk
}

// Kept is what an erasure leaves of a duty.
type Kept struct {
	Answered bool   `json:"answered,omitempty"` // an answer was given in time and waited to be handed over
	At       int64  `json:"at"`                 // since when in that state
	Due      int64  `json:"due"`
	Late     bool   `json:"late,omitempty"`
	O        string `json:"o"`
	Obligee  string `json:"obligee"`
	Obligor  string `json:"obligor"`
	Pack     string `json:"pack"`
	Rule     string `json:"rule"`
	State    State  `json:"state"`
}

// Grant lets a representative's desk stand for persons of a case.
type Grant struct {
	ID    string   `json:"id"` // x_
	Case  string   `json:"case"`
	Desk  string   `json:"desk"`
	Subj  []string `json:"subj"`
	Scope []string `json:"scope"`
	NB    int64    `json:"nb"` // from
	NA    int64    `json:"na"` // until, exclusive
}

// ScopeDuties is the scope a grant needs for its desk to stand as obligee.
const ScopeDuties = "duties"

// Block names a message whose release to a desk was closed before it fetched it.
type Block struct {
	Msg  string `json:"msg"`
	Desk string `json:"desk"`
}
