package directory_test

import (
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

// Who sits in an escrow: a custodian of now whose layer is in the files of then.
func TestSeatsInAnEscrow(t *testing.T) {
	w := golden(t)
	legal := id("d", "A/legal")
	epoch, ok := w.now().Epoch(legal, 1)
	if !ok {
		t.Fatal("no epoch")
	}
	if then := w.now().EscrowOf(epoch); then.K != 2 || len(then.Rcps) != 3 || then.Rcps[2] != recipient("A/custodian/3") || then.Keys != nil {
		t.Errorf("custodians of epoch 1: %d of %d", then.K, len(then.Rcps))
	}
	for label, want := range map[string]int{"A/custodian/1": 0, "A/custodian/2": 1, "A/custodian/3": -1, "A/custodian/4": -1, "A/root/2": -1, "stranger": -1} {
		if seat, ok := w.now().EscrowSeat(epoch, keyID(label)); ok != (want >= 0) || ok && seat != want {
			t.Errorf("%s: seat %d, %v, want %d", label, seat, ok, want)
		}
	}
	if _, ok := w.now().At(32).EscrowSeat(epoch, keyID("A/custodian/1")); ok {
		t.Error("a seat before root named what custodians sign with")
	}
	if w.now().EscrowCurrent(epoch) {
		t.Error("the escrow of epoch 1 is taken for that of the new custodians")
	}
	w.do(&directory.DeskEpoch{D: legal, E: 3, RK: hash("rk/A/3"), Why: "custodians", Pkg: pkg("A/officer/1"), Esc: escrow([]int{0, 1}, []int{0, 2}, []int{1, 2})}, "A/officer/1")
	epoch, _ = w.now().Epoch(legal, 3)
	if seat, ok := w.now().EscrowSeat(epoch, keyID("A/custodian/4")); !ok || seat != 2 || !w.now().EscrowCurrent(epoch) {
		t.Errorf("the new custodian: seat %d, %v", seat, ok)
	}
	rep, _ := w.now().Epoch(id("d", "B/rep"), 1)
	if w.now().EscrowOf(rep).K != 0 || w.now().EscrowCurrent(rep) {
		t.Error("an institution without custodians has an escrow")
	}
}

// A custodian who is replaced has no seat any more, and may be taken back: keys
// keep their owner.
func TestReplacedCustodians(t *testing.T) {
	w := golden(t)
	other := signingCustodians()
	other.Keys = publics("A/custodian/7", "A/custodian/8", "A/custodian/9")
	other.Rcps = []string{recipient("A/custodian/7"), recipient("A/custodian/8"), recipient("A/custodian/9")}
	w.do(other, "A/root/1", "A/root/4")
	epoch, _ := w.now().Epoch(id("d", "A/legal"), 1)
	if _, ok := w.now().EscrowSeat(epoch, keyID("A/custodian/1")); ok {
		t.Error("a replaced custodian has a seat")
	}
	if _, ok := w.now().Actor(keyID("A/custodian/1")); ok {
		t.Error("a replaced custodian has an actor")
	}
	c := w.now()
	inst, _ := c.Institution(id("i", "A"))
	if rcp, ok := inst.Custodians.Recipient(keyID("A/custodian/8")); !ok || rcp != recipient("A/custodian/8") || inst.Custodians.KeyOf(rcp) != keyID("A/custodian/8") {
		t.Error("keys and recipients are not paired")
	}
	if inst.Custodians.KeyOf("age1pq1") != "" {
		t.Error("a key of nobody's recipient")
	}
	w.do(signingCustodians(), "A/root/1", "A/root/4")
	if seat, ok := w.now().EscrowSeat(epoch, keyID("A/custodian/1")); !ok || seat != 0 {
		t.Error("a custodian who was taken back has no seat")
	}
}
