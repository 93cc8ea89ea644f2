package keystore

import (
	"fmt"
	"log/slog"
)

// Secret is a passphrase. It prints as "redacted" under every verb.
//
// The text lies behind a function because package fmt prints the unexported
// fields of a struct without asking them, a Secret in somebody's struct included.
type Secret struct{ text func() string }

// NewSecret takes the passphrase exactly as given, without any normalisation:
// the age command, which opens the file too, knows none.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

// Reveal returns the passphrase, to be shown once to the person who will write
// it down.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Secret) String() string               { return "redacted" }
func (Secret) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue("redacted") }

func (s Secret) check() error {
	if n := len(s.Reveal()); n == 0 || n > MaxPassphrase {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrPassphrase, n, MaxPassphrase)
	}
	if n := Mistyped(s); n > 0 { // said at once; a file under such a passphrase cannot be made
		return fmt.Errorf("%w: word %d is not one of the words that passphrases are made of", ErrPassphrase, n)
	}
	return nil
}

// checkNew is check for a passphrase that will lock a file.
func (s Secret) checkNew(demo bool) error {
	if n := len(s.Reveal()); !demo && n < MinPassphrase {
		return fmt.Errorf("passphrase of %d bytes is too short, want at least %d", n, MinPassphrase)
	}
	if err := checkOwn(s); err != nil {
		return fmt.Errorf("passphrase cannot be used: %w", err)
	}
	return s.check()
}
