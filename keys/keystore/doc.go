// Package keystore keeps the private keys of one person or body in one file:
// an age v1 file (C2SP age) locked by a passphrase with scrypt (RFC 7914),
// holding an age identity file whose comments carry what age does not know. The
// age command opens it without us. FORMAT.md in this folder specifies the bytes.
//
// [Create] makes a file, [Open] reads one, [Keystore.Save] replaces it so that
// whatever happens in between leaves the old file or the new one. [GeneratePassphrase]
// offers a passphrase worth 72 bits.
//
// Two programs may open one file. [Keystore.Save] of the second is refused with
// [ErrChanged]; [Keystore.Update] takes over what the first added, and saves both.
//
// [Lock] holds unlocked keys for as long as somebody uses them. Where the signing
// key is in a Vault, [Keystore.Elsewhere] and [ParseElsewhere] write and read the rest.
package keystore

import "errors"

const (
	// WorkFactor is the scrypt work factor written, as a power of two: 256 MiB
	// and about a second for every guess.
	WorkFactor = 18
	// MaxWorkFactor is the largest read.
	MaxWorkFactor = 20
	// DemoWorkFactor is written into demonstration keystores only.
	DemoWorkFactor = 12
	// MaxFile bounds a keystore file, in bytes.
	MaxFile = 1 << 20
	// MinPassphrase and MaxPassphrase bound a passphrase, in bytes.
	MinPassphrase = 12
	MaxPassphrase = 1024
)

// What can be wrong with a keystore. Each is wrapped with the detail, which
// never holds a secret.
var (
	// ErrPassphrase: the passphrase does not open the file.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrFormat: the file is damaged or is no keystore.
	ErrFormat = errors.New("not a valid keystore")
	// ErrDemo: a demonstration keystore where none is wanted.
	ErrDemo = errors.New("keystore of a demonstration")
	// ErrChanged: another program replaced the file since it was opened.
	ErrChanged = errors.New("keystore file changed meanwhile")
	// ErrOther: the file holds the keys of somebody else, or other keys.
	ErrOther = errors.New("not the same keystore")
	// ErrLocked: the keys were locked and must be unlocked first.
	ErrLocked = errors.New("the keys are locked")
	// ErrReadOnly: the medium cannot be written.
	ErrReadOnly = errors.New("the medium is read-only")
	// ErrBusy: another program has been saving this keystore for ten seconds.
	ErrBusy = errors.New("another program is saving this keystore")
	// ErrElsewhere: the signing key is not in this program, so no file can hold it.
	ErrElsewhere = errors.New("the signing key is elsewhere and cannot be taken out")
	// ErrHealthy: the keystore opens, so no other version need take its place.
	ErrHealthy = errors.New("the keystore opens as it is")
)
