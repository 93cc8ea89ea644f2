package office_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

// What was accepted is remembered on this computer, for this key, and an older
// folder only shows more.
func TestAcceptedIsRemembered(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	dir := t.TempDir()
	p := at(t, w, d, 0, dir)
	check(t, p.Sync(t.Context()))
	if s := p.Starting(); len(s) != 1 || s[0].Desk != d.ID || len(s[0].Readers) != 2 || len(s[0].Registrars) != 2 {
		t.Errorf("%+v", s)
	}
	check(t, p.Started(p.Starting()))
	_, err := d.Enrol(t.Context(), "member")
	check(t, err)
	waiting(t, p, "desk.members")
	older, err := os.ReadFile(filepath.Join(dir, "watch.json"))
	check(t, err)
	acceptAll(t, p)

	again := at(t, w, d, 0, dir)
	waiting(t, again)
	if len(again.Starting()) != 0 {
		t.Error("the start is shown twice")
	}
	// A colleague who uses the same folder accepts for herself.
	shared := at(t, w, d, 1, dir)
	waiting(t, shared, "desk.members")
	acceptAll(t, shared)
	waiting(t, at(t, w, d, 1, dir))
	waiting(t, at(t, w, d, 0, dir))
	// An older folder, a damaged and a lost file show it again.
	for name, content := range map[string]string{"older": string(older), "damaged": "{", "empty": "", "of another": `{"v":1,"officers":{"ed25519:x":{"accepted":{"1":{}}}}}`} {
		check(t, os.WriteFile(filepath.Join(dir, "watch.json"), []byte(content), 0o600))
		p := at(t, w, d, 0, dir)
		waiting(t, p, "desk.members")
		if name == "damaged" {
			acceptAll(t, p)
			waiting(t, at(t, w, d, 0, dir))
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, "watch.json"), []byte(`{"v":2,"officers":{}}`), 0o600))
	p = at(t, w, d, 0, dir)
	c := waiting(t, p, "desk.members")
	if _, err := p.Accept(c[0].Idx); !errors.Is(err, office.ErrNewer) {
		t.Errorf("a later version's file: %v", err)
	}
	check(t, os.Remove(filepath.Join(dir, "watch.json")))
	waiting(t, at(t, w, d, 0, dir), "desk.members")
}

// Another computer of the same officer shows everything again, or takes her own
// signed list; of the observer it takes what the observer may say.
func TestListsOfExpected(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	m, root := d.Member, d.Member.Root().Signer()
	observer, next := statement.NewSigningKey(derived("observer")), statement.NewSigningKey(derived("observer/2"))
	check(t, w.Propose(t.Context(), &directory.InstObserver{I: m.ID, Key: observer.Public()}, root))
	_, err := d.Enrol(t.Context(), "member")
	check(t, err)
	p := at(t, w, d, 0, "")
	member := waiting(t, p, "desk.members")[0]
	list := func(by statement.Signer, inst string, changes ...transparency.Change) []byte {
		x := transparency.ExpectedList{At: w.Clock.Now(), Genesis: w.Genesis, I: inst}
		for _, c := range changes {
			x.Entries = append(x.Entries, transparency.LookedAt{Idx: c.Idx, SHA256: c.Hash})
		}
		data, err := x.Sign(t.Context(), by)
		check(t, err)
		return data
	}
	if _, err := p.AcceptList(list(observer, m.ID, member)); !errors.Is(err, office.ErrObserver) {
		t.Errorf("of an observer nobody compared: %v", err)
	}
	fingerprint := func(k statement.SigningKey) string {
		return strings.TrimPrefix(statement.KeyID(k.Public()), "ed25519:")
	}
	if _, err := p.FollowObserver("", fingerprint(next)); !errors.Is(err, office.ErrObserver) {
		t.Errorf("another fingerprint than on paper: %v", err)
	}
	o, err := p.FollowObserver("", fingerprint(observer)[:32]+" "+strings.ToUpper(fingerprint(observer)[32:]))
	check(t, err)
	if o.Key != statement.KeyID(observer.Public()) {
		t.Errorf("%+v", o)
	}
	wrong := member
	wrong.Hash = strings.Repeat("0", 64)
	for name, data := range map[string][]byte{"another institution": list(observer, d.ID[:0]+desk(t, w, "hppo-kraljevo", "registry").Member.ID, member),
		"another key": list(next, m.ID, member), "garbage": []byte("{}"), "another type": []byte(`{"payload":"","payloadType":"x","signatures":[]}`)} {
		if _, err := p.AcceptList(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got, err := p.AcceptList(list(observer, m.ID, wrong)); err != nil || len(got) != 0 {
		t.Errorf("another leaf: %v %v", got, err)
	}
	got, err := p.AcceptList(list(observer, m.ID, member))
	if err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	waiting(t, p)

	// A change of the observer is looked at by the officer herself, and ends what
	// the old one may say.
	check(t, w.Propose(t.Context(), &directory.InstObserver{I: m.ID, Key: next.Public()}, root))
	_, err = d.Enrol(t.Context(), "member")
	check(t, err)
	both := waiting(t, p, "inst.observer", "desk.members")
	for name, by := range map[string]statement.Signer{"the old": observer, "the new": next} {
		if _, err := p.AcceptList(list(by, m.ID, both...)); !errors.Is(err, office.ErrObserver) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = p.FollowObserver("", fingerprint(next))
	check(t, err)
	got, err = p.AcceptList(list(next, m.ID, both...))
	if err != nil || len(got) != 1 || got[0].What != "desk.members" {
		t.Errorf("%v %v", got, err)
	}
	waiting(t, p, "inst.observer")
	acceptAll(t, p)

	// Another computer, the officer's own word.
	x, err := p.AcceptedList(m.ID)
	check(t, err)
	own, err := x.Sign(t.Context(), d.Officers[0].Keys.Signer())
	check(t, err)
	elsewhere := at(t, w, d, 0, "")
	waiting(t, elsewhere, "desk.members", "inst.observer", "desk.members")
	_, err = elsewhere.AcceptList(own)
	check(t, err)
	waiting(t, elsewhere)
	if _, err := at(t, w, d, 1, "").fresh(t).AcceptList(own); !errors.Is(err, office.ErrObserver) {
		t.Errorf("a colleague's word: %v", err)
	}
}

// Programs that use one folder at once lose nothing of what either accepts.
func TestAcceptedAtOnce(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	for range 4 {
		_, err := d.Enrol(t.Context(), "member")
		check(t, err)
	}
	dir := t.TempDir()
	first, second := at(t, w, d, 0, dir), at(t, w, d, 1, dir)
	list := waiting(t, first, "desk.members", "desk.members", "desk.members", "desk.members")
	waiting(t, second, "desk.members", "desk.members", "desk.members", "desk.members")
	var group sync.WaitGroup
	errs := make(chan error, 8)
	for _, c := range list {
		for _, p := range []*program{first, second} {
			group.Go(func() { _, err := p.Accept(c.Idx); errs <- err })
		}
		group.Go(func() { first.Unexpected("") })
	}
	group.Wait()
	for range 8 {
		check(t, <-errs)
	}
	waiting(t, at(t, w, d, 0, dir))
	waiting(t, at(t, w, d, 1, dir))
}
