package obligation_test

import (
	"testing"

	"github.com/odziv/odziv/messaging/obligation"
)

func TestRightClocks(t *testing.T) {
	l := newLedger(t, readWorld(t))
	base := obligation.Obligation{ID: "o_1", Rule: "dismissal-injured", Kind: "dismissal", Pack: l.w.id, Person: id("p", "1"),
		Occurred: ms(t, "2026-02-09 09:00"), OpenedAt: ms(t, "2026-02-10 09:00"), State: obligation.Open}
	with := func(f func(*obligation.Obligation)) obligation.Obligation { o := base; f(&o); return o }
	for name, c := range map[string]struct {
		o           obligation.Obligation
		start, due  string
		inf, att, e bool
	}{
		"never informed": {base, "2026-02-09 09:00", "2026-05-12 00:00", false, false, false},
		"no date":        {with(func(o *obligation.Obligation) { o.Occurred = 0 }), "2026-02-10 09:00", "2026-05-12 00:00", false, false, true},
		"dated later":    {with(func(o *obligation.Obligation) { o.Occurred = o.OpenedAt + 86_400_000*40 }), "2026-02-10 09:00", "2026-05-12 00:00", false, false, false},
		"handed over":    {with(func(o *obligation.Obligation) { o.HandedOver = ms(t, "2026-04-02 10:00") }), "2026-04-02 10:00", "2026-04-15 00:00", true, false, false},
		"served": {with(func(o *obligation.Obligation) {
			o.HandedOver, o.Served = ms(t, "2026-04-09 10:00"), ms(t, "2026-04-02 10:00")
		}),
			"2026-04-02 10:00", "2026-04-15 00:00", true, true, false},
	} {
		clocks, err := obligation.Clocks(l.w, 7, []obligation.Obligation{c.o}, ms(t, c.due))
		if err != nil || len(clocks) != 1 {
			t.Fatalf("%s: %v %v", name, clocks, err)
		}
		k := clocks[0]
		if show(t, k.Start) != c.start || show(t, k.Due) != c.due || k.Informed != c.inf || k.Attested != c.att || k.Estimated != c.e || !k.Over ||
			show(t, k.Limit) != "2026-05-12 00:00" || len(k.Steps) == 0 || k.Steps[len(k.Steps)-1].At != k.Due {
			t.Errorf("%s: %+v", name, k)
		}
		if before, err := obligation.Clocks(l.w, 7, []obligation.Obligation{c.o}, ms(t, c.due)-1); err != nil || before[0].Over {
			t.Errorf("%s: over too early: %v", name, err)
		}
	}
	for name, o := range map[string]obligation.Obligation{
		"another rule": with(func(o *obligation.Obligation) { o.Rule = "dismissal-police" }),
		"another kind": with(func(o *obligation.Obligation) { o.Kind = "complaint" }),
		"no person":    with(func(o *obligation.Obligation) { o.Person = "" }),
		"unknown pack": with(func(o *obligation.Obligation) { o.Pack = "none@1" }),
		"handed on":    with(func(o *obligation.Obligation) { o.State = obligation.Transferred }),
	} {
		if clocks, err := obligation.Clocks(l.w, 7, []obligation.Obligation{o}, 1); err != nil || len(clocks) != 0 {
			t.Errorf("%s: %v %v", name, clocks, err)
		}
	}
	bad := with(func(o *obligation.Obligation) { o.Occurred, o.OpenedAt = -1, 1 })
	if _, err := obligation.Clocks(l.w, 7, []obligation.Obligation{bad}, 1); err == nil {
		t.Error("a clock from before 1970")
	}
	bad = with(func(o *obligation.Obligation) { o.HandedOver = -1; o.Served = 1 << 60 })
	bad.HandedOver = 1 << 60
	if _, err := obligation.Clocks(l.w, 7, []obligation.Obligation{bad}, 1); err == nil {
		t.Error("a clock from after 2099")
	}
	two := []obligation.Obligation{with(func(o *obligation.Obligation) { o.ID = "o_2" }), base}
	if clocks, err := obligation.Clocks(l.w, 7, two, 1); err != nil || clocks[0].Obligation != "o_1" {
		t.Errorf("not in order: %+v %v", clocks, err)
	}
}
