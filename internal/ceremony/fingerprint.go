package ceremony

import (
	"crypto/ed25519"
	"strings"

	"github.com/odziv/odziv/internal/statement"
)

// Groups of a fingerprint as people read it aloud.
const (
	groupSize = 4 // hexadecimal digits of a group
	rowSize   = 4 // groups of a row on paper
)

// Fingerprint groups a hex digest by four, for reading aloud: 16 groups of a
// SHA-256.
func Fingerprint(hex string) string { return strings.Join(groups(hex), " ") }

// FingerprintOf is the fingerprint of a key: the SHA-256 of its 32 bytes.
func FingerprintOf(key ed25519.PublicKey) string { return Fingerprint(Digest(key)) }

// Digest is the hex SHA-256 of a key, which a key id carries.
func Digest(key ed25519.PublicKey) string { return DigestOf(statement.KeyID(key)) }

// DigestOf is the hex digest in a key id.
func DigestOf(keyID string) string { return strings.TrimPrefix(keyID, "ed25519:") }

// Compared reports whether what somebody typed from paper is the fingerprint of
// a digest. Blanks, line ends, dots, dashes and the case of letters do not count.
func Compared(typed, hex string) bool {
	return hex != "" && strings.EqualFold(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n.-:\u00a0", r) {
			return -1
		}
		return r
	}, typed), hex)
}

// Short is the first two groups: enough to find a key in a list, never enough to
// compare it.
func Short(hex string) string { return Fingerprint(hex[:min(2*groupSize, len(hex))]) + " …" }

func groups(hex string) []string {
	var list []string
	for i := 0; i < len(hex); i += groupSize {
		list = append(list, hex[i:min(i+groupSize, len(hex))])
	}
	return list
}

// rows are the lines of a fingerprint on paper.
func rows(hex string) []string {
	var list []string
	all := groups(hex)
	for i := 0; i < len(all); i += rowSize {
		list = append(list, strings.Join(all[i:min(i+rowSize, len(all))], " "))
	}
	return list
}
