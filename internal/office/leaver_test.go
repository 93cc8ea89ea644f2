package office_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// TestLeaves is the whole story of somebody who leaves with her computer: her next
// request is refused, her desk is told to renew its key and by when, others send
// with a warning meanwhile, and what is sealed to the new key her keys do not open.
func TestLeaves(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	_, err := to.Enrol(t.Context(), "member")
	check(t, err)
	c := computerOf(t, w, to, 2)
	renewBy(t, a, b)
	leaver := a.start()
	sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	_, err = leaver.Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
	check(t, leaver.Keep())

	check(t, to.Officers[0].Leave(t.Context()))
	left := w.Clock.Now()
	if err := leaver.Sync(t.Context()); !is401(err) {
		t.Errorf("the next request: %v", err)
	}
	b.start()
	list := b.start().Renewals(to.ID)
	if len(list) != 1 || list[0].What != office.RenewNow || list[0].Why != directory.StaleRevoked || list[0].By != list[0].Since+24*3600*1000 || list[0].Since > left {
		t.Fatalf("%+v", list)
	}
	warned, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if !hasCaution(warned.Cautions, office.CautionStaleKey) {
		t.Errorf("%+v", warned.Cautions)
	}
	renewBy(t, b, c)
	if list := c.start().Renewals(to.ID); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	after, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if len(after.Cautions) != 0 && !onlyNewKey(after.Cautions) {
		t.Errorf("%+v", after.Cautions)
	}
	e, _ := c.start().Directory().ActiveEpoch(to.ID)
	if _, held := a.keys.DeskIdentity(to.ID, e.E); held {
		t.Error("she has the new key")
	}
	for _, p := range e.Pkg {
		if p.Key == statement.KeyID(a.keys.Signer().Public()) {
			t.Error("a package was made for her")
		}
	}
	if _, err := leaver.Client.Package(t.Context(), e.Pkg[0].SHA256); !is401(err) {
		t.Errorf("%v", err)
	}
	_, err = c.start().Read(t.Context(), to.ID, after.Msg)
	check(t, err)
}

func onlyNewKey(list []office.Caution) bool {
	for _, c := range list {
		if c.Code != office.CautionNewKey {
			return false
		}
	}
	return true
}

func is401(err error) bool {
	var p *wire.Problem
	return errors.As(err, &p) && p.Status == http.StatusUnauthorized
}

// TestPackageIsForOne: nobody gets a package that was made for somebody else, nor
// her own once she is no member any more; to her it is as if there were none.
func TestPackageIsForOne(t *testing.T) {
	w := open(t)
	to, other := desk(t, w, "hppo-kraljevo", "registry"), desk(t, w, "swc-kraljevo", "legal")
	e, _ := computerOf(t, w, to, 0).start().Directory().ActiveEpoch(to.ID)
	mine := map[string]string{}
	for _, p := range e.Pkg {
		mine[p.Key] = p.SHA256
	}
	keyOf := func(i int) string { return statement.KeyID(to.Officers[i].Keys.Signer().Public()) }
	second := at(t, w, to, 1, "")
	for name, tt := range map[string]struct {
		p    *program
		key  string
		gets bool
	}{
		"her own":           {at(t, w, to, 0, ""), keyOf(0), true},
		"her colleague's":   {second, keyOf(0), false},
		"another desk's":    {at(t, w, other, 0, ""), keyOf(0), false},
		"her own, a second": {second, keyOf(1), true},
	} {
		_, err := tt.p.Client.Package(t.Context(), mine[tt.key])
		if tt.gets != (err == nil) || err != nil && !office.IsCode(err, "not_found") {
			t.Errorf("%s: %v", name, err)
		}
	}
	registry, err := w.Act(to.Member.Registrars()[0])
	check(t, err)
	check(t, registry.Sync(t.Context()))
	p, err := registry.Propose(t.Context(), &directory.DeskMembers{D: to.ID, Members: []string{to.Officers[0].ID}})
	check(t, err)
	_, err = registry.Await(t.Context(), p.Idx)
	check(t, err)
	if _, err := second.Client.Package(t.Context(), mine[keyOf(1)]); !office.IsCode(err, "not_found") {
		t.Errorf("her own, no member any more: %v", err)
	}
}

// TestStaleEdges: exchange and program agree to the millisecond on how long others
// may still send to a desk that must renew its key.
func TestStaleEdges(t *testing.T) {
	w := watch(t)
	w.step()
	p := w.at(w.A, 0, "")
	first, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.Revoke(w.B, 0)
	since, stale := w.Directory().Stale(w.B.Desk, w.Clock.Now())
	if !stale {
		t.Fatal("not stale")
	}
	w.step()
	to := func(ms int64) { w.Clock.Advance(time.Duration(ms-w.Clock.Now()) * time.Millisecond) }
	to(since + 24*3600*1000 - 2 - 11_000)
	w.step() // which takes eleven seconds
	to(since + 24*3600*1000 - 1)
	if _, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk)); err != nil {
		t.Errorf("a millisecond before: %v", err)
	}
	sealed := func(urg string) office.Draft {
		d := urgent(w, first.Msg)
		d.Urg = urg
		return d
	}
	// Sealed just before, submitted just after: the exchange says no, and nothing is
	// lost.
	dir := t.TempDir()
	late := w.at(w.A, 0, dir)
	moved := false
	late.net.failing(func(r *http.Request, answered bool) error {
		if submission.MatchString(r.URL.Path) && !answered && !moved {
			moved = true
			to(since + 24*3600*1000)
		}
		return nil
	})
	_, err = late.Send(t.Context(), sealed("R"))
	var u *office.Unsent
	if !errors.As(err, &u) || !office.IsCode(err, "epoch_stale") {
		t.Fatalf("submitted at the edge: %v", err)
	}
	p.net.set(nil)
	_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	refused(t, p, err, "epoch_stale")
	if _, err := p.Send(t.Context(), sealed("I")); err != nil {
		t.Errorf("immediate: %v", err)
	}
	late.net.failing(nil)
	all, err := late.ResumeUrgent(t.Context(), u.ID)
	check(t, err)
	if all[0].Msg != u.ID || !hasCaution(all[0].Cautions, office.CautionStaleKey) {
		t.Errorf("%+v", all[0])
	}
}

// TestGrantRules: the exchange lets only a member with the role desk-key give keys
// that exist to another member, in packages that are there; the desk and its
// institution's head see it.
func TestGrantRules(t *testing.T) {
	w := open(t)
	to, other := desk(t, w, "hppo-kraljevo", "registry"), desk(t, w, "hppo-kraljevo", "prosecutor")
	head, ok := to.Member.Desk("head")
	if !ok {
		var err error
		head, err = to.Member.AddDesk(t.Context(), "head")
		check(t, err)
	}
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	p := a.start()
	there := []byte("a package")
	check(t, p.Client.PutPackage(t.Context(), there))
	one := evidence.SharedEpoch{E: 1, SHA256: digestOf(there)}
	gone := evidence.SharedEpoch{E: 1, SHA256: digestOf([]byte("none"))}
	for name, tt := range map[string]struct {
		p       *program
		c       *computer
		officer string
		pkg     evidence.SharedEpoch
		code    string
	}{
		"without the role":    {b.start(), b, to.Officers[0].ID, one, "sender"},
		"to another desk's":   {p, a, other.Officers[0].ID, one, "grant"},
		"to nobody":           {p, a, statement.NewID(statement.Officer), one, "grant"},
		"of no such key":      {p, a, to.Officers[1].ID, evidence.SharedEpoch{E: 2, SHA256: one.SHA256}, "unknown"},
		"without the package": {p, a, to.Officers[1].ID, gone, "package_missing"},
	} {
		if err := grantRaw(t, tt.p, tt.c.keys, to.ID, tt.officer, tt.pkg); !office.IsCode(err, tt.code) {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	foreign := computerOf(t, w, other, 0)
	if err := grantRaw(t, foreign.start(), foreign.keys, to.ID, to.Officers[1].ID, one); !office.IsCode(err, "sender") {
		t.Errorf("by another desk: %v", err)
	}
	check(t, grantRaw(t, p, a.keys, to.ID, to.Officers[1].ID, one))
	seenBy(t, p, to.ID, to.Officers[1].ID)
	list, err := at(t, w, head, 0, "").fresh(t).Shares(t.Context(), head.ID)
	check(t, err)
	if len(list) != 1 || list[0].Desk != to.ID {
		t.Errorf("the head sees %+v", list)
	}
	if list, err := at(t, w, other, 0, "").fresh(t).Shares(t.Context(), other.ID); err != nil || len(list) != 0 {
		t.Errorf("another desk sees %+v %v", list, err)
	}
	left := to.Officers[1]
	check(t, left.Leave(t.Context()))
	if err := grantRaw(t, p.fresh(t), a.keys, to.ID, left.ID, one); !office.IsCode(err, "grant") {
		t.Errorf("to somebody who left: %v", err)
	}
}
