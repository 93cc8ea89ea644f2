package rules

// Words of the format. A pack uses these and no others; its own codes are data.
const (
	StartConsigned  = "consigned"   // when the ledger accepted the trigger
	StartHandedOver = "handed-over" // when the trigger was handed over
	StartDecided    = "decided"     // the trigger's own time: a decision
	StartServed     = "served"      // the trigger's own time: service of an order
	StartEvent      = "event"       // the trigger's own time: anything else

	ShiftNone = "none"
	ShiftNext = "next-working-day"

	UnitMinutes      = "min"
	UnitHours        = "h"
	UnitCalendarDays = "cd"
	UnitWorkingDays  = "wd"
	UnitMonths       = "mo"

	OnSubmitted  = "submitted"
	OnHandedOver = "handed-over"
	OnOpened     = "opened"

	TellOpen  = "open"
	TellDue   = "due"
	TellNever = "never"

	WhoSender    = "sender"
	WhoRecipient = "recipient"
	WhoFiled     = "filed"
	WhoFunction  = "function"
	WhoPerson    = "person"
	WhoRemoved   = "removed"
	WhoRecorder  = "recorder"

	CosignNever        = "never"
	CosignOwnRecipient = "own-recipient"
	CosignAlways       = "always"

	// RuleAck is the one rule that opening fulfils, and that is never among
	// the missing replies.
	RuleAck = "ack"
	// AgeUnknown is the age band that counts as the pack's child band.
	AgeUnknown = "unknown"
	// Any stands for every kind in a trigger and every type in a cell.
	Any = "*"
	// TypeRepresentative and FnRep are the type and function of a
	// representative's desk, whatever else a pack calls its institutions.
	TypeRepresentative = "representative"
	FnRep              = "rep"
)

// vocabulary lists the words permitted in each place, in the order errors
// print them.
var vocabulary = map[string][]string{
	"source":  {"law", "study", "practice", "assumption"},
	"unit":    {UnitMinutes, UnitHours, UnitCalendarDays, UnitWorkingDays, UnitMonths},
	"start":   {StartConsigned, StartHandedOver, StartDecided, StartServed, StartEvent},
	"shift":   {ShiftNone, ShiftNext},
	"urgency": {"I", "U", "R"},
	"track":   {"criminal", "assistance", "identification", "rights"},
	"need":    {"none", "optional", "required"},
	"role":    {"member", "duty", "head", "supervisor", "dpo", "desk-key", "registrar", "auditor"},
	"field":   {"text", "line", "date", "code"},
	"who":     {WhoSender, WhoRecipient, WhoFiled, WhoFunction, WhoPerson, WhoRemoved, WhoRecorder},
	"fulfil":  {OnSubmitted, OnHandedOver, OnOpened},
	"tell":    {TellOpen, TellDue, TellNever},
	"step":    {"obligor", "obligee", "obligor-head", "obligee-head", "obligor-supervision", "obligee-supervision"},
	"act":     {"requested", "given", "refused", "deferred", "narrowed", "renewed", "withdrawn", "revoked", "invalidated"},
	"event":   {"consent.narrowed", "consent.withdrawn", "consent.revoked", "consent.invalidated", "consent.expired"},
	"for":     {"extend", "suspend", "dispute", "waive", "cancel", "transfer", "hold", "refuse", "necessity", "consent", "conflict", "defer", "erase", "warning"},
	"cosign":  {CosignNever, CosignOwnRecipient, CosignAlways},
	"weekday": {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
	"easter":  {"orthodox", "western"},
}
