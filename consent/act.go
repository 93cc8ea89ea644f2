package consent

import "strings"

// Act is what a consent statement records.
type Act string

// Signed acts, each the payload of the event "consent.<act>". See FORMAT.md §2.
const (
	Requested   Act = "requested"   // explained, not answered
	Given       Act = "given"       // yes, for the scope named
	Refused     Act = "refused"     // no
	Deferred    Act = "deferred"    // the person wants time
	Narrowed    Act = "narrowed"    // still yes, for less
	Renewed     Act = "renewed"     // still yes, for longer
	Withdrawn   Act = "withdrawn"   // no more, says the person or a valid grantor
	Revoked     Act = "revoked"     // no more, says another authority
	Invalidated Act = "invalidated" // never was valid: language, pressure, conflict
)

// Acts the server records without a signature. They add no version: [Record]
// derives both.
const (
	ActExpired    Act = "expired"
	ActSuperseded Act = "superseded"
)

// Acts lists the signed acts.
func Acts() []Act {
	return []Act{Requested, Given, Refused, Deferred, Narrowed, Renewed, Withdrawn, Revoked, Invalidated}
}

// eventPrefix starts the event of every consent statement.
const eventPrefix = "consent."

// Event is the ledger event of a, such as "consent.given".
func (a Act) Event() string { return eventPrefix + string(a) }

// ActOf is the inverse of [Act.Event] for signed acts.
func ActOf(event string) (Act, bool) {
	name, ok := strings.CutPrefix(event, eventPrefix)
	if !ok {
		return "", false
	}
	for _, a := range Acts() {
		if string(a) == name {
			return a, true
		}
	}
	return "", false
}

// Permits reports whether a version with this act lets anything be shared.
func (a Act) Permits() bool { return a == Given || a == Narrowed || a == Renewed }

// Ends reports whether a takes a permission away altogether.
func (a Act) Ends() bool { return a == Withdrawn || a == Revoked || a == Invalidated }

// asks reports whether a asks for a permission or says yes to one, so that
// every rule that protects the person applies.
func (a Act) asks() bool { return a == Requested || a == Given || a == Renewed }

// Status is the state of a version at a time: its act, unless time or a newer
// version has overtaken it.
type Status string

// States beside those that are called like their act.
const (
	Expired    Status = "expired"    // na has come
	Superseded Status = "superseded" // a newer version exists
	NotYet     Status = "not-yet"    // nb has not come
	None       Status = ""           // no version at all
)
