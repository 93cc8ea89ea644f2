package directory_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

func TestActors(t *testing.T) {
	w := golden(t)
	v := w.now()
	a, b := id("i", "A"), id("i", "B")
	for label, want := range map[string]directory.Actor{
		"A/officer/1":   {Kind: directory.KindOfficer, Inst: a, Officer: id("u", "A/officer/1"), NB: start, NA: end},
		"A/registrar/2": {Kind: directory.KindRegistrar, Inst: a},
		"B/delegate":    {Kind: directory.KindDelegate, Inst: b},
		"council/4":     {Kind: directory.KindCouncil},
		"A/root/4":      {Kind: directory.KindRoot, Inst: a},
		"A/observer":    {Kind: directory.KindObserver, Inst: a},
		"A/custodian/4": {Kind: directory.KindCustodian, Inst: a},
	} {
		want.Key = public(label)
		if want.Kind != directory.KindOfficer {
			want.NA = 1<<53 - 1
		}
		got, ok := v.Actor(keyID(label))
		if !ok || got.Kind != want.Kind || got.Inst != want.Inst || got.Officer != want.Officer || !got.Key.Equal(want.Key) || got.NB != want.NB || got.NA != want.NA {
			t.Errorf("%s: %+v, want %+v", label, got, want)
		}
	}
	for why, label := range map[string]string{
		"revoked officer": "A/officer/2", "revoked delegate": "C/delegate", "council key that was replaced": "council/1",
		"root key that was replaced": "A/root/3", "stranger": "stranger",
	} {
		if got, ok := v.Actor(keyID(label)); ok {
			t.Errorf("%s: %+v", why, got)
		}
	}
	if _, ok := v.At(25).Actor(keyID("A/officer/2")); !ok {
		t.Error("before her revocation the officer has no actor")
	}
	if _, ok := v.Actor(""); ok {
		t.Error("no key has an actor")
	}
}

// One key may be an officer's, a registrar's and a delegate's of one institution.
func TestOneKeyManyOffices(t *testing.T) {
	w := golden(t)
	a := id("i", "A")
	roots := []string{"A/root/1", "A/root/2"}
	w.do(&directory.InstRegistrars{I: a, Keys: publics("A/registrar/1", "A/registrar/2", "A/officer/1", "A/delegate")}, roots...)
	if got, _ := w.now().Actor(keyID("A/officer/1")); got.Kind != directory.KindOfficer {
		t.Errorf("officer and registrar: %s", got.Kind)
	}
	if got, _ := w.now().Actor(keyID("A/delegate")); got.Kind != directory.KindRegistrar {
		t.Errorf("registrar and delegate: %s", got.Kind)
	}
	w.do(enrol("A", "A/officer/9", "member"), "A/officer/1", "A/delegate")
	// Once her key is revoked it counts nowhere, before root names anybody else.
	w.do(&directory.OfficerRevoke{U: id("u", "A/officer/1"), Key: keyID("A/officer/1"), From: start, Reason: "device-lost"}, "A/registrar/1")
	if got, ok := w.now().Actor(keyID("A/officer/1")); ok {
		t.Errorf("revoked officer acts as %s", got.Kind)
	}
	payload, err := w.now().Prepare(enrol("A", "A/officer/8", "member"), at(40))
	if err != nil {
		t.Fatal(err)
	}
	_, _, eligible, err := w.now().RequiredSigners(payload)
	if err != nil || slices.Contains(eligible, keyID("A/officer/1")) || len(eligible) != 3 {
		t.Errorf("eligible %v, %v", eligible, err)
	}
	// The same for a delegate whose key is revoked as an officer's.
	w.do(enrol("A", "A/delegate", "member"), "A/registrar/1", "A/registrar/2")
	w.do(&directory.OfficerRevoke{U: id("u", "A/delegate"), Key: keyID("A/delegate"), From: start, Reason: "device-lost"}, "A/registrar/1")
	if d := w.now().Delegates(); len(d) != 1 || d[0].I != id("i", "B") {
		t.Errorf("delegates %v", d)
	}
}

func TestTermsOfOfficers(t *testing.T) {
	w := golden(t)
	o, _ := w.now().Officer(id("u", "A/officer/1"))
	for ms, want := range map[int64]bool{start - 1: false, start: true, end - 1: true, end: false} {
		if o.ActiveAt(ms) != want {
			t.Errorf("at %d: %v", ms, !want)
		}
	}
	actor, _ := w.now().Actor(o.KeyID)
	for ms, want := range map[int64]bool{start - 1: false, start: true, end - 1: true, end: false} {
		if actor.ActiveAt(ms) != want {
			t.Errorf("actor at %d: %v", ms, !want)
		}
	}
	if !o.HasRole("head") || o.HasRole("duty") {
		t.Errorf("roles %v", o.Roles)
	}
	gone, _ := w.now().Officer(id("u", "A/officer/2"))
	if !gone.Revoked() || gone.RevokedAt != at(25) || gone.RevokedFrom != start+20*hour || gone.RevokedN != 25 || gone.Reason != "device-lost" {
		t.Errorf("%+v", gone)
	}
	if gone.ActiveAt(start) {
		t.Error("a revoked key is active before the revocation in a view that knows of it")
	}
	if then, _ := w.now().At(25).Officer(id("u", "A/officer/2")); !then.ActiveAt(at(25)) {
		t.Error("the view before the revocation knows of it")
	}
}

func TestMayAct(t *testing.T) {
	w := golden(t)
	legal := id("d", "A/legal")
	for _, c := range []struct {
		why   string
		n     int64
		key   string
		desk  string
		ms    int64
		wants error
	}{
		{"member in term", 32, "A/officer/1", legal, start, nil},
		{"before the term", 32, "A/officer/1", legal, start - 1, directory.ErrConflict},
		{"after the term", 32, "A/officer/1", legal, end, directory.ErrConflict},
		{"revoked", 32, "A/officer/2", legal, start, directory.ErrConflict},
		{"not revoked then", 25, "A/officer/2", legal, start, nil},
		{"not yet a member", 13, "A/officer/1", legal, start, directory.ErrForeign},
		{"of another desk", 32, "B/officer/1", legal, start, directory.ErrForeign},
		{"of no desk", 32, "A/officer/1", id("d", "none"), start, directory.ErrForeign},
		{"registrar", 32, "A/registrar/1", legal, start, directory.ErrUnknown},
	} {
		if err := w.now().At(c.n).MayAct(keyID(c.key), c.desk, c.ms); !errors.Is(err, c.wants) || (err == nil) != (c.wants == nil) {
			t.Errorf("%s: %v, want %v", c.why, err, c.wants)
		}
	}
	w.do(&directory.DeskProfile{D: legal, I: id("i", "A"), Fn: "legal", NB: start, NA: start + day}, "A/registrar/1")
	for ms, open := range map[int64]bool{start: true, start + day - 1: true, start + day: false} {
		if err := w.now().MayAct(keyID("A/officer/1"), legal, ms); (err == nil) != open {
			t.Errorf("desk closes at %d; at %d: %v", start+day, ms, err)
		}
	}
	w.do(&directory.DeskProfile{D: legal, I: id("i", "A"), Fn: "legal", NB: start, NA: end}, "A/registrar/1")
	w.do(&directory.InstProfile{I: id("i", "A"), Type: "swc", Level: "local", Territory: []string{}, NB: start + day, NA: end}, "A/delegate", "B/delegate")
	for ms, open := range map[int64]bool{start + day - 1: false, start + day: true} {
		if err := w.now().MayAct(keyID("A/officer/1"), legal, ms); (err == nil) != open {
			t.Errorf("institution opens at %d; at %d: %v", start+day, ms, err)
		}
	}
}

func TestDesksByTypeAndFunction(t *testing.T) {
	w := golden(t)
	a, reg := id("i", "A"), "A/registrar/1"
	second, third := id("d", "A/legal/2"), id("d", "A/legal/3")
	for _, d := range []string{second, third} {
		w.do(&directory.DeskProfile{D: d, I: a, Fn: "legal", NB: start + day, NA: start + 2*day}, reg)
	}
	v, legal, rep := w.now(), id("d", "A/legal"), id("d", "B/rep")
	all := []string{legal, second, third}
	slices.Sort(all)
	if got := v.DesksOfInst(a); !slices.Equal(got, all) {
		t.Errorf("desks of A: %v, want %v", got, all)
	}
	if got := v.DesksByTypeFn("swc", "legal", start+day); !slices.Equal(got, all) {
		t.Errorf("open for a day: %v, want %v", got, all)
	}
	if got, ok := v.DeskOfInst(a, "legal", start+day); !ok || got != all[0] {
		t.Errorf("of several: %s, want the lowest id %s", got, all[0])
	}
	for _, ms := range []int64{start + day - 1, start + 2*day} {
		if got := v.DesksByTypeFn("swc", "legal", ms); !slices.Equal(got, []string{legal}) {
			t.Errorf("at %d: %v, want %v", ms, got, legal)
		}
		if got, ok := v.DeskOfInst(a, "legal", ms); !ok || got != legal {
			t.Errorf("at %d: %s, want %s", ms, got, legal)
		}
	}
	if _, ok := v.DeskOfInst(a, "intake", start); ok {
		t.Error("A has no intake")
	}
	if v.TypeOfDesk(legal) != "swc" || v.TypeOfDesk(rep) != directory.Representative || v.TypeOfDesk("x") != "" {
		t.Errorf("types %q %q %q", v.TypeOfDesk(legal), v.TypeOfDesk(rep), v.TypeOfDesk("x"))
	}
	if got := v.DesksByTypeFn(directory.Representative, directory.Rep, start); !slices.Equal(got, []string{rep}) {
		t.Errorf("representatives: %v", got)
	}
	if got := v.DesksByTypeFn("sponsor", directory.Rep, start); got != nil {
		t.Errorf("a representative's desk counts as its sponsor's: %v", got)
	}
	if v.InstOfDesk(legal) != a || v.InstOfDesk("x") != "" {
		t.Error("institution of a desk")
	}
	if u := id("u", "A/officer/1"); !v.IsMember(legal, u) || v.IsMember(second, u) || !slices.Equal(v.DesksOf(u), []string{legal}) {
		t.Errorf("desks of an officer: %v", v.DesksOf(u))
	}
	if u := id("u", "A/officer/2"); v.IsMember(legal, u) || len(v.DesksOf(u)) != 0 || !v.At(25).IsMember(legal, u) {
		t.Errorf("desks of a former member: %v", v.DesksOf(u))
	}
}

func TestActiveEpoch(t *testing.T) {
	w := golden(t)
	legal, rep := id("d", "A/legal"), id("d", "B/rep")
	for n, want := range map[int64]int64{14: 0, 15: 0, 16: 1, 27: 1, 28: 1, 29: 1, 32: 1} { // 2 is never acknowledged, then disputed
		e, ok := w.now().At(n).ActiveEpoch(legal)
		if e.E != want || ok != (want > 0) {
			t.Errorf("after %d leaves: epoch %d, want %d", n, e.E, want)
		}
	}
	if e, ok := w.now().ActiveEpoch(rep); !ok || e.RK != hash("rk/B/1") || e.By != keyID("B/officer/1") || e.ByOfficer != id("u", "B/officer/1") || e.DirN != 20 || !slices.Equal(e.Acks, []string{keyID("B/registrar/2")}) {
		t.Errorf("%+v", e)
	}
	if e, ok := w.now().Epoch(legal, 2); !ok || !e.Disputed || e.DisputedBy != keyID("A/registrar/1") || e.DisputeWhy != "wrong-key" || e.DisputedAt != at(28) || e.Acked {
		t.Errorf("%+v", e)
	}
	if _, ok := w.now().Epoch(legal, 3); ok {
		t.Error("epoch 3")
	}
	if _, ok := w.now().Epoch(legal, -1); ok {
		t.Error("epoch -1")
	}
	// A disputed epoch gives way to the one before it, and that to the next.
	w.do(&directory.DeskEpoch{D: legal, E: 3, RK: hash("rk/A/3"), Why: "yearly", Pkg: pkg("A/officer/1"), Esc: escrow([]int{0, 1}, []int{0, 2}, []int{1, 2})}, "A/officer/1")
	w.do(&directory.DeskEpochAck{D: legal, E: 3}, "A/registrar/1")
	if e, _ := w.now().ActiveEpoch(legal); e.E != 3 || e.AckedAt != at(w.now().N()-1) {
		t.Errorf("epoch %d acknowledged at %d, want 3", e.E, e.AckedAt)
	}
	w.do(&directory.DeskEpochAck{D: legal, E: 3}, "A/registrar/2")
	w.do(&directory.DeskEpochDispute{D: legal, E: 3, Why: "wrong-key"}, "A/registrar/1")
	if e, _ := w.now().ActiveEpoch(legal); e.E != 1 {
		t.Errorf("epoch %d, want 1", e.E)
	}
	if e, _ := w.now().At(36).ActiveEpoch(legal); e.E != 3 || len(e.Acks) != 2 {
		t.Errorf("before the dispute: epoch %d with %d acknowledgements, want 3 with 2", e.E, len(e.Acks))
	}
}

func TestStale(t *testing.T) {
	legal, rep := id("d", "A/legal"), id("d", "B/rep")
	year := int64(directory.EpochLife)
	for _, c := range []struct {
		why   string
		n     int64
		desk  string
		ms    int64
		since int64
		stale bool
	}{
		{"no epoch", 14, legal, start, 0, false},
		{"not acknowledged", 15, legal, start + 999*day, 0, false},
		{"fresh", 25, legal, at(25), 0, false},
		{"last millisecond of its year", 25, legal, at(14) + year - 1, 0, false},
		{"a year old", 25, legal, at(14) + year, at(14) + year, true},
		{"older", 25, legal, at(14) + year + day, at(14) + year, true},
		{"member revoked", 26, legal, at(26), at(25), true},
		{"member revoked, then removed", 27, legal, at(27), at(25), true},
		{"revoked before its year was over", 32, legal, at(14) + year + day, at(25), true},
		{"another desk", 32, rep, at(32), 0, false},
		{"member past her term, after the year", 32, rep, end, at(20) + year, true},
	} {
		w := golden(t)
		since, stale := w.now().At(c.n).Stale(c.desk, c.ms)
		if since != c.since || stale != c.stale {
			t.Errorf("%s: %d %v, want %d %v", c.why, since, stale, c.since, c.stale)
		}
	}
}

// The reason goes with the earliest: whose key, whose leaving, or the age.
func TestStaleness(t *testing.T) {
	legal, rep := id("d", "A/legal"), id("d", "B/rep")
	year := int64(directory.EpochLife)
	for _, c := range []struct {
		n       int64
		desk    string
		ms      int64
		why     string
		officer bool
	}{
		{25, legal, at(14) + year, directory.StaleAge, false},
		{26, legal, at(26), directory.StaleRevoked, true},
		{32, legal, at(14) + year + day, directory.StaleRevoked, true},
		{32, rep, end, directory.StaleAge, false},
	} {
		s, stale := golden(t).now().At(c.n).Staleness(c.desk, c.ms)
		if !stale || s.Why != c.why || (s.Officer != "") != c.officer {
			t.Errorf("%d: %+v, want %s", c.n, s, c.why)
		}
	}
}

// A package is whose the epoch says that named it first; an escrow file is nobody's.
func TestWrappedAs(t *testing.T) {
	w := randomBase(t)
	x, reg := id("d", "A/x"), []string{"A/registrar/1", "A/registrar/2"}
	one, two := id("u", "A/officer/1"), id("u", "A/officer/2")
	w.do(enrol("A", "A/officer/2", "member"), reg...)
	w.do(&directory.DeskMembers{D: x, Members: []string{one, two}}, reg...)
	packages := pkg("A/officer/1", "A/officer/2")
	w.do(&directory.DeskEpoch{D: x, E: 1, RK: hash("rk"), Why: "first", Pkg: packages, Esc: escrow()}, "A/officer/1")
	before := w.now().N()
	stolen := []directory.Package{{Key: packages[0].Key, SHA256: packages[1].SHA256}, {Key: packages[1].Key, SHA256: packages[0].SHA256}}
	w.do(&directory.DeskEpoch{D: x, E: 2, RK: hash("rk2"), Why: "yearly", Pkg: stolen, Esc: escrow()}, "A/officer/1")
	for _, p := range packages {
		if got, ok := w.now().WrappedAs(p.SHA256); !ok || got != (directory.Wrapped{D: x, E: 1, Key: p.Key}) {
			t.Errorf("%+v %v", got, ok)
		}
		if _, ok := w.now().At(before - 1).WrappedAs(p.SHA256); ok {
			t.Error("known before it was named")
		}
	}
	for _, e := range escrow() {
		if got, ok := w.now().WrappedAs(e.SHA256); !ok || got.Key != "" {
			t.Errorf("escrow: %+v %v", got, ok)
		}
	}
	if _, ok := w.now().WrappedAs(hash("nobody's")); ok {
		t.Error("known though nobody named it")
	}
}

func TestStaleByTermAndRemoval(t *testing.T) {
	w := randomBase(t)
	x, reg := id("d", "A/x"), []string{"A/registrar/1", "A/registrar/2"}
	one, two, three := id("u", "A/officer/1"), id("u", "A/officer/2"), id("u", "A/officer/3")
	short := enrol("A", "A/officer/2", "member")
	short.NA = start + 30*day
	w.do(short, reg...)
	w.do(enrol("A", "A/officer/3", "member"), reg...)
	w.do(&directory.DeskMembers{D: x, Members: []string{one, two}}, reg...)
	w.do(&directory.DeskEpoch{D: x, E: 1, RK: hash("rk"), Why: "first", Pkg: pkg("A/officer/1", "A/officer/2"), Esc: escrow()}, "A/officer/1")
	w.do(&directory.DeskEpochAck{D: x, E: 1}, "A/officer/2")
	expect := func(why string, ms, since int64, stale bool) {
		t.Helper()
		if s, ok := w.now().Stale(x, ms); s != since || ok != stale {
			t.Errorf("%s: %d %v, want %d %v", why, s, ok, since, stale)
		}
	}
	expect("last millisecond of her term", start+30*day-1, 0, false)
	expect("her term is over", start+30*day, start+30*day, true)
	again := enrol("A", "A/officer/2", "member")
	w.do(again, reg...)
	expect("term prolonged under the same key", start+30*day, 0, false)
	w.do(&directory.DeskMembers{D: x, Members: []string{one, two, three}}, reg...)
	expect("member added", start+2*day, 0, false)
	removed := w.now().N()
	w.do(&directory.DeskMembers{D: x, Members: []string{one, three}}, "A/registrar/1")
	expect("member removed", start+2*day, at(removed), true)
	w.do(&directory.DeskMembers{D: x, Members: []string{one, two}}, reg...)
	expect("member removed and taken back", start+2*day, at(removed), true)
	w.do(&directory.DeskEpoch{D: x, E: 2, RK: hash("rk2"), Why: "member-left", Pkg: pkg("A/officer/1", "A/officer/2"), Esc: escrow()}, "A/officer/2")
	expect("rotated, not acknowledged", start+2*day, at(removed), true)
	w.do(&directory.DeskEpochAck{D: x, E: 2}, "A/officer/1")
	expect("rotated", start+2*day, 0, false)
}

func TestReenrolment(t *testing.T) {
	w := golden(t)
	reg, two := []string{"A/registrar/1", "A/registrar/2"}, id("u", "A/officer/2")
	next := enrol("A", "A/officer/2/new", "member")
	next.U = two
	w.do(next, reg...)
	v := w.now()
	if o, ok := v.Officer(two); !ok || o.KeyID != keyID("A/officer/2/new") || o.Revoked() || o.EnrolledN != 33 {
		t.Errorf("%+v", o)
	}
	if o, ok := v.OfficerByKey(keyID("A/officer/2")); !ok || o.U != two || !o.Revoked() {
		t.Errorf("earlier key: %+v", o)
	}
	if o, _ := v.At(33).Officer(two); o.KeyID != keyID("A/officer/2") {
		t.Errorf("before: %+v", o)
	}
	if got := v.OfficersOf(id("i", "A")); len(got) != 2 {
		t.Errorf("officers of A: %v", got)
	}
}

func TestPacksInForce(t *testing.T) {
	w := golden(t)
	adopt := func(id string, from int64) {
		w.do(&directory.PackAdopt{ID: id, Hash: hash("pack/" + id), From: from}, "A/delegate", "B/delegate")
	}
	adopt("rs-a@2", start+10*day)
	adopt("xx-demo@1", start)
	adopt("rs-a@1", start+20*day) // back to the first
	adopt("rs-a@3", start+20*day) // the later leaf of the same time wins
	for _, c := range []struct {
		family string
		ms     int64
		want   string
	}{
		{"rs-a", start - 1, ""}, {"rs-a", start, "rs-a@1"}, {"rs-a", start + 10*day - 1, "rs-a@1"}, {"rs-a", start + 10*day, "rs-a@2"},
		{"rs-a", start + 20*day, "rs-a@3"}, {"xx-demo", start, "xx-demo@1"}, {"rs", start, ""}, {"rs-a@1", start, ""},
	} {
		id, h := w.now().AdoptedPack(c.family, c.ms)
		if id != c.want || (id != "" && h != hash("pack/"+id)) {
			t.Errorf("%s at %d: %q, want %q", c.family, c.ms, id, c.want)
		}
	}
	if id, _ := w.now().At(36).AdoptedPack("rs-a", start+20*day); id != "rs-a@1" {
		t.Errorf("as of 36: %s", id)
	}
	if got := w.now().Packs(); len(got) != 5 || got[4].ID != "xx-demo@1" || got[1].DirN != 33 {
		t.Errorf("%+v", got)
	}
}

func TestCalendarRotaAudit(t *testing.T) {
	w := golden(t)
	decree := func(zone, date string, off bool) {
		w.do(&directory.CalendarDay{Zone: zone, Date: date, Off: off, Ref: "decree"}, "A/delegate", "B/delegate")
	}
	decree("Europe/Belgrade", "2026-01-08", true)
	decree("Europe/Belgrade", "2026-02-17", false)
	decree("Europe/Bel", "2026-03-01", true)
	days := w.now().CalendarDays("Europe/Belgrade")
	if len(days) != 2 || days[0].Date != "2026-01-08" || days[1].Off || !w.now().At(32).CalendarDays("Europe/Belgrade")[0].Off {
		t.Errorf("%v", days)
	}
	legal := id("d", "A/legal")
	w.do(&directory.DeskRota{D: legal, From: start + 2*day, To: start + 3*day, Contacts: []directory.Contact{{U: id("u", "A/officer/1")}}}, "A/officer/1")
	for ms, contacts := range map[int64]int{start - 1: 0, start: 2, start + 2*day - 1: 2, start + 2*day: 1, start + 3*day - 1: 1, start + 3*day: 2, start + 7*day: 0} {
		if r, ok := w.now().Rota(legal, ms); len(r.Contacts) != contacts || ok != (contacts > 0) {
			t.Errorf("rota at %d: %d contacts, want %d", ms, len(r.Contacts), contacts)
		}
	}
	if g := w.now().AuditGrants(id("d", "B/rep")); len(g) != 1 || g[0].Scope != "meta" || g[0].To != end || w.now().AuditGrants(legal) != nil {
		t.Errorf("%+v", g)
	}
	for _, of := range []string{legal, id("i", "A")} {
		w.do(&directory.Card{Of: of, C: seed("card of " + of)}, "A/registrar/1")
		if c, ok := w.now().CardOf(of); !ok || !slices.Equal(c, seed("card of "+of)) {
			t.Errorf("card of %s: %x", of, c)
		}
	}
	if _, ok := w.now().CardOf(id("d", "B/rep")); ok {
		t.Error("a card that nobody made")
	}
	if c, ok := w.now().CardOf(id("u", "A/officer/1")); !ok || !slices.Equal(c, seed("card")) {
		t.Errorf("card %x", c)
	}
}

func TestDemonstration(t *testing.T) {
	w := newWorld(t)
	g := genesis()
	g.Demo, g.Council = true, directory.Council{K: 1, Keys: publics("council/1")}
	w.do(g, "council/1")
	w.do(&directory.InstJoin{I: id("i", "A"), Root: directory.Root{K: 1, Keys: publics("A/root/1")}}, "A/delegate", "B/delegate", "A/root/1")
	w.do(&directory.InstCustodians{I: id("i", "A"), K: 1, Rcps: []string{recipient("A/custodian/1")}}, "A/root/1")
	w.do(&directory.InstRoot{I: id("i", "A"), K: 1, Keys: publics("A/root/2")}, "A/root/1", "A/root/2")
	if !w.now().Demo() || w.now().Quorum() != none() || golden(t).now().Demo() {
		t.Error("demo")
	}
	payload, err := w.now().Prepare(&directory.InstObserver{I: id("i", "A"), Key: public("A/observer")}, at(4))
	if err != nil {
		t.Fatal(err)
	}
	if words, n, _, _ := w.now().RequiredSigners(payload); n != 1 || words != "1 of the 1 root keys of "+id("i", "A") {
		t.Errorf("%d: %s", n, words)
	}
}

// Two at a representative's desk would be two who read for one person.
func TestRepresentativesSitAlone(t *testing.T) {
	w := golden(t)
	reg := []string{"B/registrar/1", "B/registrar/2"}
	w.do(enrol("B", "B/officer/2", "member"), reg...)
	both := &directory.DeskMembers{D: id("d", "B/rep"), Members: []string{id("u", "B/officer/1"), id("u", "B/officer/2")}}
	if _, err := w.now().Prepare(both, at(33)); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("two members: %v", err)
	}
	w.do(&directory.DeskMembers{D: id("d", "B/rep"), Members: []string{id("u", "B/officer/2")}}, reg...)
	// The desk becomes ordinary, and back, by two registrars only.
	for _, fn := range []string{"legal", "rep"} {
		profile := &directory.DeskProfile{D: id("d", "B/rep"), I: id("i", "B"), Fn: fn, NB: start, NA: end}
		leaf := w.leaf(profile, reg[0])
		if _, err := w.now().Apply(leaf); !errors.Is(err, directory.ErrSigners) {
			t.Errorf("%s by one registrar: %v", fn, err)
		}
		w.do(profile, reg...)
	}
}

// Exchanging one member for another adds somebody: two registrars.
func TestExchangingAMemberNeedsTwo(t *testing.T) {
	w := golden(t)
	reg := []string{"A/registrar/1", "A/registrar/2"}
	w.do(enrol("A", "A/officer/3", "member"), reg...)
	exchange := &directory.DeskMembers{D: id("d", "A/legal"), Members: []string{id("u", "A/officer/3")}}
	leaf := w.leaf(exchange, reg[0])
	if _, err := w.now().Apply(leaf); !errors.Is(err, directory.ErrSigners) {
		t.Errorf("by one registrar: %v", err)
	}
	w.do(exchange, reg...)
	w.do(&directory.DeskMembers{D: id("d", "A/legal"), Members: []string{}}, reg[1])
}

func TestEmptyDirectory(t *testing.T) {
	v := directory.New()
	if answers := answers(v.View, goldenNames); answers == "" || v.N() != 0 || v.Genesis() != "" || v.Prev(directory.Charter) != "" {
		t.Error("the empty directory answers")
	}
	if _, err := v.Digest(); err != nil {
		t.Error(err)
	}
}
