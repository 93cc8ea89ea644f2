package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// silent records how an exchange says that an obligation stands, true or not.
func silent(t testing.TB, w *audittest.World, o evidence.Opened, state obligation.State) int64 {
	t.Helper()
	d := w.Draft(evidence.Silence, audittest.ID("x", fmt.Sprint("silence/", len(w.Openings))), "")
	d.Priv.Data = marshal(t, evidence.DutyData{Due: o.Due, O: o.O, Obligee: o.EE, Obligor: o.OR, Rule: o.Rule, Size: d.Meta.Idx, State: string(state)})
	d.Desks = []string{o.EE, o.OR}
	return w.Record(d)
}

// A silence that denies what an entry before it did convicts the operator, and
// nothing weaker does.
func TestConvict(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	answered, open := w.Opened(audittest.Concern, "answer-high"), w.Opened(audittest.Again, "monthly-word")
	lie := silent(t, w, answered, obligation.Open)
	truth := silent(t, w, answered, obligation.Fulfilled)
	late := silent(t, w, answered, obligation.FulfilledLate)
	honest := silent(t, w, open, obligation.Open)
	told(nil, nil)(w)
	// An answer that the exchange took and did not let count.
	core := w.Core("B", "A", "answer", "1")
	core.Re, core.Subj = w.Meta(audittest.Again).Obj, []string{audittest.ID("p", "1")}
	core.Obl = []messaging.Act{{Op: messaging.OpFulfil, ID: open.O, Value: "known"}}
	d := w.Message("B", core)
	d.Meta.Prev = -1
	for i := range d.Desks {
		d.Priv.To = append(d.Priv.To, evidence.Delivery{Desk: d.Desks[i], N: 100})
	}
	swallowed := w.Append(d)
	denial := silent(t, w, open, obligation.Open)
	doubt := silent(t, w, open, obligation.InProgress)
	w.Publish()
	file := func(idx int64) []byte { return evidenceOf(t, w, idx) }
	trust := audit.Trust{Genesis: w.Genesis()}

	r, err := audit.Convict(file(lie), file(audittest.Answer), trust)
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Conviction{Obligation: answered.O, Silence: lie, Said: "open", Answer: audittest.Answer, Left: "fulfilled"}
	if *r.Convict != want || !r.Pinned || len(r.Items) != 2 || !strings.Contains(text(r), "CONVICTED") || !strings.Contains(text(r), "left the obligation as: fulfilled") {
		t.Errorf("%+v\n%s", r.Convict, text(r))
	}
	if r, err = audit.Convict(file(late), file(audittest.Answer), trust); err != nil || r.Convict.Said != "fulfilled-late" {
		t.Error(r, err)
	}
	if r, err = audit.Convict(file(denial), file(swallowed), trust); err != nil || r.Convict.Left != "" || !strings.Contains(text(r), "holds a signed act that fulfils") {
		t.Error(text(r), err)
	}
	for name, c := range map[string]struct {
		silence, answer []byte
		want            string
	}{
		"the truth":              {file(truth), file(audittest.Answer), "can both be true"},
		"a state it leaves open": {file(doubt), file(swallowed), "can both be true"},
		"an opening":             {file(honest), file(audittest.Again), "does nothing to obligation"},
		"another obligation":     {file(honest), file(audittest.Answer), "does nothing to obligation"},
		"later than the silence": {file(lie), file(swallowed), "does not come before the silence"},
		"the silence itself":     {file(lie), file(lie), "does not come before the silence"},
		"the wrong way round":    {file(audittest.Answer), file(lie), "name the file of a silence first"},
		"an altered silence":     {bytes.Replace(file(lie), []byte(`"state":"open"`), []byte(`"state":"late"`), 1), file(audittest.Answer), "the silence file: "},
		"an altered answer":      {file(lie), bytes.Replace(file(audittest.Answer), []byte(`"kind":"answer"`), []byte(`"kind":"concern"`), 1), "the evidence file: "},
		"no file":                {[]byte("x"), file(audittest.Answer), "the silence file: "},
		"of another exchange":    {file(lie), vector(t, "evidence.json"), "genesis"},
	} {
		if r, err := audit.Convict(c.silence, c.answer, trust); err == nil || !strings.Contains(err.Error(), c.want) || r.Convict != nil {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := audit.Convict(file(lie), vector(t, "evidence.json"), audit.Trust{}); !errors.Is(err, audit.ErrVerify) || !strings.Contains(err.Error(), "different exchanges") {
		t.Error(err)
	}
}

// A file of the same history, of a later one, and of another.
func TestCompareFile(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	small := bundleOf(t, w, audit.Options{})
	early := evidenceOf(t, w, audittest.Concern)
	receipt, err := audit.BuildReceipt([]audit.Pieces{pieces(w, audittest.Given), pieces(w, audittest.Narrowed)}, chainOf(w))
	if err != nil {
		t.Fatal(err)
	}
	w.Fill(300)
	w.Publish()
	large := bundleOf(t, w, audit.Options{})
	late := evidenceOf(t, w, 300)
	fork := audittest.New(t, false)
	fork.Fill(12)
	fork.Publish()
	forked := bundleOf(t, fork, audit.Options{})
	other := audittest.New(t, true)
	other.Publish()
	newer := audittest.New(t, false) // the first entries are others, and its checkpoint is larger
	newer.Fill(20)
	newer.Publish()
	for name, c := range map[string]struct {
		bundle, file, entry []byte
		want                string
	}{
		"a file of its time":          {small, early, nil, "The bundle of exchange.example shows the same history: checkpoints of this file found again in it: 8"},
		"a receipt":                   {small, receipt, nil, "shows the same history"},
		"a larger bundle":             {large, early, nil, "shows the same history"},
		"a file newer than it":        {small, late, nil, "newer than the bundle: 1"},
		"a proof":                     {large, w.Proof(1, 5), leafAt(t, w, 5), "found again in it: 1"},
		"a newer proof of an entry":   {small, w.Proof(1, 290), leafAt(t, w, 290), "newer than the bundle: 1"},
		"a fork":                      {forked, early, nil, "ev: two histories: at 11 entries"},
		"a fork, from the other side": {small, evidenceOf(t, newer, 3), nil, "ev entry 3: two histories: the bundle has another entry 3"},
		"a fork, by a proof":          {small, newer.Proof(1, 3), leafAt(t, newer, 3), "two histories"},
		"another genesis":             {bundleOf(t, other, audit.Options{}), early, nil, "dir: two histories"},
	} {
		facts, found, err := audit.CompareFile(context.Background(), audit.File{R: bytes.NewReader(c.bundle), Size: int64(len(c.bundle))}, c.file, c.entry)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		said := text(audit.Report{Facts: facts})
		for _, f := range found {
			said += f.String() + "\n"
		}
		if !strings.Contains(said, c.want) || strings.HasPrefix(c.want, "The bundle") && len(found) > 0 {
			t.Errorf("%s: %s, want %q", name, said, c.want)
		}
	}
}
