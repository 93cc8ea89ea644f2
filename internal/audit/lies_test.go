package audit_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging"
)

// lie is an entry that an exchange could commit to and should not have: right in
// form and under its signature, wrong in what it says.
type lie struct {
	name string
	tell func(w *audittest.World)
	want string // part of the finding, after "ev entry N: "
}

// concern is a message that would be accepted, changed by edit before it is
// signed.
func concern(w *audittest.World, edit func(c *messaging.Core)) *audittest.Draft {
	core := w.Core("A", "B", "concern", "lie")
	core.Basis = messaging.Basis{Code: "peril", Purpose: "passage", Necessity: "storm"}
	core.Facts = map[string]string{"tide": "low"}
	if edit != nil {
		edit(core)
	}
	return w.Message("A", core)
}

// told records the entry after the rules derived its duties, then lets change
// falsify it.
func told(edit func(c *messaging.Core), change func(w *audittest.World, d *audittest.Draft)) func(w *audittest.World) {
	return func(w *audittest.World) {
		d := concern(w, edit)
		w.Derive(d)
		if change != nil {
			change(w, d)
		}
		w.Append(d)
	}
}

func resign(w *audittest.World, d *audittest.Draft, labels ...string) {
	again := w.Sign(d.Priv.Stmt.PayloadType, json.RawMessage(d.Priv.Stmt.Payload), labels...)
	d.Priv.Stmt.Signatures = again.Signatures
}

var lies = []lie{
	{"time before the last", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.At -= audittest.Day }), "at: "},
	{"directory smaller than before", func(w *audittest.World) {
		w.Directory(&directory.CalendarDay{Zone: "Etc/UTC", Date: "2026-05-05", Off: true, Ref: "decree"}, "delegate/1", "delegate/2")
		told(nil, nil)(w)
		told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.DirN-- })(w)
	}, "dirn: "},
	{"directory larger than there is", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.DirN++ }), "dirn: "},
	{"no predecessor where there is one", func(w *audittest.World) {
		d := w.Draft(evidence.NoticeConsentChange, audittest.ConsentID(), "")
		d.Priv.Data = w.Priv(audittest.Change).Data
		d.Meta.Prev = -1
		w.Append(d)
	}, "prev: "},
	{"a predecessor where there is none", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Prev = 3 }), "prev: "},
	{"a feed number given before", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.To[0].N-- }), "was given before"},
	{"a feed number left out", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.To[0].N++ }), "leaves out 1"},
	{"a feed of nobody", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.To[0].Desk = audittest.ID("d", "?") }), "is no desk"},
	{"somebody else's institution", told(nil, func(_ *audittest.World, d *audittest.Draft) {
		d.Meta.By = audittest.ID("i", "B") + "/" + audittest.ID("d", "A")
	}), "by: "},
	{"another kind", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Kind = "answer" }), "kind, re or case"},
	{"another case", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Case = audittest.ID("c", "other") }), "case: "},
	{"another object", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Obj = audittest.ID("m", "other") }), "obj: "},
	{"another envelope", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Env = strings.Repeat("0", 64) }), "env: "},
	{"another sender's type", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.From = "magistrate" }), "from: "},
	{"another recipient's type", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.To = []string{"guild"} }), "to: "},
	{"a refusal that was signed", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Dec = "refuse:basis" }), "dec: "},
	{"a pack nobody adopted", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Pack = strings.Repeat("0", 64) }), "pack: "},
	{"another calendar", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Cal = strings.Repeat("0", 64) }), "cal: "},
	{"a duty later than the rules say", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Opens[0].Due++ }), "opens: "},
	{"a duty left out", told(nil, func(_ *audittest.World, d *audittest.Draft) {
		d.Priv.Opens, d.Meta.Obl = d.Priv.Opens[1:], d.Meta.Obl[1:]
	}), "the rules do not derive"},
	{"a duty hidden from oversight", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Obl = d.Meta.Obl[1:] }), "obl: "},
	{"a signature altered", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Stmt.Signatures[0].Sig[9] ^= 1; d.Reseal() }), "signature does not verify"},
	{"signed by another officer", told(nil, func(w *audittest.World, d *audittest.Draft) {
		resign(w, d, audittest.Officer("B", 1))
		d.Reseal()
	}), "signed"},
	{"by an officer for a desk not hers", told(func(c *messaging.Core) {
		c.From.Key = statement.KeyID(audittest.Key(audittest.Officer("C", 1)).Public())
	}, nil), "member"},
	{"by a key never enrolled", told(func(c *messaging.Core) {
		c.From.Key = statement.KeyID(audittest.Key(audittest.Stranger).Public())
	}, nil), "was not enrolled"},
	{"to a key that is not the desk's", told(func(c *messaging.Core) { c.To[0].RK = strings.Repeat("0", 64) }, nil), "core.to: "},
	{"let pass against the matrix", func(w *audittest.World) {
		core := w.Core("A", "B", "concern", "lie")
		core.Facts = map[string]string{"tide": "low"}
		d := w.Message("A", core) // statute: not for this cell
		w.Derive(d)
		w.Append(d)
	}, "the rules refuse this message (basis"},
	{"let pass after the withdrawal", func(w *audittest.World) {
		core := w.Core("A", "C", "concern", "1")
		core.Basis = messaging.Basis{Code: "leave", Purpose: "passage", Consents: []messaging.ConsentRef{{ID: audittest.ConsentID(), Ver: 3}}}
		core.Facts = map[string]string{"tide": "low"}
		d := w.Message("A", core, evidence.Consent{ID: audittest.ConsentID(), Idx: audittest.Withdrawn, Ver: 3})
		w.Derive(d)
		w.Append(d)
	}, "the rules refuse this message"},
	{"a consent it does not rest on", told(nil, func(_ *audittest.World, d *audittest.Draft) {
		d.Priv.Cons = []evidence.Consent{{ID: audittest.ConsentID(), Idx: 0, Ver: 1}}
	}), "cons: "},
	{"silence about another tree", func(w *audittest.World) {
		d := w.Draft(evidence.Silence, audittest.ID("x", "lie"), "")
		d.Meta.Prev = -1
		var duty evidence.DutyData
		json.Unmarshal(w.Priv(audittest.Silence).Data, &duty)
		d.Priv.Data, _ = statement.Marshal(duty)
		w.Append(d)
	}, "size: "},
	{"a message without its statement", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Priv.Stmt = nil }), "no signed statement"},
	{"an event nobody knows", told(nil, func(_ *audittest.World, d *audittest.Draft) { d.Meta.Ev = "message.vanished" }), "payload type"},
	{"data nobody expects", func(w *audittest.World) {
		d := w.Draft(evidence.ClockAccepted, audittest.ID("x", "lie"), "")
		d.Meta.Prev, d.Priv.Data = -1, json.RawMessage(`{"jump":1,"more":2}`)
		w.Append(d)
	}, "data: "},
	{"an erasure of what is shown", func(w *audittest.World) {
		d := w.Draft(evidence.ErasureDone, "erasure-lie", "")
		d.Meta.Prev = -1
		d.Priv.Data, _ = statement.Marshal(evidence.ErasureData{Erased: []evidence.Erased{{Idx: 2, To: []evidence.Delivery{}}}, Ground: "request"})
		w.Append(d)
	}, "erased: entry 2 is shown"},
	{"an erasure of what is to come", func(w *audittest.World) {
		d := w.Draft(evidence.ErasureDone, "erasure-lie", "")
		d.Meta.Prev = -1
		d.Priv.Data, _ = statement.Marshal(evidence.ErasureData{Erased: []evidence.Erased{{Idx: 2000, To: []evidence.Delivery{}}}, Ground: "request"})
		w.Append(d)
	}, "erased: 2000 is no earlier entry"},
	{"a grant of more than there was", func(w *audittest.World) { w.Append(granted(w, audittest.Given, audittest.Concern, audittest.Again)) }, "hist: "},
	{"a grant of less", func(w *audittest.World) { w.Append(granted(w, audittest.Concern)) }, "hist: "},
	{"a grant without its history", func(w *audittest.World) {
		d := granted(w)
		d.Priv.Hist = nil
		w.Append(d)
	}, "hist: "},
	{"a history of no grant", told(nil, func(_ *audittest.World, d *audittest.Draft) {
		hist := evidence.HistoryOf(nil)
		d.Priv.Hist = &hist
	}), "hist: only a grant"},
	{"opened without the secret", func(w *audittest.World) {
		d := w.Draft(evidence.MessageDecrypted, w.Meta(audittest.Concern).Obj, "B")
		d.Meta.Prev = audittest.Decrypted
		d.Priv.Case = audittest.ID("c", "1")
		d.Priv.Stmt = w.Sign(statement.TypeOfEvent(evidence.MessageDecrypted), messaging.Decrypted{
			Head: w.Head(evidence.MessageDecrypted, audittest.ID("x", "lie"), d.Priv.Case, "B"),
			Desk: audittest.ID("d", "B"), Msg: d.Meta.Obj, Secret: make([]byte, 32)}, audittest.Officer("B", 1))
		w.Append(d)
	}, "not the secret"},
}

// granted is a grant that hands over messages about the person of the story.
func granted(w *audittest.World, before ...int64) *audittest.Draft {
	id, cas := audittest.ID("x", "grant"), audittest.ID("c", "1")
	d := w.Draft(evidence.RepGrant, id, "A")
	d.Meta.Prev = -1
	d.Priv.Case = cas
	d.Priv.Stmt = w.Sign(statement.TypeOfEvent(evidence.RepGrant), evidence.Grant{Head: w.Head(evidence.RepGrant, id, cas, "A"), Auth: "court",
		Desk: audittest.ID("d", "C"), NB: audittest.Start, NA: audittest.Start + audittest.Day*90, Scope: []string{evidence.ScopeDisclosures},
		Subj: []string{audittest.ID("p", "1")}}, audittest.Officer("A", 1), audittest.Officer("C", 1))
	hist := evidence.HistoryOf(before)
	d.Priv.Hist = &hist
	return d
}

// A grant that hands over what it covers: messages of the case about the person,
// and their receipts.
func TestGrantedHistory(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Append(granted(w, audittest.Concern, audittest.Retrieved, audittest.Decrypted, audittest.Answer, audittest.Again))
	w.Publish()
	sound(t, bundleOf(t, w, audit.Options{}))
}

func TestLies(t *testing.T) {
	for _, l := range lies {
		w := audittest.New(t, false)
		w.Story()
		l.tell(w)
		w.Publish()
		_, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{Genesis: w.Genesis()})
		if err != nil {
			t.Errorf("%s: %v", l.name, err)
			continue
		}
		if !slices.ContainsFunc(found, func(f audit.Finding) bool {
			return f.Log == "ev" && f.Idx == int64(len(w.Openings))-1 && strings.Contains(f.What, l.want)
		}) {
			t.Errorf("%s: %v, want %q", l.name, found, l.want)
		}
	}
}

// An honest entry in the place of the lies is no finding: the list above fails
// for what it changes.
func TestNoLie(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	told(nil, nil)(w)
	w.Publish()
	if _, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{}); failed(found, err) {
		t.Error(found, err)
	}
}

// An officer revoked between two messages: the first stands, the second does not.
func TestRevokedOfficer(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	label := audittest.Officer("A", 1)
	w.Directory(&directory.OfficerRevoke{U: audittest.ID("u", label), Key: statement.KeyID(audittest.Key(label).Public()),
		From: audittest.Start, Reason: "device-lost"}, "A/registrar/1")
	told(nil, nil)(w)
	w.Publish()
	bundle := bundleOf(t, w, audit.Options{})
	r, found, err := verify(t, bundle, audit.Trust{})
	if err != nil || len(found) != 1 || found[0].Idx != audittest.StoryEnd || !strings.Contains(found[0].What, "revoked") {
		t.Fatal(found, err)
	}
	// An evidence file cannot know of a revocation that it does not carry, but
	// one made from the directory carries it; and a replayed directory knows.
	if _, err := audit.BuildEvidence(pieces(w, audittest.StoryEnd), chainOf(w)); err == nil {
		t.Error("an evidence file of a statement signed with a revoked key was made")
	}
	without := chainOf(w)
	leaf := without.Leaf
	without.Leaf = func(idx int64) ([]byte, error) {
		if idx == int64(len(w.Leaves))-1 { // the revocation is kept back
			return leaf(idx - 1)
		}
		return leaf(idx)
	}
	file, err := audit.BuildEvidence(pieces(w, audittest.StoryEnd), without)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verifyEvidence(t, file, audit.Trust{})
	if err != nil || !strings.Contains(text(report), "rests on the exchange having accepted") {
		t.Fatal(text(report), err)
	}
	if _, err := verifyEvidence(t, file, audit.Trust{Directory: r.Directory}); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("with the replayed directory: %v", err)
	}
}
