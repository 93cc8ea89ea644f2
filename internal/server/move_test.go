package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

var errKilled = errors.New("killed")

// afterStep ends what is done after so many steps.
func afterStep(n int) (step func(string) error, last *string) {
	last = new(string)
	return func(name string) error {
		if n--; n < 0 {
			*last = name
			return errKilled
		}
		return nil
	}, last
}

// mover is a folder whose keys move between files and a Vault, which a test can
// look into as root.
type mover struct {
	t     *testing.T
	v     *operatorVault
	dir   string            // of the server
	files map[string][]byte // of its keys, as they were before
	root  *vault.Client
	agent string // file of a token with the server's policies
	setup string
}

func (m *mover) home() *server.Home {
	m.t.Helper()
	h, err := server.OpenHome(m.dir)
	must(m.t, err)
	return h
}

func (m *mover) mover() *server.Mover {
	return &server.Mover{Home: m.home(), Vault: server.VaultAccess{Address: m.v.Address, Token: m.agent}, Token: m.setup, Log: slog.New(slog.DiscardHandler)}
}

// forget takes everything out of Vault.
func (m *mover) forget() {
	for _, name := range []string{"ckpt-dir", "ckpt-ev", "period"} {
		if status, _ := m.v.CallAs(m.t, m.v.RootToken, "GET", "transit/keys/"+name, nil); status == 200 {
			m.v.Call(m.t, "POST", "transit/keys/"+name+"/config", map[string]any{"deletion_allowed": true})
			m.v.Call(m.t, "DELETE", "transit/keys/"+name, nil)
		}
	}
	for _, log := range ledger.Logs {
		m.v.Call(m.t, "DELETE", "kv/metadata/"+operator.AnchorPath+"/"+log.String(), nil)
	}
}

// everywhere reports where the keys can be found after an interruption: every
// file still somewhere, every period key open to one of the two.
func (m *mover) everywhere(after string) {
	m.t.Helper()
	for name, want := range m.files {
		kept := false
		for _, folder := range []string{"keys", "keys.before-vault"} {
			got, err := os.ReadFile(filepath.Join(m.dir, folder, name))
			kept = kept || err == nil && bytes.Equal(got, want)
		}
		if !kept {
			m.t.Errorf("after %s: the file %s is nowhere", after, name)
		}
	}
	m.periods(after, false)
}

// periods wants every period key to open, in Vault alone if so.
func (m *mover) periods(after string, inVault bool) {
	m.t.Helper()
	store, err := sqlstore.Open(m.t.Context(), m.home().DSN())
	must(m.t, err)
	defer store.Close()
	opened, all := opens(m.t, store, operator.Periods(m.root, operator.KeyPeriod))
	for _, name := range []string{"keys/period.key", "keys.before-vault/period.key", "keys/period.key.next"} {
		if file, err := shred.OpenKeyFile(filepath.Join(m.dir, name)); err == nil && !inVault {
			n, _ := opens(m.t, store, file)
			opened = max(opened, n)
		}
	}
	if opened != all || all == 0 {
		m.t.Errorf("after %s: %d of %d period keys open", after, opened, all)
	}
}

// TestMoveInterrupted: a move of the keys ends after every of its steps, there
// and back. No key is ever lost, no server starts in between, and the same call
// goes on to the end.
func TestMoveInterrupted(t *testing.T) {
	w, _ := atRest(t, "")
	v := prepared(t, vaulttest.Dev(t))
	m := &mover{t: t, v: v, dir: w.Home.Dir, files: map[string][]byte{}, setup: v.token(t, "odziv-setup")}
	var err error
	m.root, err = vault.Open(t.Context(), vault.Config{Address: v.Address, Auth: vault.TokenFile{Path: v.token(t, "root")}, Timeout: time.Minute})
	must(t, err)
	t.Cleanup(m.root.Close)
	m.agent = filepath.Join(v.dir, "agent.token")
	v.write(t, m.agent, v.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{"odziv-api", "odziv-signer"}})["auth"].(map[string]any)["client_token"].(string))
	for _, name := range []string{"dir.seed", "ev.seed", "period.key"} {
		m.files[name], err = os.ReadFile(filepath.Join(m.dir, "keys", name))
		must(t, err)
	}
	vkeys := keysOf(t, m.home())
	template := filepath.Join(memoryDir(t), "template")
	must(t, exec.Command("cp", "-a", m.dir, template).Run())

	there := 0
	for n := 0; ; n++ {
		m.forget()
		m.restore(template)
		one := m.mover()
		step, last := afterStep(n)
		one.Interrupted(step)
		if err := one.ToVault(t.Context()); err == nil {
			there = n
			break
		} else if !errors.Is(err, errKilled) {
			t.Fatalf("step %d: %v", n, err)
		}
		m.everywhere(*last)
		m.noServer(*last)
		again := m.mover()
		again.Vault = server.VaultAccess{Address: v.Address, Token: m.agent}
		must(t, again.ToVault(t.Context()))
		m.moved(*last, vkeys)
	}
	if there < 10 {
		t.Errorf("only %d steps", there)
	}
	m.moved("the end", vkeys)
	if err := m.mover().ToVault(t.Context()); !errors.Is(err, server.ErrThere) {
		t.Errorf("again: %v", err)
	}
	m.back(vkeys)
}

// back interrupts the way back after each step.
func (m *mover) back(vkeys map[ledger.Log]string) {
	t := m.t
	t.Helper()
	template := filepath.Join(memoryDir(t), "moved")
	must(t, exec.Command("cp", "-a", m.dir, template).Run())
	for n := 0; ; n++ {
		m.restore(template)
		one := m.mover()
		step, last := afterStep(n)
		one.Interrupted(step)
		err := one.ToFiles(t.Context())
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatalf("back, step %d: %v", n, err)
		}
		if err != nil {
			m.everywhere("back: " + *last)
			m.noServer("back: " + *last)
			if err := m.mover().ToVault(t.Context()); !errors.Is(err, server.ErrOtherWay) {
				t.Errorf("turned round in the middle: %v", err)
			}
			must(t, m.mover().ToFiles(t.Context()))
		}
		h := m.home()
		if h.Keys != nil || h.CheckSettled() != nil {
			t.Errorf("back after %q: %+v %v", *last, h.Keys, h.CheckSettled())
		}
		if got := keysOf(t, h); got[ledger.Dir] != vkeys[ledger.Dir] || got[ledger.Ev] != vkeys[ledger.Ev] {
			t.Errorf("back after %q: %v", *last, got)
		}
		m.openKeys()
		if err == nil {
			if n < 6 {
				t.Errorf("only %d steps back", n)
			}
			return
		}
	}
}

// openKeys wants every period key to open under the file of the folder.
func (m *mover) openKeys() {
	m.t.Helper()
	file, err := shred.OpenKeyFile(filepath.Join(m.dir, "keys", "period.key"))
	must(m.t, err)
	store, err := sqlstore.Open(m.t.Context(), m.home().DSN())
	must(m.t, err)
	defer store.Close()
	if n, all := opens(m.t, store, file); n != all || all == 0 {
		m.t.Errorf("%d of %d period keys open under the file", n, all)
	}
}

func (m *mover) restore(template string) {
	m.t.Helper()
	must(m.t, os.RemoveAll(m.dir))
	must(m.t, exec.Command("cp", "-a", template, m.dir).Run())
}

// noServer wants a folder either as a server can use it, or refused.
func (m *mover) noServer(after string) {
	m.t.Helper()
	h := m.home()
	err := h.CheckSettled()
	if errors.Is(err, server.ErrMoving) {
		return
	}
	must(m.t, err)
	if h.Keys == nil {
		m.openKeys()
		return
	}
	m.periods(after, true)
}

// moved wants everything in Vault, and the files aside.
func (m *mover) moved(after string, vkeys map[ledger.Log]string) {
	m.t.Helper()
	h := m.home()
	must(m.t, h.CheckSettled())
	if got := keysOf(m.t, h); got[ledger.Dir] != vkeys[ledger.Dir] || got[ledger.Ev] != vkeys[ledger.Ev] || !h.InVault() {
		m.t.Errorf("after %s: %v", after, got)
	}
	m.periods(after, true)
	left, err := filepath.Glob(filepath.Join(m.dir, "keys", "*"))
	if err != nil || len(left) != 0 {
		m.t.Errorf("after %s: left in keys/: %v", after, left)
	}
	for name, want := range m.files {
		got, err := os.ReadFile(filepath.Join(m.dir, "keys.before-vault", name))
		if err != nil || !bytes.Equal(got, want) {
			m.t.Errorf("after %s: %s: %v", after, name, err)
		}
	}
	local, err := h.Anchor()
	must(m.t, err)
	for _, l := range ledger.Logs {
		here, err := local.Last(m.t.Context(), l)
		must(m.t, err)
		there, err := operator.Anchor(m.root, operator.AnchorPath).Last(m.t.Context(), l)
		if err != nil || len(there) == 0 || !bytes.Equal(here, there) {
			m.t.Errorf("after %s: anchor of %s: %v", after, l, err)
		}
	}
}

func keysOf(t *testing.T, h *server.Home) map[ledger.Log]string {
	t.Helper()
	keys := map[ledger.Log]string{}
	for _, l := range ledger.Logs {
		list, err := h.VerifierKeys(l)
		must(t, err)
		keys[l] = list[0]
	}
	return keys
}

// A cycle of the key over the period keys ends after every of its steps; nothing
// is lost, and afterwards the old key opens nothing.
func TestCycleInterrupted(t *testing.T) {
	w, _ := atRest(t, "")
	path := filepath.Join(w.Home.Dir, "keys", "period.key")
	for n := 0; ; n++ {
		old, err := shred.OpenKeyFile(path)
		must(t, err)
		step, last := afterStep(n)
		_, err = w.Home.CycleInterrupted(context.Background(), step)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		done := err == nil
		if !done {
			if err := w.Home.CheckSettled(); !errors.Is(err, server.ErrMoving) {
				t.Errorf("after %s a server would start: %v", *last, err)
			}
			_, err := w.Home.Cycle(t.Context(), slog.New(slog.DiscardHandler))
			must(t, err)
		}
		must(t, w.Home.CheckSettled())
		now, err := shred.OpenKeyFile(path)
		must(t, err)
		store, err := sqlstore.Open(t.Context(), w.Home.DSN())
		must(t, err)
		if n, all := opens(t, store, now); n != all || all == 0 {
			t.Errorf("after %q: %d of %d open under the new key", *last, n, all)
		}
		if n, _ := opens(t, store, old); n != 0 {
			t.Errorf("after %q: %d open under the old key", *last, n)
		}
		must(t, store.Close())
		if done {
			if n < 2 {
				t.Errorf("only %d steps", n)
			}
			return
		}
	}
}

// Two servers take turns with a folder of keys: one at a time.
func TestLock(t *testing.T) {
	w, _ := atRest(t, "")
	release, err := w.Home.Lock()
	must(t, err)
	if _, err := w.Home.Lock(); !errors.Is(err, server.ErrServes) {
		t.Errorf("twice: %v", err)
	}
	if _, err := w.Home.Cycle(t.Context(), slog.New(slog.DiscardHandler)); !errors.Is(err, server.ErrServes) {
		t.Errorf("a cycle while a server runs: %v", err)
	}
	must(t, release())
}
