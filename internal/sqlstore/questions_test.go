package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// questions asks everything a View can be asked and returns the statements that
// took: those of a connection made for it.
func questions(t *testing.T, r *raw) map[string]*sql.Stmt {
	t.Helper()
	ctx := context.Background()
	var asked map[string]*sql.Stmt
	err := r.snapshot(ctx, func(v *view) error {
		askAll(ctx, t, v)
		asked = v.conn.stmts
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

// askAll asks everything that a View can be asked.
func askAll(ctx context.Context, t *testing.T, v *view) {
	t.Helper()
	cases := []string{"c_a", "c_b"}
	ask := func(_ any, err error) {
		if err != nil && !errors.Is(err, ledger.ErrMissing) {
			t.Error(err)
		}
	}
	row := func(_ any, _ bool, err error) { ask(nil, err) }
	askLedger(ctx, v, ask)
	row3 := func(_ any, _ any, _ bool, err error) { ask(nil, err) }
	row(wrap(v.Opening(ctx, 1)))
	ask(nil, v.Openings(ctx, 0, nil))
	ask(v.Last(ctx, "m"))
	row(wrap(v.Statement(ctx, "m")))
	row(wrap(v.Message(ctx, "m")))
	ask(v.Recipients(ctx, "m"))
	ask(v.Filed(ctx, cases, "k"))
	ask(v.Sent(ctx, cases, "k"))
	ask(v.Disclosed(ctx, "k"))
	ask(v.Party(ctx, cases, "i"))
	ask(v.Parties(ctx, cases))
	ask(v.Linked(ctx, "c"))
	ask(v.ConsentVersions(ctx, "k"))
	ask(v.ConsentsOf(ctx, "p"))
	ask(v.Conflicts(ctx, "g"))
	row(wrap(v.Conflict(ctx, "x")))
	row(wrap(v.Grant(ctx, "x")))
	ask(v.Grants(ctx, cases))
	ask(v.GrantsOf(ctx, "d"))
	row(wrap(v.Obligation(ctx, "o")))
	ask(v.Opened(ctx, "m", ""))
	ask(v.Live(ctx, cases))
	ask(v.Twin(ctx, cases, "r", "d", "d", "k", 1))
	askObligations(ctx, v, ask)
	ask(v.Marked(ctx, "o"))
	ask(v.FeedLast(ctx, "d"))
	ask(v.Feed(ctx, "d", 0, 10))
	ask(v.Scope(ctx, cases, 9))
	ask(v.Accessed(ctx, "u", "c", "d"))
	ask(v.Incomplete(ctx))
	row(wrap(v.Pending(ctx, "d")))
	ask(v.RefusalsSince(ctx, "k", 1))
	ask(v.Overflow(ctx, 1))
	row(wrap(v.Upload(ctx, "m", 0)))
	row(wrap(v.Chunk(ctx, "m", 0, 0)))
	row3(v.Shred(ctx, "m"))
	row(wrap(v.Period(ctx, "x")))
	_, _, _, _, err := v.LastPeriod(ctx)
	ask(nil, err)
	row(wrap(v.Package(ctx, "d")))
	row(wrap(v.RecipientKey(ctx, "d")))
}

func wrap[T any](v T, ok bool, err error) (any, bool, error) { return v, ok, err }

func askLedger(ctx context.Context, v *view, ask func(any, error)) {
	ask(v.Head(ctx, ledger.Ev))
	ask(v.Hashes(ctx, ledger.Ev, []int64{1, 2, 3}))
	ask(v.Entries(ctx, ledger.Ev, 3, 4))
	ask(v.LastCheckpoint(ctx, ledger.Ev))
	ask(v.CheckpointFor(ctx, ledger.Ev, 4))
	ask(v.Checkpoints(ctx, ledger.Ev, ledger.Nothing(), 10))
}

func askObligations(ctx context.Context, v *view, ask func(any, error)) {
	for _, q := range []exchange.ObligationQuery{{}, {Obligor: "d"}, {Obligee: "d"}} {
		for _, q.Closed = range []bool{false, true} {
			for _, q.DueUntil = range []int64{0, 9} {
				q.Limit = 10
				ask(v.Obligations(ctx, q))
			}
		}
	}
}

// indexes are all that the schema has besides primary keys; each must serve some
// question.
var indexes = []string{"case_link_matter", "conflict_who", "consent_version_subj", "grant_case", "grant_desk", "msg_case", "obligation_due", "obligation_live",
	"obligation_obj", "obligation_obligee", "obligation_obligor", "obligation_twin", "overflow_at", "party_inst", "pending_at",
	"req_nonce_at", "shred_period_at", "upload_begun"}

// asides are the statements with conditions that no View asks.
var asides = []string{
	"DELETE FROM req_nonce WHERE at < $1",
	abandonedUploads,
	pendingColumns + "ORDER BY at, digest LIMIT $1",
	allPeriods,
}

// TestPlans: every question is answered through an index, never by going
// through a table, and every index is of use.
func TestPlans(t *testing.T) {
	r := newRaw(t)
	asked := append([]string{}, asides...)
	for query := range questions(t, r) {
		if strings.HasPrefix(query, "SELECT") && !strings.Contains(query, "covered") {
			asked = append(asked, query)
		}
	}
	if len(asked) < 45 {
		t.Fatalf("only %d questions", len(asked))
	}
	used := map[string]bool{}
	for _, query := range asked {
		for _, step := range r.plan(t, query) {
			if name, ok := strings.CutPrefix(step, "SCAN "); ok && !isCheap(name) {
				t.Errorf("%s\n\tgoes through %s", query, name)
			}
			for _, index := range indexes {
				if strings.Contains(step, " "+index+" ") || strings.HasSuffix(step, " "+index) {
					used[index] = true
				}
			}
		}
	}
	have := r.query(t, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name")
	if !slices.Equal(have, indexes) {
		t.Errorf("the schema has the indexes\n%v, want\n%v", have, indexes)
	}
	for _, index := range indexes {
		if !used[index] {
			t.Errorf("%s serves no question", index)
		}
	}
}

// plan is what SQLite means to do for a query.
func (r *raw) plan(t *testing.T, query string) (steps []string) {
	t.Helper()
	ctx := context.Background()
	err := r.onWriter(ctx, func(c *conn) error {
		rows, err := c.raw.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, 40)...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			steps = append(steps, detail)
			return err
		})
	})
	if err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return steps
}

// isCheap: subqueries that were answered through an index, and orders that stop
// early.
func isCheap(scanned string) bool {
	if scanned == "shred_period USING INDEX shred_period_at" || scanned == "pending USING INDEX pending_at" {
		return true
	}
	name, _, _ := strings.Cut(scanned, " ")
	return name == "a" || name == "b" || name == "c" || strings.HasPrefix(name, "(")
}
