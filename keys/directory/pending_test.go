package directory_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func TestPendingStatementGathersSignatures(t *testing.T) {
	w := golden(t)
	state := w.states[10]
	payload, err := state.Prepare(enrol("A", "A/officer/2", "member"), at(10))
	if err != nil {
		t.Fatal(err)
	}
	words, needed, eligible, err := state.RequiredSigners(payload)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2 of the 3 registrars of " + id("i", "A"); words != want || needed != 2 {
		t.Errorf("%q, %d signatures; want %q, 2", words, needed, want)
	}
	want := []string{keyID("A/registrar/1"), keyID("A/registrar/2"), keyID("A/registrar/3")}
	slices.Sort(want)
	if !slices.Equal(eligible, want) {
		t.Errorf("eligible %v, want %v", eligible, want)
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload)
	if err != nil {
		t.Fatal(err)
	}
	for n, label := range []string{"A/registrar/3", "A/registrar/1", "A/registrar/2"} {
		complete, err := state.Complete(d)
		if complete != (n == 2) || err != nil {
			t.Errorf("with %d signatures: %v, %v", n, complete, err)
		}
		if err := d.AddSignature(context.Background(), signer(label)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := state.Complete(d); !errors.Is(err, directory.ErrSigners) {
		t.Errorf("with one signature too many: %v", err)
	}
}

func TestPendingStatementSurvivesOtherSubjects(t *testing.T) {
	w := golden(t)
	early := w.states[9]
	payload, err := early.Prepare(enrol("A", "A/officer/7", "member"), at(9))
	if err != nil {
		t.Fatal(err)
	}
	leaf := sign(t, statement.TypeDirectory, payload, "A/registrar/1", "A/registrar/2")
	later, err := w.now().Apply(leaf)
	if err != nil {
		t.Fatalf("prepared after 9 leaves, submitted after %d: %v", w.now().N(), err)
	}
	if _, err := later.Apply(leaf); !errors.Is(err, directory.ErrPrev) {
		t.Errorf("the same leaf a second time: %v", err)
	}
}

func TestPendingStatementEndsWithItsSubject(t *testing.T) {
	w := golden(t)
	payload, err := w.states[16].Prepare(&directory.DeskMembers{D: id("d", "A/legal"), Members: []string{}}, at(16))
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, signer("A/registrar/1"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := w.states[16].Complete(d); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if _, err := w.states[17].Complete(d); !errors.Is(err, directory.ErrPrev) {
		t.Errorf("after a rota of the same desk: %v", err)
	}
	if _, _, _, err := w.states[17].RequiredSigners(payload); !errors.Is(err, directory.ErrPrev) {
		t.Errorf("after a rota of the same desk: %v", err)
	}
}

// A signer who loses her office while a statement waits takes her signature along.
func TestPendingSignatureOfFormerRegistrar(t *testing.T) {
	w := golden(t)
	payload, err := w.now().Prepare(enrol("A", "A/officer/7", "member"), at(32))
	if err != nil {
		t.Fatal(err)
	}
	leaf := sign(t, statement.TypeDirectory, payload, "A/registrar/1", "A/registrar/2")
	w.do(&directory.InstRegistrars{I: id("i", "A"), Keys: publics("A/registrar/2", "A/registrar/3")}, "A/root/1", "A/root/4")
	if _, err := w.now().Apply(leaf); !errors.Is(err, directory.ErrSigners) {
		t.Errorf("signed by a former registrar: %v", err)
	}
}

func TestFewestSignaturesOfAChangedRoot(t *testing.T) {
	w := golden(t)
	for _, c := range []struct {
		k    int
		keys []string
		want int
	}{
		{2, []string{"A/root/1", "A/root/2", "A/root/4"}, 2}, // two stay
		{2, []string{"A/root/1", "A/root/4", "A/root/5"}, 3}, // one stays
		{2, []string{"A/root/4", "A/root/5"}, 4},             // none stays
		{3, []string{"A/root/1", "A/root/2", "A/root/3"}, 3}, // same keys, higher threshold
	} {
		payload, err := w.states[29].Prepare(&directory.InstRoot{I: id("i", "A"), K: c.k, Keys: publics(c.keys...)}, at(29))
		if err != nil {
			t.Fatal(err)
		}
		if _, needed, _, err := w.states[29].RequiredSigners(payload); needed != c.want || err != nil {
			t.Errorf("%d of %v: %d signatures, want %d; %v", c.k, c.keys, needed, c.want, err)
		}
	}
}

// A full set of signers of which one signature is wrong is never complete.
func TestCompleteVerifies(t *testing.T) {
	w := golden(t)
	payload, err := w.states[10].Prepare(enrol("A", "A/officer/2", "member"), at(10))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, signer("A/registrar/1"), signer("A/registrar/2"))
		if err != nil {
			t.Fatal(err)
		}
		d.Signatures[n].Sig[0] ^= 1
		if ok, err := w.states[10].Complete(d); ok || !errors.Is(err, directory.ErrSigners) {
			t.Errorf("signature %d wrong: %v, %v", n, ok, err)
		}
	}
}

func TestCompleteRefusesOtherTypes(t *testing.T) {
	w := golden(t)
	d, err := statement.Sign(context.Background(), statement.TypeNotice, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.now().Complete(d); !errors.Is(err, directory.ErrMalformed) {
		t.Errorf("payload of a message: %v", err)
	}
}
