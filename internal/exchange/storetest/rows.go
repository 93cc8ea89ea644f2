package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

func digest(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// opening is one of distinct bytes, NUL among them.
func opening(i int64) evidence.Opening {
	b := func(what string) []byte { return []byte(fmt.Sprintf("%s\x00\xff%d", what, i)) }
	return evidence.Opening{Meta: b("meta"), RM: b("rm"), Priv: b("priv"), RP: b("rp")}
}

// record appends n leaves to the evidence log, each with its opening unless
// opened says no.
func (s *suite) record(n int, opened func(idx int64) bool) {
	s.Helper()
	s.write(func(tx exchange.Tx) error { return s.recordIn(tx, n, opened) })
}

func (s *suite) recordIn(tx exchange.Tx, n int, opened func(idx int64) bool) error {
	batch, err := ledger.NewBatch(s.ctx, tx, ledger.Ev)
	if err != nil {
		return err
	}
	for range n {
		idx, err := batch.Append([]byte(fmt.Sprintf("leaf %d", batch.Next())))
		if err != nil {
			return err
		}
		if opened == nil || opened(idx) {
			if err := tx.PutOpening(s.ctx, idx, opening(idx)); err != nil {
				return err
			}
		}
	}
	_, err = batch.Flush(s.ctx, 1)
	return err
}

func message(msg string, idx int64) exchange.MessageRow {
	return exchange.MessageRow{Msg: msg, Idx: idx, At: 1772441999100 + idx, Case: "c_a", Kind: "complaint",
		Desk: "d_a", Inst: "i_a", Basis: "legal-obligation", Occurred: 1772441999000, Hold: 1772442000000,
		Reason: "investigation", Set: "n_a", Pack: "rs-a@1", Subj: []string{"p_a", "p_b"}}
}

// duty is an open obligation of d_or to d_ee that m_a opened in case c_a.
func duty(id string, due int64) obligation.Obligation {
	return obligation.Obligation{ID: id, Rule: "registration", Obligor: "d_or", Obligee: "d_ee", Person: "p_a",
		Case: "c_a", Trigger: 7, TriggerObj: "m_a", Kind: "complaint", Urg: "R", N: 1, Occurred: 1772441999000,
		Pack: "rs-a@1", Cal: digest("calendar"), OpenedAt: 1772441999100, Start: 1772441999100, Due: due,
		State: obligation.Open, Since: 1772441999100,
		Sent:     []obligation.Submission{{Obj: "m_b", Idx: 9, At: 10, To: []string{"d_x"}, Value: "dismissed", Att: true}},
		Transfer: &obligation.Transfer{To: "d_y", Msg: "m_c", Set: "n_a", ID: "o_z"}}
}

func ids(list []obligation.Obligation) []string {
	out := []string{}
	for _, o := range list {
		out = append(out, o.ID)
	}
	return out
}

// dump is Derived as a list of lines.
func (s *suite) dump() (lines []string) {
	s.Helper()
	s.read(func(v exchange.View) error {
		return v.Derived(s.ctx, func(table, key, row string) error {
			lines = append(lines, table+"\t"+key+"\t"+row)
			return nil
		})
	})
	return lines
}
