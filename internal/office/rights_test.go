package office_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// A new key is used once a quorum confirmed it, and refused until then: the
// exchange takes no older one, and a directory change waits. What is immediate
// goes while the last quorum is less than a day old.
func TestNewKeyWaitsForQuorum(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	p := w.at(w.A, 0, "")
	sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.sleep("w1", "w2")
	w.rotate(w.B, false)
	w.step()
	// A key that nobody acknowledged changes nothing.
	_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.Enter(&directory.DeskEpochAck{D: w.B.Desk, E: 2}, w.B.Officers[1])
	w.step()
	is(t, "the desk", p.fresh(t).DeskStanding(w.B.Desk), ledger.Provisional)

	p.net.set(nil)
	_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	refused(t, p, err, "epoch_provisional")
	immediate := urgent(w, sent.Msg)
	got, err := p.Send(t.Context(), immediate)
	check(t, err)
	if !hasCaution(got.Cautions, office.CautionProvisionalKey) {
		t.Errorf("cautions %+v", got.Cautions)
	}
	w.Clock.Advance(25 * time.Hour)
	w.step()
	p.net.set(nil)
	_, err = p.Send(t.Context(), immediate)
	refused(t, p, err, "epoch_provisional")
	_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	refused(t, p, err, "epoch_provisional")

	w.sleep()
	w.step()
	got, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	if len(got.Cautions) != 0 {
		t.Errorf("cautions %+v", got.Cautions)
	}
	is(t, "the desk", p.DeskStanding(w.B.Desk), ledger.Confirmed)
}

// urgent is a message of urgency I.
func urgent(w *watched, re string) office.Draft {
	d := complaint(w.A.Desk, w.B.Desk)
	d.Kind, d.Re, d.Urg, d.Text.Fields, d.Subj = "correction", re, "I", map[string]string{"corrected": "this"}, nil
	return d
}

// The key of a desk of one's own, which one holds, needs no witness.
func TestOwnNewKey(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	w.sleep("w1", "w2", "w3")
	own := w.rotate(w.A, true)
	w.step()
	p := w.at(w.A, 0, "")
	_, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	refused(t, p, err, "epoch_provisional")
	check(t, p.Keys.AddDeskEpoch(w.A.Desk, 2, own))
	_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
}

// What takes a right away counts at once: a disputed key, an officer who was
// revoked, a member who left, although nobody confirmed it.
func TestRevocationsCountAtOnce(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	second := w.rotate(w.B, true)
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	w.sleep("w1", "w2", "w3")

	t.Run("a disputed key", func(t *testing.T) {
		w.Enter(&directory.DeskEpochDispute{D: w.B.Desk, E: 2, Why: "wrong-package"}, w.B.Officers[1])
		w.step()
		sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
		reader := w.at(w.B, 1, "")
		check(t, reader.Keys.AddDeskEpoch(w.B.Desk, 2, second))
		opened, err := reader.Read(t.Context(), w.B.Desk, sent.Msg) // with the first key, which is undisputed
		check(t, err)
		if opened.Text.Body != "body" {
			t.Errorf("%+v", opened.Text)
		}
	})
	t.Run("an officer", func(t *testing.T) {
		sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
		w.Revoke(w.B, 0)
		w.step()
		got, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
		if !hasCaution(got.Cautions, office.CautionStaleKey) {
			t.Errorf("cautions %+v", got.Cautions)
		}
		w.Clock.Advance(25 * time.Hour)
		w.step()
		p.net.set(nil)
		_, err = p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		refused(t, p, err, "epoch_stale")
		_, err = p.Send(t.Context(), urgent(w, sent.Msg))
		check(t, err)
	})
}

// Nobody gets a desk's key whom witnesses did not confirm; somebody who left
// gets none at once.
func TestStaffUnderQuorum(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	w.sleep("w1", "w2", "w3")
	w.hire(w.A, "A")
	w.step()
	p.net.set(nil)
	_, err := p.Rotate(t.Context(), w.A.Desk, "yearly")
	refused(t, p, err, "member_provisional")
	w.sleep()
	w.step()
	_, err = p.Rotate(t.Context(), w.A.Desk, "yearly")
	if !errors.Is(err, office.ErrUnexpected) {
		t.Errorf("a key for a colleague nobody looked at: %v", err)
	}
	acceptAll(t, p)
	p.ConfirmWithin = time.Millisecond
	if _, err := p.Rotate(t.Context(), w.A.Desk, "yearly"); err != nil && !isNotConfirmed(err) {
		t.Error(err)
	}
	w.step()
	e, ok := p.fresh(t).Directory().LatestEpoch(w.A.Desk)
	if !ok || e.E != 2 || len(e.Pkg) != 3 {
		t.Errorf("%+v", e)
	}
	w.sleep("w1", "w2", "w3")
	w.Enter(&directory.DeskMembers{D: w.A.Desk, Members: slices.Sorted(slices.Values(w.A.Users[:]))}, registrars("A")[0])
	w.step()
	if _, err := p.Rotate(t.Context(), w.A.Desk, "member-left"); err != nil && !isNotConfirmed(err) {
		t.Error(err)
	}
	w.step()
	if e, _ := p.fresh(t).Directory().LatestEpoch(w.A.Desk); e.E != 3 || len(e.Pkg) != 2 {
		t.Errorf("%+v", e)
	}
}

// A message from somebody whom witnesses did not confirm is opened, and says so;
// one whose key is revoked with effect before it deserves a second look.
func TestSenderUnderQuorum(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	w.sleep("w1", "w2", "w3")
	hired := w.hire(w.A, "A")
	w.step()
	sent, err := w.atRing(w.A, hired, "").Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.step()
	p := w.at(w.B, 0, "")
	read := func(want ledger.Standing, doubted bool) {
		t.Helper()
		opened, err := p.Read(t.Context(), w.B.Desk, sent.Msg)
		check(t, err)
		if opened.Sender.Standing != want || (opened.Sender.Doubted != 0) != doubted {
			t.Errorf("%+v", opened.Sender)
		}
	}
	read(ledger.Provisional, false)
	w.sleep()
	w.step()
	read(ledger.Confirmed, false)
	officer, _ := w.Directory().OfficerByKey(statement.KeyID(hired.key.Public()))
	w.sleep("w1", "w2", "w3")
	w.Enter(&directory.OfficerRevoke{U: officer.U, Key: officer.KeyID, From: sent.Meta.At - 1, Reason: "device-lost"}, registrars("A")[0])
	w.step()
	read(ledger.Confirmed, true)
}

// The last changes of one's own keys are told, with who made them and who
// vouches for them.
func TestChanges(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	w.sleep("w1", "w2", "w3")
	w.rotate(w.B, true) // somebody else's
	w.rotate(w.A, true)
	w.Revoke(w.A, 1)
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	n := w.Directory().N()
	list := p.Changes(w.A.Inst, []string{w.A.Desk}, 4)
	want := []struct {
		idx      int64
		what     string
		about    string
		by       string
		standing ledger.Standing
	}{
		{n - 1, "officer.revoke", w.A.Users[1], statement.KeyID(registrars("A")[0].Public()), ledger.Provisional},
		{n - 2, "desk.epoch.ack", w.A.Desk, w.A.Users[1], ledger.Provisional},
		{n - 3, "desk.epoch", w.A.Desk, w.A.Users[0], ledger.Provisional},
	}
	if len(list) != 4 {
		t.Fatalf("%+v", list)
	}
	for i, x := range want {
		if c := list[i]; c.Idx != x.idx || c.What != x.what || c.About != x.about || len(c.By) != 1 || c.By[0] != x.by || c.Standing != x.standing {
			t.Errorf("%+v, want %+v", c, x)
		}
	}
	if c := list[3]; c.What != "desk.epoch.ack" || c.Epoch != 1 || c.Standing != ledger.Confirmed {
		t.Errorf("%+v", c)
	}
}
