package witness

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// An operator with f institutions on its side brings one of two histories to
// each of the others, in every combination there is. With the quorum made for f
// never are both confirmed; with one institution more on its side it succeeds,
// so that the test would see it.
func TestForkNeedsMoreThanPlanned(t *testing.T) {
	own := logKey(t, 1)
	trunk := &branch{}
	trunk.grow(t, "a", 6)
	fork := trunk.forked(t, 3)
	fork.grow(t, "b", 3)
	histories := [2]*branch{trunk, fork}
	trusted := func(string) []note.Verifier { return []note.Verifier{own.Verifier()} }
	dir := t.TempDir()
	for _, tt := range []struct{ n, f int }{{4, 1}, {6, 1}, {6, 2}} {
		quorum := (tt.n+tt.f)/2 + 1
		for _, evil := range []int{tt.f, quorum*2 - tt.n} {
			p, keys := institutions(t, tt.n, quorum)
			forks := 0
			for split := range 1 << (tt.n - evil) {
				notes := [2][]byte{sign(t, own, trunk.at(t, 6)), sign(t, own, fork.at(t, 6))}
				add := func(history int, line []byte) { notes[history] = slices.Concat(notes[history], line) }
				for i, key := range keys {
					if i < evil { // it signs whatever it is asked to
						for h, b := range histories {
							line, err := key.Cosign(t.Context(), b.at(t, 6), 1_700_000_000_000)
							check(t, err)
							add(h, line)
						}
						continue
					}
					w := &Witness{Key: key, Memory: memory(t, dir), Clock: func() int64 { return 1_700_000_000_000 }, Verifiers: trusted}
					first := split >> (i - evil) & 1
					for _, h := range []int{first, 1 - first} {
						for _, old := range []int64{0, 6} {
							if line, err := w.Add(t.Context(), histories[h].request(t, own, old, 6).Format()); err == nil {
								add(h, line)
								break
							}
						}
					}
					check(t, w.Memory.Close())
				}
				if p.Standing(notes[0]) == ledger.Confirmed && p.Standing(notes[1]) == ledger.Confirmed {
					forks++
				}
			}
			if (forks > 0) != (evil > tt.f) {
				t.Errorf("%d of %d, quorum %d, %d on the operator's side: %d forks", tt.n, tt.n, quorum, evil, forks)
			}
		}
	}
}

// institutions are n witnesses of whom any quorum confirms.
func institutions(t *testing.T, n, quorum int) (*ledger.Policy, []*Key) {
	t.Helper()
	var text, names strings.Builder
	var keys []*Key
	for i := range n {
		key, err := NewKey(fmt.Sprintf("w%d.example", i), statement.NewSigningKey(seed(byte(100+i))))
		check(t, err)
		keys = append(keys, key)
		fmt.Fprintf(&text, "witness w%d %s\n", i, key.VerifierKey())
		fmt.Fprintf(&names, " w%d", i)
	}
	p, err := ledger.ParsePolicy(fmt.Sprintf("%sgroup all %d%s\nquorum all\n", &text, quorum, &names))
	check(t, err)
	return p, keys
}

// memory is an empty one.
func memory(t *testing.T, dir string) *Memory {
	t.Helper()
	dir, err := os.MkdirTemp(dir, "")
	check(t, err)
	m, err := OpenMemory(dir)
	check(t, err)
	return m
}
