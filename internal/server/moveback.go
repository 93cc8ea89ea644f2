package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

// ToFiles brings everything back into files: the ledger's keys from the folder
// of seeds, the period keys under a fresh key file, the anchor.
func (m *Mover) ToFiles(ctx context.Context) (err error) {
	plan, release, err := m.begin(InFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if plan == nil || !m.switched(plan) {
		if err := m.fillFiles(ctx, plan); err != nil {
			return err
		}
	}
	return m.finish()
}

func (m *Mover) fillFiles(ctx context.Context, plan *moving) error {
	now := m.Home.Keys
	if !now.inVault() {
		return ErrThere
	}
	seeds, err := m.seeds()
	if err != nil {
		return err
	}
	defer func() {
		for _, seed := range seeds {
			clear(seed)
		}
	}()
	if plan == nil {
		if plan, err = m.planFiles(seeds); err != nil {
			return err
		}
	}
	client, err := vault.Open(ctx, m.Home.config(*now.Vault, m.Log))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := m.write(plan); err != nil {
		return err
	}
	if err := m.placeFiles(seeds); err != nil {
		return err
	}
	file, err := shred.OpenKeyFile(m.Home.periodPath())
	if err != nil {
		return err
	}
	if now.Period.In == InVault {
		if err := m.rewrap(ctx, operator.Periods(client, now.Period.Name), file); err != nil {
			return err
		}
	}
	local, err := m.Home.Anchor()
	if err != nil {
		return err
	}
	if now.Anchor.In == InVault {
		if err := m.copyAnchor(ctx, operator.Anchor(client, operator.AnchorPath), local); err != nil {
			return err
		}
	}
	return m.switchTo(plan)
}

// seeds are those of the folder From, by the verifier key of the log they are of.
func (m *Mover) seeds() (map[string][]byte, error) {
	from := m.From
	if from == "" {
		from = m.Aside()
	}
	files, err := filepath.Glob(filepath.Join(from, "*.seed"))
	if err != nil {
		return nil, err
	}
	seeds := map[string][]byte{}
	for _, name := range files {
		seed, err := readSeed(name)
		if err != nil {
			return nil, err
		}
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		for _, l := range ledger.Logs {
			vkey, err := ledger.VerifierKey(l.Origin(m.Home.Host), public)
			if err != nil {
				return nil, err
			}
			seeds[vkey] = bytes.Clone(seed)
		}
		clear(seed)
	}
	return seeds, nil
}

// planFiles wants a seed for every key in use.
func (m *Mover) planFiles(seeds map[string][]byte) (*moving, error) {
	next := m.Home.Keys.clone()
	next.Vault, next.Period, next.Anchor = nil, Kept{In: InFile}, Kept{In: InFile}
	plain := true // as if the keys had never lain elsewhere
	for _, l := range ledger.Logs {
		keys := next.of(l)
		if len(inUse(keys)) > 1 {
			return nil, fmt.Errorf("%s: %w", l, ErrRenewing)
		}
		if keys[0].In == InVault {
			if seeds[keys[0].VKey] == nil {
				return nil, fmt.Errorf("%s: %w: %s", l, ErrNoSeed, keys[0].VKey)
			}
			keys[0] = LogKey{VKey: keys[0].VKey, In: InFile, Name: l.String() + ".seed", Since: time.Now().UnixMilli()}
		}
		plain = plain && len(keys) == 1 && keys[0].Name == l.String()+".seed"
	}
	if plain {
		next = nil
	}
	return &moving{To: InFile, Next: next}, nil
}

// placeFiles writes the files that are not there yet. One that is there must be
// of the right key.
func (m *Mover) placeFiles(seeds map[string][]byte) error {
	if err := os.MkdirAll(m.Home.path("keys"), 0o700); err != nil {
		return err
	}
	for _, l := range ledger.Logs {
		i := slices.IndexFunc(m.Home.Keys.of(l), func(k LogKey) bool { return k.In == InVault })
		if i < 0 {
			continue
		}
		vkey := m.Home.Keys.of(l)[i].VKey
		err := appear(m.Home.seedPath(l), func(path string) error { return writeNew(path, encodeSeed(seeds[vkey])) })
		if err == nil {
			_, err = m.Home.signer(l, LogKey{VKey: vkey, In: InFile, Name: l.String() + ".seed"}, nil)
		}
		if err != nil {
			return err
		}
		if err := m.done("file of " + l.String()); err != nil {
			return err
		}
	}
	if m.Home.Keys.Period.In == InVault {
		if err := appear(m.Home.periodPath(), shred.InitKeyFile); err != nil {
			return err
		}
	}
	return m.done("period key file")
}

// appear lets a file come into being whole, unless it is there.
func appear(path string, write func(path string) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := write(next); err != nil {
		return err
	}
	return errors.Join(os.Rename(next, path), syncFolder(filepath.Dir(path)))
}
