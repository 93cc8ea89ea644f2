package statement

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// Prefixes of identifiers. Each is followed by '_' and 26 characters.
const (
	Message     = "m"
	Set         = "n"
	Case        = "c"
	Person      = "p"
	OtherPerson = "g"
	Consent     = "k"
	Other       = "x"
	Institution = "i"
	Desk        = "d"
	Officer     = "u"
	Obligation  = "o"
)

var b32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a fresh random identifier: prefix, '_', and the base32
// (RFC 4648, lower case, unpadded) of 16 random bytes.
func NewID(prefix string) string {
	var r [16]byte
	rand.Read(r[:]) // never fails since Go 1.24
	return FormatID(prefix, r[:])
}

// FormatID spells 16 bytes as an identifier.
func FormatID(prefix string, id []byte) string { return prefix + "_" + b32.EncodeToString(id) }

// IsID reports whether s is a well-formed identifier with one of the prefixes.
func IsID(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(s, p+"_")
		if !ok || len(rest) != 26 {
			continue
		}
		raw, err := b32.DecodeString(rest)
		return err == nil && b32.EncodeToString(raw) == rest
	}
	return false
}

// CheckID is IsID as an error that names the member.
func CheckID(member, s string, prefixes ...string) error {
	if !IsID(s, prefixes...) {
		return fmt.Errorf("%s: %q is not an identifier of kind %s", member, clip(s), strings.Join(prefixes, " or "))
	}
	return nil
}

var code = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// IsCode reports whether s is a code: lower-case letters, digits and hyphens,
// 1 to 40 of them.
func IsCode(s string) bool { return code.MatchString(s) }

// CheckCode is IsCode as an error that names the member.
func CheckCode(member, s string) error {
	if !IsCode(s) {
		return fmt.Errorf("%s: %q is not a code", member, clip(s))
	}
	return nil
}

// IsHash reports whether s is the lower-case hex of 32 bytes.
func IsHash(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && strings.ToLower(s) == s
}

// IsKeyID reports whether s names an Ed25519 key as [KeyID] does.
func IsKeyID(s string) bool {
	rest, ok := strings.CutPrefix(s, "ed25519:")
	return ok && IsHash(rest)
}

// clip keeps hostile input short in an error.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

var packID = regexp.MustCompile(`^[a-z0-9-]{1,32}@[1-9][0-9]{0,4}$`)

// IsPackID reports whether s names a version of a rule pack, such as "rs-a@1".
func IsPackID(s string) bool { return packID.MatchString(s) }
