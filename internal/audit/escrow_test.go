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
)

// recovered is a ledger in which two custodians asked, the exchange released, and
// one said what came of it; a third refused. It returns the index of the release.
func recovered(t *testing.T) (*audittest.World, int64) {
	t.Helper()
	w := audittest.New(t, false)
	w.Story()
	w.Custody()
	ask := audittest.Ask()
	one := w.Record(w.EscrowRequest(audittest.Custodian(1), ask))
	w.Record(w.EscrowRefusal(audittest.Custodian(3), ask))
	two := w.Record(w.EscrowRequest(audittest.Custodian(2), ask))
	release := w.Record(w.Released(ask, []int{0, 1}, one, two))
	w.Record(w.EscrowReport(audittest.Custodian(2), ask, release))
	return w, release
}

// Both verifiers take the recovery of a desk for what it is, in a bundle and as
// evidence files, whose key chain leads to the custodians.
func TestRecoveryIsVerified(t *testing.T) {
	w, release := recovered(t)
	w.Publish()
	bundle := bundleOf(t, w, audit.Options{})
	sound(t, bundle)
	r, _, _ := verify(t, bundle, audit.Trust{})
	for idx := release - 3; idx <= release+1; idx++ {
		file := evidenceOf(t, w, idx)
		for _, trust := range []audit.Trust{{Genesis: w.Genesis()}, {Directory: r.Directory}} {
			report, err := verifyEvidence(t, file, trust)
			if err != nil {
				t.Fatalf("entry %d: %v", idx, err)
			}
			want := "signed by a custodian of institution"
			if idx == release {
				want = "was released for recovery"
			}
			if !strings.Contains(text(report), want) {
				t.Errorf("entry %d:\n%s", idx, text(report))
			}
		}
	}
}

// What an exchange could put on record about an escrow and should not have: both
// verifiers find it.
func TestEscrowLies(t *testing.T) {
	ask := audittest.Ask()
	other := audittest.Ask()
	other.Purpose = evidence.PurposeRehearsal
	edited := func(w *audittest.World, edit func(*evidence.ReleasedData), cust []int, requests ...int64) {
		d := w.Released(ask, cust, requests...)
		var data evidence.ReleasedData
		if err := json.Unmarshal(d.Priv.Data, &data); err != nil {
			t.Fatal(err)
		}
		edit(&data)
		d.Priv.Data, _ = statement.Marshal(data)
		w.Record(d)
	}
	two := func(w *audittest.World) (int64, int64) {
		one := w.Record(w.EscrowRequest(audittest.Custodian(1), ask))
		return one, w.Record(w.EscrowRequest(audittest.Custodian(2), ask))
	}
	for name, tt := range map[string]struct {
		tell func(w *audittest.World)
		want string
	}{
		"an honest release": {func(w *audittest.World) {
			one, two := two(w)
			w.Record(w.Released(ask, []int{0, 1}, one, two))
		}, ""},
		"one custodian is enough": {func(w *audittest.World) {
			edited(w, func(d *evidence.ReleasedData) { d.Files[0].Cust = []int{0} }, []int{0, 1}, w.Record(w.EscrowRequest(audittest.Custodian(1), ask)))
		}, "1 custodians asked"},
		"a request that nobody made": {func(w *audittest.World) {
			one, _ := two(w)
			edited(w, func(d *evidence.ReleasedData) {
				d.Requests = append([]evidence.ReleaseAsk{{Idx: 0, Key: audittest.KeyID(audittest.Custodian(2))}}, d.Requests...)
			}, []int{0, 1}, one)
		}, "is no request that still counted"},
		"a request for something else": {func(w *audittest.World) {
			one := w.Record(w.EscrowRequest(audittest.Custodian(1), ask))
			w.Record(w.Released(ask, []int{0, 1}, one, w.Record(w.EscrowRequest(audittest.Custodian(2), other))))
		}, "asks for something else"},
		"a request in another's name": {func(w *audittest.World) {
			one, two := two(w)
			edited(w, func(d *evidence.ReleasedData) { d.Requests[1].Key = audittest.KeyID(audittest.Custodian(3)) }, []int{0, 2}, one, two)
		}, "another custodian's"},
		"a request that was withdrawn": {func(w *audittest.World) {
			one, two := two(w)
			w.Record(w.EscrowRefusal(audittest.Custodian(1), ask))
			w.Record(w.Released(ask, []int{0, 1}, one, two))
		}, "is no request that still counted"},
		"requests used twice": {func(w *audittest.World) {
			one, two := two(w)
			w.Record(w.Released(ask, []int{0, 1}, one, two))
			w.Record(w.Released(ask, []int{0, 1}, one, two))
		}, "is no request that still counted"},
		"a request of long ago": {func(w *audittest.World) {
			one := w.Record(w.EscrowRequest(audittest.Custodian(1), ask))
			w.At += evidence.EscrowTerm
			w.Record(w.Released(ask, []int{0, 1}, one, w.Record(w.EscrowRequest(audittest.Custodian(2), ask))))
		}, "older than 7 days"},
		"files of others": {func(w *audittest.World) {
			one, two := two(w)
			w.Record(w.Released(ask, []int{0, 2}, one, two))
		}, "not those that are sealed to the custodians"},
		"for ever": {func(w *audittest.World) {
			one, two := two(w)
			edited(w, func(d *evidence.ReleasedData) { d.Until *= 2 }, []int{0, 1}, one, two)
		}, "until: "},
		"about another desk": {func(w *audittest.World) {
			one, two := two(w)
			d := w.Released(ask, []int{0, 1}, one, two)
			d.Meta.Obj = audittest.ID("d", "B")
			w.Record(d)
		}, "obj: "},
		"a request by an officer": {func(w *audittest.World) {
			w.Record(w.EscrowRequest(audittest.Officer("A", 1), ask))
		}, "is none of a custodian"},
		"a request with a second signature": {func(w *audittest.World) {
			d := w.EscrowRequest(audittest.Custodian(1), ask)
			resign(w, d, audittest.Custodian(1), audittest.Custodian(2))
			w.Record(d)
		}, "signs alone"},
		"a request after the custodians changed": {func(w *audittest.World) {
			w.Directory(&directory.InstCustodians{I: audittest.ID("i", "A"), K: 2, Keys: audittest.Keys(audittest.Custodian(4), audittest.Custodian(5)),
				Rcps: []string{audittest.Recipient(1), audittest.Recipient(2)}}, "A/root/1", "A/root/2")
			w.Record(w.EscrowRequest(audittest.Custodian(1), ask))
		}, "is none of a custodian"},
		"a report on nothing": {func(w *audittest.World) {
			w.Record(w.EscrowReport(audittest.Custodian(1), ask, 3))
		}, "releases nothing of that"},
		"a report by one who did not ask": {func(w *audittest.World) {
			one, two := two(w)
			w.Record(w.EscrowReport(audittest.Custodian(3), ask, w.Record(w.Released(ask, []int{0, 1}, one, two))))
		}, "releases nothing of that"},
	} {
		w := audittest.New(t, false)
		w.Story()
		w.Custody()
		tt.tell(w)
		w.Publish()
		_, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{Genesis: w.Genesis()})
		if tt.want == "" {
			if failed(found, err) {
				t.Errorf("%s: %v, %v", name, found, err)
			}
			continue
		}
		if err != nil || !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Log == "ev" && strings.Contains(f.What, tt.want) }) {
			t.Errorf("%s: %v, %v, want %q", name, found, err, tt.want)
		}
	}
}

// A release whose requests are not shown is believed as far as the directory goes.
func TestReleaseWithHoles(t *testing.T) {
	w, release := recovered(t)
	w.Erase(release - 1)
	w.Publish()
	if _, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{Genesis: w.Genesis()}); failed(found, err) {
		t.Error(found, err)
	}
}
