package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

// Errors of a renewal.
var (
	ErrNoNewKey    = errors.New("Vault holds no version of the key that was not used before")
	ErrTakeable    = errors.New("the key can be taken out of Vault")
	ErrNotRenewing = errors.New("no keys are being renewed")
	ErrNotNamed    = errors.New("the directory does not name the new keys yet")
	ErrNamed       = errors.New("the directory names the new keys")
	ErrUnseen      = errors.New("the change is not on record everywhere yet")
	ErrOtherVault  = errors.New("a new key of the ledger lies in another Vault than the server knows")
)

// keysRetired is the folder that files of keys go to that sign no more.
const keysRetired = "keys.retired"

// Renew puts new keys of the ledger beside those in use, in files or in Vault:
// there it is the newest version of each key, which somebody with that right made
// before. From the next start on a server signs with both, old and new; nothing
// else changes until the directory names the new ones. No server runs meanwhile.
// If there are new keys already, it only returns them.
func (h *Home) Renew(ctx context.Context, to Place, access VaultAccess, log *slog.Logger) (logs directory.Logs, err error) {
	release, err := h.takeSettled()
	if err != nil {
		return logs, err
	}
	defer func() { err = errors.Join(err, release()) }()
	now, err := h.Custody()
	if err != nil {
		return logs, err
	}
	next := now.clone()
	if len(inUse(now.Dir)) == 1 || len(inUse(now.Ev)) == 1 {
		if to == InVault {
			err = h.newInVault(ctx, next, access, log)
		} else {
			err = h.newInFiles(next)
		}
		if err != nil {
			return logs, err
		}
		if err := next.check(h.Host); err != nil {
			return logs, err
		}
		h.Keys = next
		if err := h.writeSettings(); err != nil {
			return logs, err
		}
	}
	return directory.Logs{Dir: next.Dir[1].VKey, Ev: next.Ev[1].VKey}, nil
}

// takeSettled takes the folder for a change of its settings.
func (h *Home) takeSettled() (release func() error, err error) {
	if release, err = h.Lock(); err != nil {
		return nil, err
	}
	again, err := OpenHome(h.Dir)
	if err == nil {
		*h = *again
		err = h.CheckSettled()
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// newInFiles makes a seed for each log that has one key.
func (h *Home) newInFiles(next *Custody) error {
	if err := os.MkdirAll(h.path("keys"), 0o700); err != nil {
		return err
	}
	for _, l := range ledger.Logs {
		if len(inUse(next.of(l))) > 1 {
			continue
		}
		name := fmt.Sprintf("%s-%s.seed", l, strings.ToLower(time.Now().UTC().Format("20060102-150405")))
		if err := appear(h.path("keys", name), writeSeed); err != nil {
			return err
		}
		key, err := h.seedKey(l, name)
		if err != nil {
			return err
		}
		next.insert(l, LogKey{VKey: key.VerifierKey(), In: InFile, Name: name})
	}
	return nil
}

// newInVault takes the newest version of the key of each log that has one key.
func (h *Home) newInVault(ctx context.Context, next *Custody, access VaultAccess, log *slog.Logger) error {
	switch {
	case next.Vault == nil:
		next.Vault = &access
	case access.Address != "" && access.Address != next.Vault.Address:
		return ErrOtherVault
	}
	client, err := vault.Open(ctx, h.config(*next.Vault, log))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, l := range ledger.Logs {
		if len(inUse(next.of(l))) > 1 {
			continue
		}
		key, err := newestKey(ctx, client, l, h.Host)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(next.of(l), func(k LogKey) bool { return k.VKey == key.VKey }) {
			return fmt.Errorf("%s: %w", key.Name, ErrNoNewKey)
		}
		next.insert(l, key)
	}
	return nil
}

// newestKey is the newest version of a log's key in Vault. It must be one that
// nobody can take out.
func newestKey(ctx context.Context, client *vault.Client, l ledger.Log, host string) (LogKey, error) {
	key := LogKey{In: InVault, Name: operator.KeyOf(l), Since: time.Now().UnixMilli()}
	info, err := client.Key(ctx, key.Name)
	if err != nil {
		return key, err
	}
	if info.Exportable || info.PlaintextBackup {
		return key, fmt.Errorf("%s: %w", key.Name, ErrTakeable)
	}
	if info.Type != vault.Ed25519 {
		return key, fmt.Errorf("%s: %w: it is of type %.40q", key.Name, ErrTaken, info.Type)
	}
	key.Version = info.Latest
	key.VKey, err = ledger.VerifierKey(l.Origin(host), info.Public[info.Latest])
	return key, err
}

// insert puts a key after the one in use.
func (c *Custody) insert(l ledger.Log, k LogKey) {
	k.Since = time.Now().UnixMilli()
	c.set(l, slices.Insert(c.of(l), 1, k))
}

// PolicyWith is the statement by which the council names other keys for the
// logs, and changes nothing else, with the members that whoever signs does not
// fill in.
func PolicyWith(dir *directory.State, logs directory.Logs) map[string]any {
	return map[string]any{"t": "policy", "council": dir.Council(), "delegates": append([]directory.Delegate{}, dir.Delegates()...), "logs": logs,
		"quorum": dir.Quorum(), "witnesses": append([]directory.Witness{}, dir.Witnesses()...)}
}

// FinishRenewal lets the old keys sign no more, once the directory names the new
// ones under a quorum and both trees are published under them. Files of old keys
// go to keys.retired/.
func (h *Home) FinishRenewal(ctx context.Context, x *exchange.Exchange) (err error) {
	release, err := h.takeSettled()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	c, err := h.renewing()
	if err != nil {
		return err
	}
	next := c.clone()
	var files []string
	for _, l := range ledger.Logs {
		old, fresh := next.of(l)[0], next.of(l)[1]
		if namedKey(x.Directory(), l) != fresh.VKey {
			return fmt.Errorf("%s: %w", l, ErrNotNamed)
		}
		if err := publishedUnder(ctx, x, l, fresh.VKey); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
		if old.In == InFile {
			files = append(files, old.Name)
		}
		old = LogKey{VKey: old.VKey, In: Retired, Since: time.Now().UnixMilli()}
		next.set(l, append([]LogKey{fresh, old}, next.of(l)[2:]...))
	}
	if !next.inVault() {
		next.Vault = nil
	}
	return h.settle(next, files, keysRetired)
}

// CancelRenewal forgets new keys that the directory does not name.
func (h *Home) CancelRenewal(x *exchange.Exchange) (err error) {
	release, err := h.takeSettled()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	c, err := h.renewing()
	if err != nil {
		return err
	}
	next := c.clone()
	var files []string
	for _, l := range ledger.Logs {
		fresh := next.of(l)[1]
		if namedKey(x.Directory(), l) == fresh.VKey {
			return fmt.Errorf("%s: %w", l, ErrNamed)
		}
		if fresh.In == InFile {
			files = append(files, fresh.Name)
		}
		next.set(l, slices.Delete(next.of(l), 1, 2))
	}
	if !next.inVault() {
		next.Vault = nil
	}
	return h.settle(next, files, keysRetired)
}

func (h *Home) renewing() (*Custody, error) {
	if h.Keys == nil || len(inUse(h.Keys.Dir)) < 2 || len(inUse(h.Keys.Ev)) < 2 {
		return nil, ErrNotRenewing
	}
	return h.Keys, nil
}

// settle writes the settings first: a server never looks for a file that was put
// away. A file left behind by an interruption is one too many, not one too few.
func (h *Home) settle(next *Custody, files []string, folder string) error {
	h.Keys = next
	if err := h.writeSettings(); err != nil {
		return err
	}
	if len(files) == 0 {
		return nil
	}
	if err := os.MkdirAll(h.path(folder), 0o700); err != nil {
		return err
	}
	for _, name := range files {
		if err := setAside(h.path("keys", name), h.path(folder)); err != nil {
			return err
		}
	}
	return errors.Join(syncFolder(h.path(folder)), syncFolder(h.path("keys")))
}

// publishedUnder wants the last checkpoint to be signed by a key, and the whole
// directory to be published under a quorum where one is asked for.
func publishedUnder(ctx context.Context, x *exchange.Exchange, l ledger.Log, vkey string) error {
	v, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		return err
	}
	return x.Store.View(ctx, func(r ledger.Reader) error {
		last, err := r.LastCheckpoint(ctx, l)
		if err != nil {
			return err
		}
		if _, err := ledger.ParseCheckpoint(last.Note, v); err != nil {
			return fmt.Errorf("%w: the last checkpoint is not signed with the new key: has every server run since?", ErrUnseen)
		}
		if l != ledger.Dir {
			return nil
		}
		under, err := r.CheckpointFor(ctx, l, entryNaming(x.Directory(), vkey))
		if err == nil && !under.Exists() {
			return fmt.Errorf("%w: no quorum of witnesses has confirmed it", ErrUnseen)
		}
		return err
	})
}

// entryNaming is the entry of the directory since which it names a key.
func entryNaming(dir *directory.State, vkey string) int64 {
	n := dir.N()
	for n > 1 && dir.At(n-1).Logs().Dir == vkey {
		n--
	}
	return n - 1
}
