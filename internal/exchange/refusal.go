package exchange

import "fmt"

// Class says what kind of "no" a refusal is. The API maps it to a status.
type Class int

// Classes of refusal.
const (
	Malformed     Class = iota // the request cannot be read
	Unauthentic                // who asks is not established
	Forbidden                  // a rule says no
	Missing                    // there is no such thing, or not for you
	Conflicting                // the state of the exchange says no
	TooLarge                   // beyond a bound
	Unprocessable              // readable, but against the pack
	Unavailable                // not now
)

// Refusal is an answer of no, with what to do about it. Code is stable; Detail
// tells nothing about other people's cases; Hint says what to do next.
type Refusal struct {
	Class  Class
	Code   string
	Detail string
	Hint   string
	leaf   bool // a rule refusal of an enrolled officer is recorded
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Code
	}
	return r.Code + ": " + r.Detail
}

func refuse(class Class, code, format string, args ...any) *Refusal {
	return &Refusal{Class: class, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// hint adds what to do next.
func (r *Refusal) hint(format string, args ...any) *Refusal {
	r.Hint = fmt.Sprintf(format, args...)
	return r
}

// onRecord marks a refusal that becomes a leaf.
func (r *Refusal) onRecord() *Refusal {
	r.leaf = true
	return r
}

func malformed(err error) *Refusal {
	return refuse(Malformed, "malformed", "%v", err).hint("send the canonical form that FORMAT.md specifies")
}
