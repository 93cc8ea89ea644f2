package audit_test

import (
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// underPolicy is a ledger in which a message was accepted after a change of
// policy.
func underPolicy(t testing.TB, logs directory.Logs, quorum string) *audittest.World {
	t.Helper()
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	w.Directory(&directory.Policy{Council: directory.Council{K: 2, Keys: audittest.Keys("council/1", "council/2")},
		Delegates: []directory.Delegate{{I: audittest.ID("i", "A"), Key: audittest.Keys("delegate/1")[0]}, {I: audittest.ID("i", "B"), Key: audittest.Keys("delegate/2")[0]}},
		Logs:      logs, Quorum: directory.Quorum{Dir: quorum, Ev: quorum}, Witnesses: []directory.Witness{}}, "council/1", "council/2")
	told(nil, nil)(w)
	w.Publish()
	return w
}

// Witnesses that the directory asks for and that did not cosign are missed, from
// the policy on.
func TestShortOfQuorum(t *testing.T) {
	vkey, err := ledger.VerifierKey("w.example", audittest.Keys("w")[0])
	if err != nil {
		t.Fatal(err)
	}
	w := underPolicy(t, directory.Logs{Dir: audittest.LogKey(ledger.Dir), Ev: audittest.LogKey(ledger.Ev)}, "witness w "+vkey+"\nquorum w\n")
	for idx, want := range map[int64]ledger.Standing{audittest.Concern: ledger.Unwitnessed, audittest.StoryEnd: ledger.Provisional} {
		r, err := verifyEvidence(t, evidenceOf(t, w, idx), audit.Trust{Genesis: w.Genesis()})
		if err != nil || r.Items[0].Standing != want {
			t.Errorf("entry %d: %+v, %v", idx, r.Items, err)
		}
	}
	r, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{})
	if failed(found, err) || r.Bundle.SeenEv.Standing != ledger.Provisional || !strings.Contains(text(r), "Treat it as provisional") {
		t.Error(text(r), found, err)
	}
}

// A log may change its key. What the old one signed stays evidence; a bundle
// must be signed with the new one.
func TestChangedLogKey(t *testing.T) {
	other := func(log ledger.Log) string {
		vkey, err := ledger.VerifierKey(log.Origin(audittest.Host), audittest.Keys("new/" + log.String())[0])
		if err != nil {
			t.Fatal(err)
		}
		return vkey
	}
	w := underPolicy(t, directory.Logs{Dir: other(ledger.Dir), Ev: other(ledger.Ev)}, directory.QuorumNone)
	if _, err := verifyEvidence(t, evidenceOf(t, w, audittest.StoryEnd), audit.Trust{Genesis: w.Genesis()}); err != nil {
		t.Error(err)
	}
	_, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{})
	if err != nil || len(found) != 2 || found[0].File != "dir/checkpoint" || found[1].File != "ev/checkpoint" {
		t.Error(found, err)
	}
}
