package office_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
)

const aDay = int64(24 * 3600 * 1000)

// TestRenewals tells a desk what its key asks for: a month before a year is over,
// when it is, and when a new one waits for somebody.
func TestRenewals(t *testing.T) {
	w := open(t)
	to := desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	renewBy(t, a, b)
	e, _ := a.start().Directory().ActiveEpoch(to.ID)
	year := e.At + directory.EpochLife
	want := func(c *computer, what, why string, by int64) {
		t.Helper()
		list := c.start().Renewals(to.ID)
		if what == "" && len(list) == 0 {
			return
		}
		if len(list) != 1 || list[0].What != what || list[0].Why != why || list[0].By != by {
			t.Errorf("%+v, want %q %q by %d", list, what, why, by)
		}
	}
	want(a, "", "", 0)
	check(t, w.Clock.Forward(year-30*aDay-1))
	want(a, "", "", 0)
	check(t, w.Clock.Forward(year-30*aDay))
	want(a, office.RenewSoon, directory.StaleAge, year)
	check(t, w.Clock.Forward(year-1))
	want(a, office.RenewSoon, directory.StaleAge, year)
	check(t, w.Clock.Forward(year))
	want(b, office.RenewNow, directory.StaleAge, year+aDay)
	_, err := a.start().Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	want(a, office.RenewWaits, directory.StaleAge, year+aDay)
	want(b, office.RenewConfirm, directory.StaleAge, year+aDay)
	check(t, b.start().Acknowledge(t.Context(), to.ID))
	want(a, "", "", 0)
	want(b, "", "", 0)
	_, err = b.start().Dispute(t.Context(), to.ID, 3, "nobody-made-it")
	check(t, err)
	want(b, office.RenewNow, directory.StaleAge, year+aDay) // back to the key before
	if list := a.start().Renewals(); len(list) != 0 {
		t.Errorf("of no desk: %+v", list)
	}
}

// TestRetired lists keys that nothing needs, once they were superseded long enough
// ago: not one under which a message is unopened or its answer outstanding, nor the
// present one.
func TestRetired(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	renewBy(t, a, b) // key 1: nothing was sealed to it
	asked, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	renewBy(t, b, a) // key 2: a complaint that opens duties
	plain, err := at2(t, w, to).Send(t.Context(), plainFrom(to.ID, from.ID, asked))
	check(t, err)
	_, err = at2(t, w, from).Read(t.Context(), from.ID, plain.Msg)
	check(t, err)
	renewBy(t, a, b) // key 3: what the desk sent itself, and is owed nothing for
	superseded := w.Clock.Now()
	check(t, w.Clock.Forward(superseded+10*aDay))
	p := a.start()
	ask := func(age int64) []office.Retired {
		t.Helper()
		list, err := p.Retired(t.Context(), to.ID, age)
		check(t, err)
		return list
	}
	if list := ask(11 * aDay); len(list) != 0 {
		t.Errorf("too young: %+v", list)
	}
	list := ask(9 * aDay)
	if len(list) != 3 || !list[0].Forgettable() || list[0].Messages != 0 || list[1].Forgettable() || !list[2].Forgettable() {
		t.Fatalf("%+v", list)
	}
	if list[1].Unopened != 1 || list[1].Owed != 1 || list[2].Unopened != 0 || list[2].Owed != 0 {
		t.Errorf("%+v", list)
	}
	_, err = p.Read(t.Context(), to.ID, asked.Msg)
	check(t, err)
	if list = ask(9 * aDay); list[1].Forgettable() || list[1].Unopened != 0 {
		t.Errorf("once it was read: %+v", list)
	}
	if n, err := p.Forget(to.ID, []int64{1, 3, 7}); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	check(t, p.Keep())
	if held := reopened(t, a).DeskEpochs(to.ID); !slices.Equal(held, []int64{2, 4}) {
		t.Errorf("she keeps %v", held)
	}
	if list := ask(0); len(list) != 1 || list[0].Epoch != 2 {
		t.Errorf("%+v", list)
	}
	// The exchange still has the package that was made for her, and it stays shut.
	// What a colleague grants from then on comes back.
	notebook := p.Notebook
	if _, err := p.Read(t.Context(), to.ID, plain.Msg); !errors.Is(err, office.ErrForgotten) {
		t.Errorf("%v", err)
	}
	if given, err := p.ShareEpochs(t.Context(), to.ID, "rs-a", to.Officers[1].ID, []int64{3}); err != nil || len(given.Had) != 1 {
		t.Errorf("%+v %v", given, err)
	}
	q := b.start()
	check(t, w.Clock.Forward(w.Clock.Now()+1000))
	id, ok := q.Keys.DeskIdentity(to.ID, 3)
	if !ok {
		t.Fatal("her colleague has it no more")
	}
	e, _ := q.Directory().Epoch(to.ID, 3)
	check(t, grantRaw(t, p, a.keys, to.ID, to.Officers[0].ID, wrapped(t, p, to.Officers[0].Keys.Recipient(), id, e.E)))
	again := a.start()
	again.Notebook = notebook
	_, err = again.Read(t.Context(), to.ID, plain.Msg)
	check(t, err)
}

// wrapped uploads a package as a colleague's program would.
func wrapped(t *testing.T, p *program, recipient string, id *age.HybridIdentity, epoch int64) evidence.SharedEpoch {
	t.Helper()
	to, err := age.ParseHybridRecipient(recipient)
	check(t, err)
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	check(t, err)
	_, err = w.Write([]byte(id.String() + "\n"))
	check(t, errors.Join(err, w.Close()))
	check(t, p.Client.PutPackage(t.Context(), file.Bytes()))
	return evidence.SharedEpoch{E: epoch, SHA256: digestOf(file.Bytes())}
}

// plainFrom is a notice that nobody owes anything for.
func plainFrom(from, to string, about office.Sent) office.Draft {
	d := complaint(from, to)
	d.Kind, d.Re, d.Case, d.Subj, d.Basis.Code = "complaint-registered", about.Msg, about.Case, nil, "cooperation"
	d.Cats, d.Text.Fields = nil, map[string]string{"register": "kt", "number": "12/2026"}
	return d
}

// stubborn keys drop nothing.
type stubborn struct{ office.Keys }

// Keys that cannot forget one say so, and a draft in the way stays an error rather
// than a key that opens nothing.
func TestKeysThatDropNothing(t *testing.T) {
	w := open(t)
	to := desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	p := a.start()
	draft, err := age.GenerateHybridIdentity()
	check(t, err)
	check(t, p.Keys.AddDeskEpoch(to.ID, 2, draft))
	p.Keys = stubborn{p.Keys}
	_, err = b.start().Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	if err := p.Acknowledge(t.Context(), to.ID); !errors.Is(err, office.ErrDraft) {
		t.Errorf("%v", err)
	}
	if _, err := p.Forget(to.ID, []int64{1}); !errors.Is(err, office.ErrKeepsAll) {
		t.Errorf("%v", err)
	}
}

// Whose keystore is not the one that the directory knows makes no key for a desk:
// of that key she would have no copy that works.
func TestRotateWithOtherKeys(t *testing.T) {
	w := watch(t)
	w.step()
	p := w.atRing(w.A, w.ringOf(w.A, w.A.Officers[0]), "")
	if _, err := p.Rotate(t.Context(), w.A.Desk, "yearly"); !errors.Is(err, office.ErrPackage) {
		t.Errorf("%v", err)
	}
	if p.net.count("PUT /v1/directory/") != 0 {
		t.Error("a statement was submitted")
	}
}
