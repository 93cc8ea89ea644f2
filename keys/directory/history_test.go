package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/keys/directory"
	"pgregory.net/rapid"
)

// answers asks a view everything about everything the world knows.
func answers(v directory.View, names []string) string {
	var b strings.Builder
	say := func(what string, answer ...any) { fmt.Fprintf(&b, "%s %+v\n", what, answer) }
	say("charter", v.N(), v.Genesis(), v.Name(), v.Demo(), v.Quorum(), v.Logs(), v.Witnesses(), v.Council(), v.Delegates(), v.Institutions(), v.Packs())
	for _, name := range names {
		kind, label, _ := strings.Cut(name, " ")
		x := id(kind, label)
		switch kind {
		case "i":
			inst, ok := v.Institution(x)
			say(name, inst, ok, v.Registrars(x), v.DesksOfInst(x), v.OfficersOf(x), v.Prev(x))
		case "u":
			o, ok := v.Officer(x)
			say(name, o, ok, v.DesksOf(x), v.Prev(x))
		case "d":
			desk, ok := v.Desk(x)
			desk = withoutTime(desk)
			active, isActive := v.ActiveEpoch(x)
			latest, isLatest := v.LatestEpoch(x)
			rota, covered := v.Rota(x, start+day)
			say(name, desk, ok, active, isActive, latest, isLatest, rota, covered, v.AuditGrants(x), v.InstOfDesk(x), v.TypeOfDesk(x), v.DeskOpen(x, start), v.Prev(x))
			for _, ms := range []int64{start, start + 10*day, start + 400*day, end} {
				since, stale := v.Stale(x, ms)
				say("stale", ms, since, stale)
			}
		case "key":
			a, ok := v.Actor(keyID(label))
			o, enrolled := v.OfficerByKey(keyID(label))
			say(name, a, ok, o, enrolled)
		}
	}
	for _, family := range []string{"rs-a", "xx-demo"} {
		for _, ms := range []int64{start - 1, start, start + day} {
			id, hash := v.AdoptedPack(family, ms)
			say(family, id, hash)
		}
	}
	say("days", v.CalendarDays("Europe/Belgrade"), v.CalendarDays("Europe"))
	for _, typ := range []string{"swc", "sponsor", directory.Representative} {
		for _, fn := range directory.Functions {
			say(typ+fn, v.DesksByTypeFn(typ, fn, start+day))
		}
	}
	return b.String()
}

func withoutTime(d directory.Desk) directory.Desk {
	return directory.Desk{D: d.D, Inst: d.Inst, Fn: d.Fn, NB: d.NB, NA: d.NA, Members: d.Members}
}

var goldenNames = []string{
	"i A", "i B", "i C", "u A/officer/1", "u A/officer/2", "u B/officer/1", "u nobody", "d A/legal", "d B/rep", "d none",
	"key A/officer/1", "key A/officer/2", "key B/officer/1", "key A/registrar/1", "key A/root/3", "key A/root/4", "key A/observer", "key A/custodian/1",
	"key A/delegate", "key C/delegate", "key council/1", "key council/4", "key stranger",
}

func checkHistory(t interface {
	Helper()
	Errorf(string, ...any)
}, w *world, names []string) {
	t.Helper()
	last := w.now()
	for n, state := range w.states {
		then := last.At(int64(n))
		if a, b := answers(then, names), answers(state.View, names); a != b {
			t.Errorf("as of %d: the last state says\n%s\nthe state of then\n%s", n, a, b)
		}
		a, errA := then.Digest()
		b, errB := state.Digest()
		if a != b || errA != nil || errB != nil {
			t.Errorf("as of %d: digest %s %v, want %s %v", n, a, errA, b, errB)
		}
	}
}

func TestHistoryOfTheGoldenDirectory(t *testing.T) {
	w := golden(t)
	checkHistory(t, w, goldenNames)
	if last := w.now(); last.At(99).N() != 33 || last.At(-1).N() != 0 || last.At(5).At(9).N() != 5 {
		t.Error("At is not held within 0 and N")
	}
}

// Replaying a prefix and then the rest equals replaying all, at every cut and by
// either way of replaying.
func TestReplayInParts(t *testing.T) {
	w := golden(t)
	want := digest(t, w.now())
	for cut := range len(w.leaves) + 1 {
		s, err := directory.New().Replay(w.leaves[:cut])
		if err != nil {
			t.Fatal(err)
		}
		if a, b := digest(t, s), digest(t, w.states[cut]); a != b {
			t.Errorf("first %d leaves: %s, one by one %s", cut, a, b)
		}
		if s, err = s.Replay(w.leaves[cut:]); err != nil {
			t.Fatal(err)
		}
		if got := digest(t, s); got != want {
			t.Errorf("cut at %d: %s, want %s", cut, got, want)
		}
	}
}

func TestReplayNamesTheFirstBadLeaf(t *testing.T) {
	w := national(t, 23)
	for _, c := range []struct {
		why    string
		breaks func(leaves [][]byte)
		first  int
	}{
		{"leaf left out", func(l [][]byte) { copy(l[200:], l[201:]) }, 200},
		{"bytes", func(l [][]byte) { l[77] = []byte("x") }, 77},
		{"signature, then bytes", func(l [][]byte) { l[60], l[61] = crossSigned(l[60]), nil }, 60},
		{"bytes, then signature", func(l [][]byte) { l[60], l[61] = nil, crossSigned(l[61]) }, 60},
		{"last", func(l [][]byte) { l[len(l)-1] = nil }, len(w.leaves) - 1},
	} {
		leaves := slices.Clone(w.leaves)
		c.breaks(leaves)
		s, err := directory.New().Replay(leaves)
		if s != nil || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("leaf %d:", c.first)) {
			t.Errorf("%s: %v, want leaf %d", c.why, err, c.first)
		}
	}
	if s, err := directory.New().Replay(w.leaves); err != nil || s.N() != int64(len(w.leaves)) || len(w.leaves) < 512 {
		t.Errorf("%d leaves whole: %v", len(w.leaves), err)
	}
}

// crossSigned is a leaf whose last signature is another's.
func crossSigned(leaf []byte) []byte {
	out := slices.Clone(leaf)
	i := strings.LastIndex(string(out), `"sig":"`) + len(`"sig":"`)
	out[i] = map[bool]byte{true: 'B', false: 'A'}[out[i] == 'A']
	return out
}

// A state can grow in two directions; neither sees the other.
func TestBranches(t *testing.T) {
	w := golden(t)
	base := w.now()
	before := digest(t, base)
	left := w.leaf(enrol("A", "A/officer/7", "member"), "A/registrar/1", "A/registrar/2")
	right := w.leaf(enrol("A", "A/officer/8", "member"), "A/registrar/1", "A/registrar/2")
	a, err := base.Apply(left)
	if err != nil {
		t.Fatal(err)
	}
	b, err := base.Apply(right)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    directory.View
		has  string
		want bool
	}{
		{a.View, "A/officer/7", true}, {a.View, "A/officer/8", false},
		{b.View, "A/officer/7", false}, {b.View, "A/officer/8", true},
		{base.View, "A/officer/7", false}, {base.View, "A/officer/8", false},
	} {
		if _, ok := c.v.Officer(id("u", c.has)); ok != c.want {
			t.Errorf("%s: %v", c.has, ok)
		}
	}
	ab, err := a.Apply(right)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ab.At(33).Officer(id("u", "A/officer/8")); ok {
		t.Error("the past of a branch shows its future")
	}
	if digest(t, base) != before {
		t.Error("a branch changed its base")
	}
}

// Answers are copies.
func TestAnswersAreCopies(t *testing.T) {
	w := golden(t)
	before := digest(t, w.now())
	v := w.now()
	inst, _ := v.Institution(id("i", "A"))
	inst.Territory[0], inst.Root.Keys[0], inst.Registrars[0], inst.Custodians.Rcps[0] = "x", nil, nil, "x"
	officer, _ := v.Officer(id("u", "A/officer/1"))
	officer.Roles[0] = "x"
	desk, _ := v.Desk(id("d", "A/legal"))
	desk.Members[0] = "x"
	epoch, _ := v.ActiveEpoch(id("d", "A/legal"))
	epoch.Pkg[0], epoch.Esc[0], epoch.Acks[0] = directory.Package{}, directory.Escrow{}, "x"
	rota, _ := v.Rota(id("d", "A/legal"), start)
	rota.Contacts[0].U = "x"
	card, _ := v.CardOf(id("u", "A/officer/1"))
	card[0]++
	v.Delegates()[0].I, v.Council().Keys[0], v.Witnesses()[0].Operator = "x", nil, "x"
	v.DesksOf(id("u", "A/officer/1"))[0], v.DesksOfInst(id("i", "A"))[0] = "x", "x"
	v.AuditGrants(id("d", "B/rep"))[0].Scope, v.Packs()[0].ID = "x", "x"
	if digest(t, v) != before {
		t.Error("changing an answer changed the directory")
	}
}

// Random directories: whatever happens, in whatever order, the past stays as it
// was and a replay agrees.
func TestHistoryOfRandomDirectories(t *testing.T) {
	base, seen := randomBase(t), map[string]int{}
	// A second member and an epoch to acknowledge or dispute: chance seldom gets there
	// by itself, and what it seldom reaches is not tested.
	base.do(enrol("A", "A/officer/2", "member", "duty"), "A/registrar/1", "A/registrar/2")
	base.do(&directory.DeskMembers{D: id("d", "A/x"), Members: []string{id("u", "A/officer/1"), id("u", "A/officer/2")}}, "A/registrar/1", "A/registrar/2")
	base.do(&directory.DeskEpoch{D: id("d", "A/x"), E: 1, RK: hash("rk"), Why: "first", Pkg: pkg("A/officer/1", "A/officer/2"), Esc: escrow()}, "A/officer/1")
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: base.t, states: slices.Clone(base.states), leaves: slices.Clone(base.leaves), signers: slices.Clone(base.signers)}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			if body, labels := randomStatement(t, w); tryTo(w, body, labels) {
				seen[fmt.Sprintf("%T", body)]++
			}
		}
		checkHistory(t, w, randomNames)
		s, err := directory.New().Replay(w.leaves)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := s.Digest()
		if b, _ := w.now().Digest(); a != b {
			t.Fatalf("replayed %s, grown %s", a, b)
		}
	})
	t.Logf("accepted: %v", seen)
	if len(seen) != 10 {
		t.Errorf("only these kinds were ever accepted: %v", seen)
	}
}

var randomNames = append([]string{"i A", "i B", "d A/x", "d A/y", "d B/x", "key A/registrar/1"}, func() (names []string) {
	for _, l := range randomOfficers {
		names = append(names, "u "+l, "key "+l, "key "+l+"'")
	}
	return names
}()...)

var randomOfficers = []string{"A/officer/1", "A/officer/2", "A/officer/3", "B/officer/1"}

// randomBase is where random directories start: two institutions, three desks, and
// one officer.
func randomBase(t testing.TB) *world {
	w := newWorld(t)
	w.do(genesis(), "council/1", "council/2", "council/3")
	for _, i := range []string{"A", "B"} {
		w.do(&directory.InstJoin{I: id("i", i), Root: directory.Root{K: 2, Keys: publics(i+"/root/1", i+"/root/2")}}, "A/delegate", "B/delegate", i+"/root/1", i+"/root/2")
		w.do(&directory.InstRegistrars{I: id("i", i), Keys: publics(i+"/registrar/1", i+"/registrar/2")}, i+"/root/1", i+"/root/2")
	}
	for _, d := range []string{"A/x", "A/y", "B/x"} {
		w.do(&directory.DeskProfile{D: id("d", d), I: id("i", d[:1]), Fn: "legal", NB: start, NA: end}, d[:1]+"/registrar/1")
	}
	w.do(enrol("A", "A/officer/1", "member", "head"), "A/registrar/1", "A/registrar/2")
	w.do(&directory.DeskMembers{D: id("d", "A/x"), Members: []string{id("u", "A/officer/1")}}, "A/registrar/1", "A/registrar/2")
	return w
}

// tryTo applies a statement if the directory admits it and its signers.
func tryTo(w *world, body directory.Body, labels []string) bool {
	payload, err := w.now().Prepare(body, at(w.now().N()))
	if err != nil {
		return false
	}
	leaf := sign(w.t, "application/vnd.odziv.dir.v1+json", payload, labels...)
	next, err := w.now().Apply(leaf)
	if err != nil {
		return false
	}
	w.states, w.leaves, w.signers = append(w.states, next), append(w.leaves, leaf), append(w.signers, labels)
	return true
}

func randomStatement(t *rapid.T, w *world) (directory.Body, []string) {
	officer := rapid.SampledFrom(randomOfficers).Draw(t, "officer")
	desk := rapid.SampledFrom([]string{"A/x", "A/x", "A/x", "A/x", "A/y", "B/x"}).Draw(t, "desk")
	i, d := desk[:1], id("d", desk)
	reg := []string{i + "/registrar/1", i + "/registrar/2"}
	latest, _ := w.now().LatestEpoch(d)
	holder, _ := w.now().Officer(id("u", officer))
	label := officer // of the key she has
	if holder.KeyID == keyID(officer+"'") {
		label += "'"
	}
	switch rapid.SampledFrom([]string{"enrol", "revoke", "members", "members", "epoch", "epoch", "ack", "ack", "ack", "dispute", "dispute", "dispute", "profile", "pack", "day", "rota"}).Draw(t, "kind") {
	case "enrol":
		if holder.Revoked() {
			label = officer + "'"
		}
		o := enrol(officer[:1], label, "member", "duty")
		o.U = id("u", officer)
		o.NA = rapid.SampledFrom([]int64{start + 5*day, end}).Draw(t, "na")
		return o, []string{officer[:1] + "/registrar/1", officer[:1] + "/registrar/2"}
	case "revoke":
		return &directory.OfficerRevoke{U: id("u", officer), Key: keyID(label), From: start, Reason: "left"}, []string{officer[:1] + "/registrar/1"}
	case "members":
		members := []string{}
		for _, o := range randomOfficers {
			if o[:1] == i && rapid.Bool().Draw(t, "member "+o) {
				members = append(members, id("u", o))
			}
		}
		return &directory.DeskMembers{D: d, Members: members}, reg[:rapid.IntRange(1, 2).Draw(t, "registrars")]
	case "epoch":
		e := &directory.DeskEpoch{D: d, E: latest.E + 1, RK: hash(fmt.Sprint("rk", w.now().N())), Why: "yearly", Pkg: []directory.Package{}, Esc: escrow()}
		members, _ := w.now().Desk(d)
		for _, u := range members.Members {
			if o, _ := w.now().Officer(u); o.ActiveAt(at(w.now().N())) {
				e.Pkg = append(e.Pkg, directory.Package{Key: o.KeyID, SHA256: hash("x")})
			}
		}
		return e, []string{rapid.SampledFrom(holders(e.Pkg, label)).Draw(t, "maker")}
	case "ack":
		return &directory.DeskEpochAck{D: d, E: latest.E}, []string{rapid.SampledFrom(holders(latest.Pkg, reg[0])).Draw(t, "acker")}
	case "dispute":
		return &directory.DeskEpochDispute{D: d, E: latest.E, Why: "wrong-key"}, []string{rapid.SampledFrom(holders(latest.Pkg, reg[0])).Draw(t, "disputer")}
	case "profile":
		return &directory.InstProfile{I: id("i", i), Type: rapid.SampledFrom([]string{"swc", "sponsor"}).Draw(t, "type"), Level: "local", Territory: []string{}, NB: start, NA: end}, []string{"A/delegate", "B/delegate"}
	case "pack":
		v := rapid.IntRange(1, 3).Draw(t, "version")
		return &directory.PackAdopt{ID: fmt.Sprint("rs-a@", v), Hash: hash(fmt.Sprint(v)), From: start + int64(rapid.IntRange(0, 2).Draw(t, "from"))*day}, []string{"A/delegate", "C/delegate"}
	case "day":
		return &directory.CalendarDay{Zone: "Europe/Belgrade", Date: rapid.SampledFrom([]string{"2026-02-15", "2026-02-16"}).Draw(t, "date"), Off: rapid.Bool().Draw(t, "off"), Ref: "decree"}, []string{"A/delegate", "C/delegate"}
	default:
		return &directory.DeskRota{D: d, From: start, To: end, Contacts: []directory.Contact{{U: id("u", officer)}}}, []string{label}
	}
}

// holders are the labels of the keys that have a package, and one more who has not.
func holders(pkg []directory.Package, other string) []string {
	labels := []string{}
	for _, o := range randomOfficers {
		for _, l := range []string{o, o + "'"} {
			if slices.ContainsFunc(pkg, func(p directory.Package) bool { return p.Key == keyID(l) }) {
				labels = append(labels, l)
			}
		}
	}
	return append(labels, other)
}
