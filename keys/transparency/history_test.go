package transparency_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

// A history names everybody who was given a key, when it was used, and by whose
// signatures.
func TestDeskHistory(t *testing.T) {
	w := staffed(t)
	w.enrol("dana")
	added := w.members(legal, "anna", "boris", "dana")
	left := w.members(legal, "anna", "dana")
	made := w.epoch(legal, "dana")
	acked := w.ack(legal, "anna")
	gone := w.revoke("anna")
	h, ok := w.log().DeskHistory(legal)
	if !ok || len(h.Keys) != 2 || h.Inst != instA || h.Entries != int64(len(w.leaves)) || h.Fn != "legal" {
		t.Fatalf("%v %+v", ok, h)
	}
	first, second := h.Keys[0], h.Keys[1]
	if want := []transparency.Span{{From: 11, FromAt: start + 11*hour, Until: acked, UntilAt: start + acked*hour}}; !slices.Equal(first.Used, want) {
		t.Errorf("key 1 was used %+v, want %+v", first.Used, want)
	}
	if s := second.Used; len(s) != 1 || s[0].From != acked || s[0].Until != 0 || second.Made.Idx != made || len(second.Acks) != 1 || second.Acks[0].Idx != acked {
		t.Errorf("key 2: %+v", second)
	}
	for _, r := range first.Readers {
		switch r.Officer {
		case id("u", "boris"):
			if r.Left == nil || r.Left.Idx != left || r.Revoked != nil || r.Registrars.Idx != 3 || r.Enrolled.Idx != 8 || r.Added.Idx != 9 {
				t.Errorf("%+v", r)
			}
		case id("u", "anna"):
			if r.Left != nil || r.Revoked == nil || r.Revoked.Idx != gone || len(r.Enrolled.By) != 2 || r.Enrolled.By[0].As != transparency.AsRegistrar {
				t.Errorf("%+v", r)
			}
		default:
			t.Errorf("%s reads", r.Officer)
		}
	}
	for _, r := range second.Readers {
		if r.Officer == id("u", "dana") && r.Added.Idx != added {
			t.Errorf("%+v", r)
		}
	}
	if x := second.Escrow; x == nil || x.K != 2 || len(x.Custodians) != 3 || len(x.Subsets) != 3 || x.Named.Idx != 4 {
		t.Errorf("%+v", x)
	}
	if len(h.Members) != 3 || h.Members[1].Until == 0 && h.Members[0].Until == 0 {
		t.Errorf("%+v", h.Members)
	}
	if r := h.Office.Roots; len(r) != 1 || r[0].K != 2 || len(r[0].Named.By) != 4 {
		t.Errorf("%+v", r)
	}
	if _, ok := w.log().DeskHistory(id("d", "none")); ok {
		t.Error("the history of no desk")
	}

	for at, want := range map[int64]string{start: "", start + 11*hour: "1", start + acked*hour - 1: "1", start + acked*hour: "2", end: "2"} {
		got := []string{}
		for _, k := range h.At(at, at+1).Keys {
			got = append(got, fmt.Sprint(k.Epoch))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("at %d keys %v, want %q", at, got, want)
		}
	}
	if all := h.At(start, end).Keys; len(all) != 2 {
		t.Errorf("over all: %d keys", len(all))
	}
}

// Who could let others read: roots, registrars, custodians, one after the other.
func TestInstHistory(t *testing.T) {
	w := staffed(t)
	next := w.do(&directory.InstRoot{I: instA, K: 2, Keys: publics("root/1", "root/2", "root/4")}, root...)
	named := w.do(&directory.InstRegistrars{I: instA, Keys: publics("registrar/1", "registrar/4")}, "root/1", "root/4")
	w.do(&directory.InstObserver{I: instA, Key: signer("observer").Public()}, "root/1", "root/4")
	w.revoke("boris")
	h, ok := w.log().InstHistory(instA)
	if !ok || len(h.Roots) != 2 || len(h.Registrars) != 2 || len(h.Custodians) != 1 || len(h.Observers) != 1 || len(h.Desks) != 2 || len(h.Officers) != 2 {
		t.Fatalf("%v %+v", ok, h)
	}
	if h.Roots[0].Until != next || h.Roots[1].Until != 0 || h.Registrars[1].From != named || h.Officers[1].Revoked == nil {
		t.Errorf("%+v %+v %+v", h.Roots, h.Registrars, h.Officers)
	}
	as := map[string]int{}
	for _, s := range h.Roots[0].Named.By {
		as[s.As]++
	}
	if as[transparency.AsDelegate] != 2 || as[transparency.AsRoot] != 2 {
		t.Errorf("admitted by %v", as)
	}
	if then := h.At(start+3*hour, start+3*hour+1); len(then.Roots) != 1 || len(then.Registrars) != 1 || len(then.Custodians) != 0 || len(then.Officers) != 0 {
		t.Errorf("then: %+v", then)
	}
	if _, ok := w.log().InstHistory(id("i", "none")); ok {
		t.Error("the history of no institution")
	}
}

// naive reads the leaves by themselves, member by member, as somebody would with
// a pencil.
type naive struct {
	members map[string]map[string]bool // desk: officers
	holder  map[string]string          // key: officer
	active  map[string]int64           // desk: key in use
	state   map[string]map[int64]*naiveKey
	added   map[string][]int64 // desk+officer: entries that added her
}

type naiveKey struct {
	readers         []string
	acked, disputed bool
	used            [][2]int64
}

func fold(t *rapid.T, leaves [][]byte) naive {
	n := naive{members: map[string]map[string]bool{}, holder: map[string]string{}, active: map[string]int64{}, state: map[string]map[int64]*naiveKey{}, added: map[string][]int64{}}
	for i, leaf := range leaves {
		d, err := statement.ParseDSSE(leaf)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			T, D, U, Key string
			E            int64
			Members      []string
			Pkg          []directory.Package
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(d.Payload, &all); err != nil {
			t.Fatal(err)
		}
		for name, into := range map[string]any{"t": &p.T, "d": &p.D, "u": &p.U, "e": &p.E, "members": &p.Members, "pkg": &p.Pkg} {
			if raw, ok := all[name]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					t.Fatal(err)
				}
			}
		}
		if p.T == "officer.enrol" {
			json.Unmarshal(all["key"], &p.Key)
			n.holder[p.Key] = p.U
		}
		n.desk(int64(i), p.T, p.D, p.E, p.Members, p.Pkg)
	}
	return n
}

func (n *naive) desk(i int64, kind, d string, e int64, members []string, pkg []directory.Package) {
	switch kind {
	case "desk.members":
		now := map[string]bool{}
		for _, u := range members {
			now[u] = true
			if !n.members[d][u] {
				n.added[d+u] = append(n.added[d+u], i)
			}
		}
		n.members[d] = now
	case "desk.epoch":
		if n.state[d] == nil {
			n.state[d] = map[int64]*naiveKey{}
		}
		k := &naiveKey{}
		for _, p := range pkg {
			k.readers = append(k.readers, n.holder[p.Key]+" "+p.Key)
		}
		slices.Sort(k.readers)
		n.state[d][e] = k
	case "desk.epoch.ack":
		n.state[d][e].acked = true
	case "desk.epoch.dispute":
		n.state[d][e].disputed = true
	default:
		return
	}
	best := int64(0)
	for e, k := range n.state[d] {
		if k.acked && !k.disputed {
			best = max(best, e)
		}
	}
	if was := n.active[d]; was != best {
		if was > 0 {
			used := n.state[d][was].used
			used[len(used)-1][1] = i
		}
		if best > 0 {
			n.state[d][best].used = append(n.state[d][best].used, [2]int64{i, 0})
		}
		n.active[d] = best
	}
}

func rounds(t *testing.T, n int) int {
	if more, err := strconv.Atoi(os.Getenv("ODZIV_ROUNDS")); err == nil {
		return max(1, n*more)
	}
	return n
}

// A history of a random directory is what a naive reading of the leaves gives,
// and every addition is unexpected to whoever was there before, once.
func TestHistoryIsTheNaiveOne(t *testing.T) {
	for range rounds(t, 1) {
		rapid.Check(t, func(t *rapid.T) {
			w := random(t)
			n := fold(t, w.leaves)
			for _, d := range []string{legal, intake} {
				h, ok := w.log().DeskHistory(d)
				if !ok {
					t.Fatal("no history")
				}
				if got, want := spelled(h), n.spelled(d); got != want {
					t.Fatalf("%s\nhistory\n%s\nnaive\n%s", d, got, want)
				}
				var stays []string
				for _, m := range h.Members {
					stays = append(stays, fmt.Sprint(m.Officer, " ", m.From))
				}
				for u, at := range n.added {
					for _, i := range at {
						if strings.HasPrefix(u, d) && !slices.Contains(stays, fmt.Sprint(u[len(d):], " ", i)) {
							t.Fatalf("%s joined in entry %d: not in %v", u[len(d):], i, stays)
						}
					}
				}
			}
			everyAdditionOnce(t, w, n)
		})
	}
}

// everyAdditionOnce holds what anna is warned of against the naive reading.
func everyAdditionOnce(t *rapid.T, w *world, n naive) {
	anna := id("u", "anna")
	j := w.log().Judge(keyID("anna"), nil)
	begun := map[string]int64{}
	for _, s := range j.Starts {
		begun[s.Desk] = s.Idx
	}
	warned := map[string]int{}
	for _, c := range j.Unexpected("") {
		for _, a := range c.Adds {
			if a.What == transparency.AddsReader {
				warned[fmt.Sprint(a.Desk, a.Officer, c.Idx)]++
			}
		}
	}
	want := map[string]int{}
	for du, at := range n.added {
		d, u := du[:len(legal)], du[len(legal):]
		from, watched := begun[d]
		for _, i := range at {
			if watched && u != anna && i > from {
				want[fmt.Sprint(d, u, i)] = 1
			}
		}
	}
	if !maps.Equal(warned, want) {
		t.Fatalf("warned of %v, want %v", warned, want)
	}
}

func (n naive) spelled(d string) string {
	var lines []string
	for e := int64(1); n.state[d][e] != nil; e++ {
		k := n.state[d][e]
		lines = append(lines, fmt.Sprint(e, k.readers, k.used, k.disputed))
	}
	return strings.Join(lines, "\n")
}

func spelled(h transparency.DeskHistory) string {
	var lines []string
	for _, k := range h.Keys {
		readers, used := []string{}, [][2]int64{}
		for _, r := range k.Readers {
			readers = append(readers, r.Officer+" "+r.Key)
		}
		slices.Sort(readers)
		for _, s := range k.Used {
			used = append(used, [2]int64{s.From, s.Until})
		}
		lines = append(lines, fmt.Sprint(k.Epoch, readers, used, k.Disputed != nil))
	}
	return strings.Join(lines, "\n")
}

// random grows a directory by steps some of which the rules refuse.
func random(t *rapid.T) *world {
	w := found(t)
	labels := []string{"anna", "boris", "dana", "rogue"}
	for _, l := range labels[:3] {
		w.enrol(l)
	}
	w.members(legal, "anna", "boris")
	for range rapid.IntRange(5, 30).Draw(t, "steps") {
		d := rapid.SampledFrom([]string{legal, legal, intake}).Draw(t, "desk")
		who := rapid.SampledFrom(labels).Draw(t, "who")
		last, _ := w.state.LatestEpoch(d)
		switch rapid.IntRange(0, 7).Draw(t, "step") {
		case 0, 1:
			users := rapid.SliceOfNDistinct(rapid.SampledFrom(labels), 1, 4, rapid.ID).Draw(t, "members")
			ids := []string{}
			for _, l := range users {
				ids = append(ids, id("u", l))
			}
			for _, by := range [][]string{registrars, registrars[:1]} {
				if _, err := w.try(&directory.DeskMembers{D: d, Members: ids}, by...); err == nil {
					break
				}
			}
		case 2, 3:
			w.try(w.epochBody(d), who)
		case 4, 5:
			for _, by := range []string{who, "anna", "boris", "registrar/2"} {
				if _, err := w.try(&directory.DeskEpochAck{D: d, E: max(1, last.E)}, by); err == nil {
					break
				}
			}
		case 6:
			w.try(&directory.DeskEpochDispute{D: d, E: rapid.Int64Range(1, max(1, last.E)).Draw(t, "e"), Why: "wrong"}, who)
		case 7:
			w.try(enrolment(who, who+rapid.SampledFrom([]string{"", "/2"}).Draw(t, "key")), registrars...)
		}
	}
	return w
}
