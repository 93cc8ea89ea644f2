package obligation

import (
	"fmt"

	"github.com/odziv/odziv/internal/rules"
)

// View is what a time makes of an obligation. It is computed when somebody
// looks and never stored.
type View struct {
	State State `json:"state"`         // with a suspension that is over taken back
	Due   int64 `json:"due,omitempty"` // first instant that is too late; 0: none, or not yet
	// Overdue: the due time has passed and no answer was given in time.
	Overdue bool `json:"overdue,omitempty"`
	// Unserved: an answer was given in time and waits to be handed over, and the
	// due time has passed. It is no missing reply; it asks for another way of
	// serving.
	Unserved bool `json:"unserved,omitempty"`
	// Breach: overdue now, or once was. Nothing takes it back.
	Breach bool `json:"breach,omitempty"`
	// Missing: it stands in the list of missing replies.
	Missing bool `json:"missing,omitempty"`
	DueSoon bool `json:"due_soon,omitempty"` // the reminder's time has come
	// LateDays is how many local days have begun after the last day in time.
	LateDays int `json:"late_days,omitempty"`
	// SilentDays is how many local days have begun since the obligor last said
	// anything, or since the duty was opened. To have opened a message, or to
	// say that one has the duty, is not an answer.
	SilentDays int   `json:"silent_days,omitempty"`
	Silent     int64 `json:"silent,omitempty"` // since when
}

// View tells how the duty stands at a time, under its pack and calendar. For
// unchanged events Overdue and Breach never go from true to false as time goes
// on.
func (o Obligation) View(now int64, pack *rules.Pack, cal *Calendar) View {
	o.lapse(now)
	v := View{State: o.State, Due: o.Due, Breach: o.Late}
	if o.State.Final() {
		return v
	}
	v.Silent = max(o.Answered, o.OpenedAt)
	v.SilentDays = days(cal, v.Silent, now)
	if !o.passed(now) {
		v.DueSoon = o.soon(now, pack, cal)
		return v
	}
	v.LateDays = days(cal, o.Due-1, now)
	v.Unserved = o.submitted()
	v.Overdue = !v.Unserved
	v.Breach = v.Breach || v.Overdue
	r := ruleOf(pack, o.Rule)
	v.Missing = v.Overdue && r != nil && r.Missing
	return v
}

func days(cal *Calendar, from, to int64) int {
	return max(0, int(cal.DateOf(to)-cal.DateOf(from)))
}

func (o *Obligation) soon(now int64, pack *rules.Pack, cal *Calendar) bool {
	levels, err := Plan(*o, pack, cal)
	return err == nil && len(levels) > 0 && levels[0].Level == 0 && levels[0].At <= now && !o.submitted() && o.State != Suspended
}

// Explain tells step by step how the due time of a duty came about.
func (o Obligation) Explain(pack *rules.Pack, cal *Calendar) ([]Step, error) {
	var marks []Step
	if o.Attested {
		marks = append(marks, Step{Code: StepAttested})
	}
	if o.Start == 0 {
		return append(marks, Step{Code: StepWaiting}), nil
	}
	if o.Estimated {
		marks = append(marks, Step{Code: StepEstimated})
	}
	d, err := o.term(pack)
	if err != nil {
		return nil, err
	}
	_, steps, err := cal.Due(d, o.Start)
	if err != nil {
		return nil, err
	}
	steps = append(steps[:1:1], append(marks, steps[1:]...)...)
	switch o.DueBy {
	case DueExtended:
		steps = append(steps, Step{Code: StepExtended, At: o.Due, Date: cal.DateOf(o.Due - 1).String()})
	case DueSuspended:
		steps = append(steps, Step{Code: StepSuspended, At: o.Due, Date: cal.DateOf(o.Due - 1).String()})
	}
	return steps, nil
}

// term is the deadline that the duty's due time was computed with.
func (o *Obligation) term(pack *rules.Pack) (rules.Deadline, error) {
	r := ruleOf(pack, o.Rule)
	if r == nil {
		return rules.Deadline{}, fmt.Errorf("obligation: the rule pack has no rule %.40q", o.Rule)
	}
	d, ok := deadline(r, o.Urg)
	if !ok {
		return rules.Deadline{}, fmt.Errorf("obligation: rule %s has no term for urgency %.4q", o.Rule, o.Urg)
	}
	if o.Repeats {
		d.Term, d.Start = *r.Every, rules.StartEvent
	}
	return d, nil
}
