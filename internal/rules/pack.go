// Package rules reads rule packs: everything legal, as data.
//
// A pack (country, domain, version) says which notices exist, who may send them
// to whom on what basis, which obligations they open, by when, and what a
// consent must look like. Code never holds a deadline, a kind, an age or an
// escalation step. Every rule and every number names its source and whether it
// is law, the field study, practice or an assumption.
//
// FORMAT.md specifies the file: TOML 1.0, decoded strictly (an unknown member is
// an error) and checked as a whole by [Parse]. A rule that reads a sealed field,
// a duty that nobody is permitted to fulfil and a code with a telling word are
// refused. The SHA-256 of the file is the pack's hash, which pack.adopt
// witnesses.
//
// Most callers use [Load] for the packs of the program or [Parse] for a file,
// then [Pack.RulesFor], [Pack.RulesOn] and [Pack.Allowed]; an exchange keeps its
// packs in a [Set]. [Print] writes a pack as a document for a lawyer. A Pack is
// never changed and safe for concurrent use. This package computes no date:
// that is messaging/obligation.
package rules

// Pack is one version of a rule pack. It is read-only after [Parse].
type Pack struct {
	Family        string     `toml:"family"`         // such as "rs-a"
	Version       int        `toml:"version"`        // 1, 2, …
	Country       string     `toml:"country"`        // ISO 3166-1, or "XX"
	Domain        string     `toml:"domain"`         // code
	EffectiveFrom string     `toml:"effective_from"` // YYYY-MM-DD
	Zone          string     `toml:"zone"`           // IANA time zone of its days
	Title         Text       `toml:"title"`
	Source        Source     `toml:"source"`
	LongestHold   Term       `toml:"longest_hold"` // longest core.hold
	Calendar      Calendar   `toml:"calendar"`
	Types         []Named    `toml:"type"`     // institution types
	Functions     []Named    `toml:"function"` // functions of desks
	Categories    []Category `toml:"category"` // data categories
	Purposes      []Named    `toml:"purpose"`  // purpose families
	Bases         []Basis    `toml:"basis"`    // legal bases
	Values        []Named    `toml:"value"`    // reply values: known, zero, no-data, …
	Reasons       []Reason   `toml:"reason"`   // reason codes of acts, holds, refusals
	Kinds         []Kind     `toml:"kind"`     // notification kinds
	Matrix        []Cell     `toml:"matrix"`   // who may send what to whom on which basis
	Rules         []Rule     `toml:"rule"`     // obligations
	Clocks        []Clock    `toml:"clock"`    // the person's own terms
	Chains        []Chain    `toml:"chain"`    // escalation
	Warnings      []Warning  `toml:"warning"`  // warnings on sending
	Consent       Consent    `toml:"consent"`  // consent rules
	Letters       []Letter   `toml:"letter"`   // off-system channels (attested)
	hash          string     // hex SHA-256 of the file
	raw           []byte     //
	index         *packIndex // lookup by code
}

// Text is a text in English and Serbian Cyrillic (Latin is derived by rule).
type Text struct {
	EN string `toml:"en"`
	SR string `toml:"sr"`
}

// Source says where a rule or a number comes from. Kind is law, study,
// practice or assumption.
type Source struct {
	Kind string `toml:"kind"`
	Ref  string `toml:"ref"`
	Note string `toml:"note,omitempty"`
}

// Named is a code with its name and source.
type Named struct {
	Code   string `toml:"code"`
	Name   Text   `toml:"name"`
	Source Source `toml:"source"`
}

// Category is a data category. Excluded ones are in no consent unless named.
type Category struct {
	Code     string `toml:"code"`
	Name     Text   `toml:"name"`
	Excluded bool   `toml:"excluded"`
	Source   Source `toml:"source"`
}

// Basis is a legal basis and what a message on it must name.
type Basis struct {
	Code      string `toml:"code"`
	Name      Text   `toml:"name"`
	Ref       bool   `toml:"ref"`       // core.basis.ref is required
	Necessity bool   `toml:"necessity"` // core.basis.necessity is required
	Consent   bool   `toml:"consent"`   // consents are required, and the consent predicate decides
	Source    Source `toml:"source"`
}

// Reason is a reason code and the acts or holds it may be given for.
type Reason struct {
	Code   string   `toml:"code"`
	For    []string `toml:"for"` // acts (waive, cancel, …), "hold", "refuse", "necessity", "consent"
	Name   Text     `toml:"name"`
	Source Source   `toml:"source"`
}

// Kind is a notification kind.
type Kind struct {
	Code       string   `toml:"code"`
	Name       Text     `toml:"name"`
	Track      string   `toml:"track"`            // criminal, assistance, identification, rights
	Urgency    []string `toml:"urgency"`          // of I, U, R
	Caseless   bool     `toml:"caseless"`         // has neither case nor subj
	Re         string   `toml:"re"`               // none, optional, required
	Occurred   string   `toml:"occurred"`         // none, optional, required
	Roles      []string `toml:"roles"`            // any of these may send it
	Facts      []Fact   `toml:"fact"`             // visible facts it may carry
	Fields     []Field  `toml:"field"`            // sealed content
	Categories []string `toml:"categories"`       // data categories it may hold
	Answers    []string `toml:"values,omitempty"` // reply values it may give; empty: all
	Source     Source   `toml:"source"`
}

// Fact is a code in core.facts. It is visible to the operator, so at most
// eight values and a written reason why a rule must see it.
type Fact struct {
	Code     string   `toml:"code"`
	Values   []string `toml:"values"`
	Required bool     `toml:"required"`
	Reason   string   `toml:"reason"`
}

// Field is one field of a kind's sealed content.
type Field struct {
	Code     string   `toml:"code"`
	Name     Text     `toml:"name"`
	Type     string   `toml:"type"` // text, line, date, code
	Values   []string `toml:"values,omitempty"`
	Required bool     `toml:"required"`
	Max      int      `toml:"max"` // bytes
}

// Cell permits a kind from some types to some types on some bases. "*" stands
// for every type of the pack.
type Cell struct {
	Kind   string   `toml:"kind"`
	From   []string `toml:"from"`
	To     []string `toml:"to"`
	Bases  []string `toml:"bases"`
	Source Source   `toml:"source"`
}

// Rule opens an obligation.
type Rule struct {
	Code      string            `toml:"code"`
	Name      Text              `toml:"name"`
	Trigger   Trigger           `toml:"trigger"`
	Declared  bool              `toml:"declared"`     // opens only when the message declares it
	When      []Condition       `toml:"when"`         // declared: what the sender's program evaluates on the sealed fields
	Obligor   Party             `toml:"obligor"`      // who owes
	Obligee   Party             `toml:"obligee"`      // to whom
	Fulfilled []string          `toml:"fulfilled_by"` // kinds of message
	Interim   []string          `toml:"interim_by"`   // kinds of interim message
	FulfilOn  string            `toml:"fulfil_on"`    // submitted (when empty), handed-over, opened (rule ack only)
	Due       []Deadline        `toml:"due"`          // the first whose urgency fits
	Every     *Term             `toml:"every"`        // periodic: the next occurrence, after the one before is met
	EndsWith  []string          `toml:"ends_with"`    // kinds of the case that end it: open occurrences are closed, none follows
	Missing   bool              `toml:"missing"`      // late counts as a missing reply (not so for ack)
	Statutory bool              `toml:"statutory"`    // no extension by agreement
	Chain     string            `toml:"chain"`
	Tell      string            `toml:"tell"`        // open (when empty), due, never: when an obligee who is no recipient learns of it
	MaxInter  int               `toml:"max_interim"` // how many interim replies
	Source    Source            `toml:"source"`
	Labels    map[string]string `toml:"labels,omitempty"`
}

// Trigger is what opens an obligation: a message kind ("*" for any), or an
// event of the ledger. Facts are compared with core.facts and nothing else.
//
// A pack writes a rule with several events once; [Parse] enters it in
// [Pack.Rules] once per event, each entry with its own Event.
type Trigger struct {
	Kinds  []string          `toml:"kinds,omitempty"`
	Events []string          `toml:"events,omitempty"` // such as consent.withdrawn, as written
	Event  string            `toml:"-"`                // the one of Events this entry is for
	Facts  map[string]string `toml:"facts,omitempty"`
	From   []string          `toml:"from,omitempty"` // sender types; empty: any
}

// Condition compares one sealed field. Only declared rules have any.
type Condition struct {
	Field string   `toml:"field"`
	In    []string `toml:"in"`
}

// Party says who owes or is owed, relative to the trigger.
//
//	sender     the desk that sent the trigger
//	recipient  each desk it was sent to
//	filed      each desk that sent a message of Kind in the case
//	function   the desk of type Type and function Fn
//	person     each person concerned: the representative's desk, else the handle
//	removed    each recipient a consent change took out
//	recorder   the representative's desk, else the desk that recorded the change
type Party struct {
	Who   string   `toml:"who"`
	Kind  string   `toml:"kind,omitempty"`
	Type  string   `toml:"type,omitempty"`
	Fn    string   `toml:"fn,omitempty"`
	Types []string `toml:"types,omitempty"` // only desks of these types; empty: any
	Not   []string `toml:"not,omitempty"`   // no desks of these types
}

// Term is an amount of time. Unit is min, h (elapsed time), cd (calendar
// days), wd (working days) or mo (months).
type Term struct {
	Amount int    `toml:"amount"`
	Unit   string `toml:"unit"`
	Source Source `toml:"source"`
}

// Deadline is a term with a start and a shift. Start is consigned, handed-over,
// decided, served or event; Shift is next-working-day or none.
type Deadline struct {
	Term
	Urgency string `toml:"urgency,omitempty"` // I, U, R; empty: every
	Start   string `toml:"start"`
	Shift   string `toml:"shift"`
}

// Clock is a term that runs for the person: until when they may object. It
// depends on evidence: from handing over, or, never informed, from the act.
type Clock struct {
	Code     string   `toml:"code"`
	Name     Text     `toml:"name"`
	Kinds    []string `toml:"kinds"` // the notice that starts it
	Rule     string   `toml:"rule"`  // the obligation to inform whose fulfilment counts
	Informed Deadline `toml:"informed"`
	Never    Deadline `toml:"never"`
	Source   Source   `toml:"source"`
}

// Chain is an escalation chain. A reminder goes to the obligor when the later
// of RemindPercent of the term and RemindBefore is reached.
type Chain struct {
	Code          string `toml:"code"`
	Name          Text   `toml:"name"`
	RemindPercent int    `toml:"remind_percent"`
	RemindBefore  Term   `toml:"remind_before"`
	Steps         []Step `toml:"step"`
	Source        Source `toml:"source"`
}

// Step is one level of a chain: how long after the due time, and to whom
// (obligor-head, obligee-head, obligor, obligee, obligor-supervision,
// obligee-supervision).
type Step struct {
	After Term     `toml:"after"`
	To    []string `toml:"to"`
}

// Warning is shown before sending; a blocking one refuses.
type Warning struct {
	ID       string            `toml:"id"`
	Name     Text              `toml:"name"`
	Kinds    []string          `toml:"kinds"`
	Facts    map[string]string `toml:"facts,omitempty"`
	Blocking bool              `toml:"blocking"`
	Source   Source            `toml:"source"`
}

// Letter is a channel off the system whose proof of service counts.
type Letter struct {
	Channel string `toml:"channel"` // post, phone, courier, in-person
	Name    Text   `toml:"name"`
	Serves  bool   `toml:"serves"` // proof of service hands over
	Source  Source `toml:"source"`
}

// Consent is what a consent record must satisfy.
type Consent struct {
	Default   Term       `toml:"default"`          // validity when none is said
	Longest   Term       `toml:"longest"`          // longest validity
	Guardian  Term       `toml:"guardian_longest"` // longest of a guardian's
	Reask     Term       `toml:"reask"`            // not asked again sooner after a refusal
	Ages      []Named    `toml:"age"`              // age bands; "unknown" is treated as ChildBand
	ChildBand string     `toml:"child_band"`
	Opinions  []Named    `toml:"opinion"`
	Forms     []Named    `toml:"form"`
	Methods   []Named    `toml:"method"`
	Channels  []Named    `toml:"channel"`
	Interps   []Named    `toml:"interpreter"`
	Told      []Named    `toml:"told"`     // exceptions that must be told before asking
	Relations []Named    `toml:"relation"` // of a grantor or an excluded person to the person
	Grounds   []Named    `toml:"ground"`   // of a conflict exclusion
	Levels    []Named    `toml:"level"`    // of a conflict exclusion; the first already excludes
	Review    Term       `toml:"review"`   // an exclusion is reviewed within
	Grantors  []Grantor  `toml:"grantor"`  // who may give
	Recorders []Recorder `toml:"recorder"` // who may record which act
	Source    Source     `toml:"source"`
}

// Grantor permits relations to give for an age band.
type Grantor struct {
	Age       []string `toml:"age"`
	Relations []string `toml:"relations"`
	Opinion   bool     `toml:"opinion"`   // the person's opinion is mandatory
	Agreement bool     `toml:"agreement"` // and must be agreement
	Guardian  bool     `toml:"guardian"`  // the guardian's longest validity applies
	Source    Source   `toml:"source"`
}

// Recorder permits institution types to record consent acts.
type Recorder struct {
	Acts   []string `toml:"acts"` // given, refused, …
	Types  []string `toml:"types"`
	Roles  []string `toml:"roles"`
	Party  bool     `toml:"party"`  // must be party to the case
	Cosign string   `toml:"cosign"` // never, own-recipient (recorder is a recipient), always
	Source Source   `toml:"source"`
}

// Calendar is the pack's working-day calendar.
type Calendar struct {
	Weekend         []string  `toml:"weekend"`           // of monday … sunday
	SundayMovesNext bool      `toml:"sunday_moves_next"` // a state holiday on a Sunday frees the next working day
	Holidays        []Holiday `toml:"holiday"`
	Source          Source    `toml:"source"`
}

// Holiday is a fixed day (Month, Day) or one counted from Easter (Easter set).
// State holidays may move, others do not.
type Holiday struct {
	Name    Text   `toml:"name"`
	Month   int    `toml:"month,omitempty"`
	Day     int    `toml:"day,omitempty"`
	Easter  string `toml:"easter,omitempty"` // orthodox or western; then Offset counts days from Easter Sunday
	Offset  int    `toml:"offset,omitempty"`
	State   bool   `toml:"state"`
	Working bool   `toml:"working,omitempty"`
	Source  Source `toml:"source"`
}
