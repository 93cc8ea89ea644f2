package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

// Mover changes where the keys of a server lie, while no server runs in its
// folder. Every step may be repeated, and each leaves at least one place from
// which a key can be used; a server starts before the first and after the last,
// in between it refuses ([Home.CheckSettled]). After an interruption, however
// hard, the same call goes on.
type Mover struct {
	Home  *Home
	Vault VaultAccess // where to move; not needed to go on with what was interrupted
	Token string      // file of a token that may import and make keys; "" if nothing is missing in Vault
	From  string      // folder with the seeds, for the way back; "" for keys.before-vault
	Log   *slog.Logger

	step func(name string) error // of tests: what a step does not survive
}

// Errors of a move.
var (
	ErrThere     = errors.New("the keys are there already")
	ErrOtherWay  = errors.New("the keys are on their way to the other place")
	ErrNoSeed    = errors.New("there is no file of this key")
	ErrRenewing  = errors.New("the keys are being renewed")
	ErrTaken     = errors.New("Vault holds another key of that name")
	ErrNeedToken = errors.New("Vault does not hold the key yet, and this server may not put it there")
)

// beforeVault is the folder that the files go to once Vault has what was in them.
const beforeVault = "keys.before-vault"

// moving is what is written down before the first step that a server would
// notice.
type moving struct {
	To    Place    `json:"to"`
	Next  *Custody `json:"next"`            // of the settings when it is done; null: all in files of the fixed names
	Files []string `json:"files,omitempty"` // in keys/, to set aside
}

// Aside is the folder where [Mover.ToVault] puts the files of keys.
func (m *Mover) Aside() string { return m.Home.path(beforeVault) }

func (m *Mover) done(name string) error {
	if m.step == nil {
		return nil
	}
	return m.step(name)
}

// begin takes the folder and reads what an interrupted move left.
func (m *Mover) begin(to Place) (left *moving, release func() error, err error) {
	unlock, err := m.Home.Lock()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	again, err := OpenHome(m.Home.Dir) // as it is now that nobody else changes it
	if err != nil {
		return nil, nil, err
	}
	*m.Home = *again
	if _, err := os.Lstat(m.Home.nextPeriodPath()); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(fmt.Errorf("%w: odzivd keys cycle was interrupted", ErrMoving), err)
	}
	data, err := os.ReadFile(m.Home.movingPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unlock, nil
	}
	if err != nil {
		return nil, nil, err
	}
	left = &moving{}
	if err := json.Unmarshal(data, left); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", m.Home.movingPath(), err)
	}
	if left.To != to {
		return nil, nil, fmt.Errorf("%w: %s", ErrOtherWay, left.To)
	}
	return left, unlock, nil
}

// switched reports whether the settings say already what they are to say.
func (m *Mover) switched(p *moving) bool { return reflect.DeepEqual(m.Home.Keys, p.Next) }

// ToVault puts the keys of the ledger into Vault, unchanged, and wraps every
// period key with a key that never leaves it. The files end up in [Mover.Aside].
func (m *Mover) ToVault(ctx context.Context) (err error) {
	plan, release, err := m.begin(InVault)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if plan == nil || !m.switched(plan) {
		if plan, err = m.fillVault(ctx, plan); err != nil {
			return err
		}
	}
	if err := m.setAside(plan.Files); err != nil {
		return err
	}
	return m.finish()
}

// fillVault does everything up to the switch of the settings.
func (m *Mover) fillVault(ctx context.Context, plan *moving) (*moving, error) {
	if plan == nil {
		var err error
		if plan, err = m.planVault(); err != nil {
			return nil, err
		}
	}
	client, err := vault.Open(ctx, m.Home.config(*plan.Next.Vault, m.Log))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := m.placeKeys(ctx, client, plan); err != nil {
		return nil, err
	}
	// From here on no server starts: period keys are about to be of two kinds.
	if err := m.write(plan); err != nil {
		return nil, err
	}
	file, err := shred.OpenKeyFile(m.Home.periodPath())
	if err != nil {
		return nil, err
	}
	if err := m.rewrap(ctx, file, operator.Periods(client, plan.Next.Period.Name)); err != nil {
		return nil, err
	}
	local, err := m.Home.Anchor()
	if err != nil {
		return nil, err
	}
	if err := m.copyAnchor(ctx, local, operator.Anchor(client, operator.AnchorPath)); err != nil {
		return nil, err
	}
	return plan, m.switchTo(plan)
}

// planVault is where everything will lie.
func (m *Mover) planVault() (*moving, error) {
	now, err := m.Home.Custody()
	if err != nil {
		return nil, err
	}
	next := now.clone()
	next.Vault = &m.Vault
	next.Period, next.Anchor = Kept{InVault, operator.KeyPeriod}, Kept{In: InVault}
	plan := &moving{To: InVault, Next: next, Files: []string{filepath.Base(m.Home.periodPath())}}
	for _, l := range ledger.Logs {
		keys := next.of(l)
		switch using := inUse(keys); {
		case len(using) > 1:
			return nil, fmt.Errorf("%s: %w", l, ErrRenewing)
		case using[0].In == InVault && now.Period.In == InVault:
			return nil, fmt.Errorf("%s: %w", l, ErrThere)
		case using[0].In == InVault: // the rest was moved back and comes again
			continue
		}
		plan.Files = append(plan.Files, keys[0].Name)
		keys[0] = LogKey{VKey: keys[0].VKey, In: InVault, Name: operator.KeyOf(l), Version: 1, Since: time.Now().UnixMilli()}
	}
	if err := next.check(m.Home.Host); err != nil {
		return nil, err
	}
	return plan, nil
}

// placeKeys imports the keys of the ledger, unless an earlier run did, and proves
// that what Vault holds signs as the files do.
func (m *Mover) placeKeys(ctx context.Context, client *vault.Client, plan *moving) error {
	now, err := m.Home.Custody()
	if err != nil {
		return err
	}
	setup, err := m.setup(ctx, plan)
	if err != nil {
		return err
	}
	if setup != nil {
		defer setup.Close()
		if err := madeKey(ctx, setup, plan.Next.Period.Name); err != nil {
			return err
		}
		if err := m.done("period key made"); err != nil {
			return err
		}
	}
	for _, l := range ledger.Logs {
		if now.of(l)[0].In == InVault {
			continue
		}
		seed, err := readSeed(m.Home.path("keys", now.of(l)[0].Name))
		if err != nil {
			return err
		}
		key := &plan.Next.of(l)[0]
		key.Version, err = placeKey(ctx, client, setup, key.Name, key.VKey, seed)
		clear(seed)
		if err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
		if err := m.done("imported " + l.String()); err != nil {
			return err
		}
	}
	return nil
}

// setup is a client for whoever may make and import keys, nil if none is given.
func (m *Mover) setup(ctx context.Context, plan *moving) (*vault.Client, error) {
	if m.Token == "" {
		return nil, nil
	}
	cfg := m.Home.config(*plan.Next.Vault, m.Log)
	cfg.Auth, cfg.Timeout = vault.TokenFile{Path: m.Token}, setupTimeout
	return vault.Open(ctx, cfg)
}

// setupTimeout is for Vault's own RSA key, which it makes at the first import:
// seconds on a busy machine.
const setupTimeout = 2 * time.Minute

func madeKey(ctx context.Context, setup *vault.Client, name string) error {
	err := setup.CreateKey(ctx, name, vault.AES256GCM)
	if errors.Is(err, vault.ErrExists) {
		return nil
	}
	return err
}

// placeKey sees to it that Vault holds a key, and returns its version there. The
// proof is made by the login that will sign.
func placeKey(ctx context.Context, client, setup *vault.Client, name, vkey string, seed []byte) (int, error) {
	info, err := client.Key(ctx, name)
	if errors.Is(err, vault.ErrNotFound) {
		if setup == nil {
			return 0, fmt.Errorf("%s: %w", name, ErrNeedToken)
		}
		if err := setup.ImportEd25519(ctx, name, seed); err != nil {
			return 0, err
		}
		info, err = client.Key(ctx, name)
	}
	if err != nil {
		return 0, err
	}
	version := versionOf(info, vkey)
	if version == 0 {
		return 0, fmt.Errorf("%s: %w", name, ErrTaken)
	}
	if info.Exportable || info.PlaintextBackup {
		return 0, fmt.Errorf("%s: %w: and it can be taken out", name, ErrTaken)
	}
	return version, client.ProveEd25519(ctx, name, version, seed)
}

// write puts down what is about to happen.
func (m *Mover) write(plan *moving) error {
	if err := writeWhole(m.Home.movingPath(), plan); err != nil {
		return err
	}
	return m.done("written down")
}

// rewrap wraps the period keys of the database with another key.
func (m *Mover) rewrap(ctx context.Context, from, to shred.PeriodWrapper) (err error) {
	store, err := sqlstore.Open(ctx, m.Home.DSN())
	if errors.Is(err, sqlstore.ErrNoFile) {
		return m.done("no database yet")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := exchange.RewrapPeriods(ctx, store, from, to, false); err != nil {
		return err
	}
	return m.done("period keys wrapped")
}

// copyAnchor takes the last signed checkpoints over. The copy never loses a
// larger one.
func (m *Mover) copyAnchor(ctx context.Context, from, to ledger.Anchor) error {
	for _, l := range ledger.Logs {
		note, err := from.Last(ctx, l)
		if err != nil {
			return err
		}
		if note != nil {
			if err := to.Keep(ctx, l, note); err != nil {
				return err
			}
		}
		if err := m.done("anchor of " + l.String()); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mover) switchTo(plan *moving) error {
	m.Home.Keys = plan.Next
	if err := m.Home.writeSettings(); err != nil {
		return err
	}
	return m.done("settings written")
}

// setAside moves files that Vault has the keys of out of the way. They are not
// deleted: without them there is no way back under the same keys.
func (m *Mover) setAside(files []string) error {
	if err := os.MkdirAll(m.Aside(), 0o700); err != nil {
		return err
	}
	for _, name := range files {
		if err := setAside(m.Home.path("keys", name), m.Aside()); err != nil {
			return err
		}
		if err := m.done("set aside " + name); err != nil {
			return err
		}
	}
	return errors.Join(syncFolder(m.Aside()), syncFolder(m.Home.path("keys")))
}

// setAside moves a file, if it is there, and never over another.
func setAside(path, folder string) error {
	to := filepath.Join(folder, filepath.Base(path))
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = filepath.Join(folder, fmt.Sprintf("%s.%d", filepath.Base(path), n))
	}
	if err := os.Rename(path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (m *Mover) finish() error {
	return errors.Join(os.Remove(m.Home.movingPath()), syncFolder(m.Home.Dir))
}
