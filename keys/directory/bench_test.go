package directory_test

import (
	"fmt"
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

// national grows a directory of institutions with eight officers, three desks and
// their epochs each: 40 leaves an institution.
func national(t testing.TB, institutions int) *world {
	w := newWorld(t)
	w.do(genesis(), "council/1", "council/2", "council/3")
	for n := range institutions {
		i := fmt.Sprint("N", n)
		root, reg := []string{i + "/root/1", i + "/root/2"}, []string{i + "/registrar/1", i + "/registrar/2"}
		delegates := []string{"A/delegate", "B/delegate"}
		w.do(&directory.InstJoin{I: id("i", i), Root: directory.Root{K: 2, Keys: publics(root...)}}, append(delegates, root...)...)
		w.do(&directory.InstProfile{I: id("i", i), Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: end}, delegates...)
		w.do(&directory.InstRegistrars{I: id("i", i), Keys: publics(reg...)}, root...)
		officers, ids := []string{}, []string{}
		for o := range 8 {
			officers = append(officers, fmt.Sprint(i, "/officer/", o))
			ids = append(ids, id("u", officers[o]))
			w.do(enrol(i, officers[o], "member"), reg...)
		}
		for d, fn := range []string{"legal", "intake", "duty"} {
			desk := id("d", i+"/"+fn)
			w.do(&directory.DeskProfile{D: desk, I: id("i", i), Fn: fn, NB: start, NA: end}, reg[0])
			w.do(&directory.DeskMembers{D: desk, Members: ids[d : d+4]}, reg...)
			w.do(&directory.DeskEpoch{D: desk, E: 1, RK: hash("rk/" + desk), Why: "first", Pkg: pkg(officers[d : d+4]...), Esc: escrow()}, officers[d])
			w.do(&directory.DeskEpochAck{D: desk, E: 1}, officers[d+1])
		}
	}
	return w
}

func BenchmarkReplay(b *testing.B) {
	for _, institutions := range []int{22, 217} { // 507 and 4,992 leaves
		w := national(b, institutions)
		b.Run(fmt.Sprintf("leaves=%d", len(w.leaves)), func(b *testing.B) {
			for b.Loop() {
				if _, err := directory.New().Replay(w.leaves); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(w.leaves)), "µs/leaf")
		})
	}
}

func BenchmarkStale(b *testing.B) {
	w := national(b, 10)
	desk := id("d", "N3/legal")
	for b.Loop() {
		w.now().Stale(desk, start+5*day)
	}
}
