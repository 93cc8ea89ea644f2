package obligation

import "github.com/odziv/odziv/internal/rules"

// World answers what the evidence tree does not hold, as of directory index n.
// Answers for one n never change.
type World interface {
	// TypeOf is the institution type of a desk, "" if unknown.
	TypeOf(n int64, desk string) string
	// Function is the desk that a pack means by type and function. near is a
	// desk of that type which sent or received the trigger, or "". With near:
	// the desk with that function in near's institution (of several the lowest
	// id), else near itself. Without: of all desks of that type and function
	// the lowest id.
	Function(n int64, typ, fn, near string) (desk string, ok bool)
	// Pack is an adopted rule pack, by "family@version".
	Pack(id string) (*rules.Pack, bool)
	// Calendar is the pack's calendar with the directory's ad-hoc days up to n.
	// It is nil only if the pack is unknown.
	Calendar(packID string, n int64) *Calendar
}

// Book is what the events so far left behind. Implementations answer as of one
// moment under one lock. Lists may come in any order unless said otherwise;
// errors are the storage's own.
type Book interface {
	// Obligation is the duty with this id.
	Obligation(id string) (Obligation, bool, error)
	// Opened are the duties whose TriggerObj and Rule these are, also final ones.
	Opened(obj, rule string) ([]Obligation, error)
	// Live are the duties of these cases that are not final.
	Live(cases []string) ([]Obligation, error)
	// Twin reports whether a duty with this rule, obligor, Whom, kind and
	// occurred (never 0) was ever opened in these cases.
	Twin(cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error)
	// Linked are the handles linked with this one, directly or not, and itself.
	Linked(caseID string) ([]string, error)
	// Filed are the desks that sent an accepted message (or attestation) of the
	// kind in these cases, each once.
	Filed(cases []string, kind string) ([]string, error)
	// Grants are the grants that name the person in these cases and have not
	// been ended by an event, in or out of their validity, in ledger order.
	Grants(cases []string, subj string) ([]Grant, error)
	// Message is a message or attestation that was accepted.
	Message(obj string) (Sent, bool, error)
	// HandedOver tells when a message or attestation was first handed over to a
	// desk or person.
	HandedOver(obj, to string) (Handed, bool, error)
}

// Sent is what duties need to remember of a message or attestation.
type Sent struct {
	Obj      string   `json:"obj"`
	Idx      int64    `json:"idx"`
	At       int64    `json:"at"`
	Case     string   `json:"case,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	From     string   `json:"from"`
	Set      string   `json:"set,omitempty"`
	Pack     string   `json:"pack"`
	Occurred int64    `json:"occurred,omitempty"`
	To       []string `json:"to,omitempty"` // desks (attested: also persons), without the sender's own copy
}

// Handed is a handing over. Served is the date on a proof of service, 0 when
// the desk itself fetched the message.
type Handed struct {
	Idx    int64 `json:"idx"`
	At     int64 `json:"at"`
	Served int64 `json:"served,omitempty"`
}

// Changes is what one event does to duties. An obligation that is opened and
// moved by the same event stands in Opens as opened and in Moves as moved.
type Changes struct {
	Opens []Obligation
	Moves []Move
}

// Move is one step of a duty: what was done and how it stands after it.
type Move struct {
	Op string
	O  Obligation
}

// What a Move does beyond the acts of a message (messaging.OpAck and so on).
const (
	OpStart      = "start"       // the term begins: the trigger was handed over
	OpHandedOver = "handed-over" // the answer reached the person
	OpResume     = "resume"      // the awaited reply ended a suspension
	OpEnd        = "end"         // the matter came to an end
	OpKeep       = "keep"        // reduced to what an erasure leaves
)

// ReasonBlocked is the reason of a duty cancelled because the release of its
// trigger was closed before the obligor fetched it.
const ReasonBlocked = "release_blocked"

// ActError says that an act of a message is not admissible. Reason is one of
// FORMAT.md 4.3; the exchange answers 409 obl_<reason>.
type ActError struct {
	Act    int // position in core.obl
	Reason string
	Target string // id or rule it named
}

func (e *ActError) Error() string {
	return "obligation: act on " + e.Target + " is not admissible: " + e.Reason
}
