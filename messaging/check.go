package messaging

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/odziv/odziv/internal/statement"
)

// Check refuses a core with a malformed member, naming the member. It knows no
// directory and no rule pack: whether a kind, a basis or a desk exists is
// decided elsewhere.
func (c *Core) Check() error {
	return cmp.Or(
		c.checkHead(),
		c.checkTimes(),
		c.From.check(),
		c.Basis.check(),
		c.Dir.check(),
		c.checkPersons(),
		c.checkFacts(),
		c.checkParts(),
		c.checkRecipients(),
		c.checkActs(),
	)
}

func (c *Core) checkHead() error {
	if c.V != 1 {
		return fmt.Errorf("core.v: %d is not a version this program knows", c.V)
	}
	if !statement.IsPackID(c.Pack) {
		return fmt.Errorf("core.pack: not a pack such as rs-a@1")
	}
	if c.Urg != Immediate && c.Urg != Urgent && c.Urg != Regular {
		return fmt.Errorf("core.urg: not I, U or R")
	}
	if c.Re != "" && c.Re == c.Msg {
		return fmt.Errorf("core.re: a message cannot answer itself")
	}
	return cmp.Or(
		statement.CheckID("core.msg", c.Msg, statement.Message),
		statement.CheckCode("core.kind", c.Kind),
		optionalID("core.case", c.Case, statement.Case),
		optionalID("core.re", c.Re, statement.Message),
		optionalID("core.set", c.Set, statement.Set),
	)
}

func (c *Core) checkTimes() error {
	if c.Created <= 0 {
		return fmt.Errorf("core.created: out of range")
	}
	if c.Occurred < 0 || c.Occurred > c.Created {
		return fmt.Errorf("core.occurred: after core.created, or out of range")
	}
	if c.Hold == nil {
		return nil
	}
	if c.Hold.Until <= c.Created {
		return fmt.Errorf("core.hold.until: not after core.created")
	}
	return statement.CheckCode("core.hold.reason", c.Hold.Reason)
}

func (f From) check() error {
	if !statement.IsKeyID(f.Key) {
		return fmt.Errorf("core.from.key: not a key id")
	}
	return cmp.Or(
		statement.CheckID("core.from.desk", f.Desk, statement.Desk),
		statement.CheckID("core.from.inst", f.Inst, statement.Institution),
	)
}

func (b *Basis) check() error {
	if len(b.Ref) > MaxRef || strings.ContainsFunc(b.Ref, unicode.IsControl) {
		return fmt.Errorf("core.basis.ref: over %d bytes, or with a control character", MaxRef)
	}
	if len(b.Consents) > MaxConsents {
		return fmt.Errorf("core.basis.consents: %d, at most %d", len(b.Consents), MaxConsents)
	}
	seen := make(map[string]bool, len(b.Consents))
	for _, k := range b.Consents {
		if err := statement.CheckID("core.basis.consents", k.ID, statement.Consent); err != nil {
			return err
		}
		if k.Ver < 1 || seen[k.ID] {
			return fmt.Errorf("core.basis.consents: version below 1, or a consent named twice")
		}
		seen[k.ID] = true
	}
	return cmp.Or(
		statement.CheckCode("core.basis.code", b.Code),
		statement.CheckCode("core.basis.purpose", b.Purpose),
		optionalCode("core.basis.necessity", b.Necessity),
	)
}

// check wants at least the genesis: nobody resolves a key against less.
func (d DirHead) check() error {
	if d.N < 1 {
		return fmt.Errorf("core.dir.n: below 1")
	}
	if len(d.Root) != sha256.Size {
		return fmt.Errorf("core.dir.root: %d bytes, want %d", len(d.Root), sha256.Size)
	}
	return nil
}

// checkPersons also keeps a message without a case from naming persons: the
// handles of a broadcast would reach desks that share nothing else.
func (c *Core) checkPersons() error {
	if len(c.Subj) > MaxSubjects || len(c.Cats) > MaxCategories {
		return fmt.Errorf("core: more than %d subj or %d cats", MaxSubjects, MaxCategories)
	}
	if c.Case == "" && len(c.Subj) > 0 {
		return fmt.Errorf("core.subj: persons without a case")
	}
	return cmp.Or(
		distinctIDs("core.subj", c.Subj, statement.Person),
		distinctCodes("core.cats", c.Cats),
	)
}

func (c *Core) checkFacts() error { return checkFacts("core.facts", c.Facts) }

func checkFacts(member string, facts map[string]string) error {
	if len(facts) > MaxFacts {
		return fmt.Errorf("%s: %d, at most %d", member, len(facts), MaxFacts)
	}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if err := cmp.Or(statement.CheckCode(member, name), statement.CheckCode(member, facts[name])); err != nil {
			return err
		}
	}
	return nil
}

func (c *Core) checkParts() error {
	if len(c.Parts) > MaxParts {
		return fmt.Errorf("core.parts: %d, at most %d", len(c.Parts), MaxParts)
	}
	for _, p := range c.Parts {
		if err := p.check("core.parts", MaxPart); err != nil {
			return err
		}
	}
	return nil
}

func (p Part) check(member string, most int64) error {
	if p.Len < 1 || p.Len > most {
		return fmt.Errorf("%s.len: %d is not within 1 and %d", member, p.Len, most)
	}
	if !statement.IsHash(p.SHA256) {
		return fmt.Errorf("%s.sha256: not the hex of 32 bytes", member)
	}
	return nil
}

// checkRecipients wants somebody else among them: were the sender's own copy
// enough, every check that asks "for all recipients" would pass on nothing.
func (c *Core) checkRecipients() error {
	if len(c.To) > MaxRecipients {
		return fmt.Errorf("core.to: %d, at most %d", len(c.To), MaxRecipients)
	}
	seen := make(map[string]bool, len(c.To))
	for i, r := range c.To {
		if err := r.check(c.From.Desk); err != nil {
			return fmt.Errorf("core.to[%d]: %w", i, err)
		}
		if seen[r.Desk] {
			return fmt.Errorf("core.to[%d]: a desk named twice", i)
		}
		seen[r.Desk] = true
	}
	if len(c.Others()) == 0 {
		return fmt.Errorf("core.to: nobody but the sender")
	}
	return nil
}

// check ties the role to the desk: the sending desk, and it alone, is "self".
func (r Recipient) check(sender string) error {
	if r.Role != RoleTo && r.Role != RoleSelf {
		return fmt.Errorf("role: not to or self")
	}
	if (r.Role == RoleSelf) != (r.Desk == sender) {
		return fmt.Errorf("role: self is the sending desk and no other")
	}
	if r.Epoch < 1 || !statement.IsHash(r.RK) || len(r.Ack) != sha256.Size {
		return fmt.Errorf("epoch, rk or ack: malformed")
	}
	return statement.CheckID("desk", r.Desk, statement.Desk)
}

func optionalID(member, id string, prefixes ...string) error {
	if id == "" {
		return nil
	}
	return statement.CheckID(member, id, prefixes...)
}

func optionalCode(member, code string) error {
	if code == "" {
		return nil
	}
	return statement.CheckCode(member, code)
}

func distinctIDs(member string, ids []string, prefix string) error {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if err := statement.CheckID(member, id, prefix); err != nil {
			return err
		}
		if seen[id] {
			return fmt.Errorf("%s: named twice", member)
		}
		seen[id] = true
	}
	return nil
}

func distinctCodes(member string, codes []string) error {
	seen := make(map[string]bool, len(codes))
	for _, code := range codes {
		if err := statement.CheckCode(member, code); err != nil {
			return err
		}
		if seen[code] {
			return fmt.Errorf("%s: named twice", member)
		}
		seen[code] = true
	}
	return nil
}
