package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/filelock"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/ledger"
)

// KeyState is what a server that runs, or ran last, saw of its Vault. It is
// written to vault.json, so that commands beside the server need no login of
// their own, which would use up a secret id.
type KeyState struct {
	Why      string   `json:"why"` // ready, sealed, unreachable, login, denied
	Detail   string   `json:"detail,omitempty"`
	Since    int64    `json:"since"`   // ms since 1970 UTC
	Reserve  bool     `json:"reserve"` // a reserve secret id lies ready
	AppRole  bool     `json:"approle"` // whether one is needed
	Warnings []string `json:"warnings,omitempty"`
	At       int64    `json:"at"` // when this was written
}

// How often a server looks at its Vault's state, writes it down though nothing
// changed, and looks at the keys' settings.
const (
	lookEvery    = time.Second
	writeEvery   = time.Minute
	inspectEvery = 10 * time.Minute
)

// Run keeps the login to Vault, and writes down what it sees of it, until ctx
// ends. Without a Vault it returns at once.
func (k *Keys) Run(ctx context.Context) error {
	if k.vault == nil {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- k.vault.client.Run(ctx) }()
	for w := (watched{v: k.vault}); ; {
		w.look(ctx)
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-time.After(lookEvery):
		}
	}
}

// Close ends the login, where there is one.
func (k *Keys) Close() {
	if k != nil && k.vault != nil {
		k.vault.client.Close()
	}
}

// watched is what was written down last, and when.
type watched struct {
	v         *vaultKeys
	last      KeyState
	inspected time.Time
}

// look writes the state down when it changed. What cannot be written is tried
// again; the server needs it for nothing.
func (w *watched) look(ctx context.Context) {
	now := time.Now()
	s := w.v.client.State()
	next := KeyState{Why: s.Why, Detail: s.Detail, Since: s.Since.UnixMilli(), Reserve: s.ReserveSecretID,
		AppRole: w.v.home.Keys.Vault.Token == "", Warnings: w.last.Warnings, At: now.UnixMilli()}
	if s.Ready && now.Sub(w.inspected) >= inspectEvery {
		found := w.v.inspect(ctx)
		for _, said := range found {
			if !slices.Contains(w.last.Warnings, said) {
				w.v.log.Warn("a key in Vault is not as it should be", "found", said)
			}
		}
		w.inspected, next.Warnings = now, found
	}
	same := next.Why == w.last.Why && next.Detail == w.last.Detail && next.Reserve == w.last.Reserve && slices.Equal(next.Warnings, w.last.Warnings)
	if same && next.At-w.last.At < writeEvery.Milliseconds() {
		return
	}
	if err := writeWhole(w.v.home.statePath(), next); err == nil {
		w.last = next
	}
}

// inspect says what is wrong with the settings of the keys in Vault.
func (v *vaultKeys) inspect(ctx context.Context) (found []string) {
	for _, l := range ledger.Logs {
		for _, k := range v.keys[l] {
			found = append(found, v.inspectLog(ctx, k)...)
		}
	}
	return found
}

func (v *vaultKeys) inspectLog(ctx context.Context, k LogKey) (found []string) {
	say := func(format string, args ...any) { found = append(found, k.Name+": "+fmt.Sprintf(format, args...)) }
	info, err := v.client.Key(ctx, k.Name)
	if err != nil {
		return nil // the state tells
	}
	if info.Exportable {
		say("the key can be exported, and that cannot be taken back: make a new one (odzivd keys renew)")
	}
	if info.PlaintextBackup {
		say("the key can be backed up in the clear, and that cannot be taken back: make a new one (odzivd keys renew)")
	}
	if info.DeletionAllowed {
		say("the key may be deleted: vault write transit/keys/%s/config deletion_allowed=false", k.Name)
	}
	pinned := versionOf(info, k.VKey)
	switch {
	case pinned == 0:
		say("no version of it is the key that this ledger signs with: it was trimmed, or this is another Vault")
	case info.MinEncryption > pinned:
		say("min_encryption_version is %d, the ledger signs with version %d: vault write transit/keys/%s/config min_encryption_version=0", info.MinEncryption, pinned, k.Name)
	case info.Latest > pinned:
		say("version %d exists, the ledger signs with version %d and goes on doing so: to change keys see odzivd keys renew", info.Latest, pinned)
	}
	return found
}

// versionOf is the version of a key in Vault whose public key is that of a
// verifier key, 0 if there is none.
func versionOf(info vault.KeyInfo, vkey string) int {
	name, _, _ := strings.Cut(vkey, "+")
	for version, public := range info.Public {
		if spelled, err := ledger.VerifierKey(name, public); err == nil && spelled == vkey {
			return version
		}
	}
	return 0
}

func (h *Home) statePath() string { return h.path("vault.json") }

// KeyState is what a server saw of Vault last; nil if none ran, or none of the
// keys lies there.
func (h *Home) KeyState() (*KeyState, error) {
	if !h.Keys.inVault() {
		return nil, nil
	}
	data, err := os.ReadFile(h.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s KeyState
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", h.statePath(), err)
	}
	return &s, nil
}

// InVault reports whether any key of the server, or its anchor, lies in Vault.
func (h *Home) InVault() bool { return h.Keys.inVault() }

// writeWhole puts JSON in the place of a file, whole or not at all.
func writeWhole(path string, what any) error {
	data, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(next, append(data, '\n')); err != nil {
		return err
	}
	return errors.Join(os.Rename(next, path), syncFolder(filepath.Dir(path)))
}

// Errors of a folder that is in use, or between two places of its keys.
var (
	ErrServes = errors.New("a server runs in this folder, or its keys are being moved")
	ErrMoving = errors.New("the keys are being moved and are not all in their new place")
)

// Lock keeps every other server, and whoever would move keys, out of the folder
// until it is released. The end of the program releases it.
func (h *Home) Lock() (release func() error, err error) {
	l, err := filelock.Take(h.path("lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("%s: %w", h.Dir, ErrServes)
	}
	if err != nil {
		return nil, err
	}
	return l.Close, nil
}

// CheckSettled refuses a folder whose keys are on their way.
func (h *Home) CheckSettled() error {
	for _, name := range []string{h.movingPath(), h.nextPeriodPath()} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%s: %w", h.Dir, ErrMoving), err)
		}
	}
	return nil
}

func (h *Home) movingPath() string { return h.path("moving.json") }

// nextPeriodPath is the key that [Home.Cycle] puts in the place of the one over
// the period keys.
func (h *Home) nextPeriodPath() string { return h.path("keys", "period.key.next") }
