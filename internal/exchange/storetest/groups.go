package storetest

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

// caseNonceGroup spends many nonces at once: each counts once, also when it comes
// twice in one call.
func caseNonceGroup(s *suite) {
	spend := func(want []bool, nonces ...exchange.Nonce) {
		s.Helper()
		s.write(func(tx exchange.Tx) error {
			fresh, err := tx.UseNonces(s.ctx, nonces, 5)
			s.equal("fresh nonces", fresh, want)
			return err
		})
	}
	a, b, c := exchange.Nonce{Key: "k_1", Nonce: "a"}, exchange.Nonce{Key: "k_1", Nonce: "b"}, exchange.Nonce{Key: "k_2", Nonce: "a"}
	spend([]bool{true}, a)
	spend([]bool{false, true, true, false, false}, a, b, c, b, a)
	spend([]bool{false, false, false}, a, b, c)
	var many []exchange.Nonce
	for i := range 300 {
		many = append(many, exchange.Nonce{Key: fmt.Sprint("k_", i%7), Nonce: fmt.Sprint("n", i)})
	}
	spend(slices.Repeat([]bool{true}, 300), many...)
	spend(slices.Repeat([]bool{false}, 300), many...)
	s.scratch(func(sc exchange.Scratch) error { return sc.Sweep(s.ctx, 6, 0) })
	spend([]bool{true, true}, a, c)
}

// manyRows are rows of n messages in few cases and desks.
func manyRows(n int) *exchange.Rows {
	r := &exchange.Rows{}
	for i := range n {
		idx, msg, cas := int64(i), fmt.Sprint("m_", i), fmt.Sprint("c_", i%5)
		m := message(msg, idx)
		m.Case = cas
		to := []exchange.RecipientRow{{Msg: msg, Desk: "d_z", Role: "to"}, {Msg: msg, Desk: "d_a", Role: "self"}}
		r.Openings = append(r.Openings, exchange.OpeningRow{Idx: idx, Opening: opening(idx)})
		r.Last = append(r.Last, exchange.LastRow{Obj: msg, Idx: idx})
		r.Statements = append(r.Statements, exchange.StatementRow{ID: msg, Digest: digest(msg), Idx: idx})
		r.Messages = append(r.Messages, exchange.SubmittedRow{Message: m, To: to[:i%3], Consents: []string{"k_a", "k_b"}[:i%2]})
		o := duty(fmt.Sprint("o_", i), 100*idx)
		o.Case, o.TriggerObj = cas, msg
		if i%4 == 3 {
			o.State, o.Sent, o.Transfer = obligation.Fulfilled, nil, nil
		}
		r.Obligations = append(r.Obligations, o)
		r.Feed = append(r.Feed, exchange.FeedRow{Desk: fmt.Sprint("d_", i%3), N: int64(i/3 + 1), Idx: idx, Erased: -1})
		r.Scope = append(r.Scope, exchange.ScopeRow{Case: cas, Idx: idx, Scope: "disclosures"})
		if i < 15 {
			r.Parties = append(r.Parties, exchange.CaseParty{Case: cas, Party: exchange.PartyRow{Desk: fmt.Sprint("d_", i/5), Inst: "i_a"}})
		}
	}
	return r
}

// putEach stores rows one by one.
func (s *suite) putEach(tx exchange.Tx, r *exchange.Rows) error {
	var errs []error
	for _, row := range r.Openings {
		errs = append(errs, tx.PutOpening(s.ctx, row.Idx, row.Opening))
	}
	for _, row := range r.Last {
		errs = append(errs, tx.PutLast(s.ctx, row.Obj, row.Idx))
	}
	for _, row := range r.Statements {
		errs = append(errs, tx.PutStatement(s.ctx, row))
	}
	for _, row := range r.Messages {
		errs = append(errs, tx.PutMessage(s.ctx, row.Message, row.To, row.Consents))
	}
	for _, row := range r.Parties {
		errs = append(errs, tx.PutParty(s.ctx, row.Case, row.Party))
	}
	for _, row := range r.Obligations {
		errs = append(errs, tx.PutObligation(s.ctx, row))
	}
	for _, row := range r.Feed {
		errs = append(errs, tx.PutFeed(s.ctx, row))
	}
	for _, row := range r.Scope {
		errs = append(errs, tx.PutScope(s.ctx, row.Case, row.Idx, row.Scope))
	}
	return all(errs...)
}

// casePutAll: many rows at once are the rows one by one, also where they replace
// others; the openings are there and count.
func casePutAll(s *suite) {
	const n = 333
	none := func(int64) bool { return false }
	var want []string
	if err := s.Write(s.ctx, func(tx exchange.Tx) error {
		if err := all(s.recordIn(tx, n, none), s.putEach(tx, manyRows(n))); err != nil {
			return err
		}
		return tx.Derived(s.ctx, func(table, key, row string) error {
			want = append(want, table+"\t"+key+"\t"+row)
			return nil
		})
	}); err != nil {
		s.Fatal(err)
	}
	s.equal("derived rows one by one", s.dump(), want)
	s.write(func(tx exchange.Tx) error { return tx.DropDerived(s.ctx) })
	again := manyRows(n)
	again.Openings = nil
	s.write(func(tx exchange.Tx) error { return tx.PutAll(s.ctx, again) })
	s.equal("derived rows at once", s.dump(), want)

	again.Messages, again.Feed = nil, nil // put once
	for i := range again.Obligations {
		again.Obligations[i].State, again.Last[i].Idx, again.Statements[i].Spent = obligation.Waived, 0, true
	}
	s.write(func(tx exchange.Tx) error { return tx.PutAll(s.ctx, again) })
	replaced := s.dump()
	s.write(func(tx exchange.Tx) error { return s.putEach(tx, again) })
	s.equal("rows replaced", s.dump(), replaced)
	s.write(func(tx exchange.Tx) error { return tx.PutAll(s.ctx, &exchange.Rows{}) })
	s.equal("no rows", s.dump(), replaced)
}

// casePutAllOpenings: openings put at once are read, count as such, and their
// places are taken.
func casePutAllOpenings(s *suite) {
	r := &exchange.Rows{Openings: manyRows(70).Openings}
	s.write(func(tx exchange.Tx) error {
		return all(s.recordIn(tx, 71, func(int64) bool { return false }), tx.PutAll(s.ctx, r))
	})
	s.read(func(v exchange.View) error {
		found(s, "an opening", opening(69))(v.Opening(s.ctx, 69))
		holes, err := v.Holes(s.ctx, 0, 10)
		same(s, "holes", holes, err, 70)
		return err
	})
	s.refused("an opening twice", func(tx exchange.Tx) error {
		return tx.PutAll(s.ctx, &exchange.Rows{Openings: r.Openings[:1]})
	})
	s.refused("one bad row among many", func(tx exchange.Tx) error {
		return tx.PutAll(s.ctx, &exchange.Rows{Last: []exchange.LastRow{{Obj: "fine"}, {Obj: "a\x00b"}}})
	})
	s.refused("a place in a feed that holds another leaf", func(tx exchange.Tx) error {
		feed := exchange.FeedRow{Desk: "d_f", N: 1, Idx: 1, Erased: -1}
		if err := tx.PutFeed(s.ctx, feed); err != nil {
			return err
		}
		feed.Idx = 2
		return tx.PutAll(s.ctx, &exchange.Rows{Feed: []exchange.FeedRow{feed}})
	})
}

// caseGather: what is gathered is what the single questions answer, for names
// that are there and names that are not.
func caseGather(s *suite) {
	const n = 60
	s.write(func(tx exchange.Tx) error {
		if err := all(s.recordIn(tx, n, func(int64) bool { return false }), tx.PutAll(s.ctx, manyRows(n))); err != nil {
			return err
		}
		return all(tx.Link(s.ctx, []string{"c_1", "c_3"}), tx.Link(s.ctx, []string{"c_new", "c_3"}),
			tx.PutOverflow(s.ctx, exchange.OverflowRow{Key: "ed25519:a", ID: "m_over", Desk: "d_a", At: 1}),
			tx.PutConflict(s.ctx, exchange.ConflictRow{ID: "x_2", Who: "d_1", Level: "suspicion", SetIdx: 2, LiftedIdx: -1, Subj: []string{"p_a"}}),
			tx.PutConflict(s.ctx, exchange.ConflictRow{ID: "x_1", Who: "d_1", Level: "suspicion", SetIdx: 1, LiftedIdx: 4, Subj: []string{}}),
			tx.PutGrant(s.ctx, exchange.GrantRow{ID: "x_3", Idx: 3, Case: "c_1", Desk: "d_r", Subj: []string{"p_a"}, Scope: []string{"duties"}, EndedIdx: -1, Before: []int64{1}}))
	})
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutUpload(s.ctx, exchange.UploadRow{Msg: "m_u", Part: 1, Key: "k", Hash: []byte{1}, Size: 3}),
			sc.PutUpload(s.ctx, exchange.UploadRow{Msg: "m_u", Part: 0, Key: "k", Hash: []byte{0}, Size: 2, Stanzas: 4, At: 8}))
	})
	w := &exchange.Wanted{Statements: []string{"m_3", "m_none", "m_over", "m_59"}, Last: []string{"m_none", "m_7"},
		Uploads: []string{"m_none", "m_u"}, Messages: []string{"m_1", "m_2", "m_none"}, Opened: []string{"m_5", "m_none"},
		Obligations: []string{"o_3", "o_none"}, Desks: []string{"d_0", "d_2", "d_none"},
		Cases: []string{"c_1", "c_2", "c_none"}, Excluded: []string{"d_1", "d_none"}}
	s.write(func(tx exchange.Tx) error {
		got, err := tx.Gather(s.ctx, w)
		if err != nil {
			return err
		}
		s.sameKnown(got, s.askEach(tx, w))
		empty, err := tx.Gather(s.ctx, &exchange.Wanted{})
		s.sameKnown(empty, exchange.NewKnown(&exchange.Wanted{}))
		return err
	})
}

// askEach answers w by single questions.
func (s *suite) askEach(v exchange.View, w *exchange.Wanted) *exchange.Known {
	k := exchange.NewKnown(w)
	ask := func(err error) {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
	}
	for _, id := range w.Statements {
		row, ok, err := v.Statement(s.ctx, id)
		ask(err)
		k.Statements[id] = orNil(row, ok)
	}
	for _, obj := range w.Last {
		idx, err := v.Last(s.ctx, obj)
		ask(err)
		k.Last[obj] = idx
	}
	for _, msg := range w.Uploads {
		for part := 0; ; part++ {
			u, ok, err := v.Upload(s.ctx, msg, part)
			ask(err)
			if !ok {
				break
			}
			k.Uploads[msg] = append(k.Uploads[msg], u)
		}
	}
	for _, msg := range w.Messages {
		row, ok, err := v.Message(s.ctx, msg)
		ask(err)
		k.Messages[msg] = orNil(row, ok)
		k.Recipients[msg], err = v.Recipients(s.ctx, msg)
		ask(err)
	}
	for _, obj := range w.Opened {
		rows, err := v.Opened(s.ctx, obj, "")
		ask(err)
		k.Opened[obj] = rows
	}
	for _, id := range w.Obligations {
		o, ok, err := v.Obligation(s.ctx, id)
		ask(err)
		k.Obligations[id] = orNil(o, ok)
	}
	for _, desk := range w.Desks {
		n, err := v.FeedLast(s.ctx, desk)
		ask(err)
		k.FeedLast[desk] = n
	}
	for _, desk := range w.Excluded {
		rows, err := v.Conflicts(s.ctx, desk)
		ask(err)
		k.Excluded[desk] = rows
	}
	for _, cas := range w.Cases {
		linked, err := v.Linked(s.ctx, cas)
		ask(err)
		for _, each := range linked {
			c := &exchange.KnownCase{Linked: linked}
			one := []string{each}
			c.Grants, err = v.Grants(s.ctx, one)
			ask(err)
			c.Live, err = v.Live(s.ctx, one)
			ask(err)
			c.Parties, err = v.Parties(s.ctx, one)
			ask(err)
			k.Cases[each] = c
		}
	}
	return k
}

func orNil[T any](row T, ok bool) *T {
	if !ok {
		return nil
	}
	return &row
}

// sameKnown compares member by member; an empty list is like none.
func (s *suite) sameKnown(got, want *exchange.Known) {
	s.Helper()
	g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range g.NumField() {
		name := g.Type().Field(i).Name
		s.equal("names of "+name, keys(g.Field(i)), keys(w.Field(i)))
		for _, key := range g.Field(i).MapKeys() {
			a, b := g.Field(i).MapIndex(key), w.Field(i).MapIndex(key)
			if !b.IsValid() || a.Kind() == reflect.Slice && a.Len()+b.Len() == 0 {
				continue
			}
			s.equal(name+" of "+key.String(), a.Interface(), b.Interface())
		}
	}
}

func keys(m reflect.Value) []string {
	list := []string{}
	for _, k := range m.MapKeys() {
		list = append(list, k.String())
	}
	slices.Sort(list)
	return list
}
