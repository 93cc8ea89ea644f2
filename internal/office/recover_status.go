package office

import (
	"context"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
)

// RehearsalTerm is how long a rehearsal proves anything, in ms: keys are lost and
// people leave.
const RehearsalTerm = 365 * day

// How a desk's present key could be recovered.
const (
	EscrowNow   = "yes"         // by the custodians of today, any k of them
	EscrowOlder = "older"       // it was sealed to other custodians, or to other numbers of them
	EscrowNone  = "no"          // there is no escrow of it
	EscrowKeyed = "cannot-sign" // there is, and the custodians have no keys to ask for it with
)

// DeskRecovery says whether a desk could be recovered, and when that was proven.
type DeskRecovery struct {
	Desk        string     `json:"desk"`
	Fn          string     `json:"fn"`
	Epoch       int64      `json:"epoch"` // its present key, 0 if none
	Escrow      string     `json:"escrow"`
	Recoverable []int64    `json:"recoverable"`      // keys that the custodians of today can open
	Hidden      bool       `json:"hidden,omitempty"` // who asks may not see what happened to it
	Proven      int64      `json:"proven,omitempty"` // when an escrow of it was last opened by custodians of today, ms
	Rehearse    bool       `json:"rehearse"`         // it never was, or a year ago
	Recoveries  []Recovery `json:"recoveries"`       // those that still count or are in force
	Failed      int64      `json:"failed,omitempty"` // when opening it failed and did not succeed since, ms
	Closed      int64      `json:"closed"`           // keys that nobody but members can open
}

// CustodianRecord says when a custodian last took part in opening an escrow.
type CustodianRecord struct {
	Seat  int    `json:"seat"`  // from 0
	Key   string `json:"key"`   // key id; "" if root named none
	Last  int64  `json:"last"`  // ms; 0: never
	Stale bool   `json:"stale"` // never, or a year ago
	Me    bool   `json:"me"`
}

// InstRecovery is how an institution stands with the recovery of its desks.
type InstRecovery struct {
	Inst       string            `json:"inst"`
	K          int               `json:"k"` // custodians who recover together; 0: there are none
	Custodians []CustodianRecord `json:"custodians"`
	Desks      []DeskRecovery    `json:"desks"`
}

// RecoveryOf tells how an institution stands, or how some of its desks do, none
// being all: which desks have an escrow that its custodians of today can open, what they ask for now, and when it was last proven
// that it works. What the exchange does not show to this program is said to be
// hidden.
func (o *Office) RecoveryOf(ctx context.Context, inst string, desks ...string) (InstRecovery, error) {
	if err := o.Sync(ctx); err != nil {
		return InstRecovery{}, err
	}
	dir := o.Directory()
	i, ok := dir.Institution(inst)
	if !ok {
		return InstRecovery{}, ErrNoDesk
	}
	all := InstRecovery{Inst: inst, K: i.Custodians.K, Custodians: []CustodianRecord{}, Desks: []DeskRecovery{}}
	for seat, rcp := range i.Custodians.Rcps {
		key := i.Custodians.KeyOf(rcp)
		all.Custodians = append(all.Custodians, CustodianRecord{Seat: seat, Key: key, Me: key != "" && key == o.me(), Stale: true})
	}
	for _, d := range dir.DesksOfInst(inst) {
		if !dir.DeskOpen(d, o.Now()) || len(desks) > 0 && !slices.Contains(desks, d) {
			continue
		}
		desk, err := o.deskRecovery(ctx, d, i.Custodians, all.Custodians)
		if err != nil {
			return all, err
		}
		all.Desks = append(all.Desks, desk)
	}
	return all, nil
}

func (o *Office) deskRecovery(ctx context.Context, d string, now directory.Custodians, took []CustodianRecord) (DeskRecovery, error) {
	dir := o.Directory()
	desk, _ := dir.Desk(d)
	r := DeskRecovery{Desk: d, Fn: desk.Fn, Recoverable: o.Recoverable(d), Recoveries: []Recovery{}, Escrow: EscrowNone}
	epoch, ok := dir.ActiveEpoch(d)
	if ok {
		r.Epoch, r.Escrow = epoch.E, o.escrowState(epoch, now)
		r.Closed = epoch.E - int64(len(r.Recoverable))
	}
	trail, err := o.EscrowTrail(ctx, d)
	if IsCode(err, "not_found") {
		r.Hidden = true
		return r, nil
	}
	if err != nil {
		return r, err
	}
	r.take(trail, took, o.Now())
	r.Rehearse = r.Escrow == EscrowNow && r.Proven <= o.Now()-RehearsalTerm
	for _, one := range o.Recoveries(trail) {
		if len(one.Asked) > 0 || one.Release.InForce(o.Now()) {
			r.Recoveries = append(r.Recoveries, one)
		}
	}
	return r, nil
}

func (o *Office) escrowState(epoch directory.Epoch, now directory.Custodians) string {
	switch {
	case len(epoch.Esc) == 0:
		return EscrowNone
	case !o.Directory().EscrowCurrent(epoch):
		return EscrowOlder
	case len(now.Keys) == 0:
		return EscrowKeyed
	}
	return EscrowNow
}

// take notes when an escrow of the desk was opened, by whom, and whether that
// succeeded.
func (r *DeskRecovery) take(trail []EscrowStep, took []CustodianRecord, now int64) {
	releases := map[int64]*evidence.ReleasedData{}
	for _, s := range trail {
		if s.Release != nil {
			releases[s.Idx] = s.Release
		}
		if s.Report == nil || releases[s.Report.Release] == nil {
			continue
		}
		if s.Report.Outcome != evidence.OutcomeMatched {
			r.Failed = s.At
			continue
		}
		r.Failed = 0
		by := releases[s.Report.Release].Keys()
		today := !slices.ContainsFunc(by, func(key string) bool {
			return !slices.ContainsFunc(took, func(c CustodianRecord) bool { return c.Key == key })
		})
		if today {
			r.Proven = s.At
		}
		for i := range took {
			if slices.Contains(by, took[i].Key) {
				took[i].Last = max(took[i].Last, s.At)
				took[i].Stale = took[i].Last <= now-RehearsalTerm
			}
		}
	}
}

// Houses are the institutions whose recovery is this program's business: of its
// officer, or those whose registrars, custodians or root have these keys.
func (o *Office) Houses() []string {
	dir := o.Directory()
	var list []string
	if me, err := o.Me(); err == nil {
		list = append(list, me.Inst)
	}
	if actor, ok := dir.Actor(o.me()); ok && actor.Inst != "" && !slices.Contains(list, actor.Inst) {
		list = append(list, actor.Inst)
	}
	return list
}
