package scenario

// Expect is what must hold after a step. In every expectation the members that
// choose what is looked at come first; the others are compared, each only if it
// is present. The tag check marks them.
type Expect struct {
	Duty    []*DutyExpect    `toml:"duty"`
	Missing []*MissingExpect `toml:"missing"`
	Feed    []*FeedExpect    `toml:"feed"`
	Clock   []*ClockExpect   `toml:"clock"`
	Message []*MessageExpect `toml:"message"`
	Consent []*ConsentExpect `toml:"consent"`
	Record  []*RecordExpect  `toml:"record"`
	Grant   []*GrantExpect   `toml:"grant"`
	Proof   []*ProofExpect   `toml:"proof"`
	Desk    []*DeskExpect    `toml:"desk"`
	Watch   []*WatchExpect   `toml:"watch"`
	Reading []*ReadingExpect `toml:"reading"`
	Dump    []*DumpExpect    `toml:"dump"`
}

// DutyExpect is about one obligation. Both parties are asked, and must see the
// same.
type DutyExpect struct {
	Rule string `toml:"rule" is:"must rule"`
	By   string `toml:"by" is:"must actor"`        // who owes
	To   string `toml:"to" is:"must actor|person"` // to whom: an actor, or a person whom nobody represents
	Of   string `toml:"of" is:"thing"`             // what opened it
	N    int    `toml:"n"`                         // occurrence of a periodic duty

	Absent     *bool    `toml:"absent" check:""`
	State      *string  `toml:"state" check:"" is:"state"`
	Opened     *Time    `toml:"opened" check:"" is:"time"`
	Due        *Time    `toml:"due" check:"" is:"time"` // the first moment that is too late
	Overdue    *bool    `toml:"overdue" check:""`
	Missing    *bool    `toml:"missing" check:""` // stands among the missing replies
	Unserved   *bool    `toml:"unserved" check:""`
	Late       *bool    `toml:"late" check:""` // was answered too late, for ever
	LateDays   *int     `toml:"late-days" check:""`
	SilentDays *int     `toml:"silent-days" check:""`
	Value      *string  `toml:"value" check:"" is:"value"`
	Reason     *string  `toml:"reason" check:"" is:"acted"`
	MetBy      *string  `toml:"met-by" check:"" is:"thing"`  // name of the message or attestation
	Person     *string  `toml:"person" check:"" is:"person"` // to whom it is owed, whoever represents them
	Attested   *bool    `toml:"attested" check:""`
	Estimated  *bool    `toml:"estimated" check:""`
	Level      *int     `toml:"level" check:""` // highest escalation on record
	Steps      []string `toml:"steps" check:""` // of the explanation, in their order; others may stand between
}

// MissingExpect counts missing replies, of a desk or of a whole institution.
type MissingExpect struct {
	Desk        string `toml:"desk" is:"actor"`        // an actor
	Institution string `toml:"institution" is:"actor"` // an actor, meaning all desks of its institution
	Side        string `toml:"side" is:"must owing"`   // owed (to it), owing (by it)

	Count *int     `toml:"count" check:""`
	Rules []string `toml:"rules" check:"" is:"rule"` // of them, sorted
}

// FeedExpect counts items of a desk's feed: everything it was told. A
// representative also sees what the grant handed over of the time before.
type FeedExpect struct {
	At    string `toml:"at" is:"must actor"`
	Event string `toml:"event" is:"event"`
	Of    string `toml:"of" is:"thing"`  // the message, consent or statement it is about, or that opened the duty it is about
	Rule  string `toml:"rule" is:"rule"` // of the duty it is about
	By    string `toml:"by" is:"actor"`  // actor who did it
	Kind  string `toml:"kind" is:"kind"`
	Level int    `toml:"level"`
	Held  bool   `toml:"held"` // withheld items alone; they show nothing but reason and end

	Count   *int    `toml:"count" check:""`                // absent: at least one
	Content *string `toml:"content" check:"" is:"content"` // none: no case, no person, no statement, nothing but codes, ids and times
	State   *string `toml:"state" check:"" is:"view"`      // of the duty, as told
	Due     *Time   `toml:"due" check:"" is:"time"`
	Reason  *string `toml:"reason" check:"" is:"reason"` // of a hold
	Until   *Time   `toml:"until" check:"" is:"time"`
	Code    *string `toml:"code" check:"" is:"problem"` // of a refusal
}

// ClockExpect is about a term that runs for the person.
type ClockExpect struct {
	Clock string `toml:"clock" is:"must clock"`  // code in the pack
	Of    string `toml:"of" is:"must thing"`     // what opened the duty to inform
	By    string `toml:"by" is:"must actor"`     // who must inform
	About string `toml:"about" is:"must person"` // the person

	Informed *bool `toml:"informed" check:""`
	Attested *bool `toml:"attested" check:""`
	Start    *Time `toml:"start" check:"" is:"time"`
	Due      *Time `toml:"due" check:"" is:"time"`
	Limit    *Time `toml:"limit" check:"" is:"time"`
	Over     *bool `toml:"over" check:""`
}

// MessageExpect is about a message as its sender sees it.
type MessageExpect struct {
	Of string `toml:"of" is:"must message"`
	To string `toml:"to" is:"actor"` // which recipient; needed for handed and opened

	Kind    *string `toml:"kind" check:"" is:"kind"`
	Basis   *string `toml:"basis" check:"" is:"basis"`
	Ref     *string `toml:"ref" check:""`
	Under   *int    `toml:"under" check:""`                 // version of the consent it was accepted under
	SetWith *string `toml:"set-with" check:"" is:"message"` // another message of the same set
	Handed  *string `toml:"handed" check:"" is:"moment"`    // a time, or "never"
	Opened  *string `toml:"opened" check:"" is:"moment"`    // a time, or "never"
}

// ConsentExpect is about a consent as a desk sees it.
type ConsentExpect struct {
	Of string `toml:"of" is:"must consent"`
	At string `toml:"at" is:"must actor"`

	Versions   *int     `toml:"versions" check:""`
	Status     *string  `toml:"status" check:"" is:"status"`
	Acts       []string `toml:"acts" check:"" is:"act"`             // of every version, in order
	RecordedBy []string `toml:"recorded-by" check:"" is:"actor"`    // the actor of every version, in order
	To         []string `toml:"to" check:"" is:"actor|institution"` // of the newest version
	From       []string `toml:"from" check:"" is:"actor|institution"`
	Purposes   []string `toml:"purposes" check:"" is:"purpose"`
	Cats       []string `toml:"cats" check:"" is:"category"`
	Language   *string  `toml:"language" check:""`
	Interp     *string  `toml:"interpreter" check:""`
	Until      *Time    `toml:"until" check:"" is:"time"`
}

// RecordExpect is about all that a representative sees.
type RecordExpect struct {
	At string `toml:"at" is:"must actor"`

	Consents    *int     `toml:"consents" check:""`          // versions
	Disclosures []string `toml:"disclosures" check:""`       // "TIME KIND from ACTOR to ACTOR on BASIS"
	Withheld    *int     `toml:"withheld" check:""`          // items on hold
	Duties      []string `toml:"duties" check:""`            // "RULE by ACTOR STATE", sorted
	Bodies      *bool    `toml:"bodies" check:""`            // whether any message not addressed to it can be fetched
	Complete    *bool    `toml:"complete" check:""`          // whether what a grant handed over is what it fixed
	Events      []string `toml:"events" check:"" is:"event"` // every event there is, each once, sorted
}

// GrantExpect is about a grant.
type GrantExpect struct {
	Of string `toml:"of" is:"must grant"`

	InForce *bool   `toml:"in-force" check:""`
	Code    *string `toml:"code" check:"" is:"problem"` // of the no that the representative's desk gets
}

// ProofExpect is about the proof that something stands in the ledger.
type ProofExpect struct {
	Of string `toml:"of" is:"must thing"`
	By string `toml:"by" is:"must actor"` // who holds it

	Verifies *bool `toml:"verifies" check:""` // offline, against the ledger's key, with the opening
	Kept     *bool `toml:"kept" check:""`     // it was got earlier, and the exchange is not asked now
}
