package directory_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"pgregory.net/rapid"
)

// Every byte of every leaf, changed in its lowest bit: the next character of most
// alphabets, hence the change most likely to be read as something else. Of leaves
// that are long with recipients, every seventh.
func TestEveryByteCounts(t *testing.T) {
	w := golden(t)
	for n, leaf := range w.leaves {
		changed := bytes.Clone(leaf)
		step := 1
		if len(leaf) > 1500 {
			step = 7
		}
		for i := 0; i < len(changed); i += step {
			changed[i] ^= 1
			if _, err := w.states[n].Apply(changed); err == nil {
				t.Errorf("leaf %d: byte %d changed and still accepted", n, i)
			}
			changed[i] ^= 1
		}
	}
}

// Any byte set to anything, dropped or doubled.
func TestAnyChangeIsRefused(t *testing.T) {
	w := golden(t)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(w.leaves)-1).Draw(t, "leaf")
		leaf := w.leaves[n]
		i := rapid.IntRange(0, len(leaf)-1).Draw(t, "byte")
		var changed []byte
		switch rapid.SampledFrom([]string{"set", "drop", "double", "cut"}).Draw(t, "change") {
		case "set":
			changed = bytes.Clone(leaf)
			changed[i] = rapid.Byte().Filter(func(b byte) bool { return b != leaf[i] }).Draw(t, "value")
		case "drop":
			changed = slices.Delete(bytes.Clone(leaf), i, i+1)
		case "double":
			changed = slices.Insert(bytes.Clone(leaf), i, leaf[i])
		case "cut":
			changed = leaf[:i]
		}
		if _, err := w.states[n].Apply(changed); err == nil {
			t.Fatalf("accepted %s", changed)
		}
	})
}

// office is the group of a label: "A/registrar" of "A/registrar/2".
func office(label string) string { return strings.TrimRight(label, "/0123456789") }

// Every signer of every golden leaf is left out, and exchanged for every other key
// there is: nothing is accepted but a colleague of the same office.
func TestSignersOfEveryLeaf(t *testing.T) {
	w := golden(t)
	var everyone []string
	for _, labels := range w.signers {
		everyone = append(everyone, labels...)
	}
	slices.Sort(everyone)
	everyone = slices.Compact(append(everyone, "A/observer", "A/custodian/1", "stranger"))
	for n, labels := range w.signers {
		d, err := statement.ParseDSSE(w.leaves[n])
		if err != nil {
			t.Fatal(err)
		}
		apply := func(labels []string) error {
			_, err := w.states[n].Apply(sign(t, statement.TypeDirectory, d.Payload, labels...))
			return err
		}
		reversed := slices.Clone(labels)
		slices.Reverse(reversed)
		if err := apply(reversed); err != nil {
			t.Errorf("leaf %d: the order of signatures matters: %v", n, err)
		}
		for i := range labels {
			if err := apply(slices.Delete(slices.Clone(labels), i, i+1)); !errors.Is(err, directory.ErrSigners) {
				t.Errorf("leaf %d without %s: %v", n, labels[i], err)
			}
		}
		for _, other := range everyone {
			if slices.Contains(labels, other) {
				continue
			}
			if err := apply(append(slices.Clone(labels), other)); !errors.Is(err, directory.ErrSigners) {
				t.Errorf("leaf %d with %s besides: %v", n, other, err)
			}
			for i := range labels {
				changed := slices.Clone(labels)
				changed[i] = other
				if err := apply(changed); err == nil && !mayStandIn(n, labels[i], other) {
					t.Errorf("leaf %d accepted with %s for %s", n, other, labels[i])
				} else if err != nil && !errors.Is(err, directory.ErrSigners) {
					t.Errorf("leaf %d with %s for %s: %v", n, other, labels[i], err)
				}
			}
		}
	}
}

// mayStandIn says, apart from the code, who may sign in whose place.
func mayStandIn(leaf int, label, other string) bool {
	switch leaf {
	case 14: // any member makes an epoch
		return office(other) == "A/officer"
	case 30: // a delegate is revoked by any delegate or council key
		return office(other) == "council" || strings.HasSuffix(other, "/delegate")
	case 31: // two of the old council and two of the new: 1 is old, 2 and 3 are both, 4 is new
		return label == "council/2" && other == "council/3"
	}
	if strings.HasSuffix(label, "/delegate") {
		return strings.HasSuffix(other, "/delegate")
	}
	return office(label) == office(other)
}

// A council of three that exchanges one key: which sets of signatures do?
func TestChangedCouncil(t *testing.T) {
	w := golden(t)
	state := w.states[31]
	payload, err := state.Prepare(newPolicy(), at(31)) // 1, 2, 3 become 2, 3, 4
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"23": true, "124": true, "134": true, "12": false, "14": false, "24": false, "123": false, "234": false, "1234": false, "2": false, "": false}
	for set, good := range want {
		var labels []string
		for _, c := range set {
			labels = append(labels, "council/"+string(c))
		}
		leaf := sign(t, statement.TypeDirectory, payload, labels...)
		if _, err := state.Apply(leaf); (err == nil) != good {
			t.Errorf("council keys %q: %v", set, err)
		}
	}
}

func TestFutureKeysDoNotSignToday(t *testing.T) {
	w := golden(t)
	leaf := forge(w, 16, "desk.rota", &directory.DeskRota{D: id("d", "A/legal"), From: start, To: end, Contacts: []directory.Contact{{U: id("u", "A/officer/1")}}}, edits{"at": start - 1}, "A/officer/1")
	if _, err := w.states[16].Apply(leaf); !errors.Is(err, directory.ErrSigners) {
		t.Errorf("signed before her term: %v", err)
	}
	leaf = forge(w, 16, "desk.rota", &directory.DeskRota{D: id("d", "A/legal"), From: start, To: end, Contacts: []directory.Contact{{U: id("u", "A/officer/1")}}}, edits{"at": int64(start)}, "A/officer/1")
	if _, err := w.states[16].Apply(leaf); err != nil {
		t.Errorf("signed in the first millisecond of her term: %v", err)
	}
}
