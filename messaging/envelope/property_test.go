package envelope

import (
	"bytes"
	"context"
	"runtime"
	"testing"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/odziv/odziv/messaging"
)

// TestAnyRoundTrip draws messages; every recipient must read exactly what was
// sealed, and prove it to the sender.
func TestAnyRoundTrip(t *testing.T) {
	desks := []struct {
		desk  string
		ident *age.HybridIdentity
		role  string
	}{{idDeskB, identB, messaging.RoleTo}, {idDeskA, identA, messaging.RoleSelf}, {idDeskC, identC, messaging.RoleTo}}
	rapid.Check(t, func(rt *rapid.T) {
		d := draft()
		d.Text = Text{
			Body:    rapid.String().Draw(rt, "body"),
			Subject: rapid.StringMatching(`[^\pC]{0,200}`).Draw(rt, "subject"),
			Fields:  rapid.MapOfN(rapid.StringMatching(`[a-z0-9-]{1,40}`), rapid.String(), 0, 8).Draw(rt, "fields"),
		}
		d.To = nil
		n := rapid.IntRange(1, len(desks)).Draw(rt, "desks")
		for _, k := range desks[:n] {
			d.To = append(d.To, addressee(k.desk, k.ident, k.role))
		}
		contents := rapid.SliceOfN(rapid.Custom(drawContent), 0, 3).Draw(rt, "attachments")
		l := seal(t, d, contents...)
		for _, k := range desks[:n] {
			o, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), k.ident, k.desk, bytes.NewReader(l.Body))
			if err != nil {
				rt.Fatal(err)
			}
			sameText(rt, o.Text, d.Text)
			for i, want := range contents {
				if got, err := read(o, i, l.parts[i]); err != nil || !bytes.Equal(got, want) {
					rt.Fatalf("attachment %d: %d bytes, %v; want %d", i, len(got), err, len(want))
				}
			}
			secret := o.AckSecret()
			if err := l.Notice.Core.CheckAck(k.desk, secret[:]); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// drawContent prefers lengths around the buckets and the cipher's chunks.
func drawContent(t *rapid.T) []byte {
	edge := rapid.SampledFrom([]int{0, minPart, chunkSize, 2 * chunkSize, 3 * chunkSize}).Draw(t, "edge")
	n := max(0, edge+rapid.IntRange(-2, 2).Draw(t, "off"))
	return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
}

func sameText(t *rapid.T, got, want Text) {
	if got.Body != norm.NFC.String(want.Body) || got.Subject != norm.NFC.String(want.Subject) || len(got.Fields) != len(want.Fields) {
		t.Fatalf("text differs: %q, %q", got.Body, want.Body)
	}
	for name, value := range want.Fields {
		if got.Fields[name] != norm.NFC.String(value) {
			t.Fatalf("field %s differs: %q, %q", name, got.Fields[name], value)
		}
	}
}

// TestConstantMemory streams 64 MiB each way and looks at the live heap on the
// way: it must not grow with the attachment.
func TestConstantMemory(t *testing.T) {
	const size, most = 64 << 20, 4 << 20
	file, err := newSpool(t)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	watch := &heapWatch{base: liveHeap()}
	if _, err := s.Attach(context.Background(), File{Name: "a", Type: "a/b", Size: -1, Content: watch.reader(zeros{}, size)}, file); err != nil {
		t.Fatal(err)
	}
	m, err := s.Seal(context.Background(), draft(), signerA)
	if err != nil {
		t.Fatal(err)
	}
	o, err := open(letter{Sealed: m})
	if err != nil {
		t.Fatal(err)
	}
	out := &watched{watch: watch}
	if err := o.OpenPart(context.Background(), 0, Seekable(file), out); err != nil {
		t.Fatal(err)
	}
	if out.n != size || watch.samples < 2*size/watchEvery {
		t.Fatalf("%d bytes, %d samples", out.n, watch.samples)
	}
	if watch.peak > most {
		t.Errorf("live heap grew by %d bytes over %d MiB, at most %d", watch.peak, size>>20, most)
	}
	runtime.KeepAlive(s)
}
