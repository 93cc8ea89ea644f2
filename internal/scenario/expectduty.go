package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/messaging/obligation"
)

// dutyHolds looks at an obligation from both sides.
func (c *cast) dutyHolds(ctx context.Context, e *DutyExpect, d *differences) error {
	duty, err := c.findDuty(ctx, e, e.By, true)
	if err != nil {
		return err
	}
	if _, isDesk := c.desks[e.To]; isDesk {
		seen, err := c.findDuty(ctx, e, e.To, false)
		if err != nil {
			return err
		}
		if !sameDuty(duty, seen) {
			d.add("duty", "%s and %s do not see the same", e.By, e.To)
		}
	}
	if e.Absent != nil {
		if equal(d, "absent", e.Absent, duty == nil); duty == nil || *e.Absent {
			return nil
		}
	}
	if duty == nil {
		d.add("duty", "there is none; %s owes %s", e.By, c.owes(ctx, e.By))
		return nil
	}
	c.compareDuty(e, duty, d)
	return nil
}

// sameDuty compares what two parties are shown of a duty.
func sameDuty(a, b *wire.Duty) bool {
	if a == nil || b == nil {
		return a == b
	}
	left, err := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(left) == string(right)
}

// findDuty finds the duty an expectation is about in an actor's list, nil if
// there is none.
func (c *cast) findDuty(ctx context.Context, e *DutyExpect, actor string, owing bool) (*wire.Duty, error) {
	list, err := c.dutiesOf(ctx, actor, owing)
	if err != nil {
		return nil, fmt.Errorf("duties of %s: %w", actor, err)
	}
	var of string
	if e.Of != "" {
		of = c.things[e.Of].id
	}
	by, to := c.party(e.By), c.party(e.To)
	for i, d := range list {
		if d.Rule == e.Rule && d.Obligor == by && d.Obligee == to && d.N == e.N && (of == "" || d.TriggerObj == of) {
			return &list[i], nil
		}
	}
	return nil, nil
}

// owes lists what an actor owes, for whoever looks for something else.
func (c *cast) owes(ctx context.Context, actor string) string {
	list, err := c.dutiesOf(ctx, actor, true)
	if err != nil || len(list) == 0 {
		return "nothing"
	}
	var all []string
	for _, d := range list {
		all = append(all, d.Rule+" to "+c.called(d.Obligee)+" of "+cmp.Or(c.called(d.TriggerObj), d.TriggerObj))
	}
	return strings.Join(all, ", ")
}

func (c *cast) compareDuty(e *DutyExpect, duty *wire.Duty, d *differences) {
	v := duty.View
	equal(d, "state", e.State, string(v.State))
	d.moment("opened", e.Opened, duty.OpenedAt)
	d.moment("due", e.Due, duty.Due)
	equal(d, "overdue", e.Overdue, v.Overdue)
	equal(d, "missing", e.Missing, v.Missing)
	equal(d, "unserved", e.Unserved, v.Unserved)
	equal(d, "late", e.Late, duty.Late)
	equal(d, "late-days", e.LateDays, v.LateDays)
	equal(d, "silent-days", e.SilentDays, v.SilentDays)
	equal(d, "value", e.Value, duty.Value)
	equal(d, "reason", e.Reason, duty.Reason)
	equal(d, "met-by", e.MetBy, c.called(duty.MetObj))
	equal(d, "person", e.Person, c.called(duty.Person))
	equal(d, "attested", e.Attested, duty.Attested)
	equal(d, "estimated", e.Estimated, duty.Estimated)
	equal(d, "level", e.Level, duty.Reached)
	d.steps(e.Steps, duty.Steps)
}

// steps wants the steps named to stand in the explanation, in this order.
func (d *differences) steps(want []string, steps []obligation.Step) {
	var found []string
	for _, s := range steps {
		found = append(found, stepText(s))
	}
	at := 0
	for _, w := range want {
		i := slices.Index(found[at:], w)
		if i < 0 {
			d.add("steps", "expected %q, found %q", w, found)
			return
		}
		at += i + 1
	}
}

// stepText writes a step of an explanation as files do: its code, its date and
// why, as far as it has them.
func stepText(s obligation.Step) string {
	return strings.Join(strings.Fields(s.Code+" "+s.Date+" "+s.Why), " ")
}

// missingHolds counts missing replies.
func (c *cast) missingHolds(ctx context.Context, e *MissingExpect, d *differences) error {
	desks := []*demo.Desk{c.desks[e.Desk]}
	if e.Institution != "" {
		desks = c.desks[e.Institution].Member.Desks
	}
	found := []string{}
	for _, desk := range desks {
		rules, err := c.missing(ctx, desk, e.Side == "owing")
		if err != nil {
			return err
		}
		found = append(found, rules...)
	}
	slices.Sort(found)
	if e.Count != nil && *e.Count != len(found) {
		d.add("count", "expected %d, found %d: %q", *e.Count, len(found), found)
	}
	d.lists("rules", e.Rules, found)
	return nil
}

// missing asks the exchange for a desk's missing replies, by their rules.
func (c *cast) missing(ctx context.Context, desk *demo.Desk, owing bool) ([]string, error) {
	key := fmt.Sprint(desk.ID, owing)
	if rules, ok := c.seen.missing[key]; ok {
		return rules, nil
	}
	o, err := desk.Office(ctx)
	if err != nil {
		return nil, err
	}
	list, err := o.Missing(ctx, desk.ID, owing)
	if err != nil {
		return nil, fmt.Errorf("missing replies of %s: %w", desk.Name(), err)
	}
	rules := []string{}
	for _, duty := range list {
		rules = append(rules, duty.Rule)
	}
	c.seen.missing[key] = rules
	return rules, nil
}

// clockHolds looks at a term that runs for the person.
func (c *cast) clockHolds(ctx context.Context, e *ClockExpect, d *differences) error {
	list, err := c.dutiesOf(ctx, e.By, true)
	if err != nil {
		return err
	}
	person, of := c.party(e.About), c.things[e.Of].id
	for _, duty := range list {
		for _, clock := range duty.Clocks {
			if clock.Code == e.Clock && clock.Person == person && duty.TriggerObj == of {
				equal(d, "informed", e.Informed, clock.Informed)
				equal(d, "attested", e.Attested, clock.Attested)
				d.moment("start", e.Start, clock.Start)
				d.moment("due", e.Due, clock.Due)
				d.moment("limit", e.Limit, clock.Limit)
				equal(d, "over", e.Over, clock.Over)
				return nil
			}
		}
	}
	d.add("clock", "none runs for %s since %s", e.About, e.Of)
	return nil
}
