package audit

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit/audittest"
)

// Beyond what it may remember the audit derives no obligations, says so, and
// verifies everything else.
func TestReplayStopsWhereMemoryEnds(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	var b bytes.Buffer
	if err := WriteBundle(context.Background(), &b, w.Source(), Options{Packs: w.Packs}); err != nil {
		t.Fatal(err)
	}
	// The first three entries open two obligations: five to remember.
	for remember, upTo := range map[int]int64{1: 1, 4: 2, 5: 3, 1000: audittest.StoryEnd} {
		v := &bundleVerifier{ctx: context.Background(), remember: remember}
		r, found, err := v.verify(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil || len(found) > 0 || r.Bundle.DutiesUpTo != upTo || r.Bundle.Signatures != 9 {
			t.Errorf("%d: %+v, %v, %v", remember, r.Bundle, found, err)
		}
		said := false
		for _, f := range r.Facts {
			said = said || f.Code == FactTooMany && strings.Contains(f.Text(English), "remembers at most")
		}
		if said == (upTo == audittest.StoryEnd) {
			t.Errorf("%d: %v", remember, r.Facts)
		}
	}
}
