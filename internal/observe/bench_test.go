package observe

import (
	"context"
	"fmt"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// grown is a tree of 109-byte entries.
func grown(t testing.TB, n int) *tree {
	h := &tree{}
	for i := range n {
		h.add(t, fmt.Appendf(nil, "%0109d", i))
	}
	return h
}

// BenchmarkMirror is a mirror from nothing, of a tree at hand; ns/op is of one
// entry.
func BenchmarkMirror(b *testing.B) {
	x := newExchange(b)
	h := grown(b, b.N)
	m, err := openMirror(b.TempDir(), ledger.Ev)
	ok(b, err)
	c := ledger.Checkpoint{Origin: ledger.Ev.Origin(host), Size: int64(b.N), Root: h.root(b, b.N)}
	signed := x.signed(ledger.Ev, h, b.N)
	b.ResetTimer()
	ok(b, m.advance(context.Background(), h, c, signed, func(int64, []byte) error { return nil }, nil))
}

// BenchmarkCosign is one checkpoint of one new entry in a tree of 100,000,
// mirrored and cosigned, with all that must be on disk before.
func BenchmarkCosign(b *testing.B) {
	x := newExchange(b)
	h := grown(b, 100_000)
	x.trees[ledger.Ev] = h
	o := x.observer(b.TempDir())
	ok(b, o.Round(context.Background(), false))
	w := o.Witness()
	if _, err := x.add(w, ledger.Ev, h, 0, 100_000); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		h.add(b, fmt.Appendf(nil, "new %d", i))
		if _, err := x.add(w, ledger.Ev, h, 100_000+i, 100_000+i+1); err != nil {
			b.Fatal(err)
		}
	}
}
