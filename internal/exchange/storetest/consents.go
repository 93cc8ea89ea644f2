package storetest

import "github.com/odziv/odziv/internal/exchange"

func caseConsentVersions(s *suite) {
	row := func(id string, ver int) exchange.ConsentRow {
		return exchange.ConsentRow{ID: id, Ver: ver, Idx: int64(ver * 10), At: int64(ver), Act: "given", Subj: "p_" + id, Stmt: []byte{0, byte(ver), 0xff}}
	}
	s.write(func(tx exchange.Tx) error {
		for _, ver := range []int{10, 2, 1, 9} {
			if err := tx.PutConsentVersion(s.ctx, row("k_a", ver)); err != nil {
				return err
			}
		}
		return all(tx.PutConsentVersion(s.ctx, row("k_b", 1)), tx.PutConsentVersion(s.ctx, row("k_a", 2)))
	})
	s.read(func(v exchange.View) error {
		list, err := v.ConsentVersions(s.ctx, "k_a")
		same(s, "versions", list, err, row("k_a", 1), row("k_a", 2), row("k_a", 9), row("k_a", 10))
		list, err = v.ConsentVersions(s.ctx, "k_c")
		same(s, "versions of none", list, err)
		ids, err := v.ConsentsOf(s.ctx, "p_k_a")
		same(s, "records of a person", ids, err, "k_a")
		ids, err = v.ConsentsOf(s.ctx, "p_none")
		same(s, "records of nobody", ids, err)
		return nil
	})
	s.refused("another version 2", func(tx exchange.Tx) error {
		other := row("k_a", 2)
		other.Stmt = []byte("other")
		return tx.PutConsentVersion(s.ctx, other)
	})
}

func caseConflicts(s *suite) {
	row := func(id, who string, idx int64) exchange.ConflictRow {
		return exchange.ConflictRow{ID: id, Who: who, Subj: []string{"p_b", "p_a"}, Level: "suspicion", SetIdx: idx, SetAt: idx + 1, LiftedIdx: -1}
	}
	a, b, other := row("x_b", "g_a", 3), row("x_a", "g_a", 8), row("x_c", "d_a", 5)
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutConflict(s.ctx, b), tx.PutConflict(s.ctx, other), tx.PutConflict(s.ctx, a))
	})
	s.read(func(v exchange.View) error {
		list, err := v.Conflicts(s.ctx, "g_a")
		same(s, "conflicts", list, err, a, b)
		list, err = v.Conflicts(s.ctx, "g_b")
		same(s, "conflicts of none", list, err)
		found(s, "conflict", other)(v.Conflict(s.ctx, "x_c"))
		missing[exchange.ConflictRow](s, "conflict")(v.Conflict(s.ctx, "g_a"))
		return nil
	})
	a.LiftedIdx, a.LiftedAt, a.Subj = 12, 13, []string{}
	s.write(func(tx exchange.Tx) error { return tx.PutConflict(s.ctx, a) })
	s.read(func(v exchange.View) error {
		list, err := v.Conflicts(s.ctx, "g_a")
		same(s, "conflicts after one was lifted", list, err, a, b)
		return nil
	})
}

func caseGrants(s *suite) {
	row := func(id, cas, desk string, idx int64) exchange.GrantRow {
		return exchange.GrantRow{ID: id, Idx: idx, At: idx + 1, Case: cas, Desk: desk, Subj: []string{"p_a"},
			Scope: []string{"consent", "duties"}, NB: 100, NA: 200, EndedIdx: -1, Before: []int64{1, 2, 1 << 40}}
	}
	a, b, c := row("x_c", "c_a", "d_a", 2), row("x_b", "c_b", "d_a", 4), row("x_a", "c_a", "d_b", 6)
	c.Subj, c.Scope, c.Before = []string{}, []string{}, []int64{}
	s.write(func(tx exchange.Tx) error {
		none := c
		none.Subj, none.Scope, none.Before = nil, nil, nil
		return all(tx.PutGrant(s.ctx, none), tx.PutGrant(s.ctx, a), tx.PutGrant(s.ctx, b))
	})
	s.read(func(v exchange.View) error {
		found(s, "grant", a)(v.Grant(s.ctx, "x_c"))
		found(s, "grant of empty members", c)(v.Grant(s.ctx, "x_a"))
		missing[exchange.GrantRow](s, "grant")(v.Grant(s.ctx, "x_z"))
		return nil
	})
	b.EndedIdx, b.EndedAt = 9, 10
	s.write(func(tx exchange.Tx) error { return tx.PutGrant(s.ctx, b) })
	s.read(func(v exchange.View) error {
		list, err := v.Grants(s.ctx, []string{"c_b", "c_a"})
		same(s, "grants over two cases", list, err, a, b, c)
		list, err = v.Grants(s.ctx, []string{"c_b"})
		same(s, "grants over one", list, err, b)
		list, err = v.Grants(s.ctx, nil)
		same(s, "grants over none", list, err)
		list, err = v.GrantsOf(s.ctx, "d_a")
		same(s, "grants of a desk", list, err, a, b)
		list, err = v.GrantsOf(s.ctx, "d_z")
		same(s, "grants of another", list, err)
		return nil
	})
}
