package sqlstore

import (
	"context"
	"database/sql"
	"errors"
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
		asked = v.conn.stmts
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return asked
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
