package exchange

import (
	"context"
	"errors"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging/obligation"
)

// Duty is an obligation as its parties see it now.
type Duty struct {
	obligation.Obligation
	View    obligation.View    `json:"view"`
	Steps   []obligation.Step  `json:"steps"`   // how the due time came about
	Clock   []RightClockRow    `json:"clocks"`  // of the person it informs
	Levels  []obligation.Level `json:"levels"`  // of its escalation, past and to come
	Reached int                `json:"reached"` // the highest level on record, -1 for none
}

// RightClockRow is a term that runs for the person.
type RightClockRow = obligation.RightClock

// DutyPage is a page of a list; Next is the cursor of the page after it, empty
// at the end.
type DutyPage struct {
	Duties []Duty `json:"duties"`
	Next   string `json:"next,omitempty"`
	Now    int64  `json:"now"`
}

// DutyQuery selects the obligations of one desk: owed to it, or owed by it.
type DutyQuery struct {
	Desk     string
	Owing    bool // what the desk owes, instead of what is owed to it
	Closed   bool // closed ones too
	Missing  bool // missing replies alone
	AfterDue int64
	AfterID  string
	Limit    int
}

// Duties lists obligations with what the present moment makes of them. Nothing
// of the answer is stored: it is computed from the ledger at this call.
func (x *Exchange) Duties(ctx context.Context, c Caller, q DutyQuery) (DutyPage, error) {
	if err := x.mayAct(c, q.Desk); err != nil {
		return DutyPage{}, err
	}
	if err := x.representing(ctx, q.Desk); err != nil {
		return DutyPage{}, err
	}
	now := x.Clock.Now()
	page := DutyPage{Duties: []Duty{}, Now: now}
	query := ObligationQuery{Closed: q.Closed, AfterDue: q.AfterDue, AfterID: q.AfterID, Limit: clampLimit(q.Limit)}
	if q.Owing {
		query.Obligor = q.Desk
	} else {
		query.Obligee = q.Desk
	}
	if q.Missing {
		query.DueUntil = now
	}
	err := x.Store.Read(ctx, func(v View) error {
		if err := whole(ctx, v); err != nil {
			return err
		}
		rows, err := v.Obligations(ctx, query)
		if err != nil {
			return err
		}
		for _, o := range rows {
			held, err := x.heldMessage(ctx, v, q.Desk, o.TriggerObj)
			if err != nil {
				return err
			}
			if held != nil { // what a secret message opened would tell of it
				continue
			}
			duty, err := x.duty(ctx, v, o, now)
			if err != nil {
				return err
			}
			if !q.Missing || duty.View.Missing {
				page.Duties = append(page.Duties, duty)
			}
		}
		if len(rows) == query.Limit {
			page.Next = cursor(rows[len(rows)-1])
		}
		return nil
	})
	return page, err
}

// representing refuses a representative's desk without a grant in force.
func (x *Exchange) representing(ctx context.Context, desk string) error {
	if x.Directory().TypeOfDesk(desk) != directory.Representative {
		return nil
	}
	now := x.Clock.Now()
	return x.Store.Read(ctx, func(v View) error {
		grants, err := v.GrantsOf(ctx, desk)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.InForce(now) {
				return nil
			}
		}
		return refuse(Forbidden, "grant_ended", "no grant of this desk is in force").
			hint("evidence files issued before stay valid")
	})
}

// DutyByID shows one obligation to an officer of either party's institution.
func (x *Exchange) DutyByID(ctx context.Context, c Caller, id string) (Duty, error) {
	var duty Duty
	err := x.Store.Read(ctx, func(v View) error {
		o, ok, err := v.Obligation(ctx, id)
		if err != nil {
			return err
		}
		if !ok || !x.partyTo(c, &o) {
			return notFound()
		}
		if err := whole(ctx, v); err != nil {
			return err
		}
		officer, _ := x.Directory().OfficerByKey(c.Key)
		for _, desk := range x.Directory().DesksOf(officer.U) {
			if held, err := x.heldMessage(ctx, v, desk, o.TriggerObj); err != nil || held != nil {
				return errors.Join(err, notFound())
			}
		}
		duty, err = x.duty(ctx, v, o, x.Clock.Now())
		return err
	})
	return duty, err
}

// partyTo reports whether the caller acts for a desk that owes or is owed, or
// for another desk of such an institution.
func (x *Exchange) partyTo(c Caller, o *obligation.Obligation) bool {
	dir := x.Directory()
	officer, ok := dir.OfficerByKey(c.Key)
	if !ok || !officer.ActiveAt(x.Clock.Now()) {
		return false
	}
	return slices.ContainsFunc(dir.DesksOf(officer.U), func(desk string) bool {
		return oneParty(dir, desk, o.Obligor) || oneParty(dir, desk, o.Obligee)
	})
}

// duty computes what now makes of an obligation.
func (x *Exchange) duty(ctx context.Context, v View, o obligation.Obligation, now int64) (Duty, error) {
	dir := x.Directory()
	d := Duty{Obligation: o, Steps: []obligation.Step{}, Clock: []RightClockRow{}, Levels: []obligation.Level{}}
	pack, ok := x.Packs.Get(o.Pack)
	if !ok {
		return d, nil
	}
	cal := x.cals.of(pack, dir.CalendarDays(pack.Zone))
	d.View = o.View(now, pack, cal)
	var err error
	if d.Steps, err = o.Explain(pack, cal); err != nil {
		return d, err
	}
	if d.Levels, err = obligation.Plan(o, pack, cal); err != nil {
		return d, err
	}
	if d.Reached, err = v.Marked(ctx, o.ID); err != nil {
		return d, err
	}
	if statement.IsID(o.Person, statement.Person) {
		world := newProjection(ctx, nil, dir, x.Packs, &x.cals, now)
		d.Clock, err = obligation.Clocks(world, dir.N(), []obligation.Obligation{o}, now)
	}
	return d, err
}

func cursor(o obligation.Obligation) string {
	return formatCursor(o.Due, o.ID)
}
