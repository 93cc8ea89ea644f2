package directory

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Roles say what an officer may do.
var Roles = []string{"member", "duty", "head", "supervisor", "dpo", "desk-key", "registrar", "auditor"}

// OfficerEnrol gives an officer her key pair, roles and term, or, for the key she
// has already, changes roles and term. Signed by two registrars.
type OfficerEnrol struct {
	Head
	Ed    ed25519.PublicKey `json:"ed"`
	I     string            `json:"i"`
	Key   string            `json:"key"` // key id of Ed
	NA    int64             `json:"na"`
	NB    int64             `json:"nb"`
	Rcp   string            `json:"rcp"` // age recipient, age1pq1…
	Roles []string          `json:"roles"`
	U     string            `json:"u"`
}

// OfficerRevoke ends an officer's key at once and for ever; from, not after at,
// says since when it is not to be trusted. Signed by one registrar.
type OfficerRevoke struct {
	Head
	From   int64  `json:"from"`
	Key    string `json:"key"` // key id
	Reason string `json:"reason"`
	U      string `json:"u"`
}

// Card commits to the contact details of an officer, desk or institution, which
// are kept elsewhere and can be erased. Signed by one registrar.
type Card struct {
	Head
	C  []byte `json:"c"`  // 32 bytes, HMAC-SHA-256
	Of string `json:"of"` // u_, d_ or i_
}

func (*OfficerEnrol) kind() string        { return "officer.enrol" }
func (*OfficerRevoke) kind() string       { return "officer.revoke" }
func (*Card) kind() string                { return "card" }
func (b *OfficerEnrol) Subject() string   { return b.U }
func (b *OfficerRevoke) Subject() string  { return b.U }
func (b *Card) Subject() string           { return b.Of }
func checkOfficer(member, u string) error { return statement.CheckID(member, u, statement.Officer) }

func (b *OfficerEnrol) check() error {
	if err := checks(
		checkOfficer("u", b.U),
		checkInst(b.I),
		checkKey("ed", b.Ed),
		checkRecipient("rcp", b.Rcp),
		checkSpan("nb", b.NB, "na", b.NA),
		checkCount("roles", len(b.Roles), 1, maxRoles),
		checkDistinct("roles", b.Roles),
	); err != nil {
		return err
	}
	for _, r := range b.Roles {
		if err := checkOneOf("roles", r, Roles); err != nil {
			return err
		}
	}
	return checkOneOf("key", b.Key, []string{statement.KeyID(b.Ed)})
}

func (b *OfficerRevoke) check() error {
	if err := checks(
		checkOfficer("u", b.U),
		checkKeyID("key", b.Key),
		checkTime("from", b.From),
		statement.CheckCode("reason", b.Reason),
	); err != nil {
		return err
	}
	if b.From > b.At {
		return fmt.Errorf("from: %d is after at %d: a key ends at once, or at its na", b.From, b.At)
	}
	return nil
}

func (b *Card) check() error {
	return checks(
		statement.CheckID("of", b.Of, statement.Officer, statement.Desk, statement.Institution),
		checkCount("c", len(b.C), 32, 32),
	)
}

func (b *OfficerEnrol) admit(v View) ([]Group, error) {
	if err := checks(
		v.free(owner{personKey, b.I}, b.Key),
		v.enrollable(b),
	); err != nil {
		return nil, err
	}
	return v.byRegistrars(b.I, 2)
}

// enrollable holds an enrolment against the officer's earlier ones and against
// everybody else's keys.
func (v View) enrollable(b *OfficerEnrol) error {
	if v.revoked(b.Key) {
		return ruled(ErrConflict, "%s was revoked: enrol %s with a new key pair", b.Key, b.U)
	}
	if holder, ok := v.OfficerByKey(b.Key); ok && holder.U != b.U {
		return ruled(ErrConflict, "%s is the key of %s: every officer has her own", b.Key, holder.U)
	}
	last, again := v.Officer(b.U)
	if again && last.Inst != b.I {
		return ruled(ErrForeign, "%s is an officer of %s: choose a new officer id in %s", b.U, last.Inst, b.I)
	}
	if again && last.KeyID != b.Key && !last.Revoked() {
		return ruled(ErrConflict, "%s has the key %s: revoke it first", b.U, last.KeyID)
	}
	if same := again && last.KeyID == b.Key && last.Rcp == b.Rcp; !same && v.usedRecipient(b.Rcp) {
		return ruled(ErrConflict, "rcp of %s was used before: generate a new key pair", b.U)
	}
	if again && last.KeyID == b.Key && last.Rcp != b.Rcp {
		return ruled(ErrConflict, "%s keeps its recipient: revoke it and enrol a new key pair", b.Key)
	}
	return nil
}

func (v View) usedRecipient(rcp string) bool {
	_, used := v.facts.used.get(RecipientHash(rcp), v.n)
	return used
}

func (b *OfficerRevoke) admit(v View) ([]Group, error) {
	o, ok := v.OfficerByKey(b.Key)
	if !ok || o.U != b.U {
		return nil, ruled(ErrUnknown, "%s is no key of %s", b.Key, b.U)
	}
	if o.Revoked() {
		return nil, ruled(ErrConflict, "%s is revoked already", b.Key)
	}
	return v.byRegistrars(o.Inst, 1)
}

func (b *Card) admit(v View) ([]Group, error) {
	inst, ok := v.instOf(b.Of)
	if !ok {
		return nil, ruled(ErrUnknown, "card of %s", b.Of)
	}
	return v.byRegistrars(inst, 1)
}

// instOf returns the institution of an officer, a desk or an institution.
func (v View) instOf(id string) (string, bool) {
	if o, ok := v.Officer(id); ok {
		return o.Inst, true
	}
	if d, ok := v.Desk(id); ok {
		return d.Inst, true
	}
	i, ok := v.Institution(id)
	return i.I, ok
}

// byRegistrars is the group of an institution's registrars. A revoked key counts
// no more, even before root names another.
func (v View) byRegistrars(i string, need int) ([]Group, error) {
	inst, err := v.joined(i)
	if err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(slices.Clone(inst.Registrars), func(k ed25519.PublicKey) bool {
		return v.revoked(statement.KeyID(k))
	})
	return []Group{{Role: "registrars of " + i, Need: need, Keys: keys}}, nil
}

func (v View) revoked(keyID string) bool {
	_, revoked := v.facts.revoked.get(keyID, v.n)
	return revoked
}

func (v View) revokedDelegate(keyID string) bool { return v.revoked("delegate/" + keyID) }

func (b *OfficerEnrol) enact(c *change) {
	c.own(owner{personKey, b.I}, b.Key)
	c.used = c.used.with(RecipientHash(b.Rcp), c.n, struct{}{})
	c.holds = c.holds.with(b.U, c.n, b.Key)
	c.officers = c.officers.with(b.Key, c.n, Officer{
		U: b.U, Inst: b.I, KeyID: b.Key, Key: b.Ed, Rcp: b.Rcp, Roles: b.Roles, NB: b.NB, NA: b.NA, EnrolledN: c.n,
	})
}

func (b *OfficerRevoke) enact(c *change) {
	o, _ := c.officers.get(b.Key, c.n+1)
	o.RevokedAt, o.RevokedFrom, o.RevokedN, o.Reason = b.At, b.From, c.n, b.Reason
	c.officers = c.officers.with(b.Key, c.n, o)
	c.facts.revoked = c.facts.revoked.with(b.Key, c.n, struct{}{})
}

func (b *Card) enact(c *change) { c.cards = c.cards.with(b.Of, c.n, b) }
