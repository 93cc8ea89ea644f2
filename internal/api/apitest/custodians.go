package apitest

import (
	"context"
	"fmt"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
)

// A Custodian signs requests and peels layers.
type Custodian struct {
	Signer   statement.SigningKey
	Identity *age.HybridIdentity
}

// NewCustodian makes one; a name is always the same signer.
func (w *World) NewCustodian(name string) Custodian {
	w.t.Helper()
	return Custodian{signer("custodian/" + name), w.identity()}
}

// NameCustodians lets a party's root name its custodians, k of whom recover.
func (w *World) NameCustodians(p *Party, k int, list ...Custodian) {
	w.t.Helper()
	body := &directory.InstCustodians{I: p.Inst, K: k}
	for _, c := range list {
		body.Keys = append(body.Keys, c.Signer.Public())
		body.Rcps = append(body.Rcps, c.Identity.Recipient().String())
	}
	w.Enter(body, p.Root)
}

// Rotate makes and acknowledges the next epoch of a party's desk, with escrow for
// its present custodians. p.Key and p.RK become the new ones.
func (w *World) Rotate(p *Party) directory.Epoch {
	w.t.Helper()
	ctx := context.Background()
	last, _ := w.Directory().LatestEpoch(p.Desk)
	inst, _ := w.Directory().Institution(p.Inst)
	p.Key = w.identity()
	text := p.Key.Recipient().String()
	p.RK = directory.RecipientHash(text)
	w.check(w.X.PutKey(ctx, w.caller(), p.RK, text))
	body := &directory.DeskEpoch{D: p.Desk, E: last.E + 1, Esc: []directory.Escrow{}, RK: p.RK, Why: "custodians"}
	files := must(w, func() ([]escrow.File, error) {
		return escrow.Seal(p.Key, p.Desk, body.E, inst.Custodians.Rcps, inst.Custodians.K)
	})
	for _, f := range files {
		w.check(w.X.PutPackage(ctx, w.caller(), f.SHA256(), f.Age))
		body.Esc = append(body.Esc, directory.Escrow{Cust: f.Cust, SHA256: f.SHA256()})
	}
	for _, k := range p.Officers {
		f := escrow.File{Age: fmt.Appendf(nil, "package %d of %s", body.E, statement.KeyID(k.Public()))}
		w.check(w.X.PutPackage(ctx, w.caller(), f.SHA256(), f.Age))
		body.Pkg = append(body.Pkg, directory.Package{Key: statement.KeyID(k.Public()), SHA256: f.SHA256()})
	}
	w.Enter(body, p.Officers[0])
	w.Enter(&directory.DeskEpochAck{D: p.Desk, E: body.E}, p.Officers[1])
	epoch, _ := w.Directory().Epoch(p.Desk, body.E)
	return epoch
}

// EscrowHead is the head of what a custodian says about the escrow of a desk.
func (w *World) EscrowHead(c Custodian, p *Party, event string) statement.Head {
	return statement.Head{At: w.Clock.Now(), By: statement.By{Desk: p.Desk, Inst: p.Inst, Key: statement.KeyID(c.Signer.Public())},
		DirN: w.Directory().N(), Ev: event, ID: statement.NewID(statement.Other), Pack: w.Pack.ID(), V: 1}
}

// EscrowRequest is a custodian's request.
func (w *World) EscrowRequest(c Custodian, p *Party, ask evidence.EscrowAsk) (id string, d *statement.DSSE) {
	w.t.Helper()
	h := w.EscrowHead(c, p, evidence.EscrowRequested)
	return h.ID, w.Say(c, h.Ev, &evidence.EscrowRequest{Head: h, EscrowAsk: ask, Reason: "keys-lost"})
}

// Say signs what a custodian says.
func (w *World) Say(c Custodian, event string, body any) *statement.DSSE {
	w.t.Helper()
	payload := must(w, func() ([]byte, error) { return statement.Marshal(body) })
	return must(w, func() (*statement.DSSE, error) {
		return statement.Sign(context.Background(), statement.TypeOfEvent(event), payload, c.Signer)
	})
}
