package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// section is the serialized section of one transaction: what the rules may read
// and where leaves are added. It is not safe for concurrent use.
type section struct {
	x   *Exchange
	ctx context.Context
	tx  Tx    // the store, or the stage while a message is decided on
	now int64 // read under the lock
	at  int64 // META.at: now, never before the previous leaf
	dir *directory.State
	log [2]*ledger.Batch

	incomplete bool // some opening is missing: nothing may be recorded

	store   Tx
	stage   *stage // nil: the job at hand works on the store
	staging bool   // messages work on a stage
	rest    []*job // the job at hand and those after it

	unsettled error // why the stage could not be stored

	opened []obligation.Obligation // by the job at hand
	told   map[string]bool         // desks that an opening of the job reached
}

// begin opens the section: it checks the edge of both trees, catches up with
// directory entries of other servers, and refuses a clock that jumped.
func (x *Exchange) begin(ctx context.Context, tx Tx) (*section, error) {
	s := &section{x: x, ctx: ctx, tx: tx, store: tx}
	for _, l := range ledger.Logs {
		b, err := ledger.NewBatch(ctx, tx, l)
		if err != nil {
			return nil, err
		}
		s.log[l] = b
	}
	dir, err := follow(ctx, tx, x.Directory())
	if err != nil {
		return nil, err
	}
	s.dir = dir
	if s.incomplete, err = tx.Incomplete(ctx); err != nil {
		return nil, err
	}
	if err := s.readClock(); err != nil {
		return nil, err
	}
	return s, nil
}

// attempt runs one job. What it wrote counts only if it succeeds.
func (s *section) attempt(j *job) error {
	if done, err := s.attemptStaged(j); done {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	s.opened, s.told = nil, map[string]bool{}
	err := s.within(func() error { return j.run(s) })
	var r *Refusal
	if errors.As(err, &r) && r.leaf && j.refuse != nil {
		if err := s.within(func() error { return s.recordRefusal(j.caller, j.refuse, r) }); err != nil {
			return err
		}
	}
	return err
}

// attemptStaged runs a job on the stage. It is done when it succeeded, or was
// refused without a leaf; else it left nothing and the store decides.
func (s *section) attemptStaged(j *job) (done bool, err error) {
	if !s.staging || j.wants == nil {
		return false, nil
	}
	if err := s.gather(); err != nil {
		return false, err
	}
	s.opened, s.told = nil, map[string]bool{}
	dir, dirMark, evMark := s.dir, s.log[ledger.Dir].Mark(), s.log[ledger.Ev].Mark()
	s.stage.begin()
	s.tx = s.stage
	err = j.run(s)
	s.tx = s.store
	if err == nil && !s.stage.beyond {
		return true, nil
	}
	s.stage.rollback()
	s.dir = dir
	s.log[ledger.Dir].Rollback(dirMark)
	s.log[ledger.Ev].Rollback(evMark)
	var r *Refusal
	return !s.stage.beyond && errors.As(err, &r) && !r.leaf, err
}

// settle stores what the stage holds back and leaves it: a job that works on the
// store itself may change whatever the stage knows. After a failure nothing of
// the group may be kept.
func (s *section) settle() error {
	if s.stage != nil {
		if err := s.stage.settle(s.ctx); err != nil {
			s.unsettled = fmt.Errorf("%w: %w", errUnsettled, err)
		}
		s.stage = nil
	}
	return s.unsettled
}

// within runs f so that all it did counts, or nothing: in the store, in the
// trees and in the directory.
func (s *section) within(f func() error) error {
	dir, dirMark, evMark := s.dir, s.log[ledger.Dir].Mark(), s.log[ledger.Ev].Mark()
	err := s.store.Savepoint(s.ctx, f)
	if err != nil {
		s.dir = dir
		s.log[ledger.Dir].Rollback(dirMark)
		s.log[ledger.Ev].Rollback(evMark)
	}
	return err
}

// useNonces spends the nonces of all requests, whatever becomes of them, and
// refuses the jobs whose nonce was used before. The server's own writes have
// none.
func (s *section) useNonces(jobs []*job) error {
	var nonces []Nonce
	var signed []*job
	for _, j := range jobs {
		if j.err = nil; j.caller.Key != "" {
			nonces = append(nonces, Nonce{Key: j.caller.Key, Nonce: j.caller.Nonce})
			signed = append(signed, j)
		}
	}
	if len(nonces) == 0 {
		return nil
	}
	fresh, err := s.store.UseNonces(s.ctx, nonces, s.now)
	if err != nil {
		return err
	}
	for i, j := range signed {
		if !fresh[i] {
			j.err = refuse(Unauthentic, "nonce", "this request was received before").
				hint("sign the request again with a new nonce")
		}
	}
	return nil
}

// gather begins a stage, unless there is one: it reads ahead what the messages
// among the jobs to come will ask.
func (s *section) gather() (err error) {
	if s.stage != nil {
		return nil
	}
	var wants []*Wanted
	for _, j := range s.rest {
		if j.wants != nil && j.err == nil {
			wants = append(wants, j.wants)
		}
	}
	s.stage, err = newStage(s.ctx, s.store, wantAll(wants))
	return err
}

// flush writes what is held back, and the trees.
func (s *section) flush() error {
	if err := s.settle(); err != nil {
		return err
	}
	for _, l := range ledger.Logs {
		if _, err := s.log[l].Flush(s.ctx, s.at); err != nil {
			return err
		}
	}
	return nil
}

// draft is an event on its way into the ledger.
type draft struct {
	meta   evidence.Meta
	priv   evidence.Priv
	notice *messaging.Notice // what priv.Stmt parses to, when it is a message
	to     []string          // desks whose feeds get the opening, in order, each once
}

// newDraft fills what every leaf has.
func (s *section) newDraft(event, by, obj string) *draft {
	return &draft{
		meta: evidence.Meta{At: s.at, By: by, Dec: evidence.Allow, DirN: s.dir.N(), Ev: event, Obj: obj,
			Obl: []evidence.Obligation{}, To: []string{}, V: 1},
		priv: evidence.Priv{To: []evidence.Delivery{}, V: 1},
	}
}

// signed puts the complete statement into the draft.
func (d *draft) signed(stmt *statement.DSSE) *draft {
	d.priv.Stmt = stmt
	return d
}

// data puts what the server itself says into the draft.
func (d *draft) data(v any) (*draft, error) {
	raw, err := statement.Marshal(v)
	if err != nil {
		return nil, err
	}
	d.priv.Data = json.RawMessage(raw)
	return d, nil
}

// record gives the draft its place: it lets the rules derive what follows from
// it, commits to it, and stores leaf, opening and derived rows. It returns the
// item that answers the write.
func (s *section) record(d *draft) (evidence.Item, error) {
	if s.incomplete {
		return evidence.Item{}, ledgerIncomplete()
	}
	if err := s.place(d); err != nil {
		return evidence.Item{}, err
	}
	p := s.projection()
	event, err := p.event(&d.meta, &d.priv, d.notice)
	if err != nil {
		return evidence.Item{}, err
	}
	changes, err := p.derive(event)
	if err != nil {
		return evidence.Item{}, err
	}
	if err := p.describe(changes, &d.meta, &d.priv, event); err != nil {
		return evidence.Item{}, err
	}
	leaf, opening, err := evidence.Commit(&d.meta, &d.priv)
	if err != nil {
		return evidence.Item{}, err
	}
	if idx, err := s.log[ledger.Ev].Append(leaf); err != nil || idx != d.meta.Idx {
		return evidence.Item{}, fmt.Errorf("leaf at %d, want %d: %w", idx, d.meta.Idx, err)
	}
	if err := s.tx.PutOpening(s.ctx, d.meta.Idx, opening); err != nil {
		return evidence.Item{}, err
	}
	if err := p.store(&d.meta, &d.priv, event, changes); err != nil {
		return evidence.Item{}, err
	}
	s.opened = append(s.opened, changes.Opens...)
	for _, to := range d.priv.To {
		s.told[to.Desk] = true
	}
	return evidence.ItemOf(d.meta.Idx, 0, opening), nil
}

// place fixes index, predecessor and feed numbers.
func (s *section) place(d *draft) error {
	prev, err := s.tx.Last(s.ctx, d.meta.Obj)
	if err != nil {
		return err
	}
	d.meta.Idx, d.meta.Prev = s.log[ledger.Ev].Next(), prev
	seen := map[string]bool{}
	for _, desk := range d.to {
		if seen[desk] {
			continue
		}
		seen[desk] = true
		n, err := s.tx.FeedLast(s.ctx, desk)
		if err != nil {
			return err
		}
		d.priv.To = append(d.priv.To, evidence.Delivery{Desk: desk, N: n + 1})
	}
	if len(d.meta.To) == 0 {
		d.meta.To = s.typesOf(d.to)
	}
	return nil
}
