package server

import (
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// The witnesses of before are asked until a quorum confirmed the change, however
// often it changes meanwhile.
func TestHandover(t *testing.T) {
	council := statement.NewSigningKey(make([]byte, 32))
	key := func(origin string) string {
		k, err := ledger.NewSigningKey(origin, []byte(origin + "................................")[:32])
		if err != nil {
			t.Fatal(err)
		}
		return k.VerifierKey()
	}
	charter := directory.Policy{Council: directory.Council{K: 1, Keys: []ed25519.PublicKey{council.Public()}}, Delegates: []directory.Delegate{},
		Witnesses: []directory.Witness{}, Logs: directory.Logs{Dir: key("x.example/dir"), Ev: key("x.example/ev")}}
	dir := directory.New()
	enter := func(body directory.Body) {
		t.Helper()
		payload, err := dir.Prepare(body, 1)
		if err != nil {
			t.Fatal(err)
		}
		d, err := statement.Sign(t.Context(), statement.TypeDirectory, payload, council)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := directory.Leaf(d)
		if err != nil {
			t.Fatal(err)
		}
		if dir, err = dir.Apply(leaf); err != nil {
			t.Fatal(err)
		}
	}
	policy := func(text string) {
		t.Helper()
		body := charter
		body.Quorum = directory.Quorum{Dir: "quorum " + text, Ev: "none"}
		enter(&body)
	}
	enter(&directory.Genesis{Council: charter.Council, Delegates: charter.Delegates, Demo: true, Logs: charter.Logs, Name: "test",
		Quorum: directory.Quorum{Dir: "none", Ev: "none"}, Witnesses: charter.Witnesses})

	var h handover
	covered := int64(0)
	want := func(before ...string) {
		t.Helper()
		if got := h.pending(dir.View, func(entry int64) bool { return entry < covered }); !slices.Equal(got, before) {
			t.Errorf("%d of %d entries confirmed: %q, want %q", covered, dir.N(), got, before)
		}
	}
	want()
	policy("one")
	want("none")
	covered = 2
	want()
	policy("two")
	policy("two") // council or delegates changed, not the witnesses
	want("quorum one")
	policy("three")
	want("quorum one", "quorum two")
	covered = 3
	want("quorum two")
	covered = dir.N()
	want()
	if got := new(handover).pending(dir.View, func(int64) bool { return true }); len(got) != 0 {
		t.Errorf("a server that starts: %q", got)
	}
}
