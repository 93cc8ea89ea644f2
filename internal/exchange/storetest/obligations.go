package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

func (s *suite) putDuties(list ...obligation.Obligation) {
	s.Helper()
	s.write(func(tx exchange.Tx) error {
		for _, o := range list {
			if err := tx.PutObligation(s.ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
}

func caseObligation(s *suite) {
	whole := duty("o_a", 100)
	bare := obligation.Obligation{ID: "o_b", Trigger: -1, State: obligation.Fulfilled, Kept: true}
	s.putDuties(whole, bare)
	s.read(func(v exchange.View) error {
		found(s, "obligation", whole)(v.Obligation(s.ctx, "o_a"))
		found(s, "obligation of empty members", bare)(v.Obligation(s.ctx, "o_b"))
		missing[obligation.Obligation](s, "obligation")(v.Obligation(s.ctx, "o_c"))
		return nil
	})
	whole.State, whole.MetAt, whole.Value, whole.Sent, whole.Transfer = obligation.Fulfilled, 90, "<&>", nil, nil
	s.putDuties(whole)
	s.read(func(v exchange.View) error {
		found(s, "obligation put again", whole)(v.Obligation(s.ctx, "o_a"))
		return nil
	})
}

func caseOpened(s *suite) {
	with := func(id, obj, rule string) obligation.Obligation {
		o := duty(id, 5)
		o.TriggerObj, o.Rule = obj, rule
		return o
	}
	s.putDuties(with("o_c", "m_a", "ack"), with("o_a", "m_a", "registration"), with("o_b", "m_a", "ack"), with("o_d", "m_b", "ack"))
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			obj, rule string
			want      []string
		}{
			{"m_a", "", []string{"o_a", "o_b", "o_c"}}, {"m_a", "ack", []string{"o_b", "o_c"}}, {"m_b", "", []string{"o_d"}},
			{"m_a", "other", []string{}}, {"m_c", "", []string{}}, {"", "", []string{}},
		} {
			got, err := v.Opened(s.ctx, c.obj, c.rule)
			same(s, "opened by "+c.obj+" under "+c.rule, ids(got), err, c.want...)
		}
		return nil
	})
}

func caseLive(s *suite) {
	states := map[obligation.State]bool{obligation.Open: true, obligation.Acknowledged: true, obligation.InProgress: true,
		obligation.Suspended: true, obligation.Transferred: false, obligation.Fulfilled: false, obligation.FulfilledLate: false,
		obligation.Waived: false, obligation.Cancelled: false, obligation.Ended: false}
	var want []string
	for state, live := range states {
		o := duty("o_"+string(state), 5)
		o.State, o.Case = state, "c_b"
		s.putDuties(o)
		if live {
			want = append(want, o.ID)
		}
	}
	slices.Sort(want) // all have the same trigger
	late, early := duty("o_a", 5), duty("o_z", 5)
	late.Trigger, early.Trigger = 1<<33, 2
	s.putDuties(late, early)
	s.read(func(v exchange.View) error {
		got, err := v.Live(s.ctx, []string{"c_b"})
		same(s, "live", ids(got), err, want...)
		got, err = v.Live(s.ctx, []string{"c_a", "c_b", "c_x"})
		same(s, "live in linked cases", ids(got), err, append(append([]string{"o_z"}, want...), "o_a")...)
		got, err = v.Live(s.ctx, nil)
		same(s, "live in no case", ids(got), err)
		return nil
	})
	early.State = obligation.Fulfilled
	late.State = obligation.Suspended
	s.putDuties(early, late)
	s.read(func(v exchange.View) error {
		got, err := v.Live(s.ctx, []string{"c_a"})
		same(s, "live after one was met", ids(got), err, "o_a")
		return nil
	})
}

func caseTwin(s *suite) {
	o := duty("o_a", 5)
	desk := duty("o_b", 5)
	desk.Person, desk.Rule = "", "dismissal-police"
	s.putDuties(o, desk)
	type asked struct {
		cases                     []string
		rule, obligor, whom, kind string
		occurred                  int64
	}
	exact := asked{[]string{"c_a"}, o.Rule, o.Obligor, o.Person, o.Kind, o.Occurred}
	change := func(f func(a *asked)) asked { a := exact; f(&a); return a }
	s.read(func(v exchange.View) error {
		for want, list := range map[bool][]asked{
			true: {exact, change(func(a *asked) { a.cases = []string{"c_b", "c_a"} }),
				change(func(a *asked) { a.rule, a.whom = desk.Rule, desk.Obligee })},
			false: {
				change(func(a *asked) { a.cases = []string{"c_b"} }), change(func(a *asked) { a.cases = nil }),
				change(func(a *asked) { a.rule = "ack" }), change(func(a *asked) { a.obligor = a.whom }),
				change(func(a *asked) { a.whom = o.Obligee }), change(func(a *asked) { a.rule = desk.Rule }), change(func(a *asked) { a.kind = "" }),
				change(func(a *asked) { a.occurred++ }), change(func(a *asked) { a.occurred = 0 }),
			},
		} {
			for _, a := range list {
				got, err := v.Twin(s.ctx, a.cases, a.rule, a.obligor, a.whom, a.kind, a.occurred)
				if err != nil || got != want {
					s.Errorf("twin %+v: %v, %v", a, got, err)
				}
			}
		}
		return nil
	})
	o.State = obligation.Cancelled
	s.putDuties(o)
	s.read(func(v exchange.View) error {
		got, err := v.Twin(s.ctx, exact.cases, exact.rule, exact.obligor, exact.whom, exact.kind, exact.occurred)
		if err != nil || !got {
			s.Errorf("twin that is closed: %v, %v", got, err)
		}
		return nil
	})
}

// pages goes through a query to its end and returns the ids.
func (s *suite) pages(v exchange.View, q exchange.ObligationQuery) (all []string) {
	s.Helper()
	for {
		page, err := v.Obligations(s.ctx, q)
		if err != nil {
			s.Fatalf("%+v: %v", q, err)
		}
		all = append(all, ids(page)...)
		if len(page) > q.Limit {
			s.Fatalf("%+v: %d rows", q, len(page))
		}
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.AfterDue, q.AfterID = last.Due, last.ID
	}
}

// caseObligationPages has runs of equal due times, no due time among them, that
// straddle pages of every size.
func caseObligationPages(s *suite) {
	var list []obligation.Obligation
	for i, due := range []int64{300, 0, 100, 100, 100, 100, 200, 300, 300, 0, 1 << 45} {
		o := duty(fmt.Sprintf("o_%02d", (i*7)%11), due)
		if i%3 == 0 {
			o.State = obligation.Fulfilled
		}
		if i%4 == 0 {
			o.Obligor, o.Obligee = o.Obligee, o.Obligor
		}
		list = append(list, o)
	}
	s.putDuties(list...)
	slices.SortFunc(list, func(a, b obligation.Obligation) int {
		if a.Due != b.Due {
			return int(min(max(a.Due-b.Due, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, q := range []exchange.ObligationQuery{{}, {Obligor: "d_or"}, {Obligee: "d_or"}, {Obligor: "d_none"}} {
		for _, closed := range []bool{false, true} {
			q.Closed = closed
			want := slices.DeleteFunc(slices.Clone(list), func(o obligation.Obligation) bool {
				return !closed && o.State.Final() || q.Obligor != "" && o.Obligor != q.Obligor || q.Obligee != "" && o.Obligee != q.Obligee
			})
			for q.Limit = 1; q.Limit <= 12; q.Limit++ {
				s.read(func(v exchange.View) error {
					same(s, fmt.Sprintf("%+v", q), s.pages(v, q), nil, ids(want)...)
					return nil
				})
			}
		}
	}
}

func caseObligationsDue(s *suite) {
	s.putDuties(duty("o_a", 0), duty("o_b", 99), duty("o_c", 100), duty("o_d", 101))
	s.read(func(v exchange.View) error {
		for until, want := range map[int64][]string{0: {"o_a", "o_b", "o_c", "o_d"}, 98: {}, 99: {"o_b"}, 100: {"o_b", "o_c"}, 101: {"o_b", "o_c", "o_d"}} {
			got, err := v.Obligations(s.ctx, exchange.ObligationQuery{DueUntil: until, Limit: 10})
			same(s, fmt.Sprint("due until ", until), ids(got), err, want...)
		}
		got, err := v.Obligations(s.ctx, exchange.ObligationQuery{AfterDue: 99, AfterID: "o_b", DueUntil: 100, Limit: 10})
		same(s, "due after a cursor", ids(got), err, "o_c")
		for what, q := range map[string]exchange.ObligationQuery{"no limit": {}, "a negative limit": {Limit: -1}, "both parties": {Obligor: "d_a", Obligee: "d_b", Limit: 1}} {
			if _, err := v.Obligations(s.ctx, q); err == nil {
				s.Errorf("%s: accepted", what)
			}
		}
		return nil
	})
}

// caseObligationsMany: 10,000 in one transaction, all due at once.
func caseObligationsMany(s *suite) {
	s.write(func(tx exchange.Tx) error {
		for i := range 10_000 {
			o := duty(fmt.Sprintf("o_%05d", (i*7919)%10_000), 100)
			o.Sent, o.Transfer = nil, nil
			if err := tx.PutObligation(s.ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		got := s.pages(v, exchange.ObligationQuery{Obligor: "d_or", Closed: true, Limit: 1000})
		if len(got) != 10_000 || !slices.IsSorted(got) || len(slices.Compact(got)) != 10_000 {
			s.Errorf("%d obligations in pages, sorted %v", len(got), slices.IsSorted(got))
		}
		return nil
	})
}

func caseMarks(s *suite) {
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutMark(s.ctx, "o_a", 0, 3), tx.PutMark(s.ctx, "o_b", 2, 4), tx.PutMark(s.ctx, "o_b", 10, 5), tx.PutMark(s.ctx, "o_b", 1, 6), tx.PutMark(s.ctx, "o_b", 2, 7))
	})
	s.read(func(v exchange.View) error {
		for o, want := range map[string]int{"o_a": 0, "o_b": 10, "o_c": -1} {
			got, err := v.Marked(s.ctx, o)
			if err != nil || got != want {
				s.Errorf("level of %s: %d, %v, want %d", o, got, err, want)
			}
		}
		return nil
	})
}
