package vault

import (
	"fmt"
	"log/slog"
)

// Secret is a token, a password, a secret id or a value kept in the key-value
// store. It prints as "redacted" under every verb, in JSON and in logs. The zero
// Secret is none.
//
// The text lies behind a function because package fmt prints the unexported
// fields of a struct without asking them, a Secret in somebody's struct included.
type Secret struct{ text func() string }

// NewSecret takes the text exactly as given.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

// Reveal returns the text, to be handed to what needs it and to nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// IsZero reports whether there is no secret or an empty one.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Format, String, MarshalText and LogValue keep the text out of every output.
func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Secret) String() string               { return "redacted" }
func (Secret) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue("redacted") }
