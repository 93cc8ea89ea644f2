package storetest

import "github.com/odziv/odziv/internal/exchange"

func caseLast(s *suite) {
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutLast(s.ctx, "m_a", 0), tx.PutLast(s.ctx, "m_b", 4), tx.PutLast(s.ctx, "m_b", 9))
	})
	s.read(func(v exchange.View) error {
		for obj, want := range map[string]int64{"m_a": 0, "m_b": 9, "m_c": -1, "": -1, "m_": -1} {
			got, err := v.Last(s.ctx, obj)
			if err != nil || got != want {
				s.Errorf("last of %q: %d, %v, want %d", obj, got, err, want)
			}
		}
		return nil
	})
}

func caseStatements(s *suite) {
	accepted := exchange.StatementRow{ID: "k_a/3", Digest: digest("a"), Idx: 7}
	spent := exchange.StatementRow{ID: "m_b", Digest: digest("b"), Idx: -1, Spent: true}
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutStatement(s.ctx, accepted), tx.PutStatement(s.ctx, spent))
	})
	s.read(func(v exchange.View) error {
		found(s, "accepted", accepted)(v.Statement(s.ctx, "k_a/3"))
		found(s, "spent", spent)(v.Statement(s.ctx, "m_b"))
		for _, id := range []string{"k_a/4", "k_a", "", "K_A/3"} {
			missing[exchange.StatementRow](s, "statement "+id)(v.Statement(s.ctx, id))
		}
		return nil
	})
	grown := exchange.StatementRow{ID: "k_a/3", Digest: digest("c"), Idx: 7} // as the digest of a set grows
	s.write(func(tx exchange.Tx) error { return tx.PutStatement(s.ctx, grown) })
	s.read(func(v exchange.View) error {
		found(s, "put again", grown)(v.Statement(s.ctx, "k_a/3"))
		return nil
	})
}

func caseMessages(s *suite) {
	whole, bare := message("m_a", 3), exchange.MessageRow{Msg: "m_b", Idx: 4, Subj: []string{}}
	s.write(func(tx exchange.Tx) error {
		none := bare
		none.Subj = nil
		return all(tx.PutMessage(s.ctx, whole, nil, []string{"k_a", "k_b", "k_a"}), tx.PutMessage(s.ctx, none, nil, nil))
	})
	s.read(func(v exchange.View) error {
		found(s, "message", whole)(v.Message(s.ctx, "m_a"))
		found(s, "message of empty members", bare)(v.Message(s.ctx, "m_b"))
		missing[exchange.MessageRow](s, "message")(v.Message(s.ctx, "m_c"))
		missing[exchange.MessageRow](s, "message")(v.Message(s.ctx, ""))
		to, err := v.Recipients(s.ctx, "m_b")
		same(s, "no recipients", to, err)
		list, err := v.Disclosed(s.ctx, "k_a")
		same(s, "disclosed under one of two", list, err, whole)
		list, err = v.Disclosed(s.ctx, "k_c")
		same(s, "disclosed under none", list, err)
		return nil
	})
	s.refused("a message put twice", func(tx exchange.Tx) error { return tx.PutMessage(s.ctx, whole, nil, nil) })
}

// caseMessageOrder puts messages in another order than that of the ledger.
func caseMessageOrder(s *suite) {
	row := func(msg string, idx int64, cas, kind, desk string) exchange.MessageRow {
		m := message(msg, idx)
		m.Case, m.Kind, m.Desk = cas, kind, desk
		return m
	}
	a, b := row("m_z", 3, "c_a", "complaint", "d_b"), row("m_y", 5, "c_b", "complaint", "d_a")
	c, d := row("m_x", 9, "c_a", "complaint", "d_b"), row("m_w", 10, "c_a", "referral", "d_c")
	e := row("m_v", 11, "c_c", "complaint", "d_d")
	s.write(func(tx exchange.Tx) error {
		for _, m := range []exchange.MessageRow{c, e, a, d, b} {
			if err := tx.PutMessage(s.ctx, m, nil, []string{"k_a"}); err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		for _, cases := range [][]string{{"c_a", "c_b"}, {"c_b", "c_a"}, {"c_b", "c_a", "c_b", "c_x", "c_a"}} {
			desks, err := v.Filed(s.ctx, cases, "complaint")
			same(s, "filed", desks, err, "d_b", "d_a")
			sent, err := v.Sent(s.ctx, cases, "complaint")
			same(s, "sent", sent, err, a, b, c)
		}
		desks, err := v.Filed(s.ctx, nil, "complaint")
		same(s, "filed in no case", desks, err)
		desks, err = v.Filed(s.ctx, []string{"c_a"}, "other")
		same(s, "filed of another kind", desks, err)
		sent, err := v.Sent(s.ctx, []string{}, "complaint")
		same(s, "sent in no case", sent, err)
		list, err := v.Disclosed(s.ctx, "k_a")
		same(s, "disclosed", list, err, a, b, c, d, e)
		return nil
	})
}

func caseRecipients(s *suite) {
	to := []exchange.RecipientRow{
		{Msg: "m_a", Desk: "d_z", Role: "to"},
		{Msg: "m_a", Desk: "d_a", Role: "self"},
		{Msg: "m_a", Desk: "p_m", Role: "to", Handed: 5, HandedIdx: 6, Served: 4, Opened: 7, Blocked: 8, Reason: "narrowed"},
	}
	s.write(func(tx exchange.Tx) error { return tx.PutMessage(s.ctx, message("m_a", 0), to, nil) })
	s.wantRecipients("as put", to...)

	mark := func(r exchange.RecipientRow) {
		s.Helper()
		r.Msg = "m_a"
		s.write(func(tx exchange.Tx) error { return tx.MarkRecipient(s.ctx, r) })
	}
	mark(exchange.RecipientRow{Desk: "d_z", Opened: 20})
	to[0].Opened = 20
	s.wantRecipients("opened alone", to...)
	mark(exchange.RecipientRow{Desk: "d_z", Handed: 30, HandedIdx: 3, Served: 29})
	to[0].Handed, to[0].HandedIdx, to[0].Served = 30, 3, 29
	s.wantRecipients("handed over", to...)
	mark(exchange.RecipientRow{Desk: "d_z", Handed: 31, HandedIdx: 4, Served: 28, Opened: 19, Reason: "without blocking"})
	s.wantRecipients("the first stays", to...)
	mark(exchange.RecipientRow{Desk: "d_z", Blocked: 40, Reason: "withdrawn"})
	to[0].Blocked, to[0].Reason = 40, "withdrawn"
	s.wantRecipients("blocked", to...)
	mark(exchange.RecipientRow{Desk: "d_z", Blocked: 41, Reason: "later"})
	s.wantRecipients("the first blocking stays", to...)
	mark(exchange.RecipientRow{Desk: "p_a", Role: "to", Handed: 50, HandedIdx: 8, Served: 49})
	to = append(to, exchange.RecipientRow{Msg: "m_a", Desk: "p_a", Role: "to", Handed: 50, HandedIdx: 8, Served: 49})
	s.wantRecipients("served to a person", to...)
}

func (s *suite) wantRecipients(what string, want ...exchange.RecipientRow) {
	s.Helper()
	s.read(func(v exchange.View) error {
		got, err := v.Recipients(s.ctx, "m_a")
		same(s, "recipients: "+what, got, err, want...)
		return nil
	})
}
