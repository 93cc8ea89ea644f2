package audit

import (
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// eventOf turns an opening into the event that obligations depend on. What an
// event does to releases and grants is asked of the past.
func (r *replay) eventOf(c *checked) obligation.Event {
	m, p := c.meta, c.priv
	ev := obligation.Event{Idx: m.Idx, At: m.At, DirN: m.DirN, Ev: m.Ev, Obj: m.Obj, Case: p.Case}
	ev.Inst, ev.Desk, _ = strings.Cut(m.By, "/")
	if ev.Desk == "" {
		ev.Inst = ""
	} else {
		ev.Type = r.v.dir.At(m.DirN).TypeOfDesk(ev.Desk)
	}
	for _, d := range p.To {
		ev.To = append(ev.To, d.Desk)
	}
	for _, o := range p.Opens {
		ev.Opens = append(ev.Opens, o.O)
		ev.Listed = append(ev.Listed, obligation.Listed{O: o.O, Rule: o.Rule, Obligor: o.OR, Obligee: o.EE, Due: o.Due, N: o.N})
	}
	r.fill(&ev, c.said.body)
	return ev
}

func (r *replay) fill(ev *obligation.Event, body any) {
	switch b := body.(type) {
	case *messaging.Notice:
		ev.Core, ev.Pack, ev.Subj = b.Core, b.Core.Pack, b.Core.Subj
	case *messaging.Retrieved:
		ev.Receipt = &obligation.Receipt{Msg: b.Msg, Desk: b.Desk}
	case *messaging.Decrypted:
		ev.Receipt = &obligation.Receipt{Msg: b.Msg, Desk: b.Desk}
	case *messaging.Attested:
		ev.Pack, ev.Subj, ev.Attested = b.Pack, b.Subj, attestedOf(b)
	case *messaging.CaseLink:
		ev.Link = b.Cases
	case *evidence.Grant:
		ev.Subj = b.Subj
		ev.Grant = &obligation.Grant{ID: b.ID, Case: b.Case, Desk: b.Desk, Subj: b.Subj, Scope: b.Scope, NB: b.NB, NA: b.NA}
	case *evidence.GrantEnd:
		ev.GrantEnds = []string{b.Grant}
	case *consent.ConflictSet:
		ev.Subj, ev.GrantEnds = b.Subj, r.grantsOf(b)
	case *obligation.Kept:
		ev.Kept = b
	case *consent.Statement:
		ev.Pack, ev.Subj = b.Pack, []string{b.Subj}
		ev.Change = &obligation.ConsentChange{Consent: b.ID, Ver: b.Ver, Case: b.Case, Subj: b.Subj, Recorder: b.By.Desk}
		r.lapses(ev, b)
	}
}

func attestedOf(a *messaging.Attested) *obligation.Attested {
	what := obligation.WhatSent
	switch {
	case a.What == messaging.WhatReceived:
		what = obligation.WhatReceived
	case a.Outcome == messaging.OutcomeServed:
		what = obligation.WhatServed
	case a.Outcome == messaging.OutcomeAttempted:
		what = obligation.WhatAttempt
	}
	out := &obligation.Attested{Channel: a.Channel, What: what, Occurred: a.Occurred, Kind: a.Kind, From: a.From, Of: a.Msg,
		Facts: a.Facts, Obl: a.Obl}
	if a.To != "" {
		out.To = []string{a.To}
	}
	return out
}

// grantsOf lists the grants in force that an exclusion of their desk ends.
func (r *replay) grantsOf(c *consent.ConflictSet) []string {
	var ids []string
	for _, g := range r.grants {
		shared := slices.ContainsFunc(g.Subj, func(s string) bool { return slices.Contains(c.Subj, s) })
		if g.Desk == c.Who && shared && !r.ended[g.ID] {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// disclosure is a message that went out under a consent.
type disclosure struct {
	msg  string
	from string
	core *messaging.Core
}

// lapses finds the recipients to whom something went under the version before
// and would not under this one, and which of these messages they did not fetch.
func (r *replay) lapses(ev *obligation.Event, st *consent.Statement) {
	record := r.consents[st.ID]
	if record == nil || st.Ver < 2 || len(record.Versions) < st.Ver-1 {
		return
	}
	prev, next := &record.Versions[st.Ver-2], consent.Recorded(st, ev.Idx, ev.At)
	for _, d := range r.disclosed[st.ID] {
		for _, desk := range recipientsOf(d.core) {
			if !r.lapsed(prev, &next, d.core, desk) {
				continue
			}
			if !slices.Contains(ev.Change.Removed, desk) {
				ev.Change.Removed = append(ev.Change.Removed, desk)
			}
			block := obligation.Block{Msg: d.msg, Desk: desk}
			if _, handed, _ := r.book.HandedOver(d.msg, desk); !handed && !r.blocked[block] {
				ev.Blocked = append(ev.Blocked, block)
			}
		}
	}
}

func recipientsOf(core *messaging.Core) []string {
	var desks []string
	for _, to := range core.Others() {
		desks = append(desks, to.Desk)
	}
	slices.Sort(desks)
	return desks
}

func (r *replay) lapsed(prev, next *consent.Version, core *messaging.Core, desk string) bool {
	return consent.Lapsed(prev, next, consent.Disclosure{From: core.From.Inst, Purpose: core.Basis.Purpose, Cats: core.Cats,
		To: r.party(desk)})
}
