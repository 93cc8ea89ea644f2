package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"github.com/odziv/odziv/messaging/obligation"
)

// fill writes n rows or more into every derived table.
func (s *suite) fill(tx exchange.Tx, n int) error {
	for i := range n {
		if err := s.fillRow(tx, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) fillRow(tx exchange.Tx, i int) error {
	idx, name := int64(i), fmt.Sprintf("%c\"ж\\\n<%d", 'a'+i%26, i) // what JSON spells in more than one way
	m := message("m_"+name, idx)
	to := []exchange.RecipientRow{{Msg: m.Msg, Desk: "d_z", Role: "to"}, {Msg: m.Msg, Desk: "d_a", Role: "self"}}
	o := duty("o_"+name, 100*idx)
	if i%2 == 1 {
		o.State, o.Sent, o.Transfer = obligation.Fulfilled, nil, nil
	}
	return all(
		tx.PutLast(s.ctx, m.Msg, idx),
		tx.PutStatement(s.ctx, exchange.StatementRow{ID: m.Msg, Digest: digest(name), Idx: idx, Spent: i%2 == 0}),
		tx.PutMessage(s.ctx, m, to, []string{"k_a", "k_" + name}),
		tx.MarkRecipient(s.ctx, exchange.RecipientRow{Msg: m.Msg, Desk: "d_z", Handed: 9, HandedIdx: idx}),
		tx.PutParty(s.ctx, "c_"+name, exchange.PartyRow{Desk: "d_a", Inst: "i_a"}),
		tx.Link(s.ctx, []string{"c_" + name, fmt.Sprint("c_", i%(7+i/4))}),
		tx.PutConsentVersion(s.ctx, exchange.ConsentRow{ID: "k_" + name, Ver: i, Idx: idx, At: 1, Act: "given", Stmt: []byte{0, byte(i)}[:i%3]}),
		tx.PutConflict(s.ctx, exchange.ConflictRow{ID: "x_" + name, Who: "g_a", Level: "suspicion", SetIdx: idx, LiftedIdx: -1}),
		tx.PutGrant(s.ctx, exchange.GrantRow{ID: "x_" + name, Idx: idx, Case: "c_a", Desk: "d_a", Subj: []string{name}, EndedIdx: -1, Before: []int64{idx}}),
		tx.PutObligation(s.ctx, o),
		tx.PutMark(s.ctx, o.ID, i%3, idx),
		tx.PutFeed(s.ctx, exchange.FeedRow{Desk: "d_a", N: idx + 1, Idx: idx, Erased: -1}),
		tx.PutScope(s.ctx, "c_"+name, idx, "duties"),
		tx.PutAccess(s.ctx, "u_a", "c_"+name, "2026-03-10", idx),
		tx.PutRefusal(s.ctx, "ed25519:a", idx, idx),
	)
}

// derivedTables are the tables that fill fills, in the order of the dump.
const derivedTables = "access case_link conflict consent_version feed grant_ last mark msg msg_consent msg_to " +
	"obligation party refusal scope statement"

// caseDerived: every table shows, in order, as JSON arrays; also across the pages
// in which an engine may read them.
func caseDerived(s *suite) {
	s.equal("rows of a new store", s.dump(), []string(nil))
	const n = 600
	s.write(func(tx exchange.Tx) error { return s.fill(tx, n) })
	var tables []string
	rows, last := map[string]int{}, ""
	s.read(func(v exchange.View) error {
		return v.Derived(s.ctx, func(table, key, row string) error {
			if rows[table]++; rows[table] == 1 {
				tables, last = append(tables, table), ""
			}
			if key <= last {
				s.Errorf("%s: key %q after %q", table, key, last)
			}
			last = key
			var columns []any
			if err := json.Unmarshal([]byte(row), &columns); err != nil || len(columns) < 2 {
				s.Errorf("%s %q: row %s, %v", table, key, row, err)
			}
			return nil
		})
	})
	s.equal("tables", strings.Join(tables, " "), derivedTables)
	for _, table := range tables {
		if rows[table] < n {
			s.Errorf("%s shows %d rows, want %d or more", table, rows[table], n)
		}
	}
	s.read(func(v exchange.View) error {
		seen := 0
		err := v.Derived(s.ctx, func(string, string, string) error {
			if seen++; seen == 600 {
				return errLost
			}
			return nil
		})
		if !errors.Is(err, errLost) || seen != 600 {
			s.Errorf("stopped after %d with %v", seen, err)
		}
		return nil
	})
}

// caseDerivedAgain: the same writes derive the same rows, in one transaction or
// many; and one other member shows.
func caseDerivedAgain(s *suite) {
	s.write(func(tx exchange.Tx) error { return s.fill(tx, 20) })
	first := s.dump()
	if len(first) < 20*16 {
		s.Fatalf("%d rows", len(first))
	}
	s.write(func(tx exchange.Tx) error { return all(tx.DropDerived(s.ctx), s.fill(tx, 20)) })
	s.equal("rows derived in one transaction", s.dump(), first)
	s.write(func(tx exchange.Tx) error { return tx.DropDerived(s.ctx) })
	s.equal("rows after all were dropped", s.dump(), []string(nil))
	for i := range 20 {
		s.write(func(tx exchange.Tx) error { return s.fillRow(tx, i) })
	}
	s.equal("rows derived in many", s.dump(), first)
	s.write(func(tx exchange.Tx) error {
		o, ok, err := tx.Obligation(s.ctx, "o_"+"b\"ж\\\n<1")
		if !ok {
			s.Error("no obligation to change")
		}
		o.Reason = "changed"
		return all(err, tx.PutObligation(s.ctx, o))
	})
	if changed := s.dump(); strings.Join(changed, "\n") == strings.Join(first, "\n") {
		s.Error("a changed obligation does not show")
	}
}

// caseDropped: what is not derived stays.
func caseDropped(s *suite) {
	s.record(2, nil)
	s.write(func(tx exchange.Tx) error {
		return all(s.fill(tx, 3), tx.EraseOpening(s.ctx, 1), tx.PutPackage(s.ctx, digest("a"), []byte("a")),
			tx.PutPending(s.ctx, exchange.PendingRow{Digest: digest("p"), DSSE: []byte("p"), At: 1}), tx.PutShred(s.ctx, "m_a", "x_a", []byte{1}),
			tx.PutUpload(s.ctx, upload("m_a", 0, 1)), tx.PutChunk(s.ctx, "m_a", 0, 0, []byte("chunk")),
			tx.PutPeriod(s.ctx, "x_a", []byte{2}, 1), tx.PutRecipientKey(s.ctx, "rk", "age1"))
	})
	lost := s.Write(s.ctx, func(tx exchange.Tx) error { return all(tx.DropDerived(s.ctx), errLost) })
	if !errors.Is(lost, errLost) || len(s.dump()) == 0 {
		s.Errorf("%d rows after a drop that was not committed, %v", len(s.dump()), lost)
	}
	s.write(func(tx exchange.Tx) error { return all(tx.DropDerived(s.ctx), tx.DropDerived(s.ctx)) })
	s.equal("derived rows", s.dump(), []string(nil))
	s.read(func(v exchange.View) error {
		head, err := v.Head(s.ctx, ledger.Ev)
		s.equal("size", head.Size, int64(2))
		found(s, "opening", opening(0))(v.Opening(s.ctx, 0))
		missing[evidence.Opening](s, "erased opening")(v.Opening(s.ctx, 1))
		found(s, "package", []byte("a"))(v.Package(s.ctx, digest("a")))
		found(s, "pending", exchange.PendingRow{Digest: digest("p"), DSSE: []byte("p"), At: 1})(v.Pending(s.ctx, digest("p")))
		found(s, "upload", upload("m_a", 0, 1))(v.Upload(s.ctx, "m_a", 0))
		found(s, "period", []byte{2})(v.Period(s.ctx, "x_a"))
		found(s, "recipient", "age1")(v.RecipientKey(s.ctx, "rk"))
		s.chunk(v, "m_a", 0, 0, []byte("chunk"))
		s.wantShred("m_a", "x_a", []byte{1})
		s.incomplete(v, false)
		return err
	})
}

// forbidden are statements that no role of the server may run; the suite of the
// ledger tries those on its own tables.
var forbidden = []string{
	"UPDATE opening SET meta = meta",
	"DELETE FROM opening",
	"DELETE FROM opening WHERE idx = 0",
	"REPLACE INTO opening SELECT * FROM opening",
	"UPDATE erasure SET idx = idx + 1",
	"DELETE FROM erasure",
	"INSERT INTO erasure (idx) VALUES (0)",
	"DELETE FROM covered",
	"UPDATE covered SET count = 0",
	"DELETE FROM blob_chunk",
	"UPDATE blob_chunk SET data = data",
	"REPLACE INTO blob_chunk SELECT * FROM blob_chunk",
	"DELETE FROM shred",
	"DELETE FROM upload",
	"UPDATE upload SET kept = 0",
	"UPDATE upload SET size = size + 1",
}

func caseAppendOnly(s *suite) {
	db, ok := s.Store.(storagetest.Tamperer)
	if !ok {
		s.Skip("the store takes no SQL")
	}
	s.record(3, nil)
	s.write(func(tx exchange.Tx) error {
		return all(tx.EraseOpening(s.ctx, 1), tx.PutUpload(s.ctx, upload("m_a", 0, 1)), tx.PutChunk(s.ctx, "m_a", 0, 0, []byte("chunk")),
			tx.PutShred(s.ctx, "m_a", "x_a", []byte{1}), tx.PutMessage(s.ctx, message("m_a", 0), nil, nil))
	})
	for _, query := range forbidden {
		if err := db.Exec(query); err == nil {
			s.Errorf("accepted: %s", query)
		}
	}
	s.read(func(v exchange.View) error {
		found(s, "opening", opening(0))(v.Opening(s.ctx, 0))
		found(s, "opening", opening(2))(v.Opening(s.ctx, 2))
		s.chunk(v, "m_a", 0, 0, []byte("chunk"))
		s.wantShred("m_a", "x_a", []byte{1})
		found(s, "upload", upload("m_a", 0, 1))(v.Upload(s.ctx, "m_a", 0))
		s.incomplete(v, false)
		return nil
	})
	s.record(1, nil)
}
