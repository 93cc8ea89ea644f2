package obligation_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"github.com/odziv/odziv/messaging/obligation"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func TestID(t *testing.T) {
	for want, got := range map[string]string{
		"o_iyesbzvz7j4goqjtp6o74voom4": obligation.ID(1816, "registration", "d_pda6tmwkkd7jgevhhctmmhya3i", "d_3szd7marwgqlg6r4kjhjghzkoa", 0),
		"o_y3ec3upajgwfuizgkqsraqgdee": obligation.ID(2206, "withdrawal-confirm", "d_zovb5wgks6vnvmx6e6cxohviei", "d_l5cowwhoax626ecxo2un7vzqwu", 0),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestIDDependsOnEveryPart(t *testing.T) {
	ids := []string{
		obligation.ID(1, "a", "d_b", "d_c", 0), obligation.ID(2, "a", "d_b", "d_c", 0), obligation.ID(1, "b", "d_b", "d_c", 0),
		obligation.ID(1, "a", "d_c", "d_b", 0), obligation.ID(1, "a", "d_b", "d_d", 0), obligation.ID(1, "a", "d_b", "d_c", 1),
		obligation.ID(1, "ad", "_b", "d_c", 0), obligation.ID(1<<40, "a", "d_b", "d_c", 0),
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 8 {
		t.Errorf("two of these agree: %v", ids)
	}
}
