package audittest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// Draft is an entry on its way into the ledger.
type Draft struct {
	Meta  evidence.Meta
	Priv  evidence.Priv
	Desks []string // that get it
	Event obligation.Event
}

// Draft starts an entry by a house ("" for the exchange itself).
func (w *World) Draft(event, obj, house string) *Draft {
	d := &Draft{Meta: evidence.Meta{At: w.At, By: evidence.System, Dec: evidence.Allow, DirN: w.Dir.N(), Ev: event, Obj: obj,
		Idx: int64(len(w.Openings)), Obl: []evidence.Obligation{}, To: []string{}, V: 1}, Priv: evidence.Priv{To: []evidence.Delivery{}, V: 1}}
	d.Event = obligation.Event{Idx: d.Meta.Idx, At: w.At, DirN: d.Meta.DirN, Ev: event, Obj: obj}
	if house != "" {
		d.Meta.By = ID("i", house) + "/" + ID("d", house)
		d.Meta.From = w.Dir.TypeOfDesk(ID("d", house))
		d.Event.Desk, d.Event.Inst, d.Event.Type = ID("d", house), ID("i", house), d.Meta.From
	}
	return d
}

// Record derives what follows from the entry, commits to it and appends it.
func (w *World) Record(d *Draft) int64 {
	w.t.Helper()
	w.Derive(d)
	return w.Append(d)
}

// Derive gives the entry its place and lists what the rules derive from it.
func (w *World) Derive(d *Draft) {
	w.t.Helper()
	w.place(d)
	changes, err := obligation.Advance(w.book, rulesWorld{w}, d.Event)
	if err != nil {
		w.t.Fatalf("entry %d, %s: %v", d.Meta.Idx, d.Meta.Ev, err)
	}
	w.describe(d, changes)
	w.book.Record(d.Event, changes)
}

// Reseal makes PRIV.env fit a statement that was changed.
func (d *Draft) Reseal() {
	raw, err := d.Priv.Stmt.Encode()
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	d.Priv.Env = hex.EncodeToString(sum[:])
}

// place fixes predecessor and feed numbers.
func (w *World) place(d *Draft) {
	d.Meta.Prev = -1
	if last, ok := w.last[d.Meta.Obj]; ok {
		d.Meta.Prev = last
	}
	w.last[d.Meta.Obj] = d.Meta.Idx
	for i, desk := range d.Desks {
		if slices.Contains(d.Desks[:i], desk) {
			continue
		}
		w.feeds[desk]++
		d.Priv.To = append(d.Priv.To, evidence.Delivery{Desk: desk, N: w.feeds[desk]})
		d.Event.To = append(d.Event.To, desk)
	}
}

func (w *World) describe(d *Draft, ch obligation.Changes) {
	trace := func(op string, o obligation.Obligation) evidence.Obligation {
		return evidence.Obligation{Due: o.Due, EE: w.instOf(o.Obligee), O: o.ID, Op: op, OR: w.instOf(o.Obligor), Rule: o.Rule}
	}
	for _, o := range ch.Opens {
		d.Priv.Opens = append(d.Priv.Opens, evidence.Opened{Due: o.Due, EE: o.Obligee, N: o.N, O: o.ID, OR: o.Obligor, Rule: o.Rule})
		d.Meta.Obl = append(d.Meta.Obl, trace("open", o))
	}
	for _, m := range ch.Moves {
		d.Priv.Moves = append(d.Priv.Moves, evidence.Move{O: m.O.ID, Op: m.Op, State: string(m.O.State)})
		d.Meta.Obl = append(d.Meta.Obl, trace(m.Op, m.O))
	}
	if len(ch.Opens) > 0 {
		d.Priv.Pack, d.Priv.Cal = w.Pack.Hash(), ch.Opens[0].Cal
	}
}

func (w *World) instOf(party string) string {
	if statement.IsID(party, statement.Person) {
		return "person"
	}
	return w.Dir.InstOfDesk(party)
}

// Append commits to an entry as it is, right or wrong, and appends it.
func (w *World) Append(d *Draft) int64 {
	w.t.Helper()
	return w.Commit(d, raw(d.Meta), raw(d.Priv))
}

// Commit appends an entry whose halves may differ from the draft, even in form.
func (w *World) Commit(d *Draft, meta, priv []byte) int64 {
	w.t.Helper()
	o := evidence.Opening{Meta: meta, Priv: priv, RM: Seed(fmt.Sprint("rm/", d.Meta.Idx)), RP: Seed(fmt.Sprint("rp/", d.Meta.Idx))}
	leaf, err := o.Leaf()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := storagetest.Append(w.Memory, ledger.Ev, w.At, leaf); err != nil {
		w.t.Fatal(err)
	}
	w.Openings = append(w.Openings, o)
	w.privs, w.metas = append(w.privs, &d.Priv), append(w.metas, &d.Meta)
	w.At += 60 * 1000
	return d.Meta.Idx
}

// Priv is the parties' half of an entry.
func (w *World) Priv(idx int64) *evidence.Priv { return w.privs[idx] }

// Meta is the other half.
func (w *World) Meta(idx int64) *evidence.Meta { return w.metas[idx] }

// Sign signs a payload by officers' labels.
func (w *World) Sign(payloadType string, payload any, labels ...string) *statement.DSSE {
	w.t.Helper()
	d, err := statement.Sign(context.Background(), payloadType, raw(payload))
	for _, l := range labels {
		if err == nil {
			err = d.AddSignature(context.Background(), Key(l))
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// Head is the head of a statement by the first officer of a house.
func (w *World) Head(event, id, cas, house string) statement.Head {
	return statement.Head{At: w.At, By: statement.By{Desk: ID("d", house), Inst: ID("i", house),
		Key: statement.KeyID(Key(Officer(house, 1)).Public())}, Case: cas, DirN: w.Dir.N(), Ev: event, ID: id, Pack: PackID, V: 1}
}

// Core is a message from one house to another, to be completed.
func (w *World) Core(from, to, kind, cas string) *messaging.Core {
	w.ids++
	recipient := func(house, role string) messaging.Recipient {
		secret := messaging.AckSecret(Seed("rs"), ID("d", house))
		ack := messaging.AckCommitment(secret)
		return messaging.Recipient{Ack: ack[:], Desk: ID("d", house), Epoch: 1, RK: hash("rk/" + house), Role: role}
	}
	return &messaging.Core{Basis: messaging.Basis{Code: "statute", Purpose: "passage", Ref: "s. 5"}, Case: ID("c", cas), Cats: []string{"name"},
		Created: w.At, Dir: messaging.DirHead{N: w.Dir.N(), Root: Seed("root")}, Facts: map[string]string{},
		From: messaging.From(w.Head("", "", "", from).By), Kind: kind, Msg: ID("m", fmt.Sprint(w.ids)), Obl: []messaging.Act{},
		Pack: PackID, Parts: []messaging.Part{}, Subj: []string{ID("p", cas)},
		To: []messaging.Recipient{recipient(to, messaging.RoleTo), recipient(from, messaging.RoleSelf)}, Urg: messaging.Regular, V: 1}
}

// Message makes the entry of an accepted message, signed with the key it names.
func (w *World) Message(house string, core *messaging.Core, cons ...evidence.Consent) *Draft {
	w.t.Helper()
	stmt := w.Sign(statement.TypeNotice, messaging.Payload{Body: messaging.Part{Len: 7300, SHA256: hash("body")}, Core: *core, V: 1}, labelOf(core.From.Key))
	n, err := messaging.Parse(stmt)
	if err != nil {
		w.t.Fatal(err)
	}
	d := w.Draft(evidence.MessageSubmitted, core.Msg, house)
	d.Meta.Kind, d.Meta.Re = core.Kind, core.Re
	d.Priv.Case, d.Priv.Cons, d.Priv.Stmt = core.Case, cons, stmt
	d.Priv.Env = hex.EncodeToString(n.Digest[:])
	d.Priv.Pack, d.Priv.Cal = w.Pack.Hash(), w.Calendar(PackID, 0).Hash()
	d.Desks = []string{core.From.Desk}
	for _, r := range core.Others() {
		d.Meta.To = append(d.Meta.To, w.Dir.TypeOfDesk(r.Desk))
		d.Desks = append(d.Desks, r.Desk)
	}
	d.Event.Core, d.Event.Pack, d.Event.Case, d.Event.Subj = core, core.Pack, core.Case, core.Subj
	return d
}

// Stranger is the label of a key that nobody enrolled.
const Stranger = "stranger"

// labelOf finds the label of a key.
func labelOf(keyID string) string {
	for _, letter := range []string{"A", "B", "C"} {
		for n := 1; n <= 2; n++ {
			if statement.KeyID(Key(Officer(letter, n)).Public()) == keyID {
				return Officer(letter, n)
			}
		}
	}
	return Stranger
}

// TypeOf, Function and Calendar are what the rules ask of the world.
func (w *World) TypeOf(_ int64, desk string) string { return w.Dir.TypeOfDesk(desk) }

// Function finds no desk: the pack of the tests asks for none.
func (w *World) Function(int64, string, string, string) (string, bool) { return "", false }

// Calendar is the pack's, for the directory declares no days here.
func (w *World) Calendar(string, int64) *obligation.Calendar {
	return obligation.NewCalendar(w.Pack.Calendar, w.Pack.Location(), nil)
}

var _ obligation.World = rulesWorld{}

type rulesWorld struct{ *World }

// Pack is the pack of the tests.
func (w rulesWorld) Pack(id string) (*rules.Pack, bool) { return w.World.Packs.Get(id) }
