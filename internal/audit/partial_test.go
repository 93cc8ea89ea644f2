package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

func sound(t *testing.T, bundle []byte) audit.Report {
	t.Helper()
	r, found, err := verify(t, bundle, audit.Trust{})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	return r
}

// Erased openings are accounted for, duties are derived over the holes, and
// feeds have none.
func TestErasure(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Fill(3)
	w.Erase(audittest.Again, audittest.Refused)
	w.Fill(3)
	w.Publish()
	r := sound(t, bundleOf(t, w, audit.Options{}))
	if c := r.Bundle; !c.Complete() || c.Erased != 2 || c.Shown != c.Ev-2 || c.DutiesUpTo != c.Ev {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(text(r), "erasure on record (erased: 2)") {
		t.Error(text(r))
	}
	// One more opening is missing, and no erasure says so.
	w.Erased[audittest.Answer] = true
	r = sound(t, bundleOf(t, w, audit.Options{}))
	if c := r.Bundle; c.Complete() || c.DutiesUpTo != audittest.Answer {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(text(r), "Entries not shown: 1 of 20") {
		t.Error(text(r))
	}
}

// A consent whose first version is erased still has its others.
func TestErasedConsent(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Erase(audittest.Given)
	w.Fill(1)
	w.Publish()
	if c := sound(t, bundleOf(t, w, audit.Options{})).Bundle; !c.Complete() || c.Erased != 1 || c.Sends != 0 {
		t.Errorf("%+v", c)
	}
}

// A hole in a feed is found when everything is said to be shown.
func TestFeedHole(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Erase(audittest.Again)
	d := w.Draft(evidence.ErasureDone, "erasure-more", "")
	d.Priv.Data = []byte(`{"erased":[{"idx":10,"to":[]}],"ground":"request"}`) // its place in the feed left out
	w.Derive(d)
	w.Append(d)
	w.Erased[audittest.Refused] = true
	w.Publish()
	_, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{})
	if err != nil || len(found) != 1 || !strings.Contains(found[0].What, "has a hole at number") {
		t.Fatal(found, err)
	}
}

// An auditor for oversight sees META and no statement.
func TestMetaOnly(t *testing.T) {
	w := story(t)
	bundle := bundleOf(t, w, audit.Options{MetaOnly: true})
	for _, f := range unzip(t, bundle) {
		if strings.HasPrefix(f.name, "openings/") && strings.Contains(string(f.data), "priv") {
			t.Fatal("a statement is shown")
		}
	}
	r := sound(t, bundle)
	if c := r.Bundle; c.MetaOnly != audittest.StoryEnd || c.Signatures != 0 || c.DutiesUpTo != 0 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(text(r), "only the half for oversight is shown") {
		t.Error(text(r))
	}
	altered := alter(t, bundle, "openings/000000.jsonl", flip(30))
	if _, found, err := verify(t, altered, audit.Trust{}); err != nil || len(found) == 0 || found[0].Idx != 0 {
		t.Error(found, err)
	}
}

// What oversight sees of obligations must fit by itself.
func TestTracesForOversight(t *testing.T) {
	w := story(t)
	r := sound(t, bundleOf(t, w, audit.Options{MetaOnly: true}))
	if c := r.Bundle; c.Opened != 6 || c.Moved != 3 || c.Refused != 1 || !strings.Contains(text(r), "obligations opened: 6, each once; what was done to them: 3") {
		t.Errorf("%+v", c)
	}
	for name, c := range map[string]struct {
		change func(m *evidence.Meta)
		want   string
	}{
		"a move of nothing": {func(m *evidence.Meta) { m.Obl[0].Op, m.Obl[0].O = "fulfil", audittest.ID("o", "?") }, "which no entry opened"},
		"opened twice":      {func(m *evidence.Meta) { m.Obl[0].O = w.Opened(audittest.Concern, "ack").O }, "was opened before"},
		"somebody else's": {func(m *evidence.Meta) {
			m.Obl[0].Op, m.Obl[0].O, m.Obl[0].OR = "fulfil", w.Opened(audittest.Concern, "ack").O, audittest.ID("i", "C")
		}, "another institution"},
		"under another rule": {func(m *evidence.Meta) {
			m.Obl[0].Op, m.Obl[0].O, m.Obl[0].Rule = "fulfil", w.Opened(audittest.Concern, "ack").O, "other"
		}, "another rule"},
	} {
		w := audittest.New(t, false)
		w.Story()
		told(nil, func(_ *audittest.World, d *audittest.Draft) { c.change(&d.Meta) })(w)
		w.Publish()
		_, found, err := verify(t, bundleOf(t, w, audit.Options{MetaOnly: true}), audit.Trust{})
		if err != nil || len(found) != 1 || found[0].Idx != audittest.StoryEnd || !strings.Contains(found[0].What, c.want) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

// An auditor who may see some openings learns that there are others.
func TestSomeOpenings(t *testing.T) {
	w := story(t)
	r := sound(t, bundleOf(t, w, audit.Options{Allow: func(m *evidence.Meta, p *evidence.Priv) bool {
		return m.Ev == evidence.MessageSubmitted && p.Stmt != nil
	}}))
	if c := r.Bundle; c.Shown != 3 || c.Complete() || c.DutiesUpTo != 0 {
		t.Errorf("%+v", c)
	}
}

// Without its rule pack a bundle proves all but duties and decisions.
func TestBundleWithoutPacks(t *testing.T) {
	w := story(t)
	r := sound(t, bundleOf(t, w, audit.Options{Packs: rules.NewSet()}))
	if c := r.Bundle; !c.Complete() || c.DutiesUpTo != 0 || c.Sends != 0 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(text(r), "rule pack xx-demo@1 is not in it") {
		t.Error(text(r))
	}
}

// Entries that no checkpoint covers yet stay out, and a ledger without a
// checkpoint gives no bundle.
func TestBundleEndsAtTheCheckpoint(t *testing.T) {
	w := audittest.New(t, false)
	if err := audit.WriteBundle(context.Background(), discard{}, w.Source(), audit.Options{}); !errors.Is(err, audit.ErrNoCheckpoint) {
		t.Fatal(err)
	}
	w.Publish() // an empty evidence tree
	if r := sound(t, bundleOf(t, w, audit.Options{})); r.Bundle.Ev != 0 || !r.Bundle.Complete() {
		t.Errorf("%+v", r.Bundle)
	}
	w.Story()
	w.Publish()
	w.Fill(2)
	if r := sound(t, bundleOf(t, w, audit.Options{})); r.Bundle.Ev != audittest.StoryEnd || !r.Bundle.Complete() {
		t.Errorf("%+v", r.Bundle)
	}
}

// Between the checkpoints of the two logs a bundle would show entries accepted
// under a directory that it does not hold.
func TestBundleWaitsForTheDirectory(t *testing.T) {
	w := story(t)
	w.Directory(&directory.AuditGrant{D: audittest.ID("d", "C"), Scope: "meta", From: 1, To: 2}, "delegate/1", "delegate/2")
	told(nil, nil)(w)
	w.PublishOne(ledger.Ev)
	if err := audit.WriteBundle(context.Background(), discard{}, w.Source(), audit.Options{}); !errors.Is(err, audit.ErrUncovered) {
		t.Error(err)
	}
	if r := sound(t, bundleOf(t, w, audit.Options{None: true})); r.Bundle.Shown != 0 || r.Bundle.Ev != audittest.StoryEnd+1 {
		t.Errorf("%+v", r.Bundle)
	}
	w.PublishOne(ledger.Dir)
	sound(t, bundleOf(t, w, audit.Options{}))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// An opening that is not its leaf's stops the writing, by index.
func TestWriteRefusesAWrongOpening(t *testing.T) {
	w := story(t)
	w.Openings[4].Meta[20] ^= 1
	err := audit.WriteBundle(context.Background(), discard{}, w.Source(), audit.Options{})
	if !errors.Is(err, evidence.ErrOpening) || !strings.Contains(err.Error(), "entry 4") {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	w := story(t)
	bundle := bundleOf(t, w, audit.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := audit.WriteBundle(ctx, discard{}, w.Source(), audit.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, _, err := audit.VerifyBundle(ctx, strings.NewReader(string(bundle)), int64(len(bundle)), audit.Trust{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProgress(t *testing.T) {
	w := story(t)
	last := map[ledger.Log]int64{}
	tell := func(log ledger.Log, done, total int64) {
		if done <= last[log] || done > total {
			t.Errorf("%s: %d after %d of %d", log, done, last[log], total)
		}
		last[log] = done
	}
	bundle := bundleOf(t, w, audit.Options{Progress: tell})
	if last[ledger.Ev] != audittest.StoryEnd || last[ledger.Dir] != int64(len(w.Leaves)) {
		t.Error(last)
	}
	clear(last)
	if _, _, err := audit.VerifyBundle(context.Background(), strings.NewReader(string(bundle)), int64(len(bundle)), audit.Trust{}, tell); err != nil {
		t.Error(err)
	}
	if last[ledger.Ev] != audittest.StoryEnd || last[ledger.Dir] != int64(len(w.Leaves)) {
		t.Error(last)
	}
}

func TestCompareBundles(t *testing.T) {
	compare := func(a, b []byte) ([]audit.Fact, []audit.Finding) {
		facts, found, err := audit.CompareBundles(context.Background(), audit.File{R: strings.NewReader(string(a)), Size: int64(len(a))},
			audit.File{R: strings.NewReader(string(b)), Size: int64(len(b))})
		if err != nil {
			t.Fatal(err)
		}
		return facts, found
	}
	w := audittest.New(t, false)
	w.Publish()
	empty := bundleOf(t, w, audit.Options{})
	w.Story()
	w.Publish()
	small := bundleOf(t, w, audit.Options{})
	w.Fill(300)
	w.Publish()
	large := bundleOf(t, w, audit.Options{})
	for _, pair := range [][2][]byte{{small, large}, {large, small}, {small, small}, {empty, large}} {
		if facts, found := compare(pair[0], pair[1]); len(found) > 0 || facts[len(facts)-1].Code != audit.FactSamePrefix {
			t.Error(facts, found)
		}
	}
	fork := audittest.New(t, false) // the same keys sign another history
	fork.Fill(12)
	fork.Publish()
	if _, found := compare(bundleOf(t, fork, audit.Options{}), large); len(found) != 1 || found[0].Log != "ev" || !strings.Contains(found[0].What, "two histories") {
		t.Error(found)
	}
	other := audittest.New(t, true)
	other.Publish()
	if _, found := compare(bundleOf(t, other, audit.Options{}), large); len(found) != 1 || !strings.Contains(found[0].What, "different exchanges") {
		t.Error(found)
	}
	if !slices.ContainsFunc(sound(t, bundleOf(t, other, audit.Options{})).Facts, func(f audit.Fact) bool { return f.Code == audit.FactDemo }) {
		t.Error("a demonstration is not called one")
	}
}
