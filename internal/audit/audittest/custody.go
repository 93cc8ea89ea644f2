package audittest

import (
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Custodian is the label of the n-th of three custodians of A.
func Custodian(n int) string { return fmt.Sprint("A/custodian/", n) }

// Custody gives A three custodians, two of whom recover, and its desk a key with
// escrow, number 2.
func (w *World) Custody() {
	w.t.Helper()
	one, two := Officer("A", 1), Officer("A", 2)
	w.Directory(&directory.InstCustodians{I: ID("i", "A"), K: 2, Keys: Keys(Custodian(1), Custodian(2), Custodian(3)),
		Rcps: []string{Recipient(2), Recipient(3), Recipient(4)}}, "A/root/1", "A/root/2")
	epoch := &directory.DeskEpoch{D: ID("d", "A"), E: 2, RK: hash("rk/A/2"), Why: "custodians"}
	for _, label := range []string{one, two} {
		epoch.Pkg = append(epoch.Pkg, directory.Package{Key: KeyID(label), SHA256: hash("pkg/2/" + label)})
	}
	for _, cust := range [][]int{{0, 1}, {0, 2}, {1, 2}} {
		epoch.Esc = append(epoch.Esc, directory.Escrow{Cust: cust, SHA256: hash(fmt.Sprint("esc/2/", cust))})
	}
	w.Directory(epoch, one)
	w.Directory(&directory.DeskEpochAck{D: ID("d", "A"), E: 2}, two)
}

// KeyID is the key id of a label's key.
func KeyID(label string) string { return statement.KeyID(Key(label).Public()) }

// Ask is what the custodians ask for: key 2 of A's desk, for its first officer.
func Ask() evidence.EscrowAsk {
	return evidence.EscrowAsk{Desk: ID("d", "A"), Epochs: []int64{2}, Officer: ID("u", Officer("A", 1)), Purpose: evidence.PurposeRecovery}
}

// custodianHead is the head of what a custodian says now.
func (w *World) custodianHead(event, label string) statement.Head {
	h := w.Head(event, ID("x", fmt.Sprint(event, len(w.Openings))), "", "A")
	h.By.Key = KeyID(label)
	return h
}

// EscrowRequest is a custodian's request.
func (w *World) EscrowRequest(label string, ask evidence.EscrowAsk) *Draft {
	w.t.Helper()
	return w.custodianSays(evidence.EscrowRequested, label, evidence.EscrowRequest{
		Head: w.custodianHead(evidence.EscrowRequested, label), EscrowAsk: ask, Reason: "keys-lost"})
}

// EscrowRefusal is a custodian's refusal.
func (w *World) EscrowRefusal(label string, ask evidence.EscrowAsk) *Draft {
	w.t.Helper()
	return w.custodianSays(evidence.EscrowRefused, label, evidence.EscrowRefusal{
		Head: w.custodianHead(evidence.EscrowRefused, label), EscrowAsk: ask, Reason: "not-in-person"})
}

// EscrowReport is what a custodian says came of a release.
func (w *World) EscrowReport(label string, ask evidence.EscrowAsk, release int64) *Draft {
	w.t.Helper()
	return w.custodianSays(evidence.EscrowOpened, label, evidence.EscrowReport{
		Head: w.custodianHead(evidence.EscrowOpened, label), EscrowAsk: ask, Outcome: evidence.OutcomeMatched, Release: release})
}

func (w *World) custodianSays(event, label string, body any) *Draft {
	d := w.Draft(event, ID("d", "A"), "A")
	d.Priv.Stmt = w.Sign(statement.TypeOfEvent(event), body, label)
	d.Meta.To, d.Desks = []string{d.Meta.From}, []string{ID("d", "A")}
	return d
}

// Released is the exchange's release of the file of two custodians, on their
// requests.
func (w *World) Released(ask evidence.EscrowAsk, cust []int, requests ...int64) *Draft {
	w.t.Helper()
	d := w.Draft(evidence.EscrowReleased, ask.Desk, "")
	data := ReleasedData(ask, cust, w.At)
	for _, idx := range requests {
		data.Requests = append(data.Requests, evidence.ReleaseAsk{Idx: idx, Key: w.Priv(idx).Stmt.Signatures[0].KeyID})
	}
	d.Priv.Data = raw(data)
	d.Meta.To, d.Desks = []string{w.Dir.TypeOfDesk(ask.Desk)}, []string{ask.Desk}
	return d
}

// ReleasedData is the data of a release at a time, without its requests.
func ReleasedData(ask evidence.EscrowAsk, cust []int, at int64) evidence.ReleasedData {
	return evidence.ReleasedData{EscrowAsk: ask, Until: at + evidence.EscrowTerm,
		Files: []evidence.ReleasedFile{{Cust: cust, E: 2, SHA256: hash(fmt.Sprint("esc/2/", cust))}}}
}
