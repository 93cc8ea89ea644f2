package obligation_test

import (
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// A suspension moves the due time by what it lasts, whole days for a term in
// days, and ends by its time or by the obligee's reply to it.
func TestSuspend(t *testing.T) {
	for name, c := range map[string]struct {
		reply, due string
	}{
		"until its time": {"", "2026-03-15 00:00"},                 // 3 d 2 h from 03-11 00:00, then the day ends
		"reply":          {"2026-03-07 10:00", "2026-03-12 00:00"}, // one day
		"late reply":     {"2026-03-10 12:00", "2026-03-15 00:00"}, // after its time: nothing to end
		"short":          {"2026-03-06 10:01", "2026-03-12 00:00"}, // a minute costs the obligee a day
	} {
		t.Run(name, func(t *testing.T) {
			l, response, _ := referred(t)
			l.at("2026-03-06 10:00")
			ask := l.from("swc.case", "ngo", "status-query", messaging.Act{Op: messaging.OpSuspend, ID: response.ID, Until: ms(t, "2026-03-09 12:00"), Reason: "awaiting"})
			same(t, "suspended", l.moves(l.do(ask)), []string{"suspend referral-response suspended"})
			l.refused("until", l.from("swc.case", "ngo", "status-query", messaging.Act{Op: messaging.OpSuspend, ID: response.ID, Until: ms(t, "2026-03-09 12:00"), Reason: "awaiting"}))
			if c.reply != "" {
				l.at(c.reply)
				for _, from := range []string{"nes", "ngo"} {
					reply := l.from(from, "swc.case", "status-reply")
					reply.Core.Re = ask.Obj
					l.do(reply)
				}
			}
			o := l.owed("r", "referral-response", "ngo")
			if show(t, o.Due) != c.due || o.DueBy != "suspended" {
				t.Errorf("due %s, want %s: %+v", show(t, o.Due), c.due, o)
			}
			for _, v := range []obligation.View{o.View(o.Due-1, l.w.pack(), l.w.cal())} {
				if v.Overdue || v.State != obligation.Open {
					t.Errorf("before: %+v", v)
				}
			}
			if v := o.View(o.Due, l.w.pack(), l.w.cal()); !v.Overdue {
				t.Errorf("after: %+v", v)
			}
			l.refold()
		})
	}
}

func TestSuspendedIsSilentAndAnswerable(t *testing.T) {
	l, response, outcome := referred(t)
	until := ms(t, "2026-06-01 00:00")
	l.at("2026-03-06 10:00").do(l.from("swc.case", "ngo", "status-query",
		messaging.Act{Op: messaging.OpSuspend, ID: response.ID, Until: until, Reason: "awaiting"},
		messaging.Act{Op: messaging.OpSuspend, ID: outcome.ID, Until: until, Reason: "awaiting"}))
	o := l.owed("r", "referral-outcome", "ngo")
	if v := o.View(until-1, l.w.pack(), l.w.cal()); v.State != obligation.Suspended || v.Overdue || v.DueSoon || v.SilentDays != 86 {
		t.Errorf("suspended: %+v", v)
	}
	if levels, err := obligation.Escalation(o, l.w.pack(), l.w.cal(), until-1); err != nil || len(levels) != 0 {
		t.Errorf("escalates while suspended: %v %v", levels, err)
	}
	l.at("2026-03-07 10:00")
	ch := l.do(l.from("swc.case", "ngo", "status-reply", messaging.Act{Op: messaging.OpInterim, ID: outcome.ID, Value: "known"}, act(messaging.OpAck, outcome)))
	same(t, "stays suspended", l.moves(ch), []string{"interim referral-outcome suspended", "ack referral-outcome suspended"})
	if v := ch.Moves[0].O.View(until, l.w.pack(), l.w.cal()); v.State != obligation.InProgress {
		t.Errorf("afterwards: %+v", v)
	}
	ch = l.do(l.from("swc.case", "ngo", "referral-accepted", fulfilID(response)))
	if o := ch.Moves[0].O; o.State != obligation.Fulfilled || show(t, o.Due) != "2026-03-12 00:00" || o.Suspended != 0 || o.Prior != "" {
		t.Errorf("answered: %+v", o)
	}
	ch = l.do(l.from("ngo", "swc.case", "status-reply", messaging.Act{Op: messaging.OpExtend, ID: outcome.ID, Due: until + 86_400_000*60, Reason: "agreed"}))
	if o := ch.Moves[0].O; o.State != obligation.InProgress || o.Suspended != 0 || o.DueBy != "extended" {
		t.Errorf("an extension ends it: %+v", o)
	}
	l.refold()
}

func TestSuspendIsTooLateAtTheDueTime(t *testing.T) {
	l, response, _ := referred(t)
	suspend := messaging.Act{Op: messaging.OpSuspend, ID: response.ID, Until: response.Due + 1, Reason: "awaiting"}
	l.now = response.Due
	l.refused("late", l.from("swc.case", "ngo", "status-query", suspend))
	l.now--
	l.do(l.from("swc.case", "ngo", "status-query", suspend))
}

func TestSuspendedHours(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-03-05 10:00").send(message{name: "r", kind: "referral", urg: "U", from: "ngo", to: []string{"swc.case"}, caseName: "1"})
	o := l.owed("r", "referral-response", "ngo")
	if show(t, o.Due) != "2026-03-06 10:00" {
		t.Fatalf("due %s", show(t, o.Due))
	}
	ch := l.do(l.from("swc.case", "ngo", "status-query", messaging.Act{Op: messaging.OpSuspend, ID: o.ID, Until: l.now + 90*60_000, Reason: "awaiting"}))
	if got := show(t, ch.Moves[0].O.Due); got != "2026-03-06 11:30" {
		t.Errorf("due %s", got)
	}
}

// A term that starts with the handing over has no due time before.
func TestStartAtHandingOver(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-03-05 10:00").send(message{name: "q", kind: "opinion-request", from: "ppo", to: []string{"swc.case", "ngo"}, caseName: "1"})
	o := opinion(l, "swc.case")
	if v := l.view(o, "2040-01-01 00:00"); o.Start != 0 || o.Due != 0 || v.Overdue || v.DueSoon {
		t.Errorf("overdue without a start: %+v %+v", o, v)
	}
	if steps, err := o.Explain(l.w.pack(), l.w.cal()); err != nil || len(steps) != 1 || steps[0].Code != obligation.StepWaiting {
		t.Errorf("explained by %+v, %v", steps, err)
	}
	l.refused("extend", l.from("ppo", "swc.case", "status-reply", messaging.Act{Op: messaging.OpExtend, ID: o.ID, Due: l.now + 1e9, Reason: "agreed"}))

	ch := l.at("2026-03-06 10:00").retrieved("q", "swc.case")
	same(t, "starts", l.moves(ch), []string{"start opinion open"})
	if o := opinion(l, "swc.case"); show(t, o.Due) != "2026-03-14 00:00" || o.Estimated || o.Start != l.now {
		t.Errorf("%+v", o)
	}
	if o := opinion(l, "ngo"); o.Start != 0 {
		t.Errorf("another desk's term started: %+v", o)
	}
	same(t, "once", l.moves(l.at("2026-03-07 10:00").retrieved("q", "swc.case")), nil)

	// Where the handing over is not on record, the first word of the obligor starts it.
	late := opinion(l, "ngo")
	ch = l.do(l.from("ngo", "ppo", "status-reply", act(messaging.OpAck, late)))
	if o := ch.Moves[0].O; o.Start != l.now || !o.Estimated || o.Due == 0 || o.State != obligation.Acknowledged {
		t.Errorf("%+v", o)
	}
	steps, err := ch.Moves[0].O.Explain(l.w.pack(), l.w.cal())
	if err != nil || steps[1].Code != obligation.StepEstimated {
		t.Errorf("explained by %+v, %v", steps, err)
	}
	l.refold()
}

func opinion(l *ledger, obligor string) obligation.Obligation {
	l.t.Helper()
	list, err := l.book.Opened(id("m", "q"), "opinion")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, o := range list {
		if o.Obligor == id("d", obligor) {
			return o
		}
	}
	l.t.Fatalf("%s owes no opinion", obligor)
	return obligation.Obligation{}
}

func suspendUntil(o obligation.Obligation, until int64) messaging.Act {
	return messaging.Act{Op: messaging.OpSuspend, ID: o.ID, Until: until, Reason: "awaiting"}
}
