package scenario

import "github.com/odziv/odziv/internal/rules"

// File is one scenario, as docs/scenarios.md describes it. It is read-only
// after [Parse] and safe for concurrent use.
type File struct {
	Format     int      `toml:"format"` // 1
	ID         string   `toml:"id"`     // such as "s01"
	Title      Text     `toml:"title"`
	Source     string   `toml:"source"`     // where the story comes from
	Pack       string   `toml:"pack"`       // id of the rule pack
	Zone       string   `toml:"zone"`       // of every time; empty: the pack's
	Bookkeeper *bool    `toml:"bookkeeper"` // false: nothing is written when it becomes due
	Persons    []string `toml:"persons"`    // names of persons concerned
	Others     []string `toml:"others"`     // names of other persons: a guardian, somebody excluded
	Cases      []string `toml:"cases"`      // names of case handles
	Actors     []Actor  `toml:"actor"`
	Steps      []Step   `toml:"step"`

	name  string // of the file, for errors
	text  []string
	lines map[string]int // path to line
	pack  *rules.Pack
}

// Text is a text in English and Serbian Cyrillic.
type Text struct {
	EN string `toml:"en" json:"en"`
	SR string `toml:"sr" json:"sr"`
}

// Actor is a desk that takes part: one of the demonstration directory
// ("swc-nis.legal"), or a representative's, opened for this scenario at a
// sponsor. Officer says which of its officers acts; one that joins comes in a
// step.
type Actor struct {
	Name    string `toml:"name" is:"must name"`
	Desk    string `toml:"desk"`
	Sponsor string `toml:"sponsor"`
	Officer int    `toml:"officer"` // 1, the default, or 2
	Joins   bool   `toml:"joins"`
}

// Step is one moment: the clock moves there, at most one thing is done, and
// then what is expected must hold.
type Step struct {
	At         Time        `toml:"at" is:"must time"`
	Note       Text        `toml:"note"` // told before what is done
	Bookkeeper *bool       `toml:"bookkeeper"`
	Send       *Send       `toml:"send"`
	Set        []*Send     `toml:"set"` // the messages of one act, together or not at all
	Read       *Reading    `toml:"read"`
	Retrieve   *Reading    `toml:"retrieve"` // signed for, not opened
	Attest     *Attest     `toml:"attest"`
	Link       *Link       `toml:"link"`
	Consent    *ConsentAct `toml:"consent"`
	Grant      *GrantAct   `toml:"grant"`
	EndGrant   *EndGrant   `toml:"end-grant"`
	Exclude    *Exclude    `toml:"exclude"`
	Silence    *SilenceAct `toml:"silence"`
	Issue      *Issue      `toml:"issue"`
	Look       *Look       `toml:"look"`

	Join        *Join     `toml:"join"`
	Leave       *Turnover `toml:"leave"`
	Lost        *Turnover `toml:"lost"`
	Rotate      *Rotate   `toml:"rotate"`
	Acknowledge *Turnover `toml:"acknowledge"`
	Share       *Share    `toml:"share"`
	Accept      *Turnover `toml:"accept"`
	Custodians  *Custody  `toml:"custodians"`
	Ask         *Escrow   `toml:"ask"`
	Decline     *Escrow   `toml:"decline"`
	Recover     *Recovery `toml:"recover"`
	Steal       *Steal    `toml:"steal"`
	Cheat       *Cheat    `toml:"cheat"`

	Refused *Refusal `toml:"refused"` // what is done must be refused like this
	Expect  Expect   `toml:"expect"`
}

// Send is a message.
type Send struct {
	As       string            `toml:"as" is:"name"` // name for later; optional
	From     string            `toml:"from" is:"must actor"`
	To       []string          `toml:"to" is:"must actor"`
	Kind     string            `toml:"kind" is:"must kind"`
	Case     string            `toml:"case" is:"case"` // empty: that of re
	About    []string          `toml:"about" is:"person"`
	Re       string            `toml:"re" is:"message"`
	Basis    Basis             `toml:"basis"`
	Cats     []string          `toml:"cats" is:"category"`
	Facts    map[string]string `toml:"facts"`
	Urgency  string            `toml:"urgency" is:"urgency"`
	Occurred Time              `toml:"occurred" is:"time"`
	Hold     *Hold             `toml:"hold"`
	Subject  string            `toml:"subject"`
	Body     string            `toml:"body"`
	Fields   map[string]string `toml:"fields"`
	Files    []Attachment      `toml:"file"`
	Answers  string            `toml:"answers" is:"value"` // reply value to every duty that re opened and this kind answers
	Acts     []Act             `toml:"act"`
}

// Basis is the legal basis of a message.
type Basis struct {
	Code      string   `toml:"code" is:"must basis"`
	Purpose   string   `toml:"purpose" is:"purpose"`
	Ref       string   `toml:"ref"`
	Necessity string   `toml:"necessity"`
	Consents  []string `toml:"consents" is:"consent"` // names; the newest version known to the scenario is cited
	Version   int      `toml:"version"`               // cite this version instead
}

// Hold keeps a message from representatives until a time.
type Hold struct {
	Reason string `toml:"reason" is:"must reason"`
	Until  Time   `toml:"until" is:"must time"`
}

// Attachment is a file of so many bytes; what they are is made up.
type Attachment struct {
	Name string `toml:"name" is:"must text"`
	Type string `toml:"type"`
	Size int64  `toml:"size" is:"must"`
}

// Act is what a message does to a duty. Of names what opened the duty: an
// earlier message or consent, or one of the same set.
type Act struct {
	Op     string `toml:"op" is:"must op"`
	Rule   string `toml:"rule" is:"must rule"`
	Of     string `toml:"of" is:"thing"`
	Owed   string `toml:"owed" is:"actor|person"` // to whom, when the rule owes it to several
	Value  string `toml:"value" is:"value"`
	Reason string `toml:"reason" is:"reason"`
	Due    Time   `toml:"due" is:"time"`
	Until  Time   `toml:"until" is:"time"`
	To     string `toml:"to" is:"actor"`
}

// Reading signs for a message, and with read opens it.
type Reading struct {
	By      string `toml:"by" is:"must actor"`
	Message string `toml:"message" is:"must message"`
}

// Attest records an act off the system.
type Attest struct {
	As       string            `toml:"as" is:"name"`
	By       string            `toml:"by" is:"must actor"`
	What     string            `toml:"what" is:"must what"`       // sent, received
	Outcome  string            `toml:"outcome" is:"must outcome"` // served, consigned, attempted
	Channel  string            `toml:"channel" is:"must channel"`
	To       string            `toml:"to" is:"actor|person"`   // actor or person
	From     string            `toml:"from" is:"actor|person"` // actor or person
	Kind     string            `toml:"kind" is:"kind"`
	Message  string            `toml:"message" is:"message"` // that it delivers on paper
	Case     string            `toml:"case" is:"must case"`
	About    []string          `toml:"about" is:"person"`
	Facts    map[string]string `toml:"facts"`
	Occurred Time              `toml:"occurred" is:"must time"`
	Acts     []Act             `toml:"act"`
}

// Link says that case handles are one matter of the actor's institution.
type Link struct {
	By    string   `toml:"by" is:"must actor"`
	Cases []string `toml:"cases" is:"must case"`
}

// ConsentAct records a version of a consent. The first names everything; each
// later one says what differs from the version before.
type ConsentAct struct {
	As       string   `toml:"as" is:"name"`    // of the first version
	Of       string   `toml:"of" is:"consent"` // of a later one
	Act      string   `toml:"act" is:"must act"`
	By       string   `toml:"by" is:"must actor"`
	Cosign   string   `toml:"cosign" is:"actor"` // who signs second, where the pack wants one
	Person   string   `toml:"person" is:"person"`
	Case     string   `toml:"case" is:"case"`
	Grantor  string   `toml:"grantor" is:"person|other"` // empty: the person
	Relation string   `toml:"relation"`
	Age      string   `toml:"age"`
	Opinion  string   `toml:"opinion"`
	Form     string   `toml:"form"`
	Method   string   `toml:"method"`
	Channel  string   `toml:"channel"`
	Language string   `toml:"language"`
	Interp   string   `toml:"interpreter"`
	From     []string `toml:"from" is:"actor|institution"`    // actors, meaning their institutions, or institutions
	To       []string `toml:"to" is:"actor|institution"`      // the same; "swc.desk" for the one desk of an actor
	Without  []string `toml:"without" is:"actor|institution"` // narrowed: takes these out of to
	Purposes []string `toml:"purposes" is:"purpose"`
	Cats     []string `toml:"cats" is:"category"`
	Until    Time     `toml:"until" is:"time"` // empty: as the pack says
}

// GrantAct lets a representative read.
type GrantAct struct {
	As     string   `toml:"as" is:"must name"`
	By     string   `toml:"by" is:"must actor"`     // a party to the case
	Cosign string   `toml:"cosign" is:"must actor"` // a desk of the sponsor
	To     string   `toml:"to" is:"must actor"`     // the representative
	Case   string   `toml:"case" is:"must case"`
	About  []string `toml:"about" is:"must person"`
	Scope  []string `toml:"scope" is:"must scope"`
	Auth   string   `toml:"authority" is:"must code"`
	Until  Time     `toml:"until" is:"must time"`
}

// EndGrant ends a grant before its time.
type EndGrant struct {
	By     string `toml:"by" is:"must actor"`
	Of     string `toml:"of" is:"must grant"`
	Reason string `toml:"reason" is:"must code"`
}

// Exclude records a conflict of interest.
type Exclude struct {
	As       string   `toml:"as" is:"name"`
	By       string   `toml:"by" is:"must actor"`
	Who      string   `toml:"who" is:"must actor|person|other"` // an actor, a person, another
	About    []string `toml:"about" is:"must person"`
	Case     string   `toml:"case" is:"must case"`
	Relation string   `toml:"relation" is:"must code"`
	Ground   string   `toml:"ground" is:"must code"`
	Level    string   `toml:"level" is:"must code"`
}

// SilenceAct puts on record how a duty stands now.
type SilenceAct struct {
	As   string `toml:"as" is:"name"`
	By   string `toml:"by" is:"must actor"`
	Rule string `toml:"rule" is:"must rule"`
	Of   string `toml:"of" is:"thing"`
	Owed string `toml:"owed" is:"actor|person"`
}

// Issue makes a document from what the actor may see, and records its digest.
type Issue struct {
	As   string `toml:"as" is:"name"`
	By   string `toml:"by" is:"must actor"`
	Kind string `toml:"kind" is:"must code"`  // such as consent-receipt
	Of   string `toml:"of" is:"must consent"` // the consent
}

// Look is somebody reading the record.
type Look struct {
	By string `toml:"by" is:"must actor"`
}

// Refusal is a no: by the program of whoever acts, before anything left it, or
// by the exchange.
type Refusal struct {
	By   string `toml:"by" check:"" is:"must side"`      // program, exchange
	Code string `toml:"code" check:"" is:"must problem"` // of the problem
	For  string `toml:"for" check:"" is:"actor"`         // the recipient it fails for
}
