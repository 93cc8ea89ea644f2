package storetest

import (
	"fmt"

	"github.com/odziv/odziv/internal/exchange"
)

func caseParties(s *suite) {
	a, b, c := exchange.PartyRow{Desk: "d_a", Inst: "i_b"}, exchange.PartyRow{Desk: "d_b", Inst: "i_a"}, exchange.PartyRow{Desk: "d_c", Inst: "i_b"}
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutParty(s.ctx, "c_a", c), tx.PutParty(s.ctx, "c_a", a), tx.PutParty(s.ctx, "c_b", b),
			tx.PutParty(s.ctx, "c_b", a), tx.PutParty(s.ctx, "c_a", a))
	})
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			cases []string
			inst  string
			want  bool
		}{
			{[]string{"c_a"}, "i_b", true}, {[]string{"c_a"}, "i_a", false}, {[]string{"c_a", "c_b"}, "i_a", true},
			{[]string{"c_x", "c_y", "c_b"}, "i_a", true}, {nil, "i_a", false}, {[]string{"c_a"}, "", false}, {[]string{""}, "i_a", false},
		} {
			got, err := v.Party(s.ctx, c.cases, c.inst)
			if err != nil || got != c.want {
				s.Errorf("party %v of %v: %v, %v", c.inst, c.cases, got, err)
			}
		}
		list, err := v.Parties(s.ctx, []string{"c_b", "c_a"})
		same(s, "parties of two cases", list, err, a, b, c)
		list, err = v.Parties(s.ctx, []string{"c_b"})
		same(s, "parties of one", list, err, a, b)
		list, err = v.Parties(s.ctx, nil)
		same(s, "parties of none", list, err)
		return nil
	})
}

func caseLinks(s *suite) {
	s.wantLinked("c_a", "c_a")
	s.write(func(tx exchange.Tx) error { return tx.Link(s.ctx, []string{"c_d", "c_b"}) })
	s.wantLinked("c_a", "c_a")
	s.wantLinked("c_b", "c_b", "c_d")
	s.write(func(tx exchange.Tx) error {
		return all(tx.Link(s.ctx, []string{"c_e", "c_c"}), tx.Link(s.ctx, []string{"c_b", "c_d"}), tx.Link(s.ctx, nil))
	})
	s.wantLinked("c_d", "c_b", "c_d")
	s.wantLinked("c_e", "c_c", "c_e")
	s.write(func(tx exchange.Tx) error { return tx.Link(s.ctx, []string{"c_e", "c_d", "c_a", "c_e"}) })
	for _, c := range []string{"c_a", "c_b", "c_c", "c_d", "c_e"} {
		s.wantLinked(c, "c_a", "c_b", "c_c", "c_d", "c_e")
	}
	s.wantLinked("c_f", "c_f")
	s.write(func(tx exchange.Tx) error { return tx.Link(s.ctx, []string{"c_f"}) })
	s.wantLinked("c_f", "c_f")
}

func (s *suite) wantLinked(cas string, want ...string) {
	s.Helper()
	s.read(func(v exchange.View) error {
		got, err := v.Linked(s.ctx, cas)
		same(s, "linked with "+cas, got, err, want...)
		return nil
	})
}

// caseLinkOrder links the same handles in different orders, which must derive
// the same rows.
func caseLinkOrder(s *suite) {
	orders := [][][]string{
		{{"c_a", "c_b"}, {"c_b", "c_c"}, {"c_d", "c_c"}},
		{{"c_c", "c_d"}, {"c_b", "c_a"}, {"c_c", "c_b"}},
		{{"c_d", "c_c", "c_b", "c_a"}},
	}
	var first []string
	for i, order := range orders {
		s.write(func(tx exchange.Tx) error {
			err := tx.DropDerived(s.ctx)
			for _, cases := range order {
				err = all(err, tx.Link(s.ctx, cases))
			}
			return err
		})
		if i == 0 {
			first = s.dump()
		}
		s.equal(fmt.Sprintf("rows after order %d", i), s.dump(), first)
	}
	if len(first) == 0 {
		s.Error("no rows are derived from links")
	}
}

func caseScope(s *suite) {
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutScope(s.ctx, "c_a", 9, "duties"), tx.PutScope(s.ctx, "c_a", 2, "consent"),
			tx.PutScope(s.ctx, "c_a", 2, "disclosures"), tx.PutScope(s.ctx, "c_b", 5, "duties"),
			tx.PutScope(s.ctx, "c_b", 5, "duties"), tx.PutScope(s.ctx, "c_c", 3, "duties"))
	})
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			cases  []string
			before int64
			want   []int64
		}{
			{[]string{"c_a", "c_b"}, 100, []int64{2, 5, 9}}, {[]string{"c_a", "c_b"}, 9, []int64{2, 5}},
			{[]string{"c_a", "c_b"}, 10, []int64{2, 5, 9}}, {[]string{"c_a"}, 2, nil}, {nil, 100, nil}, {[]string{"c_x"}, 100, nil},
		} {
			got, err := v.Scope(s.ctx, c.cases, c.before)
			same(s, fmt.Sprintf("scope of %v before %d", c.cases, c.before), got, err, c.want...)
		}
		return nil
	})
}

func caseAccess(s *suite) {
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutAccess(s.ctx, "u_a", "c_a", "2026-03-10", 4), tx.PutAccess(s.ctx, "u_a", "c_a", "2026-03-10", 5))
	})
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			officer, cas, day string
			want              bool
		}{
			{"u_a", "c_a", "2026-03-10", true}, {"u_b", "c_a", "2026-03-10", false},
			{"u_a", "c_b", "2026-03-10", false}, {"u_a", "c_a", "2026-03-11", false},
		} {
			got, err := v.Accessed(s.ctx, c.officer, c.cas, c.day)
			if err != nil || got != c.want {
				s.Errorf("accessed %+v: %v, %v", c, got, err)
			}
		}
		return nil
	})
	s.equal("rows", s.dump(), []string{"access\tu_a c_a 2026-03-10\t" + `["u_a","c_a","2026-03-10",4]`})
}
