package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
)

// nameCustodians lets the root of an actor's institution name custodians.
func (c *cast) nameCustodians(ctx context.Context, k *Custody) error {
	return c.desks[k.Of].Member.NameCustodians(ctx, k.K, k.N)
}

// custodian is the program of one of the custodians of an actor's institution.
func (c *cast) custodian(ctx context.Context, actor string, number int) (*office.Office, error) {
	return c.desks[actor].Member.Custodian(ctx, number)
}

// ask asks for all keys of the officer's desk.
func (c *cast) ask(ctx context.Context, e *Escrow) error {
	o, err := c.custodian(ctx, e.For, e.Custodian)
	if err != nil {
		return err
	}
	all := evidence.EscrowAsk{Desk: c.desks[e.For].ID, Officer: c.officers[e.For].ID, Purpose: e.Purpose}
	asked, err := o.AskEscrow(ctx, c.f.pack.Family, all, "keys-lost")
	if err == nil {
		c.escrow = asked
	}
	return err
}

func (c *cast) decline(ctx context.Context, e *Escrow) error {
	o, err := c.custodian(ctx, e.For, e.Custodian)
	if err != nil {
		return err
	}
	return o.RefuseEscrow(ctx, c.f.pack.Family, c.escrow, "not-convinced")
}

// recover passes the files from custodian to custodian, each taking off a layer.
func (c *cast) recover(ctx context.Context, r *Recovery) error {
	var handed *office.Handover
	var gift []byte
	for _, number := range r.Custodians {
		o, err := c.custodian(ctx, r.For, number)
		if err != nil {
			return err
		}
		turn, err := o.OpenEscrow(ctx, c.f.pack.Family, c.escrow, handed, func(file []byte) error { gift = file; return nil })
		if err != nil {
			return err
		}
		handed = turn.Next
	}
	switch {
	case handed != nil:
		return fmt.Errorf("after custodians %v there are layers left", r.Custodians)
	case r.Purpose == evidence.PurposeRehearsal && gift != nil:
		return errors.New("a rehearsal gave keys away")
	case r.Purpose == evidence.PurposeRehearsal:
		return nil
	}
	o, _, err := c.office(ctx, r.For)
	if err == nil {
		_, err = o.AcceptRecovered(ctx, gift)
	}
	return err
}
