package office_test

import (
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// A package that holds another key than the directory names is not confirmed; it is
// disputed, nobody seals to the key, and the desk rotates again.
func TestDisputeAndRotateAgain(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	p := a.start()
	real, err := age.GenerateHybridIdentity()
	check(t, err)
	body := &directory.DeskEpoch{D: to.ID, E: 2, Esc: []directory.Escrow{}, RK: directory.RecipientHash(real.Recipient().String()), Why: "yearly"}
	check(t, p.Client.PutKey(t.Context(), real.Recipient().String()))
	for _, member := range to.Officers {
		data := []byte("no package at all, for " + member.ID)
		check(t, p.Client.PutPackage(t.Context(), data))
		body.Pkg = append(body.Pkg, directory.Package{Key: statement.KeyID(member.Keys.Signer().Public()), SHA256: digestOf(data)})
	}
	entry, err := p.Propose(t.Context(), body)
	check(t, err)
	_, err = p.Await(t.Context(), entry.Idx)
	check(t, err)

	q := b.start()
	if err := q.Acknowledge(t.Context(), to.ID); !errors.Is(err, office.ErrPackage) {
		t.Errorf("%v", err)
	}
	e, err := q.Dispute(t.Context(), to.ID, 0, "wrong-package")
	check(t, err)
	if e != 2 {
		t.Errorf("disputed %d", e)
	}
	sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	_, err = b.start().Read(t.Context(), to.ID, sent.Msg) // under key 1
	check(t, err)
	if epoch := renewBy(t, b, a); epoch != 3 {
		t.Errorf("epoch %d", epoch)
	}
	// A key that is in use is disputed too, and senders go back to the one before.
	_, err = a.start().Dispute(t.Context(), to.ID, 3, "nobody-made-it")
	check(t, err)
	if active, _ := a.start().Directory().ActiveEpoch(to.ID); active.E != 1 {
		t.Errorf("key %d is in use", active.E)
	}
	if list := a.start().Renewals(to.ID); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// At a desk with one member a registrar confirms the key, by the fingerprint that
// the member reads to her, and nobody else does.
func TestAlone(t *testing.T) {
	w, err := demo.Open(t.Context(), demo.Options{Dir: t.TempDir(), Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "bar-sponsor"}})
	check(t, err)
	t.Cleanup(func() { check(t, w.Close()) })
	rep, err := w.Represent(t.Context(), "bar-sponsor")
	check(t, err)
	alone := computerOf(t, w, rep, 0)
	epoch, err := alone.start().Rotate(t.Context(), rep.ID, "yearly")
	check(t, err)
	if list := alone.start().Renewals(rep.ID); len(list) != 1 || list[0].What != office.RenewWaits || !list[0].Alone {
		t.Errorf("%+v", list)
	}
	e, _ := alone.start().Directory().Epoch(rep.ID, epoch)
	registry, err := w.Act(rep.Member.Registrars()[1])
	check(t, err)
	var refused *office.Refused
	other := "0" + e.RK[1:]
	if e.RK[0] == '0' {
		other = "1" + e.RK[1:]
	}
	for _, typed := range []string{"", other, e.RK[:63], e.RK + "0"} {
		if _, err := registry.Countersign(t.Context(), rep.ID, typed); !errors.As(err, &refused) || refused.Code != "fingerprint" {
			t.Errorf("%q: %v", typed, err)
		}
	}
	spoken := strings.ToUpper(e.RK[:4]) + " " + e.RK[4:32] + "-" + e.RK[32:] + "\n"
	if _, err := registry.Countersign(t.Context(), rep.ID, spoken); err != nil {
		t.Error(err)
	}
	if active, _ := alone.start().Directory().ActiveEpoch(rep.ID); active.E != epoch {
		t.Errorf("%+v", active)
	}
	swc := desk(t, w, "swc-kraljevo", "legal")
	foreign, err := w.Act(swc.Member.Registrars()[0])
	check(t, err)
	if _, err := foreign.Dispute(t.Context(), rep.ID, 0, "nobody-made-it"); err == nil {
		t.Error("a registrar of another institution disputed it")
	}
	_, err = registry.Dispute(t.Context(), rep.ID, 0, "nobody-made-it")
	check(t, err)
}
