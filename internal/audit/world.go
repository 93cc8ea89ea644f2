package audit

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// A replay answers what the rules ask: of the directory and the packs as
// [obligation.World], of consents, exclusions and linked cases as [consent.Book].
var (
	_ obligation.World = (*replay)(nil)
	_ consent.Book     = (*replay)(nil)
)

// TypeOf implements [obligation.World].
func (r *replay) TypeOf(n int64, desk string) string { return r.v.dir.At(n).TypeOfDesk(desk) }

// Function implements [obligation.World].
func (r *replay) Function(n int64, typ, fn, near string) (string, bool) {
	view := r.v.dir.At(n)
	if near != "" {
		if d, ok := view.DeskOfInst(view.InstOfDesk(near), fn, r.at); ok {
			return d, true
		}
		return near, true
	}
	desks := view.DesksByTypeFn(typ, fn, r.at)
	if len(desks) == 0 {
		return "", false
	}
	return desks[0], true
}

// Pack implements [obligation.World].
func (r *replay) Pack(id string) (*rules.Pack, bool) { return r.v.packs.Get(id) }

// Calendar implements [obligation.World].
func (r *replay) Calendar(packID string, n int64) *obligation.Calendar {
	pack, ok := r.v.packs.Get(packID)
	if !ok {
		return nil
	}
	declared := r.v.dir.At(n).CalendarDays(pack.Zone)
	days := make([]obligation.Day, 0, len(declared))
	key := packID
	for _, d := range declared {
		days = append(days, obligation.Day{Date: d.Date, Off: d.Off})
		key += "/" + d.Date + strconv.FormatBool(d.Off)
	}
	cal, ok := r.cals[key]
	if !ok {
		cal = obligation.NewCalendar(pack.Calendar, pack.Location(), days)
		r.cals[key] = cal
	}
	return cal
}

// Record implements [consent.Book].
func (r *replay) Record(id string) (*consent.Record, bool, error) {
	record, ok := r.consents[id]
	return record, ok, nil
}

// Excluded implements [consent.Book].
func (r *replay) Excluded(who, subj string, now int64) (bool, error) {
	for i := range r.conflicts {
		if r.conflicts[i].Excludes(who, subj, now) {
			return true, nil
		}
	}
	return false, nil
}

// Same implements [consent.Book].
func (r *replay) Same(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	linked, err := r.book.Linked(a)
	return slices.Contains(linked, b), err
}

func (r *replay) party(desk string) consent.Party {
	view := r.v.dir.At(r.dirn)
	return consent.Party{Desk: desk, Inst: view.InstOfDesk(desk), Type: view.TypeOfDesk(desk)}
}

// decide computes again whether a message might go, and on which consents.
func (r *replay) decide(c *checked) error {
	n, ok := c.said.body.(*messaging.Notice)
	if !ok || r.holes {
		return nil
	}
	core := n.Core
	pack, _ := r.v.packs.Get(core.Pack)
	req := consent.Request{Kind: core.Kind, Basis: core.Basis, Case: core.Case, Cats: core.Cats, Subj: core.Subj,
		From: r.party(core.From.Desk)}
	for _, to := range core.Others() {
		req.To = append(req.To, r.party(to.Desk))
	}
	d, err := consent.Decide(r, pack, req, c.meta.At)
	if err != nil {
		return err
	}
	if !d.Allow {
		return fmt.Errorf("the rules refuse this message (%s, recipient %s: %s), and it was let pass", d.Code, d.Desk, d.Detail)
	}
	var used []evidence.Consent
	for _, u := range d.Used {
		used = append(used, evidence.Consent{ID: u.ID, Idx: u.Idx, Ver: u.Ver})
	}
	if !sameList(used, c.priv.Cons, func(e evidence.Consent) string { return e.ID }) {
		return fmt.Errorf("cons: not the consents that the rules rely on")
	}
	r.v.report.Bundle.Sends++
	return nil
}
