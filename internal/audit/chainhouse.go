package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func (c *chain) join(s *directory.Signed, b *directory.InstJoin) error {
	if _, ok := c.roots[b.I]; ok {
		return errors.New("the institution joined before")
	}
	err := signedBy(s.DSSE, group{2, c.delegates(), "delegates"}, group{b.Root.K, b.Root.Keys, "root keys"})
	if err != nil {
		return err
	}
	c.roots[b.I] = b.Root
	return nil
}

func (c *chain) profile(s *directory.Signed, b *directory.InstProfile) error {
	if _, ok := c.roots[b.I]; !ok {
		return errors.New("the institution's joining is not shown")
	}
	c.types[b.I] = b.Type
	return signedBy(s.DSSE, group{2, c.delegates(), "delegates"})
}

func (c *chain) root(s *directory.Signed, b *directory.InstRoot) error {
	old, ok := c.roots[b.I]
	if !ok {
		return errors.New("the institution's joining is not shown")
	}
	if err := signedBy(s.DSSE, group{old.K, old.Keys, "root keys"}, group{b.K, b.Keys, "new root keys"}); err != nil {
		return err
	}
	c.roots[b.I] = directory.Root{K: b.K, Keys: b.Keys}
	return nil
}

func (c *chain) registrars(s *directory.Signed, b *directory.InstRegistrars) error {
	root, ok := c.roots[b.I]
	if !ok {
		return errors.New("the institution's joining is not shown")
	}
	if err := signedBy(s.DSSE, group{root.K, root.Keys, "root keys"}); err != nil {
		return err
	}
	c.wardens[b.I] = b.Keys
	return nil
}

// byRegistrars is need of an institution's registrars whose keys were not shown
// to be revoked.
func (c *chain) byRegistrars(inst string, need int) group {
	var keys []ed25519.PublicKey
	for _, k := range c.wardens[inst] {
		if !c.ended[statement.KeyID(k)] {
			keys = append(keys, k)
		}
	}
	return group{need, keys, "registrars"}
}

func (c *chain) enrol(s *directory.Signed, b *directory.OfficerEnrol) error {
	if c.ended[b.Key] {
		return errors.New("the key was revoked before")
	}
	if old, ok := c.officers[b.Key]; ok && (old.U != b.U || old.I != b.I) {
		return errors.New("the key belongs to another officer")
	}
	if err := signedBy(s.DSSE, c.byRegistrars(b.I, 2)); err != nil {
		return err
	}
	c.officers[b.Key] = b
	return nil
}

func (c *chain) revoke(s *directory.Signed, b *directory.OfficerRevoke) error {
	o, ok := c.officers[b.Key]
	if !ok || o.U != b.U {
		return errors.New("the officer's enrolment is not shown")
	}
	if err := signedBy(s.DSSE, c.byRegistrars(o.I, 1)); err != nil {
		return err
	}
	c.ended[b.Key] = true
	return nil
}

func (c *chain) desk(s *directory.Signed, b *directory.DeskProfile) error {
	old, ok := c.desks[b.D]
	if ok && old.inst != b.I {
		return errors.New("the desk belongs to another institution")
	}
	need := 1
	if b.Fn == directory.Rep || ok && old.fn == directory.Rep {
		need = 2
	}
	if err := signedBy(s.DSSE, c.byRegistrars(b.I, need)); err != nil {
		return err
	}
	if !ok {
		old = &deskShown{inst: b.I}
		c.desks[b.D] = old
	}
	old.fn = b.Fn
	return nil
}

func (c *chain) members(s *directory.Signed, b *directory.DeskMembers) error {
	d, ok := c.desks[b.D]
	if !ok {
		return errors.New("the desk's profile is not shown")
	}
	need := 1
	if slices.ContainsFunc(b.Members, func(u string) bool { return !slices.Contains(d.members, u) }) {
		need = 2
	}
	if err := signedBy(s.DSSE, c.byRegistrars(d.inst, need)); err != nil {
		return err
	}
	d.members = b.Members
	return nil
}

// signer says whose key signed a statement received at a time, for the desk
// that the statement names.
func (c *chain) signer(keyID, desk string, at int64) (Signer, ed25519.PublicKey, error) {
	o, ok := c.officers[keyID]
	if !ok {
		return Signer{}, nil, fmt.Errorf("the enrolment of %.80q is not in the key chain", keyID)
	}
	who := Signer{Key: keyID, Officer: o.U, Inst: o.I, Type: c.types[o.I], Desk: desk}
	switch {
	case c.ended[keyID]:
		return who, nil, fmt.Errorf("the key of %s was revoked before", o.U)
	case at < o.NB || at >= o.NA:
		return who, nil, fmt.Errorf("the term of %s does not cover the time", o.U)
	case desk == "":
		return who, o.Ed, nil
	}
	d, ok := c.desks[desk]
	switch {
	case !ok:
		return who, nil, fmt.Errorf("desk %s is not in the key chain", desk)
	case d.inst != o.I:
		return who, nil, fmt.Errorf("desk %s is not of %s", desk, o.I)
	case !slices.Contains(d.members, o.U):
		return who, nil, fmt.Errorf("%s is not a member of %s", o.U, desk)
	}
	if d.fn == directory.Rep {
		who.Type = directory.Representative
	}
	return who, o.Ed, nil
}
