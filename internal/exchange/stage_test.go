package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/messaging/obligation"
)

// An operation is one write or one question of a job; it returns the answer.
type operation func(tx exchange.Tx) (any, error)

// trial is a group of jobs, some of which fail after what they did.
type trial struct {
	base []operation // stored before
	jobs [][]operation
	fail []bool
	want *exchange.Wanted
}

var errFails = errors.New("the job fails")

// TestStageIsTheStore runs the same jobs on the store itself and on a stage,
// with whatever was known before: they get the same answers and leave the same
// rows.
func TestStageIsTheStore(t *testing.T) {
	ctx := context.Background()
	store, err := sqlstore.Create(ctx, "sqlite:"+filepath.Join(t.TempDir(), "stage.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	answers := 0
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		undo := errors.New("undo")
		err := store.Write(ctx, func(tx exchange.Tx) error {
			run(t, tx, tr.base)
			var direct, staged []any
			var rows, stagedRows []string
			err := tx.Savepoint(ctx, func() error {
				direct = tr.direct(t, tx)
				rows = dump(t, tx)
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
			staged = tr.staged(t, tx)
			stagedRows = dump(t, tx)
			answers += len(direct)
			for i := range direct {
				if !reflect.DeepEqual(direct[i], staged[i]) {
					t.Fatalf("answer %d: the store says %+v, the stage %+v", i, direct[i], staged[i])
				}
			}
			if !reflect.DeepEqual(rows, stagedRows) {
				t.Fatalf("rows by the store\n%q\nby the stage\n%q", rows, stagedRows)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	})
	if answers == 0 {
		t.Error("nothing was asked")
	}
}

func (tr *trial) direct(t *rapid.T, tx exchange.Tx) (answers []any) {
	for i, job := range tr.jobs {
		err := tx.Savepoint(context.Background(), func() error {
			answers = append(answers, run(t, tx, job)...)
			if tr.fail[i] {
				return errFails
			}
			return nil
		})
		if err != nil && !errors.Is(err, errFails) {
			t.Fatal(err)
		}
	}
	return answers
}

func (tr *trial) staged(t *rapid.T, tx exchange.Tx) (answers []any) {
	ctx := context.Background()
	g, err := exchange.NewStage(ctx, tx, tr.want)
	if err != nil {
		t.Fatal(err)
	}
	for i, job := range tr.jobs {
		g.Begin()
		answers = append(answers, run(t, g, job)...)
		if g.Beyond() {
			t.Fatal("an operation of messages is beyond the stage")
		}
		if tr.fail[i] {
			g.Rollback()
		}
	}
	if err := g.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return answers
}

func run(t *rapid.T, tx exchange.Tx, list []operation) (answers []any) {
	for _, op := range list {
		answer, err := op(tx)
		if err != nil {
			t.Fatal(err)
		}
		if v := reflect.ValueOf(answer); v.Kind() == reflect.Slice && v.Len() == 0 {
			answer = nil // no rows, in either spelling
		}
		answers = append(answers, answer)
	}
	return answers
}

func dump(t *rapid.T, tx exchange.Tx) (rows []string) {
	err := tx.Derived(context.Background(), func(table, key, row string) error {
		rows = append(rows, table+" "+key+" "+row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// drawTrial draws a trial over few names, so that they meet.
func drawTrial(t *rapid.T) *trial {
	d := &drawing{T: t, msgs: map[string]bool{}}
	tr := &trial{base: d.writes(8)}
	if rapid.Bool().Draw(t, "linked") {
		tr.base = append(tr.base, func(tx exchange.Tx) (any, error) {
			return nil, tx.Link(context.Background(), []string{"c_0", "c_1"})
		})
	}
	for range rapid.IntRange(1, 4).Draw(t, "jobs") {
		var job []operation
		for range rapid.IntRange(1, 12).Draw(t, "operations") {
			if rapid.Bool().Draw(t, "write") {
				job = append(job, d.write())
			} else {
				job = append(job, d.question())
			}
		}
		fails := rapid.Bool().Draw(t, "fails")
		tr.jobs, tr.fail = append(tr.jobs, job), append(tr.fail, fails)
	}
	some := func(prefix string) []string {
		return rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(0, 3), func(i int) string { return fmt.Sprint(prefix, i) }), 0, 4,
			rapid.ID[string]).Draw(t, "wanted "+prefix)
	}
	tr.want = &exchange.Wanted{Statements: some("m_"), Last: some("m_"), Messages: some("m_"), Opened: some("m_"),
		Obligations: some("o_"), Desks: some("d_"), Cases: some("c_"), Excluded: some("d_")}
	return tr
}

type drawing struct {
	*rapid.T
	msgs map[string]bool // put once
	next int64
}

func (d *drawing) name(prefix string) string {
	return fmt.Sprint(prefix, rapid.IntRange(0, 3).Draw(d.T, prefix))
}

func (d *drawing) writes(n int) (list []operation) {
	for range rapid.IntRange(0, n).Draw(d.T, "writes") {
		list = append(list, d.write())
	}
	return list
}

// write draws a write. A duty keeps for ever what it was opened with, a feed
// grows by one, and a message is put once: even that of a job that fails, so that
// every order is possible.
func (d *drawing) write() operation {
	ctx := context.Background()
	d.next++
	idx := d.next
	cas, desk, msg := d.name("c_"), d.name("d_"), d.name("m_")
	only := func(f func(tx exchange.Tx) error) operation {
		return func(tx exchange.Tx) (any, error) { return nil, f(tx) }
	}
	switch rapid.IntRange(0, 6).Draw(d.T, "kind of write") {
	case 0:
		return only(func(tx exchange.Tx) error { return tx.PutLast(ctx, msg, idx) })
	case 1:
		return only(func(tx exchange.Tx) error {
			return tx.PutStatement(ctx, exchange.StatementRow{ID: msg, Digest: fmt.Sprint(idx), Idx: idx})
		})
	case 2:
		return only(func(tx exchange.Tx) error {
			return tx.PutParty(ctx, cas, exchange.PartyRow{Desk: desk, Inst: "i" + desk})
		})
	case 3:
		return only(func(tx exchange.Tx) error { return tx.PutScope(ctx, cas, idx%3, "duties") })
	case 4:
		return func(tx exchange.Tx) (any, error) {
			n, err := tx.FeedLast(ctx, desk)
			if err != nil {
				return nil, err
			}
			return n, tx.PutFeed(ctx, exchange.FeedRow{Desk: desk, N: n + 1, Idx: idx, Erased: -1})
		}
	case 5:
		if d.msgs[msg] {
			return only(func(exchange.Tx) error { return nil })
		}
		d.msgs[msg] = true
		m := exchange.MessageRow{Msg: msg, Idx: idx, Case: cas, Kind: "complaint", Desk: desk, Inst: "i_a", Subj: []string{"p_a"}}
		return only(func(tx exchange.Tx) error {
			return tx.PutMessage(ctx, m, []exchange.RecipientRow{{Msg: msg, Desk: desk, Role: "to"}}, []string{"k_a"})
		})
	}
	n := rapid.IntRange(0, 3).Draw(d.T, "duty")
	o := obligation.Obligation{ID: fmt.Sprint("o_", n), Rule: "ack", Obligor: "d_0", Obligee: fmt.Sprint("d_", n%2),
		Case: fmt.Sprint("c_", n%3), Trigger: int64(n % 2), TriggerObj: fmt.Sprint("m_", n%2), Kind: "complaint", Occurred: int64(n % 2),
		State: rapid.SampledFrom([]obligation.State{obligation.Open, obligation.Acknowledged, obligation.Fulfilled}).Draw(d.T, "state")}
	if n == 1 {
		o.Sent = []obligation.Submission{{Obj: "m_0", To: []string{"d_0"}}}
	}
	return only(func(tx exchange.Tx) error { return tx.PutObligation(ctx, o) })
}

// asked is an answer with whether there was one.
type asked struct {
	row any
	ok  bool
}

func (d *drawing) question() operation {
	ctx := context.Background()
	cas, desk, msg, o := d.name("c_"), d.name("d_"), d.name("m_"), d.name("o_")
	cases := []string{cas, d.name("c_")}
	switch rapid.IntRange(0, 12).Draw(d.T, "question") {
	case 0:
		return func(tx exchange.Tx) (any, error) { return tx.Last(ctx, msg) }
	case 1:
		return func(tx exchange.Tx) (any, error) {
			row, ok, err := tx.Statement(ctx, msg)
			return asked{row, ok}, err
		}
	case 2:
		return func(tx exchange.Tx) (any, error) {
			row, ok, err := tx.Message(ctx, msg)
			return asked{row, ok}, err
		}
	case 3:
		return func(tx exchange.Tx) (any, error) { return tx.Recipients(ctx, msg) }
	case 4:
		return func(tx exchange.Tx) (any, error) { return tx.Filed(ctx, cases, "complaint") }
	case 5:
		return func(tx exchange.Tx) (any, error) { return tx.Linked(ctx, cas) }
	case 6:
		return func(tx exchange.Tx) (any, error) { return tx.Parties(ctx, cases) }
	case 7:
		return func(tx exchange.Tx) (any, error) {
			row, ok, err := tx.Obligation(ctx, o)
			return asked{row, ok}, err
		}
	case 8:
		rule := rapid.SampledFrom([]string{"", "ack", "none"}).Draw(d.T, "rule")
		return func(tx exchange.Tx) (any, error) { return tx.Opened(ctx, msg, rule) }
	case 9:
		return func(tx exchange.Tx) (any, error) { return tx.Live(ctx, cases) }
	case 10:
		return func(tx exchange.Tx) (any, error) { return tx.FeedLast(ctx, desk) }
	case 11:
		return func(tx exchange.Tx) (any, error) { return tx.Conflicts(ctx, desk) }
	}
	return func(tx exchange.Tx) (any, error) { return tx.Grants(ctx, cases) }
}
