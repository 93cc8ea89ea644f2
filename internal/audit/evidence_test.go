package audit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/ledger"
)

// story is a published ledger with the entries of the story.
func story(t testing.TB) *audittest.World {
	t.Helper()
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	return w
}

func chainOf(w *audittest.World) audit.Chain {
	return audit.Chain{
		Leaf:  func(idx int64) ([]byte, error) { return w.Leaves[idx], nil },
		Proof: func(idx int64) ([]byte, error) { return w.Proof(ledger.Dir, idx), nil },
	}
}

func pieces(w *audittest.World, idx int64) audit.Pieces {
	return audit.Pieces{Item: w.Item(idx), Proof: w.Proof(ledger.Ev, idx)}
}

func evidenceOf(t testing.TB, w *audittest.World, idx int64) []byte {
	t.Helper()
	file, err := audit.BuildEvidence(pieces(w, idx), chainOf(w))
	if err != nil {
		t.Fatalf("entry %d: %v", idx, err)
	}
	return file
}

func text(r audit.Report) string {
	var lines []string
	for _, f := range r.Facts {
		lines = append(lines, f.Text(audit.English))
	}
	return strings.Join(lines, "\n")
}

// Every entry of the story becomes an evidence file that says what it is.
func TestEvidenceOfEveryEntry(t *testing.T) {
	w := story(t)
	for idx := range int64(audittest.StoryEnd) {
		file := evidenceOf(t, w, idx)
		r, err := verifyEvidence(t, file, audit.Trust{Genesis: w.Genesis()})
		if err != nil {
			t.Fatalf("entry %d: %v", idx, err)
		}
		if !r.Pinned || r.Demo || r.Host != audittest.Host || len(r.Items) != 1 || r.Items[0].Idx != idx || r.Items[0].Standing != ledger.Unwitnessed {
			t.Errorf("entry %d: %+v", idx, r)
		}
		if wantSigned := idx != audittest.Silence && idx != audittest.Change && idx != audittest.Refused; (len(r.Items[0].Signers) > 0) != wantSigned {
			t.Errorf("entry %d: signers %v", idx, r.Items[0].Signers)
		}
		t.Logf("entry %d, %d bytes:\n%s", idx, len(file), text(r))
	}
}

func TestReceipt(t *testing.T) {
	w := story(t)
	file, err := audit.BuildReceipt([]audit.Pieces{pieces(w, audittest.Given), pieces(w, audittest.Narrowed), pieces(w, audittest.Withdrawn)}, chainOf(w))
	if err != nil {
		t.Fatal(err)
	}
	r, err := verifyReceipt(t, file, audit.Trust{Genesis: w.Genesis()})
	if err != nil || len(r.Items) != 3 {
		t.Fatal(r, err)
	}
	t.Logf("%d bytes\n%s", len(file), text(r))
	for name, versions := range map[string][]int64{
		"the first left out":  {audittest.Narrowed, audittest.Withdrawn},
		"one between":         {audittest.Given, audittest.Withdrawn},
		"out of order":        {audittest.Narrowed, audittest.Given},
		"twice":               {audittest.Given, audittest.Given},
		"no consent":          {audittest.Concern},
		"a notice in between": {audittest.Given, audittest.Change},
		"none":                {},
	} {
		var p []audit.Pieces
		for _, idx := range versions {
			p = append(p, pieces(w, idx))
		}
		if _, err := audit.BuildReceipt(p, chainOf(w)); err == nil {
			t.Errorf("%s: a receipt was made", name)
		}
	}
}

func TestWrongGenesis(t *testing.T) {
	w := story(t)
	r, err := verifyEvidence(t, evidenceOf(t, w, 1), audit.Trust{Genesis: strings.Repeat("0", 64)})
	if !errors.Is(err, audit.ErrVerify) || r.Pinned {
		t.Fatal(r, err)
	}
}
