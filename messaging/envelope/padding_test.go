package envelope

import (
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/messaging"
)

// TestPadme holds the table of FORMAT.md.
func TestPadme(t *testing.T) {
	for n, want := range map[int64]int64{
		0: 0, 1: 1, 2: 2, 8: 8, 9: 10, 10: 10, 15: 16, 17: 18, 31: 32, 33: 36, 100: 104, 129: 144,
		1000: 1024, 4095: 4096, 4096: 4096, 4097: 4352, 5000: 5120, 65536: 65536, 65537: 67584,
		262144: 262144, 262145: 270336, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15,
		268435456: 268435456, 268435457: 276824064, maxFile: maxFile, maxFile + 1: 1 << 32,
	} {
		if got := padme(n); got != want {
			t.Errorf("padme(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestPaddedBody(t *testing.T) {
	for n, want := range map[int64]int64{
		1: 4096, 4095: 4096, 4096: 4096, 4097: 16384, 16384: 16384, 16385: 65536, 65536: 65536,
		65537: 262144, 262144: 262144, 262145: 270336, 270336: 270336, 270337: 278528,
		MaxManifest - 1: MaxManifest, MaxManifest: MaxManifest,
	} {
		if got := paddedBody(n); got != want {
			t.Errorf("paddedBody(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestPaddedPart(t *testing.T) {
	for n, want := range map[int64]int64{0: 4096, 1: 4096, 4095: 4096, 4096: 4096, 4097: 4352} {
		if got := paddedPart(n); got != want {
			t.Errorf("paddedPart(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestMaxFile: the constant is the last size that fits, not one near it.
func TestMaxFile(t *testing.T) {
	if got := SealedSize(maxFile); got > messaging.MaxPart {
		t.Errorf("maxFile seals to %d bytes, over %d", got, int64(messaging.MaxPart))
	}
	if got := SealedSize(maxFile + 1); got <= messaging.MaxPart {
		t.Errorf("one byte more seals to %d bytes and would fit", got)
	}
}

// TestPadmeProperties: never shorter, at most 12 % longer, monotone, stable,
// and with as few free bits as promised.
func TestPadmeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(2, messaging.MaxPart).Draw(t, "n")
		p := padme(n)
		if p < n || float64(p-n) > 0.12*float64(n) {
			t.Fatalf("padme(%d) = %d", n, p)
		}
		if padme(p) != p || padme(n-1) > p {
			t.Fatalf("padme is not stable or not monotone at %d", n)
		}
		e := bits.Len64(uint64(p)) - 1
		if free := e - bits.TrailingZeros64(uint64(p)); free > bits.Len64(uint64(e)) {
			t.Fatalf("padme(%d) = %b shows %d bits", n, p, free)
		}
	})
}

// TestSealedSize compares the formula with what age writes, on both sides of a
// chunk and of each bucket.
func TestSealedSize(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 4097, 61440, 61441, 65536, 65537, 131072, 131073} {
		o, l := opened(t, make([]byte, n))
		if got, want := int64(len(l.parts[0])), SealedSize(int64(n)); got != want {
			t.Errorf("%d bytes seal to %d, want %d", n, got, want)
		}
		if got, err := read(o, 0, l.parts[0]); err != nil || len(got) != n {
			t.Errorf("%d bytes open to %d, %v", n, len(got), err)
		}
	}
}
