package officer

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/keys/vault"
)

// Save writes the desk epochs to Vault. What another computer of the officer wrote
// meanwhile is taken over first: nothing is lost, whoever is first. After
// [vault.ErrUnreachable] it may be written or not; Save again finds out.
func (k *Keys) Save(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.writeOnce(ctx)
	for n := 0; errors.Is(err, vault.ErrConflict) && n < tries; n++ {
		if err = k.catchUp(ctx); err == nil {
			err = k.writeOnce(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("officer: save: %w", err)
	}
	return nil
}

// catchUp takes over what the entry holds now.
func (k *Keys) catchUp(ctx context.Context) error {
	there, err := k.place.open(ctx)
	if err != nil {
		return err
	}
	defer there.Forget()
	if _, err := k.Merge(there.Keystore); err != nil {
		return err
	}
	k.version = there.version
	return nil
}

// write writes the entry and bounds its versions.
func (k *Keys) write(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.writeOnce(ctx); err != nil {
		return err
	}
	return k.place.client.KVConfigure(ctx, k.place.name, kept)
}

// writeOnce writes the entry after the version it came from. Called with mu held.
func (k *Keys) writeOnce(ctx context.Context) error {
	text, err := k.Elsewhere()
	if err != nil {
		return err
	}
	defer clear(text)
	version, err := k.place.client.KVPut(ctx, k.place.name, k.version, map[string]vault.Secret{field: vault.NewSecret(string(text))})
	if err != nil {
		return err
	}
	k.version = version
	return nil
}

// DropPrevious has Vault forget the versions of the entry before the one now
// written, which holds a dropped epoch no more. Vault's own backups still do.
func (k *Keys) DropPrevious(ctx context.Context) error {
	if err := k.Save(ctx); err != nil {
		return err
	}
	if err := k.place.client.KVConfigure(ctx, k.place.name, 1); err != nil {
		return fmt.Errorf("officer: %w", err)
	}
	if err := k.Save(ctx); err != nil { // Vault drops older versions with the next one
		return err
	}
	if err := k.place.client.KVConfigure(ctx, k.place.name, kept); err != nil {
		return fmt.Errorf("officer: %w", err)
	}
	return nil
}
