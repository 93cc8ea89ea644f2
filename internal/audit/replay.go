package audit

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// MaxReplay is how many events and obligations are remembered to derive what
// follows from them, about a KiB each. A larger bundle is verified in everything else, and
// the report says up to which entry obligations were derived.
const MaxReplay = 100_000

// replay derives again what the rules make of the openings: decisions to send,
// and obligations. It stops, and says so, where the openings no longer suffice.
type replay struct {
	v    *bundleVerifier
	book *obligation.Memory
	dirn int64 // directory of the event at hand
	at   int64
	cals map[string]*obligation.Calendar

	consents  map[string]*consent.Record
	conflicts []consent.Exclusion
	grants    []obligation.Grant
	ended     map[string]bool
	disclosed map[string][]disclosure
	blocked   map[obligation.Block]bool

	acks map[string][]messaging.Recipient // of messages nobody said yet to have opened

	coverable map[string][]coverable // case -> entries
	persons   map[string][]string    // message -> persons

	size    int   // what the book remembers
	stopped *Fact // why obligations are not derived any more
	holes   bool
	done    tally
	whole   tally    // done before the first hole
	doubts  findings // after the first hole: they count only if it is an erasure
}

// tally is how far obligations were derived, and how many.
type tally struct{ duties, upTo int64 }

func newReplay(v *bundleVerifier) *replay {
	return &replay{v: v, book: obligation.NewMemory(), cals: map[string]*obligation.Calendar{}, consents: map[string]*consent.Record{},
		ended: map[string]bool{}, disclosed: map[string][]disclosure{}, blocked: map[obligation.Block]bool{},
		acks: map[string][]messaging.Recipient{}, coverable: map[string][]coverable{}, persons: map[string][]string{}}
}

// take derives again what one opening did.
func (r *replay) take(c *checked, holes bool) {
	r.dirn, r.at, r.holes = c.meta.DirN, c.meta.At, holes
	if r.stopped != nil {
		return
	}
	if r.size >= r.v.remember {
		r.stop(fact(FactTooMany, r.v.remember))
		return
	}
	if err := r.one(c); err != nil {
		r.find(c.meta.Idx, err.Error())
	}
	if r.stopped != nil {
		return
	}
	r.done.upTo = c.meta.Idx + 1
	if !holes {
		r.whole = r.done
	}
}

func (r *replay) stop(why Fact) {
	r.stopped, r.book = &why, obligation.NewMemory()
	r.disclosed, r.blocked, r.consents, r.acks, r.coverable, r.persons = nil, nil, nil, nil, nil, nil
}

// find notes a difference. After a hole that no erasure explains it may come
// from what is not shown.
func (r *replay) find(idx int64, what string) {
	if r.holes {
		r.doubts.entry(ledger.Ev, idx, "%s", what)
		return
	}
	r.v.found.entry(ledger.Ev, idx, "%s", what)
}

func (r *replay) one(c *checked) error {
	if needs := r.missingPack(c); needs != "" {
		r.stop(fact(FactNoPack, needs))
		return nil
	}
	if err := r.decide(c); err != nil {
		r.find(c.meta.Idx, err.Error())
	}
	if err := r.opened(c); err != nil {
		r.find(c.meta.Idx, err.Error())
	}
	if err := r.handedOver(c); err != nil {
		r.find(c.meta.Idx, err.Error())
	}
	ev := r.eventOf(c)
	changes, err := obligation.Replay(r.book, r, ev, r.holes)
	if err != nil {
		return errors.New("the rules do not derive what it lists: " + err.Error())
	}
	if err := r.listed(c, changes); err != nil && !r.holes {
		r.find(c.meta.Idx, err.Error())
	}
	r.done.duties += int64(len(changes.Opens))
	r.record(c, ev, changes)
	return nil
}

// opened wants the secret of a receipt of opening to be the one that the message
// committed to for that desk: only who decrypted it can know it.
func (r *replay) opened(c *checked) error {
	b, ok := c.said.body.(*messaging.Decrypted)
	if !ok {
		return nil
	}
	core := messaging.Core{To: r.acks[b.Msg]}
	if len(core.To) == 0 && r.holes {
		return nil
	}
	return core.CheckAck(b.Desk, b.Secret)
}

// missingPack names the pack that a signed statement was accepted under, if the
// bundle does not hold it.
func (r *replay) missingPack(c *checked) string {
	if c.said.pack == "" {
		return ""
	}
	if _, ok := r.v.packs.Get(c.said.pack); ok {
		return ""
	}
	return c.said.pack
}

// listed compares what was derived with what PRIV and META list.
func (r *replay) listed(c *checked, ch obligation.Changes) error {
	var opens []evidence.Opened
	var moves []evidence.Move
	traces := []evidence.Obligation{}
	for _, o := range ch.Opens {
		opens = append(opens, evidence.Opened{Due: o.Due, EE: o.Obligee, N: o.N, O: o.ID, OR: o.Obligor, Rule: o.Rule})
		traces = append(traces, r.trace("open", &o))
	}
	for _, m := range ch.Moves {
		moves = append(moves, evidence.Move{O: m.O.ID, Op: m.Op, State: string(m.O.State)})
		traces = append(traces, r.trace(m.Op, &m.O))
	}
	switch {
	case !sameList(opens, c.priv.Opens, func(o evidence.Opened) string { return o.O }):
		return errors.New("opens: not the obligations that the rules derive")
	case !sameList(moves, c.priv.Moves, func(m evidence.Move) string { return m.O + m.Op + m.State }):
		return errors.New("moves: not what the rules derive")
	case !sameList(traces, c.meta.Obl, func(o evidence.Obligation) string { return o.O + o.Op }):
		return errors.New("obl: not the trace of its opens and moves")
	case len(ch.Opens) > 0 && c.priv.Cal != ch.Opens[0].Cal:
		return errors.New("cal: not the calendar of the pack and the directory")
	}
	return nil
}

func sameList[T comparable](a, b []T, key func(T) string) bool {
	order := func(x, y T) int { return cmp.Compare(key(x), key(y)) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

func (r *replay) trace(op string, o *obligation.Obligation) evidence.Obligation {
	return evidence.Obligation{Due: o.Due, EE: r.instOf(o.Obligee), O: o.ID, Op: op, OR: r.instOf(o.Obligor), Rule: o.Rule}
}

func (r *replay) instOf(party string) string {
	if statement.IsID(party, statement.Person) {
		return "person"
	}
	return r.v.dir.At(r.dirn).InstOfDesk(party)
}

// record remembers an event for those after it.
func (r *replay) record(c *checked, ev obligation.Event, ch obligation.Changes) {
	r.book.Record(ev, ch)
	r.cover(c)
	r.size += len(ch.Opens) + 1
	if ev.Grant != nil {
		r.grants = append(r.grants, *ev.Grant)
	}
	for _, id := range ev.GrantEnds {
		r.ended[id] = true
	}
	for _, b := range ev.Blocked {
		r.blocked[b] = true
	}
	switch b := c.said.body.(type) {
	case *messaging.Notice:
		r.acks[b.Core.Msg] = b.Core.Others()
		for _, used := range c.priv.Cons {
			r.disclosed[used.ID] = append(r.disclosed[used.ID], disclosure{b.Core.Msg, b.Core.From.Inst, b.Core})
		}
	case *consent.Statement:
		r.version(c, b)
	case *consent.ConflictSet:
		r.conflicts = append(r.conflicts, consent.Excluding(b, c.meta.Idx, c.meta.At))
	case *consent.ConflictLifted:
		r.lift(c, b)
	}
}

func (r *replay) version(c *checked, st *consent.Statement) {
	record := r.consents[st.ID]
	if record == nil {
		record = &consent.Record{ID: st.ID}
		r.consents[st.ID] = record
	}
	// After a hole the version before may be what was erased.
	if err := record.Append(consent.Recorded(st, c.meta.Idx, c.meta.At)); err != nil && !r.holes {
		r.find(c.meta.Idx, strings.TrimPrefix(err.Error(), "consent: "))
	}
}

func (r *replay) lift(c *checked, lifted *consent.ConflictLifted) {
	for i := range r.conflicts {
		if r.conflicts[i].ID == lifted.Of {
			if err := r.conflicts[i].Lift(lifted, c.meta.Idx, c.meta.At); err != nil {
				r.find(c.meta.Idx, strings.TrimPrefix(err.Error(), "consent: "))
			}
			return
		}
	}
	if !r.holes {
		r.find(c.meta.Idx, "lifts an exclusion that is not on record")
	}
}

// finish lets what was found after a hole count if every hole is an erasure.
func (r *replay) finish(complete bool) {
	counts, done := r.v.report.Bundle, r.whole
	if complete {
		done = r.done
		for _, f := range r.doubts {
			r.v.found.put(f)
		}
	}
	if !complete && r.stopped == nil {
		hidden := fact(FactHidden)
		r.stopped = &hidden
	}
	counts.Duties, counts.DutiesUpTo = done.duties, done.upTo
	r.v.undone = r.stopped
}
