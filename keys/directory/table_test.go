package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A table is held against a list of Go maps, one per state.
func TestTableRemembersEveryState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SampledFrom([]string{"a", "b", "b/1", "b/2", "b0", "c", "d", "e/1", "e/10", "f", "g", "h"})
		var current table[int]
		tables, models := []table[int]{current}, []map[string]int{{}}
		steps := rapid.IntRange(0, 40).Draw(t, "steps")
		for n := range steps {
			model := maps.Clone(models[n])
			for range rapid.IntRange(0, 3).Draw(t, "writes") {
				key, val := keys.Draw(t, "key"), rapid.Int().Draw(t, "val")
				current, model[key] = current.with(key, int64(n), val), val
			}
			tables, models = append(tables, current), append(models, model)
		}
		for n, model := range models {
			for from := n; from < len(tables); from++ { // every later table too
				compareTable(t, tables[from], int64(n), model)
			}
		}
	})
}

func compareTable(t *rapid.T, tab table[int], n int64, model map[string]int) {
	for _, prefix := range []string{"", "b", "b/", "e/1", "zz"} {
		var want, got []string
		for _, key := range slices.Sorted(maps.Keys(model)) {
			if strings.HasPrefix(key, prefix) {
				want = append(want, fmt.Sprint(key, model[key]))
			}
		}
		for key, val := range tab.all(prefix, n) {
			got = append(got, fmt.Sprint(key, val))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("prefix %q as of %d: %v, want %v", prefix, n, got, want)
		}
	}
	for _, key := range []string{"a", "b/1", "e/10", "x"} {
		val, ok := tab.get(key, n)
		if want, there := model[key]; ok != there || val != want {
			t.Fatalf("%q as of %d: %d %v, want %d %v", key, n, val, ok, want, there)
		}
	}
}

func TestTableStopsWhenAsked(t *testing.T) {
	var tab table[int]
	for i := range 10 {
		tab = tab.with(fmt.Sprint(i), int64(i), i)
	}
	seen := 0
	for range tab.all("", 10) {
		if seen++; seen == 4 {
			break
		}
	}
	if seen != 4 {
		t.Errorf("walked %d", seen)
	}
}

// The height of an AVL tree is below 1.45 log2(n+2), whatever the order of keys.
func TestTableStaysFlat(t *testing.T) {
	orders := map[string]func(i int) int{
		"rising":  func(i int) int { return i },
		"falling": func(i int) int { return 4095 - i },
		"zigzag":  func(i int) int { return i*2731&4095 ^ i>>6&1 },
	}
	for name, order := range orders {
		var tab table[struct{}]
		for i := range 4096 {
			tab = tab.with(fmt.Sprintf("%05d", order(i)), int64(i), struct{}{})
		}
		if h := tab.root.tall(); h > 17 {
			t.Errorf("%s: height %d", name, h)
		}
		if err := checkBalance(tab.root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func checkBalance(x *node[struct{}]) error {
	if x == nil {
		return nil
	}
	if d := x.left.tall() - x.right.tall(); d < -1 || d > 1 || x.height != 1+max(x.left.tall(), x.right.tall()) {
		return fmt.Errorf("node %s: height %d, children differ by %d", x.key, x.height, d)
	}
	if err := checkBalance(x.left); err != nil {
		return err
	}
	return checkBalance(x.right)
}
