package obligation

import (
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// notice is what rules read of a trigger, whichever way it came: a message, an
// attestation of one off the system, or an event of the ledger.
type notice struct {
	event    string // for a trigger by event
	kind     string // for a trigger by kind
	from     string // who sent it
	actor    string // who performs its acts: the sender, or the desk that attests
	to       []string
	subj     []string
	facts    map[string]string
	urg      string
	re       string
	set      string
	occurred int64
	acts     []messaging.Act
	what     string // of an attestation
	change   *ConsentChange
}

// noticeOf reads an event as a notice. An event that is neither a message nor an
// attestation has no kind.
func noticeOf(ev *Event) *notice {
	switch {
	case ev.Core != nil:
		return noticeOfCore(ev.Core)
	case ev.Attested != nil:
		return noticeOfAttested(ev)
	}
	n := &notice{event: ev.Ev, from: ev.Desk, actor: ev.Desk, to: ev.To, subj: ev.Subj, change: ev.Change}
	if ev.Change != nil {
		n.subj = []string{ev.Change.Subj}
	}
	return n
}

func noticeOfCore(c *messaging.Core) *notice {
	return &notice{kind: c.Kind, from: c.From.Desk, actor: c.From.Desk, to: recipients(c), subj: c.Subj, facts: c.Facts,
		urg: c.Urg, re: c.Re, set: c.Set, occurred: c.Occurred, acts: c.Obl}
}

func noticeOfAttested(ev *Event) *notice {
	a := ev.Attested
	n := &notice{kind: a.Kind, from: a.From, actor: ev.Desk, to: a.To, subj: ev.Subj, facts: a.Facts,
		urg: a.Urg, occurred: a.Occurred, acts: a.Obl, what: a.What}
	if n.from == "" {
		n.from = ev.Desk
	}
	switch a.What {
	case WhatReceived:
		n.to = []string{ev.Desk}
	case WhatAttempt: // nothing reached anyone
		n.kind = ""
	}
	return n
}

// recipients are the desks a message goes to, each once, without the sender's
// own copy: a self recipient neither owes nor is owed.
func recipients(c *messaging.Core) []string {
	var to []string
	for _, r := range c.Others() {
		if r.Desk != c.From.Desk && !slices.Contains(to, r.Desk) {
			to = append(to, r.Desk)
		}
	}
	return to
}

// attested reports whether the notice is a claim about something off the system.
func (n *notice) attested() bool { return n.what != "" }

// answers reports whether an attestation fulfils a duty that was there before.
// Then it triggers none: its time is that of the letter, not of the act the
// letter tells of, and would make a second act of one.
func (n *notice) answers() bool {
	return n.attested() && slices.ContainsFunc(n.acts, func(a messaging.Act) bool { return a.Op == messaging.OpFulfil && a.ID != "" })
}

// triggers reports whether the notice opens duties under a rule, apart from the
// sender's type, which needs the directory.
func (n *notice) triggers(r *rules.Rule) bool {
	if r.Trigger.Event != "" {
		return n.event == r.Trigger.Event
	}
	if n.kind == "" || !matches(r.Trigger.Kinds, n.kind) {
		return false
	}
	for code, value := range r.Trigger.Facts {
		if n.facts[code] != value {
			return false
		}
	}
	if r.FulfilOn == rules.OnOpened && n.attested() {
		return false // there is nothing to open
	}
	return !r.Declared || n.declares(r.Code)
}

func (n *notice) declares(rule string) bool {
	return slices.ContainsFunc(n.acts, func(a messaging.Act) bool { return a.Op == messaging.OpDeclare && a.Rule == rule })
}

// matches reports whether a kind is in a list of kinds, of which "*" is every.
func matches(kinds []string, kind string) bool {
	return slices.Contains(kinds, rules.Any) || slices.Contains(kinds, kind)
}

// SentOf is what a [Book] remembers of an event as a message, and false when it
// is none: a failed attempt reached nobody, a bare proof of service said nothing.
func SentOf(ev Event) (Sent, bool) {
	if ev.Core == nil && ev.Attested == nil {
		return Sent{}, false
	}
	n := noticeOf(&ev)
	if ev.Attested != nil && n.kind == "" {
		return Sent{}, false
	}
	return Sent{Obj: ev.Obj, Idx: ev.Idx, At: ev.At, Case: ev.caseID(), Kind: n.kind, From: n.from, Set: n.set,
		Pack: ev.packID(), Occurred: n.occurred, To: n.to}, true
}

// HandedTo is a handing over to one desk or person.
type HandedTo struct {
	Obj, To string
	Handed
}

// HandedOf is what a [Book] remembers of an event as handings over: the first
// for each object and party counts.
func HandedOf(ev Event) []HandedTo {
	switch {
	case ev.Ev == EvRetrieved && ev.Receipt != nil:
		return []HandedTo{{Obj: ev.Receipt.Msg, To: ev.Receipt.Desk, Handed: Handed{Idx: ev.Idx, At: ev.At}}}
	case ev.Attested != nil && ev.Attested.What == WhatServed:
		return servedBy(&ev)
	}
	return nil
}

// servedBy lists what a proof of service hands over: the notice that the
// attestation is, and the one it names.
func servedBy(ev *Event) []HandedTo {
	var list []HandedTo
	for _, to := range ev.Attested.To {
		h := Handed{ev.Idx, ev.At, served(ev.Attested, ev.At)}
		if ev.Attested.Kind != "" {
			list = append(list, HandedTo{ev.Obj, to, h})
		}
		if ev.Attested.Of != "" {
			list = append(list, HandedTo{ev.Attested.Of, to, h})
		}
	}
	return list
}

// served is the day a proof of service names, never after it was filed; without
// one the day of filing.
func served(a *Attested, at int64) int64 {
	if a.Occurred == 0 {
		return at
	}
	return min(a.Occurred, at)
}

// caseID and packID are those of the core, when there is one.
func (ev *Event) caseID() string {
	switch {
	case ev.Core != nil:
		return ev.Core.Case
	case ev.Change != nil && ev.Case == "":
		return ev.Change.Case
	}
	return ev.Case
}

func (ev *Event) packID() string {
	if ev.Core != nil {
		return ev.Core.Pack
	}
	return ev.Pack
}

// isPerson reports whether a party is a person's handle, not a desk.
func isPerson(party string) bool { return strings.HasPrefix(party, statement.Person+"_") }
