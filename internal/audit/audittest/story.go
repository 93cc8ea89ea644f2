package audittest

import (
	"fmt"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// Entries of [World.Story], by what they are.
const (
	Given     = iota // consent.given, version 1, two signatures
	Concern          // message under it
	Retrieved        // receipt
	Decrypted        // receipt
	Answer           // message that fulfils
	Again            // another message, which opens what nobody answers
	Silence          // the exchange's own word on what is still owed
	Narrowed         // consent.narrowed, version 2
	Change           // notice.consent_change
	Withdrawn        // consent.withdrawn, version 3
	Refused          // message.refused
	StoryEnd
)

// ConsentID is the consent of the story.
func ConsentID() string { return ID("k", "1") }

// Story records a few entries that show most of what there is.
func (w *World) Story() {
	cas := ID("c", "1")
	w.Record(w.consent(consent.Given, 1, []string{ID("i", "B"), ID("i", "C")}, Officer("A", 1), Officer("B", 2)))
	core := w.Core("A", "B", "concern", "1")
	core.Basis = messaging.Basis{Code: "leave", Purpose: "passage", Consents: []messaging.ConsentRef{{ID: ConsentID(), Ver: 1}}}
	core.Facts = map[string]string{"tide": "high"}
	w.Record(w.Message("A", core, evidence.Consent{ID: ConsentID(), Idx: Given, Ver: 1}))
	w.receipt(evidence.MessageRetrieved, core, cas)
	w.receipt(evidence.MessageDecrypted, core, cas)
	w.answer(core)
	w.Record(w.peril("1"))
	w.silence()
	w.Record(w.consent(consent.Narrowed, 2, []string{ID("i", "C")}, Officer("A", 1)))
	w.change()
	w.Record(w.consent(consent.Withdrawn, 3, []string{ID("i", "C")}, Officer("A", 1)))
	w.refuse()
}

func (w *World) consent(act consent.Act, ver int, to []string, signers ...string) *Draft {
	st := consent.Statement{Head: w.Head(act.Event(), ConsentID(), ID("c", "1"), "A"), Age: "of-age", Cats: []string{"name"}, Channel: "quay",
		Form: "spoken", Method: "log-book", From: []string{ID("i", "A")}, Grantor: consent.Grantor{H: ID("p", "1"), Rel: "self"},
		Interp: "none", Lang: "sr", NA: Start + 25*Day, NB: Start, Onward: []string{}, Opinion: "agrees", Prev: ver - 1, Purposes: []string{"passage"},
		Subj: ID("p", "1"), Text: consent.Text{SHA256: hash("text"), Ver: 1}, To: to, Told: []string{"peril"}, Understood: true, Ver: ver}
	d := w.Draft(act.Event(), ConsentID(), "A")
	d.Priv.Case, d.Priv.Stmt = st.Case, w.Sign(statement.TypeOfEvent(act.Event()), st, signers...)
	d.Priv.Pack, d.Priv.Cal = w.Pack.Hash(), w.Calendar(PackID, 0).Hash()
	d.Desks = []string{ID("d", "A")}
	d.Event.Case, d.Event.Pack, d.Event.Subj = st.Case, PackID, []string{st.Subj}
	d.Event.Change = &obligation.ConsentChange{Consent: st.ID, Ver: ver, Case: st.Case, Subj: st.Subj, Recorder: st.By.Desk}
	if act == consent.Narrowed {
		d.Event.Change.Removed = []string{ID("d", "B")}
	}
	return d
}

func (w *World) receipt(event string, core *messaging.Core, cas string) {
	head := w.Head(event, ID("x", event), cas, "B")
	var body any = messaging.Retrieved{Head: head, Desk: ID("d", "B"), Env: w.Priv(Concern).Env, Msg: core.Msg}
	if event == evidence.MessageDecrypted {
		secret := messaging.AckSecret(Seed("rs"), ID("d", "B"))
		body = messaging.Decrypted{Head: head, Desk: ID("d", "B"), Msg: core.Msg, Secret: secret[:]}
	}
	d := w.Draft(event, core.Msg, "B")
	d.Priv.Case, d.Priv.Stmt = cas, w.Sign(statement.TypeOfEvent(event), body, Officer("B", 1))
	d.Desks = []string{ID("d", "B"), ID("d", "A")}
	d.Event.Case, d.Event.Receipt = cas, &obligation.Receipt{Msg: core.Msg, Desk: ID("d", "B")}
	w.Record(d)
}

// answer fulfils what rule answer-high opened.
func (w *World) answer(to *messaging.Core) {
	core := w.Core("B", "A", "answer", "1")
	core.Re, core.Subj = to.Msg, to.Subj
	core.Obl = []messaging.Act{{Op: messaging.OpFulfil, ID: w.Opened(Concern, "answer-high").O, Value: "known"}}
	w.Record(w.Message("B", core))
}

// Opened is an obligation that an entry opened.
func (w *World) Opened(idx int64, rule string) evidence.Opened {
	for _, o := range w.privs[idx].Opens {
		if o.Rule == rule {
			return o
		}
	}
	w.t.Fatalf("entry %d opened no %s", idx, rule)
	return evidence.Opened{}
}

func (w *World) silence() {
	o := w.Opened(Again, "monthly-word")
	d := w.Draft(evidence.Silence, ID("x", "silence"), "")
	d.Priv.Data = raw(evidence.DutyData{Due: o.Due, O: o.O, Obligee: o.EE, Obligor: o.OR, Rule: o.Rule, Size: d.Meta.Idx, State: "open"})
	d.Meta.To, d.Desks = []string{"guild", "harbour-office"}, []string{o.EE, o.OR}
	w.Record(d)
}

func (w *World) change() {
	o := w.Opened(Narrowed, "let-go")
	d := w.Draft(evidence.NoticeConsentChange, ConsentID(), "")
	d.Priv.Case = ID("c", "1")
	d.Priv.Data = raw(evidence.ConsentChangeData{Act: "narrowed", Consent: ConsentID(), Due: o.Due, O: o.O, Ver: 2})
	d.Meta.To, d.Desks = []string{"harbour-office"}, []string{o.OR}
	w.Record(d)
}

func (w *World) refuse() {
	id := ID("m", "refused")
	d := w.Draft(evidence.MessageRefused, id, "A")
	d.Meta.Dec, d.Meta.From = evidence.Refuse("consent_status"), ""
	d.Priv.Data = raw(evidence.RefusedData{Code: "consent_status", Count: 1, IDs: []string{id}, Key: statement.KeyID(Key(Officer("A", 1)).Public())})
	d.Meta.To, d.Desks = []string{"guild"}, []string{ID("d", "A")}
	w.Record(d)
}

// Fill records n messages about matters of their own.
func (w *World) Fill(n int) {
	for i := range n {
		w.Record(w.peril(fmt.Sprint("fill/", i)))
	}
}

func (w *World) peril(cas string) *Draft {
	core := w.Core("A", "B", "concern", cas)
	core.Basis = messaging.Basis{Code: "peril", Purpose: "passage", Necessity: "storm"}
	core.Facts = map[string]string{"tide": "low"}
	return w.Message("A", core)
}

// Erase records that openings are gone, keeping what they opened or moved.
func (w *World) Erase(indexes ...int64) int64 {
	data := evidence.ErasureData{Erased: []evidence.Erased{}, Ground: "request"}
	for _, idx := range indexes {
		w.keep(idx)
		data.Erased = append(data.Erased, evidence.Erased{Idx: idx, To: w.privs[idx].To})
		w.Erased[idx] = true
	}
	d := w.Draft(evidence.ErasureDone, fmt.Sprintf("erasure-%d", len(w.Openings)), "")
	d.Priv.Data = raw(data)
	d.Meta.To, d.Desks = []string{"guild"}, []string{ID("d", "A")}
	return w.Record(d)
}

func (w *World) keep(idx int64) {
	seen := map[string]bool{}
	for _, o := range w.privs[idx].Opens {
		if seen[o.O] {
			continue
		}
		seen[o.O] = true
		duty, _, _ := w.book.Obligation(o.O)
		kept := obligation.Keep(duty, w.At)
		d := w.Draft(evidence.ObligationKept, o.O, "")
		d.Priv.Data, d.Event.Kept = raw(kept), &kept
		d.Meta.To, d.Desks = []string{"guild"}, []string{ID("d", "A")}
		w.Record(d)
	}
}
