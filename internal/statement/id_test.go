package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var prefixes = []string{Message, Set, Case, Person, OtherPerson, Consent, Other, Institution, Desk, Officer, Obligation}

func TestIDs(t *testing.T) {
	var vectors struct {
		IDs []struct{ Prefix, Bytes, ID string }
	}
	readVectors(t, "ids.json", &vectors)
	if len(vectors.IDs) < 5 {
		t.Fatal("vectors are gone")
	}
	for _, c := range vectors.IDs {
		if got := FormatID(c.Prefix, bytesOf(t, "", c.Bytes)); got != c.ID {
			t.Errorf("%s, want %s", got, c.ID)
		}
		if !IsID(c.ID, c.Prefix) || !IsID(c.ID, prefixes...) {
			t.Errorf("%s is refused", c.ID)
		}
	}
}

// The worked example of the evidence file: an obligation's identifier is the
// front of a digest.
func TestIDOfDigest(t *testing.T) {
	sum := sha256.Sum256([]byte("odziv"))
	id := FormatID(Obligation, sum[:16])
	raw, err := b32.DecodeString(strings.TrimPrefix(id, "o_"))
	if err != nil || hex.EncodeToString(raw) != hex.EncodeToString(sum[:16]) {
		t.Errorf("%s: %x, %v", id, raw, err)
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID(Message)
		if seen[id] || !IsID(id, Message) {
			t.Fatalf("%s", id)
		}
		seen[id] = true
	}
}

func TestIsID(t *testing.T) {
	good := "m_oofw6vd6cx6m2svg5rffxs55au"
	for name, id := range map[string]string{
		"nothing":              "",
		"no prefix":            good[2:],
		"another prefix":       "d" + good[1:],
		"no underscore":        "m" + good[2:],
		"one letter less":      good[:len(good)-1],
		"one letter more":      good + "a",
		"capitals":             "m_" + strings.ToUpper(good[2:]),
		"padding":              good[:len(good)-2] + "==",
		"a digit that is none": good[:len(good)-1] + "1",
		"unused bits":          good[:len(good)-1] + "v",
		"newline":              good + "\n",
		"newline within":       good[:10] + "\n" + good[11:],
		"letters beyond ASCII": "m_" + strings.Repeat("č", 13),
	} {
		if IsID(id, Message) {
			t.Errorf("%s: %q is accepted", name, id)
		}
		if err := CheckID("msg", id, Message, Set); err == nil || !strings.HasPrefix(err.Error(), "msg: ") || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !IsID(good, Message) || !IsID(good, Set, Message) || IsID(good) {
		t.Error("prefixes are not heeded")
	}
	if err := CheckID("msg", strings.Repeat("x", 10000), Message); len(err.Error()) > 200 {
		t.Error("a hostile identifier fills the error")
	}
}

// An identifier has one spelling: whatever is accepted, formats back to itself.
func TestIDHasOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[a-z]_[a-z2-7]{26}`), rapid.String()).Draw(t, "id")
		for _, p := range prefixes {
			if !IsID(id, p) {
				continue
			}
			raw, err := b32.DecodeString(id[len(p)+1:])
			if err != nil || len(raw) != 16 || FormatID(p, raw) != id {
				t.Fatalf("%q: %x, %v", id, raw, err)
			}
		}
	})
}

func TestSmallForms(t *testing.T) {
	forms := map[string]func(string) bool{"code": IsCode, "pack": IsPackID, "hash": IsHash, "key id": IsKeyID}
	hash := strings.Repeat("0123456789abcdef", 4)
	for form, cases := range map[string]struct{ good, bad []string }{
		"code": {
			[]string{"a", "0", "-", "status-digest", strings.Repeat("a", 40)},
			[]string{"", "A", "a_b", "a b", "č", "a\n", "\na", strings.Repeat("a", 41)},
		},
		"pack": {
			[]string{"rs-a@1", "xx-demo@12", "a@99999", strings.Repeat("a", 32) + "@1"},
			[]string{"", "rs-a", "rs-a@", "@1", "rs-a@0", "rs-a@01", "rs-a@-1", "rs-a@100000", "RS@1", "a@1\n", "a@1@1", strings.Repeat("a", 33) + "@1"},
		},
		"hash": {
			[]string{hash},
			[]string{"", hash[1:], hash + "0", strings.ToUpper(hash), "g" + hash[1:], hash[:62], hash + "\n"},
		},
		"key id": {
			[]string{"ed25519:" + hash},
			[]string{"", hash, "ed25519:", "ed25519:" + hash[2:], "Ed25519:" + hash, "ed25519:" + strings.ToUpper(hash), "rsa:" + hash},
		},
	} {
		for _, s := range cases.good {
			if !forms[form](s) {
				t.Errorf("%s %q is refused", form, s)
			}
		}
		for _, s := range cases.bad {
			if forms[form](s) {
				t.Errorf("%s %q is accepted", form, s)
			}
		}
	}
	if err := CheckCode("kind", "A"); err == nil || !strings.HasPrefix(err.Error(), "kind: ") {
		t.Error(err)
	}
	if err := CheckCode("kind", "a"); err != nil {
		t.Error(err)
	}
}

func TestEventTypes(t *testing.T) {
	for _, ev := range []string{"attested", "consent.given", "message.decrypt_failed"} {
		if got, ok := EventOfType(TypeOfEvent(ev)); !ok || got != ev {
			t.Errorf("%s: %s, %v", ev, got, ok)
		}
	}
	if TypeOfEvent("consent.given") != "application/vnd.odziv.ev.consent.given.v1+json" {
		t.Error(TypeOfEvent("consent.given"))
	}
	for _, other := range []string{"", TypeNotice, TypeDirectory, TypeEvidence, "application/vnd.odziv.ev.a.v2+json", "x" + TypeOfEvent("a")} {
		if ev, ok := EventOfType(other); ok {
			t.Errorf("%s is the type of %s", other, ev)
		}
	}
}
