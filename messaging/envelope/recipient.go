package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"filippo.io/age"
)

// ErrRecipient says that a string is not a hybrid age recipient (age1pq1…).
// The error never repeats the string: a caller may have passed an identity.
var ErrRecipient = errors.New("envelope: not a hybrid age recipient")

// RK names an epoch key: the hex SHA-256 of its canonical age1pq1… string. Any
// other kind of recipient is refused with [ErrRecipient].
func RK(recipient string) (string, error) {
	if _, err := parseRecipient(recipient); err != nil {
		return "", err
	}
	return rkOf(recipient), nil
}

func rkOf(recipient string) string {
	sum := sha256.Sum256([]byte(recipient))
	return hex.EncodeToString(sum[:])
}

// parseRecipient refuses also the upper-case spelling of Bech32, so that a key
// has one name.
func parseRecipient(s string) (*age.HybridRecipient, error) {
	r, err := age.ParseHybridRecipient(s)
	if err != nil || r.String() != s {
		return nil, ErrRecipient
	}
	return r, nil
}
