package directory

import (
	"crypto/ed25519"

	"github.com/odziv/odziv/internal/statement"
)

// InstJoin admits an institution. Signed by two delegates and k of its new root.
type InstJoin struct {
	Head
	I    string `json:"i"`
	Root Root   `json:"root"`
}

// InstProfile says what an institution is. Signed by two delegates, since types
// decide what it may send and receive.
type InstProfile struct {
	Head
	Emergency   bool     `json:"emergency"`
	EscalatesTo string   `json:"escalates_to"` // institution above, or ""
	I           string   `json:"i"`
	Level       string   `json:"level"`
	NA          int64    `json:"na"`
	NB          int64    `json:"nb"`
	Pred        string   `json:"pred,omitempty"` // institution it succeeds
	Territory   []string `json:"territory"`
	Type        string   `json:"type"`
}

// InstRoot replaces an institution's root. Signed by the threshold of the old and
// of the new.
type InstRoot struct {
	Head
	I    string              `json:"i"`
	K    int                 `json:"k"`
	Keys []ed25519.PublicKey `json:"keys"`
}

// InstRegistrars replaces an institution's registrars. Signed by k of root.
type InstRegistrars struct {
	Head
	I    string              `json:"i"`
	Keys []ed25519.PublicKey `json:"keys"`
}

// InstCustodians replaces the custodians, k of whom can recover a desk's keys.
// Signed by k of root. Keys are what they sign with, in the order of Rcps. They may
// all be absent, as they were before there were releases: escrow is then made, but
// nobody can ask for it until root names the keys.
type InstCustodians struct {
	Head
	I    string              `json:"i"`
	K    int                 `json:"k"`
	Keys []ed25519.PublicKey `json:"keys,omitempty"`
	Rcps []string            `json:"rcps"` // age recipients
}

// InstObserver replaces the institution's observer key. Signed by k of root.
type InstObserver struct {
	Head
	I   string            `json:"i"`
	Key ed25519.PublicKey `json:"key"`
}

func (*InstJoin) kind() string       { return "inst.join" }
func (*InstProfile) kind() string    { return "inst.profile" }
func (*InstRoot) kind() string       { return "inst.root" }
func (*InstRegistrars) kind() string { return "inst.registrars" }
func (*InstCustodians) kind() string { return "inst.custodians" }
func (*InstObserver) kind() string   { return "inst.observer" }

func (b *InstJoin) Subject() string       { return b.I }
func (b *InstProfile) Subject() string    { return b.I }
func (b *InstRoot) Subject() string       { return b.I }
func (b *InstRegistrars) Subject() string { return b.I }
func (b *InstCustodians) Subject() string { return b.I }
func (b *InstObserver) Subject() string   { return b.I }

func checkInst(i string) error { return statement.CheckID("i", i, statement.Institution) }

func (b *InstJoin) check() error { return checks(checkInst(b.I), b.Root.check("root")) }

func (b *InstRoot) check() error { return checks(checkInst(b.I), b.root().check("root")) }

func (b *InstRegistrars) check() error {
	return checks(checkInst(b.I), checkKeys("keys", b.Keys, 2, maxRegistrars))
}

func (b *InstObserver) check() error { return checks(checkInst(b.I), checkKey("key", b.Key)) }

func (b *InstCustodians) check() error {
	if err := checks(
		checkInst(b.I),
		checkCount("rcps", len(b.Rcps), 1, maxCustodians),
		checkCount("k", b.K, 1, len(b.Rcps)),
		checkDistinct("rcps", b.Rcps),
	); err != nil {
		return err
	}
	for _, r := range b.Rcps {
		if err := checkRecipient("rcps", r); err != nil {
			return err
		}
	}
	if len(b.Keys) == 0 {
		return nil
	}
	return checkKeys("keys", b.Keys, len(b.Rcps), len(b.Rcps))
}

func (b *InstProfile) check() error {
	if err := checks(
		checkInst(b.I),
		statement.CheckCode("type", b.Type),
		statement.CheckCode("level", b.Level),
		checkSpan("nb", b.NB, "na", b.NA),
		checkCount("territory", len(b.Territory), 0, maxTerritory),
		checkDistinct("territory", b.Territory),
		checkOtherInst("escalates_to", b.EscalatesTo, b.I),
		checkOtherInst("pred", b.Pred, b.I),
	); err != nil {
		return err
	}
	for _, t := range b.Territory {
		if err := statement.CheckCode("territory", t); err != nil {
			return err
		}
	}
	return nil
}

// checkOtherInst wants nothing or an institution other than i.
func checkOtherInst(member, other, i string) error {
	if other == "" {
		return nil
	}
	if other == i {
		return checkDistinct("i and "+member, []string{i, other})
	}
	return statement.CheckID(member, other, statement.Institution)
}

func (b *InstJoin) admit(v View) ([]Group, error) {
	if _, ok := v.facts.insts.get(b.I, v.n); ok {
		return nil, ruled(ErrConflict, "%s has joined already", b.I)
	}
	if err := checks(
		b.Root.guarded(v.Demo(), "root of "+b.I),
		v.free(owner{rootKey, b.I}, keyIDs(b.Root.Keys)...),
	); err != nil {
		return nil, err
	}
	return []Group{v.delegates(), b.Root.group("root keys of " + b.I)}, nil
}

func (b *InstProfile) admit(v View) ([]Group, error) {
	if _, err := v.joined(b.I); err != nil {
		return nil, err
	}
	return []Group{v.delegates()}, v.checkEscalation(b.I, b.EscalatesTo)
}

// checkEscalation refuses a circle, in which an escalation would run for ever.
func (v View) checkEscalation(i, to string) error {
	for next := to; next != ""; {
		if next == i {
			return ruled(ErrConflict, "escalates_to of %s leads back to it", i)
		}
		above, _ := v.facts.insts.get(next, v.n)
		next = above.EscalatesTo
	}
	return nil
}

func (b *InstRoot) admit(v View) ([]Group, error) {
	inst, err := v.joined(b.I)
	if err != nil {
		return nil, err
	}
	if b.root().equal(inst.Root) {
		return nil, ruled(ErrConflict, "root of %s: nothing changes", b.I)
	}
	if err := checks(
		b.root().guarded(v.Demo(), "root of "+b.I),
		v.free(owner{rootKey, b.I}, keyIDs(b.Keys)...),
	); err != nil {
		return nil, err
	}
	return []Group{inst.Root.group("root keys of " + b.I), b.root().group("new root keys of " + b.I)}, nil
}

func (b *InstRoot) root() Root { return Root{K: b.K, Keys: b.Keys} }

func (b *InstRegistrars) admit(v View) ([]Group, error) {
	ids := keyIDs(b.Keys)
	if err := v.free(owner{personKey, b.I}, ids...); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if v.revoked(id) {
			return nil, ruled(ErrConflict, "%s is revoked: name another key", id)
		}
	}
	return v.byRoot(b.I)
}

func (b *InstCustodians) admit(v View) ([]Group, error) {
	if b.K < 2 && !v.Demo() {
		return nil, ruled(ErrConflict, "custodians of %s: k is 1: only a demonstration lets one recover a desk", b.I)
	}
	if err := v.free(owner{custodianKey, b.I}, keyIDs(b.Keys)...); err != nil {
		return nil, err
	}
	return v.byRoot(b.I)
}

func (b *InstObserver) admit(v View) ([]Group, error) {
	if err := v.free(owner{observerKey, b.I}, statement.KeyID(b.Key)); err != nil {
		return nil, err
	}
	return v.byRoot(b.I)
}

func (v View) byRoot(i string) ([]Group, error) {
	inst, err := v.joined(i)
	if err != nil {
		return nil, err
	}
	return []Group{inst.Root.group("root keys of " + i)}, nil
}

// joined returns an institution, or an error that wraps ErrUnknown.
func (v View) joined(i string) (Institution, error) {
	inst, ok := v.facts.insts.get(i, v.n)
	if !ok {
		return Institution{}, ruled(ErrUnknown, "institution %s has not joined", clip(i))
	}
	return inst, nil
}

func (b *InstJoin) enact(c *change) {
	c.own(owner{rootKey, b.I}, keyIDs(b.Root.Keys)...)
	c.insts = c.insts.with(b.I, c.n, Institution{I: b.I, Root: b.Root, JoinedN: c.n})
}

func (b *InstProfile) enact(c *change) {
	c.amend(b.I, func(i *Institution) {
		i.Type, i.Level, i.Territory, i.Emergency = b.Type, b.Level, b.Territory, b.Emergency
		i.EscalatesTo, i.Pred, i.NB, i.NA = b.EscalatesTo, b.Pred, b.NB, b.NA
	})
}

func (b *InstRoot) enact(c *change) {
	c.own(owner{rootKey, b.I}, keyIDs(b.Keys)...)
	c.amend(b.I, func(i *Institution) { i.Root = b.root() })
}

func (b *InstRegistrars) enact(c *change) {
	c.own(owner{personKey, b.I}, keyIDs(b.Keys)...)
	c.amend(b.I, func(i *Institution) { i.Registrars = b.Keys })
}

func (b *InstCustodians) enact(c *change) {
	c.own(owner{custodianKey, b.I}, keyIDs(b.Keys)...)
	c.amend(b.I, func(i *Institution) { i.Custodians = Custodians{K: b.K, Keys: b.Keys, Rcps: b.Rcps} })
}

func (b *InstObserver) enact(c *change) {
	c.own(owner{observerKey, b.I}, statement.KeyID(b.Key))
	c.amend(b.I, func(i *Institution) { i.Observer = b.Key })
}

func (c *change) amend(i string, edit func(*Institution)) {
	inst, _ := c.insts.get(i, c.n+1)
	edit(&inst)
	c.insts = c.insts.with(i, c.n, inst)
}
