package transparency

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// TypeExpected is the DSSE payload type of a list of expected changes.
const TypeExpected = "application/vnd.odziv.expected.v1+json"

// MaxExpected bounds the entries of one list.
const MaxExpected = 300

// ErrExpected says that a list of expected changes is none, or not for this
// institution and exchange.
var ErrExpected = errors.New("not a list of expected changes of this institution")

// ExpectedList says which changes somebody looked at and expected: an
// institution's observer for its officers, or an officer for another computer of
// hers. It is signed by the one key it comes from.
type ExpectedList struct {
	At      int64      `json:"at"` // ms, when it was signed
	Entries []LookedAt `json:"entries"`
	Genesis string     `json:"genesis"` // hex, of the directory
	I       string     `json:"i"`
	V       int        `json:"v"`
}

// LookedAt is an entry of the directory that somebody looked at.
type LookedAt struct {
	Idx    int64  `json:"idx"`
	SHA256 string `json:"sha256"` // hex, of the leaf
}

// Sign makes the signed list, with the newest [MaxExpected] entries if there are
// more. Entries are in the order of the directory.
func (x ExpectedList) Sign(ctx context.Context, by statement.Signer) ([]byte, error) {
	x.V = 1
	if n := len(x.Entries); n > MaxExpected {
		x.Entries = x.Entries[n-MaxExpected:]
	}
	x.Entries = nonNil(x.Entries)
	if err := x.check(); err != nil {
		return nil, err
	}
	payload, err := statement.Marshal(x)
	if err != nil {
		return nil, err
	}
	d, err := statement.Sign(ctx, TypeExpected, payload, by)
	if err != nil {
		return nil, err
	}
	return d.Encode()
}

// ParseExpected reads a signed list and says whose key it wants to be of; nothing
// is verified yet.
func ParseExpected(data []byte) (x ExpectedList, signed *statement.DSSE, key string, err error) {
	signed, err = statement.ParseDSSE(data)
	if err != nil {
		return x, nil, "", fmt.Errorf("transparency: %w: %w", ErrExpected, err)
	}
	if signed.PayloadType != TypeExpected || len(signed.Signatures) != 1 {
		return x, nil, "", fmt.Errorf("transparency: %w: of type %.60q with %d signatures", ErrExpected, signed.PayloadType, len(signed.Signatures))
	}
	if err := statement.Unmarshal(signed.Payload, &x); err != nil {
		return x, nil, "", fmt.Errorf("transparency: %w: %w", ErrExpected, err)
	}
	return x, signed, signed.Signatures[0].KeyID, x.check()
}

// VerifyExpected reads a list that one key must have signed for an institution
// of an exchange.
func VerifyExpected(data []byte, key ed25519.PublicKey, genesis, inst string) (ExpectedList, error) {
	x, signed, _, err := ParseExpected(data)
	if err != nil {
		return x, err
	}
	if x.Genesis != genesis || x.I != inst {
		return x, fmt.Errorf("transparency: %w: it is of %s", ErrExpected, x.I)
	}
	if err := signed.Verify(key); err != nil {
		return x, fmt.Errorf("transparency: %w: %w", ErrExpected, err)
	}
	return x, nil
}

func (x ExpectedList) check() error {
	fail := func(what string) error { return fmt.Errorf("transparency: %w: %s", ErrExpected, what) }
	switch {
	case x.V != 1:
		return fail("another version")
	case x.At <= 0:
		return fail("no time")
	case !statement.IsHash(x.Genesis):
		return fail("no genesis")
	case !statement.IsID(x.I, statement.Institution):
		return fail("no institution")
	case len(x.Entries) > MaxExpected:
		return fail("too many entries")
	}
	last := int64(-1)
	for _, e := range x.Entries {
		if e.Idx <= last || !statement.IsHash(e.SHA256) {
			return fail("its entries are not in order, or no hashes")
		}
		last = e.Idx
	}
	return nil
}
