package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// term is how long officers, desks and institutions of a demonstration last, in
// ms: three years.
const term = 3 * 365 * 24 * 3600 * 1000

// founder makes the directory statements about one institution, each prepared
// from what the exchange answered to the ones before: it needs no copy of the
// directory, so that institutions can be founded side by side.
type founder struct {
	world  *World
	member *Member
	client *client.Client
	seen   int64             // leaves of the directory known to be there
	prev   map[string]string // subject to the hash of its latest leaf
}

func (w *World) newFounder(m *Member, signer statement.Signer) (*founder, error) {
	c, err := w.client(signer)
	return &founder{world: w, member: m, client: c, seen: 1, prev: map[string]string{directory.Charter: w.Genesis}}, err
}

// put signs a statement and submits it. head is that of body.
func (f *founder) put(ctx context.Context, kind string, head *directory.Head, body directory.Body, by ...statement.Signer) error {
	*head = directory.Head{At: f.world.Clock.Now(), DirN: f.seen, Prev: f.prev[body.Subject()], T: kind, V: directory.Version}
	payload, err := directory.Payload(body)
	if err != nil {
		return fmt.Errorf("demo: %s: %w", kind, err)
	}
	d, err := statement.Sign(ctx, statement.TypeDirectory, payload, by...)
	if err != nil {
		return err
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		return err
	}
	sum := d.Digest()
	entry, err := f.client.PutDirectory(ctx, hex.EncodeToString(sum[:]), leaf)
	if err != nil {
		return fmt.Errorf("demo: %s of %s: %w", kind, f.name(), err)
	}
	f.seen = max(f.seen, entry.Idx+1)
	f.prev[body.Subject()] = directory.LeafHash(leaf)
	return nil
}

func (f *founder) name() string {
	if f.member == nil {
		return "the demonstration"
	}
	return f.member.Code
}

// join admits the institution; two delegates and its own root sign.
func (f *founder) join(ctx context.Context) error {
	m, w := f.member, f.world
	var err error
	if m.root, err = w.newKeys(keystore.Owner{Role: keystore.Root, Inst: m.ID}); err != nil {
		return err
	}
	body := &directory.InstJoin{I: m.ID, Root: alone(m.root)}
	return f.put(ctx, "inst.join", &body.Head, body, append(signers(w.keys.delegates...), m.root.Signer())...)
}

// describe says what the institution is and names its registrars.
func (f *founder) describe(ctx context.Context) error {
	m, w := f.member, f.world
	now := w.Clock.Now()
	profile := &directory.InstProfile{Emergency: true, I: m.ID, Level: "local", NA: now + term, NB: now,
		Territory: []string{m.City}, Type: m.Type}
	if above, ok := w.byCode[m.EscalatesTo]; ok {
		profile.EscalatesTo = above.ID
	}
	if err := f.put(ctx, "inst.profile", &profile.Head, profile, signers(w.keys.delegates...)...); err != nil {
		return err
	}
	for range 2 {
		r, err := w.newKeys(keystore.Owner{Role: keystore.Registrar, Inst: m.ID})
		if err != nil {
			return err
		}
		m.registrars = append(m.registrars, r)
	}
	registrars := &directory.InstRegistrars{I: m.ID, Keys: publics(m.registrars...)}
	return f.put(ctx, "inst.registrars", &registrars.Head, registrars, m.root.Signer())
}

// profile opens a desk.
func (f *founder) profile(ctx context.Context, d *Desk) error {
	now := f.world.Clock.Now()
	body := &directory.DeskProfile{D: d.ID, Fn: d.Fn, I: f.member.ID, NA: now + term, NB: now}
	by := f.member.registrars[:1]
	if d.Fn == directory.Rep {
		by = f.member.registrars
	}
	return f.put(ctx, "desk.profile", &body.Head, body, signers(by...)...)
}

// enrol gives an officer of a desk keys and roles.
func (f *founder) enrol(ctx context.Context, d *Desk) (*Officer, error) {
	now := f.world.Clock.Now()
	o := &Officer{ID: statement.NewID(statement.Officer), desk: d}
	var err error
	if o.Keys, err = f.world.newKeys(keystore.Owner{Role: keystore.Officer, Inst: f.member.ID, Officer: o.ID}); err != nil {
		return nil, err
	}
	public := o.Keys.Signer().Public()
	body := &directory.OfficerEnrol{Ed: public, I: f.member.ID, Key: statement.KeyID(public), NA: now + term, NB: now,
		Rcp: o.Keys.Recipient(), Roles: d.roles(), U: o.ID}
	return o, f.put(ctx, "officer.enrol", &body.Head, body, signers(f.member.registrars...)...)
}

// staff puts a desk's officers at it.
func (f *founder) staff(ctx context.Context, d *Desk) error {
	body := &directory.DeskMembers{D: d.ID}
	for _, o := range d.Officers {
		body.Members = append(body.Members, o.ID)
	}
	return f.put(ctx, "desk.members", &body.Head, body, signers(f.member.registrars...)...)
}

// epoch makes a desk's key, one package for each officer, and lets another
// acknowledge it: the second officer, or, where there is one alone, a registrar.
func (f *founder) epoch(ctx context.Context, d *Desk) error {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return err
	}
	recipient := id.Recipient().String()
	if err := f.client.PutKey(ctx, recipient); err != nil {
		return err
	}
	body := &directory.DeskEpoch{D: d.ID, E: 1, Esc: []directory.Escrow{}, RK: directory.RecipientHash(recipient), Why: "first"}
	for _, o := range d.Officers {
		p, err := f.wrap(ctx, d, o, id)
		if err != nil {
			return err
		}
		body.Pkg = append(body.Pkg, p)
	}
	first := d.Officers[0].Keys
	if err := f.put(ctx, "desk.epoch", &body.Head, body, first.Signer()); err != nil {
		return err
	}
	second := f.member.registrars[0]
	if len(d.Officers) > 1 {
		second = d.Officers[1].Keys
	}
	ack := &directory.DeskEpochAck{D: d.ID, E: 1}
	return f.put(ctx, "desk.epoch.ack", &ack.Head, ack, second.Signer())
}

// wrap encrypts a desk's identity to an officer, stores the file at the
// exchange and the identity in the officer's keystore.
func (f *founder) wrap(ctx context.Context, d *Desk, o *Officer, id *age.HybridIdentity) (directory.Package, error) {
	to, err := age.ParseHybridRecipient(o.Keys.Recipient())
	if err != nil {
		return directory.Package{}, err
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		return directory.Package{}, err
	}
	if _, err := fmt.Fprintf(w, "# desk %s epoch 1\n%s\n", d.ID, id); err != nil {
		return directory.Package{}, err
	}
	if err := w.Close(); err != nil {
		return directory.Package{}, err
	}
	if err := f.client.PutPackage(ctx, file.Bytes()); err != nil {
		return directory.Package{}, err
	}
	if err := o.Keys.AddDeskEpoch(d.ID, 1, id); err != nil {
		return directory.Package{}, err
	}
	sum := sha256.Sum256(file.Bytes())
	return directory.Package{Key: statement.KeyID(o.Keys.Signer().Public()), SHA256: hex.EncodeToString(sum[:])}, nil
}
