package obligation

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/odziv/odziv/internal/statement"
)

// State is where an obligation stands as of the last event. What time alone
// brings about (overdue, end of a suspension) is in [View].
type State string

// States of an obligation. The last six are final: nothing leaves them.
const (
	Open          State = "open"
	Acknowledged  State = "acknowledged" // the obligor says it has the duty; stops no clock
	InProgress    State = "in-progress"  // an interim reply, or a notice that waits to be handed over
	Suspended     State = "suspended"
	Transferred   State = "transferred" // another desk owes it now, with the same due time
	Fulfilled     State = "fulfilled"
	FulfilledLate State = "fulfilled-late"
	Waived        State = "waived"
	Cancelled     State = "cancelled"
	Ended         State = "ended" // the matter itself came to an end
)

// Final reports whether no event can change the state any more.
func (s State) Final() bool {
	switch s {
	case Open, Acknowledged, InProgress, Suspended:
		return false
	}
	return true
}

// Obligation is one duty of one desk towards one desk or person, as the events
// so far leave it. It holds no clock: ask [Obligation.View] what a time makes
// of it. The JSON form is deterministic.
type Obligation struct {
	ID      string `json:"id"`
	Rule    string `json:"rule"`
	Obligor string `json:"obligor"`          // d_
	Obligee string `json:"obligee"`          // d_, or p_ for a person without a representative
	Person  string `json:"person,omitempty"` // p_, when it is owed to a person, whoever represents them
	Case    string `json:"case,omitempty"`

	Trigger    int64  `json:"trigger"` // index of the event that opened it; -1 when only a kept record is left
	TriggerObj string `json:"trigger_obj,omitempty"`
	Kind       string `json:"kind,omitempty"` // kind of the triggering message
	Urg        string `json:"urg,omitempty"`
	N          int    `json:"n"`                  // occurrence
	Repeats    bool   `json:"repeats,omitempty"`  // a later occurrence of a periodic duty
	Occurred   int64  `json:"occurred,omitempty"` // claimed time of the triggering act
	Pack       string `json:"pack"`               // id of the rule pack in force at the trigger
	Cal        string `json:"cal,omitempty"`      // hash of the calendar used

	OpenedAt  int64  `json:"opened_at"`
	Start     int64  `json:"start,omitempty"` // 0: the term has not started, there is no due time yet
	Estimated bool   `json:"estimated,omitempty"`
	Due       int64  `json:"due,omitempty"`    // first instant that is too late; 0: none
	DueBy     string `json:"due_by,omitempty"` // extended or suspended, when the due time is no longer the rule's own

	State  State  `json:"state"`
	Since  int64  `json:"since"`           // received time of the event that brought the state
	Prior  State  `json:"prior,omitempty"` // state a suspension returns to
	MetAt  int64  `json:"met_at,omitempty"`
	MetBy  int64  `json:"met_by,omitempty"` // index of the event that carried the answer
	MetObj string `json:"met_obj,omitempty"`
	Value  string `json:"value,omitempty"` // reply value of the answer
	// Late is true for ever once the due time passed without an answer and the
	// duty was then answered, waived, cancelled, ended or transferred. While
	// nothing at all happens, View.Overdue says it.
	Late       bool  `json:"late,omitempty"`
	HandedOver int64 `json:"handed_over,omitempty"` // when the answer was handed over to the person
	Served     int64 `json:"served,omitempty"`      // date on the proof of service, when attested
	Attested   bool  `json:"attested,omitempty"`    // rests on an attestation: the trigger or the answer

	Interims     int          `json:"interims,omitempty"`
	Answered     int64        `json:"answered,omitempty"`  // last time the obligor said anything but that it has the duty
	Sent         []Submission `json:"sent,omitempty"`      // answers that wait to be handed over
	Suspended    int64        `json:"suspended,omitempty"` // until when
	SuspendedAt  int64        `json:"suspended_at,omitempty"`
	SuspendedBy  string       `json:"suspended_by,omitempty"`  // the message; a reply to it by the obligee resumes
	SuspendedDue int64        `json:"suspended_due,omitempty"` // due time when the suspension began
	Disputed     bool         `json:"disputed,omitempty"`
	Reason       string       `json:"reason,omitempty"`       // reason code of the last act that gave one
	CancelAsked  string       `json:"cancel_asked,omitempty"` // the one party that asked to cancel
	Transfer     *Transfer    `json:"transfer,omitempty"`     // waits for, or was done by, a forward
	From         string       `json:"from,omitempty"`         // o_ this duty was transferred from
	Kept         bool         `json:"kept,omitempty"`         // restored from obligation.kept; the trigger was erased
}

// Submission is an answer that counts once it is handed over to one of To.
type Submission struct {
	Obj   string   `json:"obj"`
	Idx   int64    `json:"idx"`
	At    int64    `json:"at"`
	To    []string `json:"to"`
	Value string   `json:"value,omitempty"`
	Att   bool     `json:"attested,omitempty"`
}

// Transfer is a handing on to another desk by message Msg of set Set.
type Transfer struct {
	To  string `json:"to"`
	Msg string `json:"msg"`
	Set string `json:"set,omitempty"`
	ID  string `json:"id,omitempty"` // the duty it opened, once effective
}

// ID derives an obligation's identifier from the index of its trigger, its
// rule, its parties and the number of its occurrence (FORMAT.md 2).
func ID(trigger int64, rule, obligor, obligee string, n int) string {
	b := append([]byte("odziv/obl/v1"), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(trigger))
	b = append(append(b, rule...), 0)
	b = append(append(b, obligor...), 0)
	b = append(append(b, obligee...), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	sum := sha256.Sum256(b)
	return statement.FormatID(statement.Obligation, sum[:16])
}

// Whom is the person it is owed to, else the obligee's desk.
func (o *Obligation) Whom() string {
	if o.Person != "" {
		return o.Person
	}
	return o.Obligee
}
