package obligation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// ledger writes events as an exchange would accept them: it numbers them,
// advances, and records. Roles are named in words; ids are made of them.
type ledger struct {
	t      testing.TB
	w      *testWorld
	book   *obligation.Memory
	events []obligation.Event
	now    int64
	idx    int64
}

func newLedger(t testing.TB, w *testWorld) *ledger {
	return &ledger{t: t, w: w, book: obligation.NewMemory(), idx: 100, now: ms(t, "2026-01-02 00:00")}
}

// at sets the time of the next events.
func (l *ledger) at(local string) *ledger {
	l.t.Helper()
	at := ms(l.t, local)
	if at < l.now {
		l.t.Fatalf("%s lies before the last event", local)
	}
	l.now = at
	return l
}

// try advances without recording.
func (l *ledger) try(ev obligation.Event) (obligation.Event, obligation.Changes, error) {
	ev.Idx, ev.At, ev.DirN = l.idx, l.now, 7
	if ev.Pack == "" && ev.Core == nil {
		ev.Pack = l.w.id
	}
	if d, ok := l.w.desk(ev.Desk); ok {
		ev.Inst, ev.Type = d.inst, d.typ
	}
	ch, err := obligation.Advance(l.book, l.w, ev)
	return ev, ch, err
}

// do advances and records.
func (l *ledger) do(ev obligation.Event) obligation.Changes {
	l.t.Helper()
	ev, ch, err := l.try(ev)
	if err != nil {
		l.t.Fatal(err)
	}
	l.record(ev, ch)
	return ch
}

func (l *ledger) record(ev obligation.Event, ch obligation.Changes) {
	l.book.Record(ev, ch)
	l.events = append(l.events, ev)
	l.idx++
}

// refused checks that an event is not admissible, and why.
func (l *ledger) refused(reason string, ev obligation.Event) {
	l.t.Helper()
	_, _, err := l.try(ev)
	var bad *obligation.ActError
	if !errors.As(err, &bad) || bad.Reason != reason {
		l.t.Errorf("refused with %v, want reason %s", err, reason)
	}
}

// message is what a test says of a message; the rest has defaults.
type message struct {
	name, kind, from string
	to               []string
	caseName         string
	subj             []string
	re, set          string
	occurred         string
	facts            map[string]string
	urg              string
	obl              []messaging.Act
}

// event makes the message an event. Names become ids.
func (l *ledger) event(m message) obligation.Event {
	from, _ := l.w.desk(id("d", m.from))
	c := &messaging.Core{
		Kind: m.kind, Msg: id("m", m.name), Case: id("c", m.caseName), From: messaging.From{Desk: from.id, Inst: from.inst},
		Created: l.now, Pack: l.w.id, Urg: m.urg, Facts: m.facts, Subj: []string{}, Cats: []string{}, Parts: []messaging.Part{},
		Obl: []messaging.Act{}, V: 1, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
		Dir: messaging.DirHead{N: 7, Root: make([]byte, 32)},
	}
	if c.Urg == "" {
		c.Urg = messaging.Regular
	}
	if c.Facts == nil {
		c.Facts = map[string]string{}
	}
	if m.caseName == "" {
		c.Case = ""
	}
	for _, d := range m.to {
		c.To = append(c.To, messaging.Recipient{Desk: id("d", d), Role: messaging.RoleTo, Epoch: 1, Ack: make([]byte, 32)})
	}
	c.To = append(c.To, messaging.Recipient{Desk: from.id, Role: messaging.RoleSelf, Epoch: 1, Ack: make([]byte, 32)})
	for _, p := range m.subj {
		c.Subj = append(c.Subj, id("p", p))
	}
	if m.re != "" {
		c.Re = id("m", m.re)
	}
	if m.set != "" {
		c.Set = id("n", m.set)
	}
	if m.occurred != "" {
		c.Occurred = ms(l.t, m.occurred)
	}
	c.Obl = append(c.Obl, m.obl...)
	return obligation.Event{Ev: obligation.EvSubmitted, Obj: c.Msg, Desk: from.id, Core: c}
}

func (l *ledger) send(m message) obligation.Changes {
	l.t.Helper()
	return l.do(l.event(m))
}

func (l *ledger) retrieved(msg, desk string) obligation.Changes {
	l.t.Helper()
	return l.do(receipt(obligation.EvRetrieved, msg, desk))
}

func (l *ledger) decrypted(msg, desk string) obligation.Changes {
	l.t.Helper()
	return l.do(receipt(obligation.EvDecrypted, msg, desk))
}

func receipt(ev, msg, desk string) obligation.Event {
	return obligation.Event{Ev: ev, Obj: id("x", ev+msg+desk), Desk: id("d", desk),
		Receipt: &obligation.Receipt{Msg: id("m", msg), Desk: id("d", desk)}}
}

func (l *ledger) link(cases ...string) {
	l.t.Helper()
	var ids []string
	for _, c := range cases {
		ids = append(ids, id("c", c))
	}
	l.do(obligation.Event{Ev: obligation.EvLink, Obj: id("x", "link"+strings.Join(cases, "")), Desk: id("d", "ppo"), Link: ids})
}

// grant lets a desk represent a person of a case.
func (l *ledger) grant(desk, caseName, subj, nb, na string, scope ...string) string {
	l.t.Helper()
	if scope == nil {
		scope = []string{"consent", "disclosures", obligation.ScopeDuties}
	}
	x := id("x", "grant"+desk+caseName+subj+nb)
	l.do(obligation.Event{Ev: obligation.EvGrant, Obj: x, Desk: id("d", "ngo"), Grant: &obligation.Grant{
		ID: x, Case: id("c", caseName), Desk: id("d", desk), Subj: []string{id("p", subj)}, Scope: scope,
		NB: ms(l.t, nb), NA: ms(l.t, na)}})
	return x
}

// narrowed takes desks out of a consent.
func (l *ledger) narrowed(consent string, ver int, caseName, subj, recorder string, blocked []obligation.Block, removed ...string) obligation.Changes {
	l.t.Helper()
	ch := &obligation.ConsentChange{Consent: id("k", consent), Ver: ver, Case: id("c", caseName), Subj: id("p", subj), Recorder: id("d", recorder)}
	for _, d := range removed {
		ch.Removed = append(ch.Removed, id("d", d))
	}
	return l.do(obligation.Event{Ev: "consent.narrowed", Obj: ch.Consent, Desk: ch.Recorder, Change: ch, Blocked: blocked})
}

// get finds a duty by what its message opened it, its rule and its parties.
func (l *ledger) get(obj, rule, obligee string) obligation.Obligation {
	l.t.Helper()
	list, err := l.book.Opened(obj, rule)
	if err != nil {
		l.t.Fatal(err)
	}
	list = slices.DeleteFunc(list, func(o obligation.Obligation) bool { return o.Obligee != obligee || o.Repeats || o.From != "" })
	if len(list) != 1 {
		l.t.Fatalf("%d duties of rule %s towards %s", len(list), rule, obligee)
	}
	return list[0]
}

// owed is a duty that a message opened.
func (l *ledger) owed(msg, rule, obligee string) obligation.Obligation {
	l.t.Helper()
	return l.get(id("m", msg), rule, id("d", obligee))
}

// view is how a duty stands at a local time.
func (l *ledger) view(o obligation.Obligation, local string) obligation.View {
	l.t.Helper()
	return o.View(ms(l.t, local), l.w.packs[o.Pack], l.w.cals[o.Pack])
}

// missing lists the missing replies at a time as "obligor→obligee rule".
func (l *ledger) missing(local string) []string {
	var list []string
	for _, o := range l.book.All() {
		if l.view(o, local).Missing {
			list = append(list, fmt.Sprintf("%s→%s %s", l.name(o.Obligor), l.name(o.Obligee), o.Rule))
		}
	}
	slices.Sort(list)
	return list
}

func (l *ledger) name(party string) string {
	if d, ok := l.w.desk(party); ok {
		return d.name
	}
	return "person"
}

// opens writes what an event opened as "obligor→obligee rule due".
func (l *ledger) opens(ch obligation.Changes) []string {
	var list []string
	for _, o := range ch.Opens {
		list = append(list, fmt.Sprintf("%s→%s %s %s", l.name(o.Obligor), l.name(o.Obligee), o.Rule, show(l.t, o.Due)))
	}
	return list
}

// moves writes what an event moved as "op rule state".
func (l *ledger) moves(ch obligation.Changes) []string {
	var list []string
	for _, m := range ch.Moves {
		list = append(list, fmt.Sprintf("%s %s %s", m.Op, m.O.Rule, m.O.State))
	}
	return list
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// refold checks that folding all events again gives the same book.
func (l *ledger) refold() {
	l.t.Helper()
	m, err := obligation.Fold(l.events, l.w)
	if err != nil {
		l.t.Fatal(err)
	}
	if a, b := toJSON(l.t, m), toJSON(l.t, l.book); a != b {
		l.t.Errorf("folding again differs:\n%s\n%s", a, b)
	}
}

func fulfilID(o obligation.Obligation) messaging.Act {
	return messaging.Act{Op: messaging.OpFulfil, ID: o.ID, Value: "known"}
}

func fulfilOf(msg, rule string) messaging.Act {
	return messaging.Act{Op: messaging.OpFulfil, Of: id("m", msg), Rule: rule, Value: "known"}
}

func act(op string, o obligation.Obligation) messaging.Act { return messaging.Act{Op: op, ID: o.ID} }
