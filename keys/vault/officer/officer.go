package officer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
)

// Open reads the keys of the officer whose token the client has. Which version of
// the transit key is hers the entry says: a rotation changes nothing.
func Open(ctx context.Context, c *vault.Client) (*Keys, error) {
	p, err := find(ctx, c)
	if err != nil {
		return nil, err
	}
	k, err := p.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("officer: open: %w", err)
	}
	return k, nil
}

func (p place) open(ctx context.Context) (*Keys, error) {
	fields, version, err := p.client.KVGet(ctx, p.name)
	if err != nil {
		return nil, err
	}
	signers, err := p.signers(ctx)
	switch {
	case err != nil:
		return nil, err
	case fields == nil && len(signers) == 0:
		return nil, ErrNone
	case fields == nil:
		return nil, fmt.Errorf("%w: the identities are missing", ErrHalf)
	case len(signers) == 0:
		return nil, fmt.Errorf("%w: the signing key is missing", ErrHalf)
	}
	k, err := parse(fields, signers)
	if err != nil {
		return nil, err
	}
	return &Keys{Keystore: k, place: p, version: version}, nil
}

// signers are the versions of the transit key, the latest first; none if there is
// no such key.
func (p place) signers(ctx context.Context) ([]*signer, error) {
	public, err := p.client.PublicKeys(ctx, p.name)
	if err != nil && !errors.Is(err, vault.ErrNotFound) {
		return nil, err
	}
	var list []*signer
	for version, key := range public {
		list = append(list, &signer{p, version, key})
	}
	slices.SortFunc(list, func(a, b *signer) int { return b.version - a.version })
	return list, nil
}

// parse reads an entry for the version of the signing key that it names.
func parse(fields map[string]vault.Secret, signers []*signer) (k *keystore.Keystore, err error) {
	text := []byte(fields[field].Reveal())
	defer clear(text)
	for _, s := range signers {
		if k, err = keystore.ParseElsewhere(text, s); !errors.Is(err, keystore.ErrOther) {
			return k, err
		}
	}
	return nil, err
}

// Create makes an officer's keys in Vault: a signing key that nobody ever sees,
// and a fresh identity. Where keys of hers are there already, of the same
// institution, they are returned, with made false: her second computer, or a run
// that was interrupted.
func Create(ctx context.Context, c *vault.Client, owner keystore.Owner, created int64) (k *Keys, made bool, err error) {
	p, err := find(ctx, c)
	if err != nil {
		return nil, false, err
	}
	k, err = p.open(ctx)
	if err == nil && (k.Inst != owner.Inst || k.Role != owner.Role) {
		return nil, false, fmt.Errorf("officer: create: %w: keys for another institution or role are in this Vault", keystore.ErrOther)
	}
	if err == nil {
		return k, false, nil
	}
	signers, listErr := p.signers(ctx)
	if errors.Is(err, ErrNone) {
		if err = p.client.CreateKey(ctx, p.name, vault.Ed25519); err != nil && !errors.Is(err, vault.ErrExists) {
			return nil, false, fmt.Errorf("officer: create: %w", err)
		}
		signers, listErr = p.signers(ctx)
	} else if !errors.Is(err, ErrHalf) || len(signers) == 0 {
		return nil, false, fmt.Errorf("officer: create: %w", err)
	}
	if listErr != nil || len(signers) == 0 {
		return nil, false, fmt.Errorf("officer: create: %w", errors.Join(listErr, ErrHalf))
	}
	// Here a signing key is there without identities: made just now, or by a run
	// that was interrupted before anything was sealed to its identity.
	identities, err := keystore.GenerateElsewhere(owner, created, signers[0])
	if err != nil {
		return nil, false, err
	}
	k = &Keys{Keystore: identities, place: p}
	if err := k.write(ctx); err != nil {
		return nil, false, fmt.Errorf("officer: create: %w", err)
	}
	if err := p.verify(ctx, k.Keystore); err != nil {
		return nil, false, fmt.Errorf("officer: create: %w", err)
	}
	return k, true, nil
}

// Move brings the keys of a keystore file into Vault: the same signing key, the
// same identities. It can be run again after an interruption at any point, and
// returns only when Vault has signed with the key and the entry was read back. The
// file is left to the caller. Other keys of the officer that are there are left
// alone: [keystore.ErrOther].
func Move(ctx context.Context, c *vault.Client, file *keystore.Keystore) (*Keys, error) {
	p, err := find(ctx, c)
	if err != nil {
		return nil, err
	}
	k, err := p.move(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("officer: move: %w", err)
	}
	return k, nil
}

func (p place) move(ctx context.Context, file *keystore.Keystore) (*Keys, error) {
	mine, err := p.bring(ctx, file)
	if err != nil {
		return nil, err
	}
	k, err := p.open(ctx)
	switch {
	case errors.Is(err, ErrHalf): // no entry yet
		text, err := file.Elsewhere()
		if err != nil {
			return nil, err
		}
		defer clear(text)
		copied, err := keystore.ParseElsewhere(text, mine)
		if err != nil {
			return nil, err
		}
		k = &Keys{Keystore: copied, place: p}
		if err := k.write(ctx); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if _, err := k.Merge(file); err != nil {
			return nil, err
		}
		if err := k.Save(ctx); err != nil {
			return nil, err
		}
	}
	return k, p.verify(ctx, file)
}

// bring has the signing key in transit, and returns the version that it is.
func (p place) bring(ctx context.Context, file *keystore.Keystore) (*signer, error) {
	signers, err := p.signers(ctx)
	if err != nil {
		return nil, err
	}
	if len(signers) == 0 {
		err := file.WithSeed(func(seed []byte) error { return p.client.ImportEd25519(ctx, p.name, seed) })
		if err != nil && !errors.Is(err, vault.ErrExists) {
			return nil, err
		}
		if signers, err = p.signers(ctx); err != nil {
			return nil, err
		}
	}
	public := file.Signer().Public()
	for _, s := range signers {
		if s.public.Equal(public) {
			return s, file.WithSeed(func(seed []byte) error { return p.client.ProveEd25519(ctx, p.name, s.version, seed) })
		}
	}
	return nil, fmt.Errorf("%w: another signing key of yours is in this Vault", keystore.ErrOther)
}

// verify proves that Vault has all that k has: it signs with the same key, and the
// entry as it reads back holds the same identities.
func (p place) verify(ctx context.Context, k *keystore.Keystore) error {
	there, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer there.Forget()
	added, err := there.Merge(k)
	if err == nil && added > 0 {
		err = fmt.Errorf("%w: the entry lacks %d desk keys", vault.ErrAnswer, added)
	}
	if err == nil {
		_, err = there.Signer().Sign(ctx, []byte("\x00odziv: this signature only shows that the key signs")) // verified there
	}
	return err
}
