package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// registry is the first registrar of an institution at work.
func (m *Member) registry(ctx context.Context) (*office.Office, error) {
	o, err := m.world.officeOf(m.registrars[0])
	if err != nil {
		return nil, err
	}
	return o, o.Sync(ctx)
}

// officeOf is a program with somebody's keys, and a notebook that lives in
// memory.
func (w *World) officeOf(keys *keystore.Keystore) (*office.Office, error) {
	c, err := w.client(keys.Signer())
	if err != nil {
		return nil, err
	}
	return office.Open(office.Config{Client: c, Keys: keys, Notebook: office.MemoryNotebook(w.Pin()), Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
}

// lay puts a statement about an institution on record, signed by the first
// registrar and whoever else, and waits until everybody can see it.
func (m *Member) lay(ctx context.Context, body directory.Body, also ...statement.Signer) error {
	o, err := m.registry(ctx)
	if err != nil {
		return err
	}
	p, err := o.Propose(ctx, body, also...)
	if err != nil {
		return fmt.Errorf("demo: %s: %w", m.Code, err)
	}
	if !p.Complete {
		return fmt.Errorf("demo: %s: %T wants more signatures", m.Code, body)
	}
	_, err = o.Await(ctx, p.Idx)
	return err
}

// Enrol makes keys for a new officer of the desk; both registrars sign her in and
// put her at it. She holds no key of the desk yet.
func (d *Desk) Enrol(ctx context.Context, roles ...string) (*Officer, error) {
	o := &Officer{ID: statement.NewID(statement.Officer), desk: d}
	if err := o.signIn(ctx, roles); err != nil {
		return nil, err
	}
	if err := d.staff(ctx, append(d.members(), o.ID), d.Member.registrars[1].Signer()); err != nil {
		return nil, err
	}
	d.Officers = append(d.Officers, o)
	return o, nil
}

// signIn gives the officer fresh keys, which both registrars sign.
func (o *Officer) signIn(ctx context.Context, roles []string) error {
	m := o.desk.Member
	keys, err := m.world.newKeys(keystore.Owner{Role: keystore.Officer, Inst: m.ID, Officer: o.ID})
	if err != nil {
		return err
	}
	public, now := keys.Signer().Public(), m.world.Clock.Now()
	body := &directory.OfficerEnrol{Ed: public, I: m.ID, Key: statement.KeyID(public), NA: now + term, NB: now, Rcp: keys.Recipient(), Roles: roles, U: o.ID}
	if err := m.lay(ctx, body, m.registrars[1].Signer()); err != nil {
		return err
	}
	o.arrive(keys)
	return nil
}

// arrive sits the officer down with other keys: her program begins anew.
func (o *Officer) arrive(keys *keystore.Keystore) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Keys, o.office = keys, nil
}

// Revoke ends the officer's key, by one registrar; it works at the next request.
func (o *Officer) Revoke(ctx context.Context, reason string) error {
	now := o.desk.Member.world.Clock.Now()
	return o.desk.Member.lay(ctx, &directory.OfficerRevoke{From: now, Key: statement.KeyID(o.Keys.Signer().Public()), Reason: reason, U: o.ID})
}

// Leave revokes the officer's key and takes her off the desk. She keeps her
// keystore, as people do.
func (o *Officer) Leave(ctx context.Context) error {
	if err := o.Revoke(ctx, "left"); err != nil {
		return err
	}
	d := o.desk
	left := slices.DeleteFunc(d.members(), func(u string) bool { return u == o.ID })
	if err := d.staff(ctx, left); err != nil {
		return err
	}
	d.Officers = slices.DeleteFunc(slices.Clone(d.Officers), func(other *Officer) bool { return other == o })
	return nil
}

// Replace is what follows a lost computer: the old key is revoked, and both
// registrars sign a new pair for the same officer. She holds no key of the desk.
func (o *Officer) Replace(ctx context.Context) error {
	me, err := o.known(ctx)
	if err != nil {
		return err
	}
	if err := o.Revoke(ctx, "lost"); err != nil {
		return err
	}
	return o.signIn(ctx, me.Roles)
}

func (o *Officer) known(ctx context.Context) (directory.Officer, error) {
	registry, err := o.desk.Member.registry(ctx)
	if err != nil {
		return directory.Officer{}, err
	}
	me, ok := registry.Directory().Officer(o.ID)
	if !ok {
		return me, errors.New("demo: the directory does not know the officer")
	}
	return me, nil
}

// Copy is the officer's keystore as it is now, read from another file of the
// same content: what is added later to the one is not in the other.
func (o *Officer) Copy() (*keystore.Keystore, error) {
	dir, err := os.MkdirTemp(o.desk.Member.world.Dir, "copy-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name, words := filepath.Join(dir, keystoreFile), keystore.GeneratePassphrase()
	if err := o.Keys.Save(name, words); err != nil {
		return nil, err
	}
	return keystore.Open(name, words, keystore.Options{Demo: true})
}

// Act is a program with somebody's keys: on another computer, perhaps in other
// hands.
func (w *World) Act(keys *keystore.Keystore) (*office.Office, error) { return w.officeOf(keys) }

func (d *Desk) members() []string {
	var ids []string
	for _, o := range d.Officers {
		ids = append(ids, o.ID)
	}
	return ids
}

// staff says who the members are; adding one takes the second registrar's
// signature.
func (d *Desk) staff(ctx context.Context, members []string, also ...statement.Signer) error {
	slices.Sort(members)
	return d.Member.lay(ctx, &directory.DeskMembers{D: d.ID, Members: members}, also...)
}

// Periods opens the server's own key: what a thief of the whole server has.
func (w *World) Periods() (shred.PeriodWrapper, error) {
	return shred.OpenKeyFile(filepath.Join(w.Home.Dir, "keys", "period.key"))
}

// NameCustodians makes keys for n custodians, k of whom recover a desk together;
// the institution's root names them. Desks have an escrow once they renew their
// keys.
func (m *Member) NameCustodians(ctx context.Context, k, n int) error {
	body := &directory.InstCustodians{I: m.ID, K: k}
	m.custodians = nil
	for range n {
		keys, err := m.world.newKeys(keystore.Owner{Role: keystore.Custodian, Inst: m.ID})
		if err != nil {
			return err
		}
		m.custodians = append(m.custodians, keys)
		body.Keys, body.Rcps = append(body.Keys, keys.Signer().Public()), append(body.Rcps, keys.Recipient())
	}
	root, err := m.world.officeOf(m.root)
	if err != nil {
		return err
	}
	if err := root.Sync(ctx); err != nil {
		return err
	}
	p, err := root.Propose(ctx, body)
	if err != nil {
		return fmt.Errorf("demo: %s: %w", m.Code, err)
	}
	_, err = root.Await(ctx, p.Idx)
	return err
}

// Custodian is the program of a custodian, by number from 1.
func (m *Member) Custodian(ctx context.Context, number int) (*office.Office, error) {
	if number < 1 || number > len(m.custodians) {
		return nil, fmt.Errorf("demo: %s has %d custodians", m.Code, len(m.custodians))
	}
	o, err := m.world.officeOf(m.custodians[number-1])
	if err != nil {
		return nil, err
	}
	return o, o.Sync(ctx)
}
