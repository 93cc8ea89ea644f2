package directory

import (
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	recipientPrefix = "age1pq1" // age v1.3, recipient of the stanza mlkem768x25519
	bech32Letters   = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	hybridKeySize   = mlkem.EncapsulationKeySize768 + 32 // X-Wing: ML-KEM-768, then X25519
)

// RecipientHash is how a statement names a desk epoch's key: the hex SHA-256 of
// the recipient's text (age1pq1…).
func RecipientHash(recipient string) string {
	sum := sha256.Sum256([]byte(recipient))
	return hex.EncodeToString(sum[:])
}

// checkRecipient wants a post-quantum age recipient that can be sealed to: Bech32
// (BIP 173, without its limit of 90 characters) in lower case around a hybrid
// public key whose ML-KEM half decodes. A wrong one would only show when nobody
// can make the next desk epoch.
func checkRecipient(member, s string) error {
	data, ok := strings.CutPrefix(s, recipientPrefix)
	if !ok {
		return fmt.Errorf("%s: %q is no %s recipient", member, clip(s), recipientPrefix)
	}
	if want := (hybridKeySize*8+4)/5 + 6; len(data) != want {
		return fmt.Errorf("%s: recipient of %d characters, want %d", member, len(s), want+len(recipientPrefix))
	}
	groups := make([]byte, len(data))
	for i := range data {
		g := strings.IndexByte(bech32Letters, data[i])
		if g < 0 {
			return fmt.Errorf("%s: recipient: character %d is not Bech32", member, i+len(recipientPrefix))
		}
		groups[i] = byte(g)
	}
	if bech32Sum(recipientPrefix[:len(recipientPrefix)-1], groups) != 1 {
		return fmt.Errorf("%s: recipient: checksum does not match, it was mistyped or cut", member)
	}
	key, ok := packBits(groups[:len(groups)-6])
	if !ok {
		return fmt.Errorf("%s: recipient: padding is not zero", member)
	}
	if _, err := mlkem.NewEncapsulationKey768(key[:mlkem.EncapsulationKeySize768]); err != nil {
		return fmt.Errorf("%s: recipient: %w", member, err)
	}
	return nil
}

// bech32Sum is the checksum polynomial over the expanded prefix and the groups,
// 1 if it holds.
func bech32Sum(prefix string, groups []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(prefix) {
		step(prefix[i] >> 5)
	}
	step(0)
	for i := range len(prefix) {
		step(prefix[i] & 31)
	}
	for _, g := range groups {
		step(g)
	}
	return sum
}

// packBits turns groups of 5 bits into bytes; what is left over must be zero.
func packBits(groups []byte) ([]byte, bool) {
	out := make([]byte, 0, len(groups)*5/8)
	acc, bits := uint32(0), 0
	for _, g := range groups {
		acc = acc<<5 | uint32(g)
		if bits += 5; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	return out, acc == 0 && bits < 5
}
