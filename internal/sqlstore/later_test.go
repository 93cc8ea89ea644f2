package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

// oddTexts have a meaning in SQL, in its literals or in a driver.
var oddTexts = []string{"", "a", "b", "'", "''", `\`, `\\`, `\'`, `'; DROP TABLE last; --`, "$1", "$$", "E'x'", `"`, "%", "?", "\n", "\r\n", "\t",
	"ж", "ß", "\u200b", "\U0010ffff", "\u007f", "(", ");", ",", "\\x00", "NULL", "/*", "*/"}

// putOp is one write of a random transaction.
type putOp struct {
	what int
	a, b string
	n    int64
}

func (op putOp) run(ctx context.Context, tx exchange.Tx) error {
	switch op.what {
	case 0:
		return tx.PutLast(ctx, op.a, op.n)
	case 1:
		return tx.PutStatement(ctx, exchange.StatementRow{ID: op.a, Digest: op.b, Idx: op.n})
	case 2:
		return tx.PutParty(ctx, op.a, exchange.PartyRow{Desk: op.b, Inst: "i"})
	case 3:
		return tx.PutFeed(ctx, exchange.FeedRow{Desk: op.a, N: op.n, Idx: int64(len(op.b)), Erased: op.n})
	case 4:
		return tx.PutObligation(ctx, obligation.Obligation{ID: op.a, Rule: op.b, Due: op.n, State: obligation.Open})
	case 5:
		return tx.MarkRecipient(ctx, exchange.RecipientRow{Msg: op.message(), Desk: op.b, Handed: op.n})
	case 6:
		return tx.PutConsentVersion(ctx, exchange.ConsentRow{ID: op.a, Ver: int(op.n), Stmt: []byte(op.b)})
	case 7:
		return tx.Link(ctx, []string{op.a, op.b})
	case 8:
		return tx.PutScope(ctx, op.a, op.n, op.b)
	default:
		return tx.PutMessage(ctx, exchange.MessageRow{Msg: op.message(), Idx: op.n, Subj: []string{op.b}}, []exchange.RecipientRow{{Msg: op.message(), Desk: op.b}}, []string{op.b})
	}
}

func (op putOp) message() string { return op.a + fmt.Sprint(op.n) }

// A move is part of a random transaction: writes, savepoints that are kept or gone back
// upon, and questions in between.
type move struct {
	op     *putOp
	ask    string
	within []move
	lost   bool
}

func moves(depth int) *rapid.Generator[[]move] {
	text := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "'"}), rapid.SampledFrom(oddTexts))
	one := rapid.Custom(func(t *rapid.T) move {
		switch kind := rapid.IntRange(0, 19).Draw(t, "kind"); {
		case kind == 0:
			return move{ask: text.Draw(t, "ask")}
		case kind <= 2 && depth > 0:
			return move{within: moves(depth-1).Draw(t, "within"), lost: rapid.Bool().Draw(t, "lost")}
		default:
			return move{op: &putOp{rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 5, 5, 5, 6, 7, 8, 9}).Draw(t, "what"), text.Draw(t, "a"), text.Draw(t, "b"), rapid.Int64Range(1, 9).Draw(t, "n")}}
		}
	})
	return rapid.SliceOfN(one, 0, 30)
}

var errStep = errors.New("gone back upon")

// play runs a script and notes what its questions were answered and which
// savepoints the engine refused.
func play(ctx context.Context, tx exchange.Tx, script []move, seen *[]string) error {
	for _, st := range script {
		switch {
		case st.op != nil:
			if err := st.op.run(ctx, tx); err != nil {
				return err
			}
		case st.within != nil:
			err := tx.Savepoint(ctx, func() error {
				err := play(ctx, tx, st.within, seen)
				if err == nil && st.lost {
					err = errStep
				}
				return err
			})
			if err != nil && !errors.Is(err, errStep) && !errors.Is(err, ErrRefused) {
				return err
			}
			*seen = append(*seen, fmt.Sprint(err != nil))
		default:
			last, err1 := tx.Last(ctx, st.ask)
			n, err2 := tx.FeedLast(ctx, st.ask)
			row, ok, err3 := tx.Statement(ctx, st.ask)
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
			*seen = append(*seen, fmt.Sprint(last, n, row, ok))
		}
	}
	return nil
}

func dump(ctx context.Context, s *Store) (lines []string, err error) {
	err = s.Read(ctx, func(v exchange.View) error {
		return v.Derived(ctx, func(table, key, row string) error {
			lines = append(lines, table+" "+key+" "+row)
			return nil
		})
	})
	return lines, err
}

// TestEnginesAgree plays the same random transactions on both engines, of which
// one puts off what it writes: answers, refusals and rows are the same. A refused
// row shows in SQLite at once and in PostgreSQL at the end of its savepoint, so
// what a savepoint read before is not compared if it was refused.
func TestEnginesAgree(t *testing.T) {
	ctx := context.Background()
	file, server := newRaw(t).Store, newServed(t).Store
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("ODZIV_ROUNDS")); err == nil {
		rounds = max(1, n)
	}
	kept := 0
	for range rounds {
		rapid.Check(t, func(t *rapid.T) {
			script := moves(2).Draw(t, "script")
			var seen [2][]string
			var rows [2][]string
			var errs [2]error
			for i, s := range []*Store{file, server} {
				errs[i] = s.Write(ctx, func(tx exchange.Tx) error {
					if err := tx.DropDerived(ctx); err != nil {
						return err
					}
					return play(ctx, tx, script, &seen[i])
				})
				var err error
				if rows[i], err = dump(ctx, s); err != nil {
					t.Fatal(err)
				}
			}
			if (errs[0] == nil) != (errs[1] == nil) || errs[1] != nil && !errors.Is(errs[1], ErrRefused) {
				t.Fatalf("SQLite: %v, PostgreSQL: %v", errs[0], errs[1])
			}
			if errs[0] == nil && len(rows[0]) > 0 {
				kept++
			}
			if errs[0] == nil && !slices.Equal(rows[0], rows[1]) {
				t.Fatalf("rows of SQLite\n%s\nof PostgreSQL\n%s", strings.Join(rows[0], "\n"), strings.Join(rows[1], "\n"))
			}
			if errs[0] == nil && !refusedWithin(seen[0]) && !slices.Equal(seen[0], seen[1]) {
				t.Fatalf("SQLite answered %q, PostgreSQL %q", seen[0], seen[1])
			}
		})
	}
	if kept < 10*rounds {
		t.Errorf("only %d transactions were kept, so little was compared", kept)
	}
}

// refusedWithin reports whether a savepoint ended badly: then the engines may have
// answered more or fewer questions within it.
func refusedWithin(seen []string) bool { return slices.Contains(seen, "true") }

func TestTemplates(t *testing.T) {
	for query, want := range map[string]template{
		"INSERT INTO opening (idx, meta, r_m, priv, r_p) VALUES ($1, $2, $3, $4, $5)": {head: "INSERT INTO opening (idx, meta, r_m, priv, r_p) VALUES "},
		"INSERT INTO party (case_, desk, inst) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING": {head: "INSERT INTO party (case_, desk, inst) VALUES ",
			tail: " ON CONFLICT DO NOTHING"},
		"INSERT INTO last (obj, idx) VALUES ($1, $2) ON CONFLICT (obj) DO UPDATE SET idx = excluded.idx": {head: "INSERT INTO last (obj, idx) VALUES ",
			tail: " ON CONFLICT (obj) DO UPDATE SET idx = excluded.idx", key: 1},
		"INSERT INTO feed (desk, n, idx) VALUES ($1, $2, $3) ON CONFLICT (desk, n) DO UPDATE SET idx = 1": {head: "INSERT INTO feed (desk, n, idx) VALUES ",
			tail: " ON CONFLICT (desk, n) DO UPDATE SET idx = 1", key: 2},
		"INSERT INTO last (idx, obj) VALUES ($1, $2) ON CONFLICT (obj) DO UPDATE SET idx = 1": {tail: " ON CONFLICT (obj) DO UPDATE SET idx = 1", key: 1},
		"INSERT INTO last (obj, idx) VALUES ($2, $1)":                                         {},
		"INSERT INTO last (obj, idx) VALUES ($1, (SELECT 1))":                                 {},
		"INSERT INTO last (obj, idx) VALUES ($1, $2), ($3, $4)":                               {},
		"DELETE FROM overflow WHERE id = $1":                                                  {},
	} {
		got := newTemplate("w", query)
		if got.target == 0 || got.target == ^tables(0) {
			t.Errorf("%s: no target", query)
		}
		if got.head != want.head || got.head != "" && (got.tail != want.tail || got.key != want.key) {
			t.Errorf("%s: %+v", query, got)
		}
	}
}
