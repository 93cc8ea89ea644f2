package transparency_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

// national grows a directory of institutions like A, with eight officers and
// three desks each: 24 entries an institution, beside those of A.
func national(t tester, leaves int) *world {
	w := staffed(t)
	for n := 0; len(w.leaves) < leaves; n++ {
		name := fmt.Sprint("N", n)
		inst := id("i", name)
		root, reg := []string{name + "/root/1", name + "/root/2"}, []string{name + "/reg/1", name + "/reg/2"}
		w.do(&directory.InstJoin{I: inst, Root: directory.Root{K: 2, Keys: publics(root...)}}, append(append([]string{}, delegates...), root...)...)
		w.do(&directory.InstProfile{I: inst, Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: forever}, delegates...)
		w.do(&directory.InstRegistrars{I: inst, Keys: publics(reg...)}, root...)
		var ids []string
		for o := range 8 {
			officer := fmt.Sprint(name, "/officer/", o)
			ids = append(ids, id("u", officer))
			body := enrolment(officer, officer)
			body.I, body.NA = inst, forever
			w.do(body, reg...)
		}
		for d, fn := range []string{"legal", "intake", "duty"} {
			desk := id("d", name+fn)
			w.do(&directory.DeskProfile{D: desk, I: inst, Fn: fn, NB: start, NA: forever}, reg[0])
			w.do(&directory.DeskMembers{D: desk, Members: ids[d : d+4]}, reg...)
			pkg := []directory.Package{}
			for i := range 4 {
				pkg = append(pkg, directory.Package{Key: keyID(fmt.Sprint(name, "/officer/", d+i)), SHA256: hash(desk)})
			}
			w.do(&directory.DeskEpoch{D: desk, E: 1, RK: hash("rk" + desk), Why: "first", Pkg: pkg, Esc: []directory.Escrow{}}, fmt.Sprint(name, "/officer/", d))
			w.do(&directory.DeskEpochAck{D: desk, E: 1}, fmt.Sprint(name, "/officer/", d+1))
		}
	}
	return w
}

// forever is the end of terms here: entries are an hour apart.
const forever = start + 100_000*day

// How long a new computer takes to replay a directory, and a program to judge its
// own desks in it. ODZIV_LEAVES is how many entries it has.
func BenchmarkReplayAndJudge(b *testing.B) {
	leaves := 1000
	if n, err := strconv.Atoi(os.Getenv("ODZIV_LEAVES")); err == nil {
		leaves = n
	}
	w := national(b, leaves)
	b.Run("replay", func(b *testing.B) {
		for b.Loop() {
			if _, err := directory.New().Replay(w.leaves); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("apply", func(b *testing.B) {
		for b.Loop() {
			s := directory.New()
			for _, leaf := range w.leaves {
				var err error
				if s, err = s.Apply(leaf); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("judge", func(b *testing.B) {
		for b.Loop() {
			w.log().Judge(keyID("anna"), nil)
		}
	})
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			w.log().DeskHistory(legal)
		}
	})
	b.Run("dump", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.state.Digest(); err != nil {
				b.Fatal(err)
			}
		}
	})
	size := 0
	for _, leaf := range w.leaves {
		size += len(leaf)
	}
	b.Logf("%d entries, %d bytes", len(w.leaves), size)
}
