package scenario

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/keys/keystore"
)

// deskHolds looks at the keys of a desk in the directory as its actor verified
// it.
func (c *cast) deskHolds(ctx context.Context, e *DeskExpect, d *differences) error {
	o, _, err := c.office(ctx, cmp.Or(e.By, e.Of))
	if err == nil {
		err = o.Sync(ctx)
	}
	if err != nil {
		return err
	}
	desk := c.desks[e.Of]
	dir := o.Directory()
	epoch, _ := dir.ActiveEpoch(desk.ID)
	_, stale := dir.Stale(desk.ID, o.Now())
	known, _ := dir.Desk(desk.ID)
	equal(d, "epoch", e.Epoch, int(epoch.E))
	equal(d, "readers", e.Readers, len(epoch.Pkg))
	equal(d, "stale", e.Stale, stale)
	equal(d, "members", e.Members, len(known.Members))
	return nil
}

// watchHolds looks at what an actor's program warns of.
func (c *cast) watchHolds(ctx context.Context, e *WatchExpect, d *differences) error {
	o, _, err := c.office(ctx, e.At)
	if err == nil {
		err = o.Sync(ctx)
	}
	if err != nil {
		return err
	}
	adds := []string{}
	changes := o.Unexpected("")
	for _, change := range changes {
		for _, a := range change.Adds {
			adds = append(adds, a.What)
		}
	}
	slices.Sort(adds)
	equal(d, "unexpected", e.Unexpected, len(changes))
	d.sets("adds", e.Adds, slices.Compact(adds))
	return nil
}

// readingHolds lets somebody try to read a message.
func (c *cast) readingHolds(ctx context.Context, e *ReadingExpect, d *differences) error {
	o, err := c.reader(ctx, e.By)
	if err != nil {
		return err
	}
	t := c.things[e.Of]
	_, err = o.Read(ctx, c.mailbox(e.By, t), t.id)
	no, refused := saidNo(err)
	if err != nil && !refused && !errors.Is(err, office.ErrNoPackage) && !errors.Is(err, office.ErrNoDesk) {
		return fmt.Errorf("reading %s: %w", e.Of, err)
	}
	equal(d, "opens", e.Opens, err == nil)
	equal(d, "code", e.Code, no.code)
	return nil
}

// reader is an actor's program, or one that works with stolen keys.
func (c *cast) reader(ctx context.Context, name string) (*office.Office, error) {
	if keys, ok := c.stolen[name]; ok {
		return c.w.Act(keys)
	}
	o, _, err := c.office(ctx, name)
	return o, err
}

// mailbox is the desk at which somebody would read a message: the own one, or
// for a thief the first it was sent to.
func (c *cast) mailbox(name string, t *thing) string {
	if d, ok := c.desks[name]; ok {
		return d.ID
	}
	return t.core.To[0].Desk
}

// dumpHolds tries every key of a stolen keystore on what the database holds of a
// message: as it lies there, and with the server's own wrap taken off.
func (c *cast) dumpHolds(ctx context.Context, e *DumpExpect, d *differences) error {
	stored, key, err := c.storedBody(ctx, c.things[e.Of].id)
	if err != nil {
		return err
	}
	identities := identitiesOf(c.stolen[e.By])
	equal(d, "opens", e.Opens, opensAny(stored, identities))
	body, err := unwrapped(stored, key, c.things[e.Of].id)
	if err != nil {
		return err
	}
	equal(d, "with-server-keys", e.WithServerKeys, opensAny(body, identities))
	return nil
}

// storedBody is what the database holds of a message's body, and the shred key
// over it, which lies there wrapped: with the server's key it comes off.
func (c *cast) storedBody(ctx context.Context, msg string) (stored []byte, key shred.Key, err error) {
	var period string
	var sealed, wrapped []byte
	err = c.w.Exchange.Store.Read(ctx, func(v exchange.View) error {
		var found [3]bool
		var errs [3]error
		stored, found[0], errs[0] = v.Chunk(ctx, msg, 0, 0)
		period, sealed, found[1], errs[1] = v.Shred(ctx, msg)
		wrapped, found[2], errs[2] = v.Period(ctx, period)
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		if found != [3]bool{true, true, true} {
			return fmt.Errorf("the database does not hold %s", msg)
		}
		return nil
	})
	if err != nil {
		return nil, key, err
	}
	periods, err := c.w.Periods()
	if err != nil {
		return nil, key, err
	}
	p, err := periods.UnwrapPeriod(ctx, period, wrapped)
	if err != nil {
		return nil, key, err
	}
	key, err = shred.OpenKey(p, msg, sealed)
	return stored, key, err
}

func unwrapped(stored []byte, key shred.Key, msg string) ([]byte, error) {
	r, err := shred.Unwrap(bytes.NewReader(stored), key, msg, 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// identitiesOf are all that a keystore can open with.
func identitiesOf(k *keystore.Keystore) []age.Identity {
	list := []age.Identity{k.Identity()}
	for _, desk := range k.Desks() {
		for _, e := range k.DeskEpochs(desk) {
			id, _ := k.DeskIdentity(desk, e)
			list = append(list, id)
		}
	}
	return list
}

func opensAny(file []byte, identities []age.Identity) bool {
	r, err := age.Decrypt(bytes.NewReader(file), identities...)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return err == nil
}
