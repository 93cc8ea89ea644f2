package directory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/statement"
)

// Limits of the members. Times are ms since 1970 UTC.
const (
	maxTime       = 1<<53 - 1
	maxText       = 64 // characters of a free text
	maxCouncil    = 9  // keys of a council or an institution's root
	maxDelegates  = 32
	maxWitnesses  = 32
	maxRegistrars = 16
	maxCustodians = 5 // C(5,2) = 10 escrow files
	maxRoles      = 8
	maxMembers    = 64
	maxContacts   = 16
	maxTerritory  = 256
	maxPolicyText = 8 << 10 // bytes of a C2SP tlog-policy
	maxVKey       = 256     // bytes
)

// checks returns the first error, so that a statement reads as a list of rules.
func checks(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTime(member string, ms int64) error {
	if ms < 1 || ms > maxTime {
		return fmt.Errorf("%s: %d is no time in ms since 1970", member, ms)
	}
	return nil
}

// checkSpan wants from < until, both times; until is exclusive.
func checkSpan(fromMember string, from int64, untilMember string, until int64) error {
	if err := checks(checkTime(fromMember, from), checkTime(untilMember, until)); err != nil {
		return err
	}
	if from >= until {
		return fmt.Errorf("%s %d is not before %s %d", fromMember, from, untilMember, until)
	}
	return nil
}

func checkCount(member string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s: %d of them, want %d to %d", member, n, least, most)
	}
	return nil
}

// checkText wants a short line that prints.
func checkText(member, s string) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > maxText {
		return fmt.Errorf("%s: %d characters, want 1 to %d", member, n, maxText)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%s: character %U does not print", member, r)
		}
	}
	return nil
}

func checkHash(member, s string) error {
	if !statement.IsHash(s) {
		return fmt.Errorf("%s: %q is not the hex of 32 bytes", member, clip(s))
	}
	return nil
}

func checkKeyID(member, s string) error {
	if !statement.IsKeyID(s) {
		return fmt.Errorf("%s: %q is no key id", member, clip(s))
	}
	return nil
}

// checkOneOf wants s to be in a closed list.
func checkOneOf(member, s string, list []string) error {
	for _, one := range list {
		if s == one {
			return nil
		}
	}
	return fmt.Errorf("%s: %q is none of %s", member, clip(s), strings.Join(list, ", "))
}

// checkDistinct refuses a value that a list holds twice.
func checkDistinct(member string, list []string) error {
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if seen[s] {
			return fmt.Errorf("%s: %q twice", member, clip(s))
		}
		seen[s] = true
	}
	return nil
}

// smallOrder lists the encodings of Ed25519 points of small order, sign bit
// cleared, canonical and not. Under such a key anybody can make a signature that
// verifies, so its owner could deny everything she signed. (RFC 8032 §5.1;
// test: TestSmallOrderKeysAreForgeable)
var smallOrder = [][]byte{
	unhex("0000000000000000000000000000000000000000000000000000000000000000"),
	unhex("0100000000000000000000000000000000000000000000000000000000000000"),
	unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}

func unhex(s string) []byte {
	b, _ := hex.DecodeString(s) // constants, read by a test
	return b
}

func checkKey(member string, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("%s: %d bytes, an Ed25519 public key has %d", member, len(key), ed25519.PublicKeySize)
	}
	positive := bytes.Clone(key)
	positive[31] &= 0x7f
	for _, weak := range smallOrder {
		if bytes.Equal(positive, weak) {
			return fmt.Errorf("%s: a key of small order, anybody can sign for it; generate another", member)
		}
	}
	return nil
}

func checkKeys(member string, keys []ed25519.PublicKey, least, most int) error {
	if err := checkCount(member, len(keys), least, most); err != nil {
		return err
	}
	for _, k := range keys {
		if err := checkKey(member, k); err != nil {
			return err
		}
	}
	return checkDistinct(member, keyIDs(keys))
}

// checkVKey wants a verifier key of golang.org/x/mod/sumdb/note with one of the
// algorithms: 1 Ed25519, 4 Ed25519 cosignature (C2SP signed-note, tlog-cosignature).
func checkVKey(member, vkey string, algorithms ...byte) error {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, b64, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.Strict().DecodeString(b64)
	bad := func(why string) error { return fmt.Errorf("%s: %q is no verifier key: %s", member, clip(vkey), why) }
	switch {
	case len(vkey) > maxVKey:
		return bad("too long")
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return bad("its name is empty or has a blank")
	case err != nil || len(key) != 1+ed25519.PublicKeySize:
		return bad("its key is not the base64 of an algorithm byte and 32 bytes")
	case bytes.IndexByte(algorithms, key[0]) < 0:
		return bad(fmt.Sprintf("algorithm %d is not accepted here", key[0]))
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	if hash != fmt.Sprintf("%08x", binary.BigEndian.Uint32(sum[:])) {
		return bad("its hash does not match name and key")
	}
	return checkKey(member, key[1:])
}

// checkQuorum wants "none" or a C2SP tlog-policy: lines of log, witness, group or
// comment, and one quorum line. Who cosigns is decided by whoever verifies a
// checkpoint; here the text is only kept in shape.
func checkQuorum(member, text string) error {
	if text == QuorumNone {
		return nil
	}
	if len(text) > maxPolicyText {
		return fmt.Errorf("%s: %d bytes, at most %d", member, len(text), maxPolicyText)
	}
	quorums := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		word, _, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(word, "#") {
			if err := checkOneOf(member, word, []string{"", "log", "witness", "group", "quorum"}); err != nil {
				return err
			}
		}
		if word == "quorum" {
			quorums++
		}
	}
	if quorums != 1 {
		return fmt.Errorf("%s: %d quorum lines, want 1, or %q alone", member, quorums, QuorumNone)
	}
	return nil
}

var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

// checkZone wants the shape of an IANA time zone name. It starts with a capital, so
// that no zone is the subject of another kind of statement.
func checkZone(member, zone string) error {
	if len(zone) > maxText || !zoneName.MatchString(zone) {
		return fmt.Errorf("%s: %q is no time zone name", member, clip(zone))
	}
	return nil
}

func keyIDs(keys []ed25519.PublicKey) []string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = statement.KeyID(k)
	}
	return ids
}

// clip keeps hostile input short in an error.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
