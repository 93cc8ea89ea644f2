package exchange

import (
	"context"
	"slices"

	"github.com/odziv/odziv/messaging/obligation"
)

// stage is a Tx for messages: it holds what they write back in memory and stores
// it for many of them at once, and answers from what was read for all of them
// before. It knows the questions that messages ask. Anything else it does not
// answer: it remembers that it was asked, and the job runs again on the store
// itself (see stage_beyond.go). So it can be too careful, never wrong.
//
// It reads its own writes. What one job wrote can be forgotten: [stage.begin],
// [stage.rollback].
type stage struct {
	tx     Tx
	known  *Known
	beyond bool // something was asked that the stage does not answer

	openings    rows[int64, OpeningRow]
	last        rows[string, LastRow]
	statements  rows[string, StatementRow]
	messages    rows[string, SubmittedRow]
	parties     rows[[2]string, CaseParty]
	obligations rows[string, obligation.Obligation]
	feed        rows[feedPlace, FeedRow]
	feedLast    rows[string, int64]
	scope       rows[ScopeRow, ScopeRow]
}

type feedPlace struct {
	desk string
	n    int64
}

// newStage reads what is wanted.
func newStage(ctx context.Context, tx Tx, w *Wanted) (*stage, error) {
	known, err := tx.Gather(ctx, w)
	if err != nil {
		return nil, err
	}
	return &stage{tx: tx, known: known}, nil
}

// begin forgets how to undo what the jobs before wrote.
func (g *stage) begin() {
	g.beyond = false
	for _, t := range g.tables() {
		t.keep()
	}
}

// rollback undoes what was written since begin.
func (g *stage) rollback() {
	for _, t := range g.tables() {
		t.undo()
	}
}

func (g *stage) tables() []interface {
	keep()
	undo()
} {
	return []interface {
		keep()
		undo()
	}{&g.openings, &g.last, &g.statements, &g.messages, &g.parties,
		&g.obligations, &g.feed, &g.feedLast, &g.scope}
}

// settle stores what was held back. What was known before is no longer: the
// stage must not be used again.
func (g *stage) settle(ctx context.Context) error {
	all := Rows{Openings: g.openings.list, Last: g.last.list, Statements: g.statements.list, Messages: g.messages.list,
		Parties: g.parties.list, Obligations: g.obligations.list, Feed: g.feed.list, Scope: g.scope.list}
	if all.Empty() {
		return nil
	}
	return g.tx.PutAll(ctx, &all)
}

// rows are staged rows of one table in the order in which they came, with what
// it takes to undo the last of them.
type rows[K comparable, V any] struct {
	at   map[K]int
	list []V
	log  []change[K, V]
}

type change[K comparable, V any] struct {
	key    K
	before V
	fresh  bool
}

func (r *rows[K, V]) get(k K) (v V, ok bool) {
	i, ok := r.at[k]
	if ok {
		v = r.list[i]
	}
	return v, ok
}

func (r *rows[K, V]) put(k K, v V) {
	if i, ok := r.at[k]; ok {
		r.log = append(r.log, change[K, V]{key: k, before: r.list[i]})
		r.list[i] = v
		return
	}
	if r.at == nil {
		r.at = map[K]int{}
	}
	r.log = append(r.log, change[K, V]{key: k, fresh: true})
	r.at[k] = len(r.list)
	r.list = append(r.list, v)
}

func (r *rows[K, V]) keep() { r.log = r.log[:0] }

func (r *rows[K, V]) undo() {
	for _, c := range slices.Backward(r.log) {
		if c.fresh {
			delete(r.at, c.key)
			r.list = r.list[:len(r.list)-1]
		} else {
			r.list[r.at[c.key]] = c.before
		}
	}
	r.log = r.log[:0]
}
