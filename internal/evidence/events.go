package evidence

// Events of the evidence tree. FORMAT.md says of each who signs it and to whom
// its opening goes.
const (
	MessageSubmitted     = "message.submitted"
	MessageRefused       = "message.refused"
	MessageRetrieved     = "message.retrieved"
	MessageDecrypted     = "message.decrypted"
	MessageDecryptFailed = "message.decrypt_failed"
	FactMismatch         = "fact.mismatch"
	Attested             = "attested"
	CaseLink             = "case.link"
	ConsentGiven         = "consent.given"
	ConsentNarrowed      = "consent.narrowed"
	ConsentWithdrawn     = "consent.withdrawn"
	ConsentRevoked       = "consent.revoked"
	ConsentInvalidated   = "consent.invalidated"
	ConflictSet          = "conflict.set"
	ConflictLifted       = "conflict.lifted"
	RepGrant             = "rep.grant"
	RepEnd               = "rep.end"
	DeskGrant            = "desk.grant"
	EscrowRequested      = "escrow.requested"
	EscrowRefused        = "escrow.refused"
	EscrowReleased       = "escrow.released"
	EscrowOpened         = "escrow.opened"
	ObligationOverdue    = "obligation.overdue"
	ObligationEscalated  = "obligation.escalated"
	ObligationKept       = "obligation.kept"
	Silence              = "silence"
	NoticeOwed           = "notice.owed"
	NoticeConsentChange  = "notice.consent_change"
	NoticeReminder       = "notice.reminder"
	NoticeEscalation     = "notice.escalation"
	AccessRead           = "access.read"
	DocumentIssued       = "document.issued"
	ErasureDone          = "erasure.done"
	ClockAccepted        = "clock.accepted"
)

// ServerMade reports whether the server makes the leaf of an event by itself:
// then PRIV has data, and otherwise a signed statement.
func ServerMade(event string) bool {
	switch event {
	case MessageRefused, "consent.expired", "consent.superseded", ObligationOverdue, ObligationEscalated, ObligationKept,
		Silence, NoticeOwed, NoticeConsentChange, NoticeReminder, NoticeEscalation, "notice.emergency", AccessRead, ErasureDone,
		EscrowReleased, ClockAccepted, "audit.exported":
		return true
	}
	return false
}

// RefusedData is the data of message.refused. Count is more than one when a
// leaf stands for the refusals beyond twenty in an hour.
type RefusedData struct {
	Code  string   `json:"code"`
	Count int      `json:"count"`
	IDs   []string `json:"ids"`
	Key   string   `json:"key"` // of the officer
}

// DutyData is the data of obligation.overdue, obligation.escalated,
// notice.owed, notice.reminder, notice.escalation and silence. Parties are
// desks, or a person's handle.
type DutyData struct {
	Due     int64  `json:"due"`
	Level   int    `json:"level"`
	O       string `json:"o"`
	Obligee string `json:"obligee,omitempty"`
	Obligor string `json:"obligor,omitempty"`
	Rule    string `json:"rule"`
	Size    int64  `json:"size,omitempty"` // silence: the size of the tree it speaks of
	State   string `json:"state,omitempty"`
}

// ConsentChangeData is the data of notice.consent_change: what the removed
// recipient must confirm, and by when.
type ConsentChangeData struct {
	Act     string `json:"act"`
	Consent string `json:"consent"`
	Due     int64  `json:"due"`
	O       string `json:"o"`
	Ver     int    `json:"ver"`
}

// AccessData is the data of access.read.
type AccessData struct {
	Day     string `json:"day"`
	Grant   string `json:"grant"`
	Officer string `json:"officer"` // key id
}

// ErasureData is the data of erasure.done: the openings that are gone, and
// where in which feeds they stood, so that feeds keep their numbers.
type ErasureData struct {
	Erased []Erased `json:"erased"`
	Ground string   `json:"ground"`
}

// Erased is one opening that is gone.
type Erased struct {
	Idx int64      `json:"idx"`
	To  []Delivery `json:"to"`
}

// ClockData is the data of clock.accepted: by how much the clock had jumped.
type ClockData struct {
	Jump int64 `json:"jump"`
}
