package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// A Cosignature is what a witness of a policy put under a checkpoint.
type Cosignature struct {
	Name     string `json:"name"`               // in the policy
	Operator string `json:"operator,omitempty"` // whom the directory names for its key
	At       int64  `json:"at"`                 // ms since 1970 UTC, by the witness's clock; 0 of a plain signature, which has no time
}

// Seen says who vouched for a checkpoint, and when.
type Seen struct {
	Standing ledger.Standing `json:"standing"`
	Asked    int             `json:"asked"`    // witnesses that the policy names
	Cosigned []Cosignature   `json:"cosigned"` // valid ones, in the order of the policy
	First    int64           `json:"first,omitempty"`
	Last     int64           `json:"last,omitempty"` // of the times among them, ms; 0 without any
}

// seen judges a checkpoint whose own signature was verified before, by a quorum
// of the directory.
func seen(signed []byte, quorum string, operators []directory.Witness) (Seen, error) {
	p, err := ledger.ParsePolicy(quorum)
	if err != nil {
		return Seen{}, fmt.Errorf("the directory's policy of witnesses: %w", err)
	}
	return seenUnder(signed, p, operators), nil
}

func seenUnder(signed []byte, p *ledger.Policy, operators []directory.Witness) Seen {
	s := Seen{Standing: p.Standing(signed), Asked: len(p.Witnesses()), Cosigned: []Cosignature{}}
	names := p.Cosigned(signed)
	for _, w := range p.Witnesses() {
		if !names[w.Name] {
			continue
		}
		c := Cosignature{Name: w.Name}
		if _, timed := w.Verifier.(*ledger.Cosigner); timed {
			c.At, _ = ledger.CosignedAt(signed, w.Verifier)
		}
		if i := slices.IndexFunc(operators, func(o directory.Witness) bool { return o.VKey == w.VKey }); i >= 0 {
			c.Operator = operators[i].Operator
		}
		s.put(c)
	}
	return s
}

func (s *Seen) put(c Cosignature) {
	s.Cosigned = append(s.Cosigned, c)
	if c.At == 0 {
		return
	}
	if s.First == 0 || c.At < s.First {
		s.First = c.At
	}
	s.Last = max(s.Last, c.At)
}

// String lists who cosigned, for people.
func (s *Seen) String() string {
	var who []string
	for _, c := range s.Cosigned {
		text := c.Name
		if c.Operator != "" {
			text += " (" + c.Operator + ")"
		}
		if c.At > 0 {
			text += " " + instant(c.At)
		}
		who = append(who, text)
	}
	return orDash(strings.Join(who, "; "))
}

// What cosignatures say of the time that the exchange gave an entry.
const (
	TimeAfter  = "after"  // a witness saw the entry well before the exchange says that it was received
	TimeBefore = "before" // no witness saw it until long after
)

// How far times may lie apart before it is worth saying, in ms: two clocks may
// differ by what a write may differ from the exchange's own reckoning, and a
// checkpoint under quorum is ordinary within a second or two.
const (
	clocksApart   = 5 * 60_000
	longUnwatched = 60 * 60_000
)

// doubt compares the time of an entry with the first time that somebody else saw
// it in the log. Neither clock is proven right.
func (s *Seen) doubt(at int64) string {
	switch {
	case s.First == 0:
		return ""
	case at > s.First+clocksApart:
		return TimeAfter
	case s.First > at+longUnwatched:
		return TimeBefore
	}
	return ""
}

// tell says who vouched for a checkpoint.
func (r *Report) tell(s Seen) {
	if s.Asked > 0 {
		r.say(FactCosigners, len(s.Cosigned), s.Asked, s.String())
	}
}

// tellTime says between which times others saw an entry in the log.
func (r *Report) tellTime(s Seen, at int64, doubt string) {
	if s.First == 0 {
		return
	}
	r.say(FactBounded, instant(s.First), instant(s.Last))
	switch doubt {
	case TimeAfter:
		r.say(FactTimeAfter, instant(s.First), instant(at))
	case TimeBefore:
		r.say(FactTimeBefore, instant(at), instant(s.First))
	}
}

// A Policy is a policy of witnesses that the verifier brings along (C2SP
// tlog-policy): every checkpoint must satisfy it, whatever the directory asks
// for.
type Policy struct {
	quorum *ledger.Policy
	logs   []string // verifier keys of its log lines
}

// ParsePolicy reads a policy. Log lines, if there are any, name the only logs
// that it is about.
func ParsePolicy(text string) (*Policy, error) {
	quorum, err := ledger.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	p := &Policy{quorum: quorum}
	for line := range strings.Lines(text) {
		if words := policyWords(line); len(words) > 1 && words[0] == "log" {
			p.logs = append(p.logs, words[1])
		}
	}
	return p, nil
}

func policyWords(line string) []string {
	rest, _, _ := strings.Cut(line, "#")
	return strings.Fields(rest)
}

// check wants a checkpoint of a log to be as the policy asks. A nil policy asks
// for nothing.
func (p *Policy) check(vkey string, signed []byte) error {
	switch {
	case p == nil:
		return nil
	case len(p.logs) > 0 && !slices.Contains(p.logs, vkey):
		return errors.New("the policy you gave does not name the key of this log")
	case p.quorum.Standing(signed) == ledger.Provisional:
		return fmt.Errorf("the policy you gave asks for more cosignatures: %d of its %d witnesses cosigned",
			len(p.quorum.Cosigned(signed)), len(p.quorum.Witnesses()))
	}
	return nil
}

// seen judges a checkpoint by the policy alone; without one nobody was asked.
func (p *Policy) seen(signed []byte) Seen {
	if p == nil {
		return Seen{Standing: ledger.Unwitnessed, Cosigned: []Cosignature{}}
	}
	return seenUnder(signed, p.quorum, nil)
}

// keyOf is the key that the policy names for the log of an origin, or "".
func (p *Policy) keyOf(origin string) string {
	if p == nil {
		return ""
	}
	for _, vkey := range p.logs {
		if name, _, _ := strings.Cut(vkey, "+"); name == origin {
			return vkey
		}
	}
	return ""
}

// policyText is the file "policy" of a log in a bundle: its key, then whom the
// directory asks to cosign.
func policyText(vkey, quorum string) []byte {
	text := "log " + vkey + "\n"
	if quorum == directory.QuorumNone {
		return []byte(text + "quorum none\n")
	}
	for line := range strings.Lines(quorum) {
		if words := policyWords(line); len(words) > 0 && words[0] != "log" {
			text += strings.Join(words, " ") + "\n"
		}
	}
	return []byte(text)
}
