package directory

import (
	"crypto/ed25519"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Functions are how a rule pack addresses a desk.
var Functions = []string{"intake", "case", "legal", "duty", "head", "prosecutor", "registry", "judge", "office", "supervision", "audit", Rep}

// Rep is the function of a representative's desk, which has one member and counts
// as type [Representative] whatever its institution is.
const (
	Rep            = "rep"
	Representative = "representative"
)

// DeskProfile opens or changes a desk. Signed by one registrar, by two when it is
// or was a representative's.
type DeskProfile struct {
	Head
	D  string `json:"d"`
	Fn string `json:"fn"`
	I  string `json:"i"`
	NA int64  `json:"na"`
	NB int64  `json:"nb"`
}

// DeskMembers replaces the members. Signed by two registrars if it adds anybody,
// by one if it only removes.
type DeskMembers struct {
	Head
	D       string   `json:"d"`
	Members []string `json:"members"` // officers
}

// DeskRota says who can be reached, in fail-over order. Signed by an officer of
// the desk with role head or duty.
type DeskRota struct {
	Head
	Contacts []Contact `json:"contacts"`
	D        string    `json:"d"`
	From     int64     `json:"from"`
	To       int64     `json:"to"`
}

// Contact is one officer of a rota and the commitment of her card, if she has one.
type Contact struct {
	Card []byte `json:"card,omitempty"`
	U    string `json:"u"`
}

// AuditGrant lets a desk read openings for oversight. Signed by two delegates.
type AuditGrant struct {
	Head
	D     string `json:"d"`
	From  int64  `json:"from"`
	Scope string `json:"scope"` // "meta"
	To    int64  `json:"to"`
}

func (*DeskProfile) kind() string      { return "desk.profile" }
func (*DeskMembers) kind() string      { return "desk.members" }
func (*DeskRota) kind() string         { return "desk.rota" }
func (*AuditGrant) kind() string       { return "audit.grant" }
func (b *DeskProfile) Subject() string { return b.D }
func (b *DeskMembers) Subject() string { return b.D }
func (b *DeskRota) Subject() string    { return b.D }
func (b *AuditGrant) Subject() string  { return b.D }
func checkDesk(member, d string) error { return statement.CheckID(member, d, statement.Desk) }

func (b *DeskProfile) check() error {
	return checks(checkDesk("d", b.D), checkInst(b.I), checkOneOf("fn", b.Fn, Functions), checkSpan("nb", b.NB, "na", b.NA))
}

func (b *DeskMembers) check() error {
	if err := checks(
		checkDesk("d", b.D),
		checkCount("members", len(b.Members), 0, maxMembers),
		checkDistinct("members", b.Members),
	); err != nil {
		return err
	}
	for _, u := range b.Members {
		if err := checkOfficer("members", u); err != nil {
			return err
		}
	}
	return nil
}

func (b *DeskRota) check() error {
	if err := checks(
		checkDesk("d", b.D),
		checkSpan("from", b.From, "to", b.To),
		checkCount("contacts", len(b.Contacts), 1, maxContacts),
	); err != nil {
		return err
	}
	var seen []string
	for _, c := range b.Contacts {
		if err := checkOfficer("contacts.u", c.U); err != nil {
			return err
		}
		if c.Card != nil {
			if err := checkCount("contacts.card", len(c.Card), 32, 32); err != nil {
				return err
			}
		}
		seen = append(seen, c.U)
	}
	return checkDistinct("contacts", seen)
}

func (b *AuditGrant) check() error {
	return checks(checkDesk("d", b.D), checkOneOf("scope", b.Scope, []string{"meta"}), checkSpan("from", b.From, "to", b.To))
}

func (b *DeskProfile) admit(v View) ([]Group, error) {
	old, exists := v.Desk(b.D)
	if exists && old.Inst != b.I {
		return nil, ruled(ErrForeign, "%s is a desk of %s", b.D, old.Inst)
	}
	if b.Fn == Rep && len(old.Members) > 1 {
		return nil, ruled(ErrConflict, "%s has %d members, a representative's desk has one", b.D, len(old.Members))
	}
	if b.Fn == Rep || old.Fn == Rep {
		return v.byRegistrars(b.I, 2)
	}
	return v.byRegistrars(b.I, 1)
}

func (b *DeskMembers) admit(v View) ([]Group, error) {
	desk, err := v.desk(b.D)
	if err != nil {
		return nil, err
	}
	added := 0
	for _, u := range b.Members {
		if slices.Contains(desk.Members, u) {
			continue
		}
		added++
		if err := v.joinable(desk, u); err != nil {
			return nil, err
		}
	}
	switch {
	case desk.Fn == Rep && len(b.Members) > 1:
		return nil, ruled(ErrConflict, "%s is a representative's desk: one member", b.D)
	case added == 0 && len(b.Members) == len(desk.Members):
		return nil, ruled(ErrConflict, "members of %s: nothing changes", b.D)
	case added == 0:
		return v.byRegistrars(desk.Inst, 1)
	}
	return v.byRegistrars(desk.Inst, 2)
}

// joinable reports an error unless u can become a member of desk.
func (v View) joinable(desk Desk, u string) error {
	o, ok := v.Officer(u)
	switch {
	case !ok:
		return ruled(ErrUnknown, "officer %s is not enrolled", u)
	case o.Inst != desk.Inst:
		return ruled(ErrForeign, "%s is an officer of %s, %s a desk of %s", u, o.Inst, desk.D, desk.Inst)
	case o.Revoked():
		return ruled(ErrConflict, "the key of %s is revoked: enrol her anew first", u)
	}
	return nil
}

func (b *DeskRota) admit(v View) ([]Group, error) {
	desk, err := v.desk(b.D)
	if err != nil {
		return nil, err
	}
	for _, c := range b.Contacts {
		if err := v.joinable(desk, c.U); err != nil {
			return nil, err
		}
		if card, ok := v.facts.cards.get(c.U, v.n); c.Card != nil && (!ok || !slices.Equal(card.C, c.Card)) {
			return nil, ruled(ErrUnknown, "contacts: that is not the card of %s", c.U)
		}
	}
	var keys []ed25519.PublicKey
	for _, o := range v.activeMembers(desk, b.At) {
		if o.HasRole("head") || o.HasRole("duty") {
			keys = append(keys, o.Key)
		}
	}
	return []Group{{Role: "officers of " + b.D + " with role head or duty", Need: 1, Keys: keys}}, nil
}

func (b *AuditGrant) admit(v View) ([]Group, error) {
	if _, err := v.desk(b.D); err != nil {
		return nil, err
	}
	return []Group{v.delegates()}, nil
}

// desk returns a desk, or an error that wraps ErrUnknown.
func (v View) desk(d string) (Desk, error) {
	desk, ok := v.Desk(d)
	if !ok {
		return Desk{}, ruled(ErrUnknown, "desk %s", clip(d))
	}
	return desk, nil
}

// activeMembers are the members whose keys may act at a time.
func (v View) activeMembers(desk Desk, ms int64) []Officer {
	var active []Officer
	for _, u := range desk.Members {
		if o, ok := v.Officer(u); ok && o.ActiveAt(ms) {
			active = append(active, o)
		}
	}
	return active
}

func (b *DeskProfile) enact(c *change) {
	desk, ok := c.desks.get(b.D, c.n+1)
	if !ok {
		desk = Desk{D: b.D, Inst: b.I, Members: []string{}}
		house, _ := c.houses.get(b.I, c.n+1)
		c.houses = c.houses.with(b.I, c.n, inserted(house, b.D))
	}
	desk.Fn, desk.NB, desk.NA, desk.at = b.Fn, b.NB, b.NA, b.At
	c.desks = c.desks.with(b.D, c.n, desk)
}

func (b *DeskMembers) enact(c *change) {
	desk, _ := c.desks.get(b.D, c.n+1)
	for _, u := range desk.Members {
		if !slices.Contains(b.Members, u) {
			serves, _ := c.serves.get(u, c.n+1)
			c.serves = c.serves.with(u, c.n, slices.DeleteFunc(slices.Clone(serves), func(d string) bool { return d == b.D }))
		}
	}
	for _, u := range b.Members {
		if !slices.Contains(desk.Members, u) {
			serves, _ := c.serves.get(u, c.n+1)
			c.serves = c.serves.with(u, c.n, inserted(serves, b.D))
		}
	}
	desk.Members, desk.at = slices.Sorted(slices.Values(b.Members)), b.At
	if desk.Members == nil {
		desk.Members = []string{}
	}
	c.desks = c.desks.with(b.D, c.n, desk)
}

func (b *DeskRota) enact(c *change) { c.rotas = c.rotas.with(b.D, c.n, b) }

func (b *AuditGrant) enact(c *change) {
	old, _ := c.grants.get(b.D, c.n+1)
	c.grants = c.grants.with(b.D, c.n, append(slices.Clip(old), b))
}

// inserted returns a sorted list with one more entry, leaving the old as it was.
func inserted(list []string, s string) []string {
	at, _ := slices.BinarySearch(list, s)
	return slices.Insert(slices.Clone(list), at, s)
}
