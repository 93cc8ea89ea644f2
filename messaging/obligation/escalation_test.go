package obligation_test

import (
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging/obligation"
)

// levels writes levels as "level time".
func levels(t *testing.T, l *ledger, list []obligation.Level, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range list {
		out = append(out, toJSON(t, x.Level)+" "+show(t, x.At))
	}
	return out
}

func TestEscalation(t *testing.T) {
	l, response, _ := referred(t) // Thursday 10:00, due Wednesday 2026-03-11 00:00
	plan, err := obligation.Plan(response, l.w.pack(), l.w.cal())
	all := levels(t, l, plan, err)
	same(t, "plan", all, []string{"0 2026-03-10 00:00", "1 2026-03-11 00:00", "2 2026-03-12 00:00", "3 2026-03-14 00:00"})
	for n, level := range plan {
		for before := range 2 {
			got, err := obligation.Escalation(response, l.w.pack(), l.w.cal(), level.At-int64(before))
			same(t, "reached", levels(t, l, got, err), all[:n+1-before])
		}
	}
	if v := l.view(response, "2026-03-10 00:00"); !v.DueSoon {
		t.Errorf("due soon: %+v", v)
	}
	if v := l.view(response, "2026-03-09 23:59"); v.DueSoon {
		t.Errorf("due soon: %+v", v)
	}
	l.now = response.Due
	l.do(l.from("swc.case", "ngo", "referral-accepted", fulfilID(response)))
	got, err := obligation.Escalation(l.owed("r", "referral-response", "ngo"), l.w.pack(), l.w.cal(), l.now)
	same(t, "answered", levels(t, l, got, err), nil)
}

func TestReminderIsTheLaterOfTwo(t *testing.T) {
	w := readWorld(t)
	for name, c := range map[string]struct {
		percent int
		before  rules.Term
		want    string // of a term from 2026-03-02 00:00 to 2026-03-12 00:00, opened at its start
	}{
		"share":    {75, rules.Term{Amount: 5, Unit: "cd"}, "2026-03-09 12:00"},
		"before":   {75, rules.Term{Amount: 1, Unit: "h"}, "2026-03-11 23:00"},
		"minutes":  {0, rules.Term{Amount: 30, Unit: "min"}, "2026-03-11 23:30"},
		"days":     {0, rules.Term{Amount: 2, Unit: "cd"}, "2026-03-10 00:00"},
		"working":  {0, rules.Term{Amount: 4, Unit: "wd"}, "2026-03-06 00:00"},
		"month":    {0, rules.Term{Amount: 1, Unit: "mo"}, "2026-03-02 00:00"}, // not before it was opened
		"neither":  {0, rules.Term{}, "2026-03-02 00:00"},
		"only due": {100, rules.Term{}, ""},
	} {
		p := *w.pack()
		p.Chains = []rules.Chain{{Code: "e1", RemindPercent: c.percent, RemindBefore: c.before}}
		o := obligation.Obligation{Rule: "registration", OpenedAt: ms(t, "2026-03-02 00:00"), Start: ms(t, "2026-03-02 00:00"), Due: ms(t, "2026-03-12 00:00"), State: obligation.Open}
		got, err := obligation.Plan(o, &p, w.cal())
		want := []string{"0 " + c.want}
		if c.want == "" {
			want = nil
		}
		same(t, name, levels(t, nil, got, err), want)
	}
}

func TestNoChain(t *testing.T) {
	w := readWorld(t)
	o := obligation.Obligation{Rule: "urgent-only", Due: 10, State: obligation.Open}
	for name, o := range map[string]obligation.Obligation{"no such chain": o, "no due time": {Rule: "registration"}, "no rule": {Rule: "none", Due: 10}} {
		if got, err := obligation.Plan(o, w.pack(), w.cal()); err != nil || len(got) != 0 {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if v := o.View(5, nil, w.cal()); v.DueSoon || v.Overdue {
		t.Errorf("without a pack: %+v", v)
	}
	p := *w.pack()
	p.Chains = []rules.Chain{{Code: "e1", Steps: []rules.Step{{After: rules.Term{Amount: 1, Unit: "week"}}}}}
	if _, err := obligation.Plan(obligation.Obligation{Rule: "registration", Due: 10, OpenedAt: 10}, &p, w.cal()); err == nil {
		t.Error("a step in weeks")
	}
}

// Elapsed steps count from the due instant, days from the last day in time.
func TestStepsAfterHours(t *testing.T) {
	w := readWorld(t)
	p := *w.pack()
	p.Chains = []rules.Chain{{Code: "e1", RemindPercent: 100, Steps: []rules.Step{
		{After: rules.Term{Amount: 15, Unit: "min"}}, {After: rules.Term{Amount: 1, Unit: "wd"}}, {After: rules.Term{Amount: 1, Unit: "cd"}}}}}
	o := obligation.Obligation{Rule: "registration", Due: ms(t, "2026-03-06 14:00"), OpenedAt: ms(t, "2026-03-06 10:00"), Start: ms(t, "2026-03-06 10:00"), State: obligation.Open}
	got, err := obligation.Plan(o, &p, w.cal())
	same(t, "plan", levels(t, nil, got, err), []string{"1 2026-03-06 14:15", "2 2026-03-10 00:00", "3 2026-03-08 00:00"})
}

// A duty whose answer waits to be handed over reminds nobody.
func TestWaitingAnswerDoesNotEscalate(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
	l.at("2026-02-09 10:00").send(dismissal("m1", "att", "1", fulfilOf("m1", "dismissal-injured")))
	o := l.owed("m1", "dismissal-injured", "att")
	got, err := obligation.Escalation(o, l.w.pack(), l.w.cal(), ms(t, "2027-01-01 00:00"))
	same(t, "levels", levels(t, l, got, err), nil)
	if v := l.view(o, "2026-02-18 12:00"); v.DueSoon {
		t.Errorf("%+v", v)
	}
}

func TestStatesThatAreFinal(t *testing.T) {
	final := []obligation.State{obligation.Transferred, obligation.Fulfilled, obligation.FulfilledLate, obligation.Waived, obligation.Cancelled, obligation.Ended}
	for _, s := range []obligation.State{obligation.Open, obligation.Acknowledged, obligation.InProgress, obligation.Suspended,
		obligation.Transferred, obligation.Fulfilled, obligation.FulfilledLate, obligation.Waived, obligation.Cancelled, obligation.Ended} {
		if s.Final() != slices.Contains(final, s) {
			t.Errorf("%s final: %v", s, s.Final())
		}
		v := obligation.Obligation{State: s, Due: 10, Prior: obligation.Open}.View(20, nil, readWorld(t).cal())
		if v.Overdue == s.Final() {
			t.Errorf("%s overdue: %v", s, v.Overdue)
		}
	}
}
