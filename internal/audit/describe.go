package audit

import (
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// describe says in words what a verified item is.
func (v *fileVerifier) describe(meta *evidence.Meta, s *said, found *ItemFound) {
	r := &v.report
	r.say(FactIncluded, found.Idx, ledger.Ev.Origin(r.Host), found.Size)
	r.say(FactReceived, instant(found.At))
	r.tell(found.Seen)
	r.tellTime(found.Seen, found.At, found.TimeDoubt)
	if len(found.Signers) == 0 {
		r.say(FactServerMade, meta.Ev, meta.Obj)
	}
	for i, who := range found.Signers {
		if i == 0 && evidence.IsEscrow(meta.Ev) {
			r.say(FactCustodian, meta.Ev, meta.Obj, who.Inst, orDash(who.Type), who.Key)
			continue
		}
		if i == 0 {
			r.say(FactSigned, meta.Ev, meta.Obj, who.Officer, who.Desk, who.Inst, orDash(who.Type), who.Key)
			continue
		}
		r.say(FactCosigned, who.Officer, who.Inst, who.Key)
	}
	switch b := s.body.(type) {
	case *evidence.DutyData:
		if meta.Ev == evidence.Silence {
			r.say(FactSilence, meta.Idx, b.O, b.Rule, dueText(b.Due), orDash(b.State), orDash(b.Obligor), orDash(b.Obligee))
			r.say(FactSilenceMeans, meta.Idx)
		}
	case *evidence.ReleasedData:
		r.say(FactReleased, b.Desk, list(numbers(b.Epochs)), b.Purpose, b.Officer, list(b.Keys()), instant(b.Until))
	case *consent.Statement:
		r.say(FactVersion, b.ID, b.Ver, string(b.Act()), instant(meta.At), b.By.Inst)
		if !b.Act().Permits() {
			break
		}
		r.say(FactScope, list(b.From), list(b.To), list(b.Purposes), list(b.Cats), instant(b.NB), instant(b.NA))
	}
}

// conclude says what the whole rests on.
func (v *fileVerifier) conclude() {
	r := &v.report
	r.say(FactChain, len(v.leaves))
	signed, replayed, least := false, v.trust.Directory != nil, ledger.Confirmed
	for _, it := range r.Items {
		signed = signed || len(it.Signers) > 0
		least = lesser(least, it.Standing)
	}
	switch {
	case signed && replayed:
		r.say(FactReplayed, v.trust.Directory.N())
	case signed:
		r.say(FactAccepted)
	}
	r.conclude(least)
}

// lesser is the standing that claims less.
func lesser(a, b ledger.Standing) ledger.Standing {
	order := []ledger.Standing{"", ledger.Unwitnessed, ledger.Provisional, ledger.Confirmed}
	return order[min(slices.Index(order, a), slices.Index(order, b))]
}

// conclude says what every report ends with.
func (r *Report) conclude(standing ledger.Standing) {
	if r.Pinned {
		r.say(FactPinned)
	} else {
		r.say(FactNotPinned, r.Genesis)
	}
	switch standing {
	case ledger.Unwitnessed:
		r.say(FactUnwitnessed)
	case ledger.Confirmed:
		r.say(FactConfirmed)
	case ledger.Provisional:
		r.say(FactProvisional)
	}
	if r.Demo {
		r.say(FactDemo)
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func list(codes []string) string { return orDash(strings.Join(codes, ", ")) }

func dueText(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return instant(ms)
}

// conclude says what was verified of a bundle. It claims only what no finding
// contradicts.
func (v *bundleVerifier) conclude() {
	r, c := &v.report, v.report.Bundle
	if len(v.found) > 0 {
		return
	}
	r.say(FactTrees)
	r.say(FactDirectory, c.Dir)
	r.say(FactShown, c.Shown, c.Ev)
	if c.Complete() {
		r.say(FactComplete, c.Erased)
	} else {
		r.say(FactMissing, c.Ev-c.Shown-c.Erased, c.Ev)
	}
	if c.MetaOnly > 0 {
		r.say(FactMetaOnly, c.MetaOnly)
		r.say(FactTraces, c.Opened, c.Moved, c.Refused)
	}
	if c.Shown > c.MetaOnly {
		r.say(FactOpenings, c.Signatures)
		r.say(FactSends, c.Sends)
		v.duties()
	}
	r.say(FactCannotShow)
	r.tell(c.SeenDir)
	r.tell(c.SeenEv)
	r.tellTime(c.SeenEv, v.lastAt, c.TimeDoubt)
	r.conclude(lesser(c.SeenDir.Standing, c.SeenEv.Standing))
}

// duties says up to where obligations were derived again, and why not further.
func (v *bundleVerifier) duties() {
	v.report.say(FactDuties, v.report.Bundle.Duties, v.report.Bundle.DutiesUpTo)
	if v.undone != nil {
		v.report.Facts = append(v.report.Facts, *v.undone)
	}
}
