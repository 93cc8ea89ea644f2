package transparency_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/transparency"
)

func listed(n int) transparency.ExpectedList {
	x := transparency.ExpectedList{At: start, Genesis: hash("genesis"), I: instA}
	for i := range n {
		x.Entries = append(x.Entries, transparency.LookedAt{Idx: int64(2 * i), SHA256: hash("leaf")})
	}
	return x
}

func signedList(t testing.TB, x transparency.ExpectedList, by string) []byte {
	t.Helper()
	data, err := x.Sign(context.Background(), signer(by))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A list is believed under one key, for one institution of one exchange.
func TestExpectedList(t *testing.T) {
	good, pub := signedList(t, listed(3), "observer"), signer("observer").Public()
	x, err := transparency.VerifyExpected(good, pub, hash("genesis"), instA)
	if err != nil || len(x.Entries) != 3 || x.Entries[2].Idx != 4 {
		t.Fatalf("%+v %v", x, err)
	}
	if _, _, key, err := transparency.ParseExpected(good); err != nil || key != keyID("observer") {
		t.Errorf("%s %v", key, err)
	}
	other := listed(3)
	other.Genesis = hash("another")
	for name, data := range map[string][]byte{
		"another key":         signedList(t, listed(3), "registrar/1"),
		"another exchange":    signedList(t, other, "observer"),
		"nothing":             nil,
		"another type":        []byte(strings.Replace(string(good), "expected", "dir", 1)),
		"not canonical":       append([]byte(" "), good...),
		"a changed signature": []byte(strings.Replace(string(good), `"sig":"`, `"sig":"AAAA`, 1)),
	} {
		if _, err := transparency.VerifyExpected(data, pub, hash("genesis"), instA); !errors.Is(err, transparency.ErrExpected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := transparency.VerifyExpected(good, pub, hash("genesis"), id("i", "B")); !errors.Is(err, transparency.ErrExpected) {
		t.Errorf("another institution: %v", err)
	}
	for name, x := range map[string]transparency.ExpectedList{
		"no genesis":     {At: start, I: instA},
		"no institution": {At: start, Genesis: hash("genesis")},
		"no time":        {Genesis: hash("genesis"), I: instA},
		"out of order": {At: start, Genesis: hash("genesis"), I: instA, Entries: []transparency.LookedAt{
			{Idx: 2, SHA256: hash("a")}, {Idx: 2, SHA256: hash("b")}}},
		"no hash": {At: start, Genesis: hash("genesis"), I: instA, Entries: []transparency.LookedAt{{Idx: 2}}},
	} {
		if _, err := x.Sign(context.Background(), signer("observer")); !errors.Is(err, transparency.ErrExpected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list never grows beyond what a statement may hold: the newest entries stay.
func TestExpectedListIsBounded(t *testing.T) {
	data := signedList(t, listed(1000), "observer")
	x, err := transparency.VerifyExpected(data, signer("observer").Public(), hash("genesis"), instA)
	if err != nil || len(x.Entries) != transparency.MaxExpected || x.Entries[len(x.Entries)-1].Idx != 1998 {
		t.Errorf("%d entries: %v", len(x.Entries), err)
	}
	if len(data) > 2*statement.MaxSize {
		t.Errorf("%d bytes", len(data))
	}
}

// What parses is what was signed, byte for byte, and nothing makes it panic.
func FuzzParseExpected(f *testing.F) {
	f.Add(signedList(f, listed(0), "observer"))
	f.Add(signedList(f, listed(2), "observer"))
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.odziv.expected.v1+json","signatures":[{"keyid":"x","sig":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, signed, key, err := transparency.ParseExpected(data)
		if err != nil {
			if !errors.Is(err, transparency.ErrExpected) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := signed.Encode()
		if err != nil || string(again) != string(data) {
			t.Errorf("another spelling: %s %v", again, err)
		}
		if len(x.Entries) > transparency.MaxExpected || signed.Signatures[0].KeyID != key {
			t.Errorf("%+v", x)
		}
	})
}
