package scenario

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// onPostgres is a world whose database is new on a real server.
func onPostgres(t testing.TB) demo.Options {
	t.Helper()
	return demo.Options{DB: pgtest.Shared(t).Database(t)}
}

// A narrator says what a play left so that another play of the same scenario
// says the same: without what is random (identifiers, digests) and what follows
// from it (the order of what became due at the same time, and so indexes).
type narrator struct {
	names map[string]string // of desks and institutions, which a scenario names
	size  int64             // of the evidence tree
}

func newNarrator(t *testing.T, w *demo.World) *narrator {
	t.Helper()
	n := &narrator{names: map[string]string{}}
	reps := 0
	for _, m := range w.Members {
		n.names[m.ID] = m.Code
		for _, d := range m.Desks {
			name := d.Name()
			if d.Fn == "rep" {
				reps++
				name += strconv.Itoa(reps)
			}
			n.names[d.ID] = name
		}
	}
	var err error
	if _, n.size, err = w.Sizes(context.Background()); err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	coded   = regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`)
	digest  = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	figures = regexp.MustCompile(`\b[0-9]+\b`)
)

// known replaces identifiers by names, or by their kind, and digests, also in
// bytes that are spelled in base64.
func (n *narrator) known(text string) string {
	text = coded.ReplaceAllStringFunc(text, func(raw string) string {
		if plain, err := base64.StdEncoding.DecodeString(raw); err == nil && utf8.Valid(plain) {
			return n.known(string(plain))
		}
		return "?"
	})
	text = identifier.ReplaceAllStringFunc(text, func(id string) string {
		if name, ok := n.names[id]; ok {
			return name
		}
		return id[:2] + "?"
	})
	return digest.ReplaceAllString(text, "?")
}

// row also replaces numbers that may be places in the ledger; times are greater.
func (n *narrator) row(text string) string {
	return figures.ReplaceAllStringFunc(n.known(text), func(digits string) string {
		if v, err := strconv.ParseInt(digits, 10, 64); err == nil && v < n.size {
			return "#"
		}
		return digits
	})
}

// leaves tells every leaf, those of one moment sorted.
func (n *narrator) leaves(t *testing.T, w *demo.World) []string {
	t.Helper()
	ctx := context.Background()
	var all []string
	err := w.Exchange.Store.Read(ctx, func(v exchange.View) error {
		return v.Openings(ctx, 0, func(_ int64, o evidence.Opening) error {
			meta, priv, err := o.Decode()
			if err != nil {
				return err
			}
			all = append(all, n.leaf(t, meta, priv))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all) // each begins with its time
	return all
}

// leaf is one leaf: when, what, by whom, what was decided, for whom, and what
// became of which obligations.
func (n *narrator) leaf(t *testing.T, meta *evidence.Meta, priv *evidence.Priv) string {
	t.Helper()
	var more []string
	for _, o := range meta.Obl {
		more = append(more, n.known(fmt.Sprintf("%s %s %s %s %d", o.Op, o.Rule, o.OR, o.EE, o.Due)))
	}
	for _, o := range priv.Opens {
		more = append(more, n.known(fmt.Sprintf("opens %s %s %s %d %d", o.Rule, o.OR, o.EE, o.Due, o.N)))
	}
	for _, m := range priv.Moves {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, "moves "+n.known(string(raw)))
	}
	for _, to := range priv.To {
		more = append(more, "to "+n.known(to.Desk))
	}
	slices.Sort(more)
	return n.known(fmt.Sprintf("%d %s %s %s %s %s %s %v | %s", meta.At, meta.Ev, meta.By, meta.Dec, meta.From, meta.Kind, meta.Obj[:2], meta.To, strings.Join(more, ", ")))
}

// rows tells every derived row, sorted.
func (n *narrator) rows(t *testing.T, w *demo.World) []string {
	t.Helper()
	var all []string
	for key, row := range derived(t, w) {
		table, _, _ := strings.Cut(key, "/")
		all = append(all, table+" "+n.row(row))
	}
	slices.Sort(all)
	return all
}

// whole fails the test unless what is stored verifies and can be derived again
// to the byte.
func whole(t *testing.T, w *demo.World) {
	t.Helper()
	found, err := w.Check(context.Background())
	if err != nil || len(found) > 0 {
		t.Errorf("fsck: %v, %v", found, err)
	}
	before := derived(t, w)
	if err := exchange.Rebuild(context.Background(), w.Exchange.Store, w.Packs, nil); err != nil {
		t.Fatal(err)
	}
	if after := derived(t, w); !maps.Equal(before, after) || len(before) < 20 {
		t.Errorf("rebuilt tables differ (%d rows, %d rows)", len(before), len(after))
	}
}

// sameOutcome compares two plays of one scenario: leaf by leaf and row by row.
func sameOutcome(t *testing.T, a, b *demo.World) {
	t.Helper()
	x, y := newNarrator(t, a), newNarrator(t, b)
	for what, told := range map[string][2][]string{"leaves": {x.leaves(t, a), y.leaves(t, b)}, "rows": {x.rows(t, a), y.rows(t, b)}} {
		if slices.Equal(told[0], told[1]) && len(told[0]) >= 2 {
			continue
		}
		t.Errorf("%s differ (%d and %d)\nonly in the first:\n%s\nonly in the second:\n%s", what, len(told[0]), len(told[1]), lacking(told[1], told[0]), lacking(told[0], told[1]))
	}
}

// lacking lists what is in all and not in some.
func lacking(some, all []string) string {
	var b strings.Builder
	for _, line := range all {
		if !slices.Contains(some, line) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
