package server_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// In Vault new keys are new versions: until the directory names them they only
// sign along, and they can be given up.
func TestRenewInVault(t *testing.T) {
	ctx := t.Context()
	v := prepared(t, vaulttest.Dev(t))
	w, _ := atRest(t, "")
	moved(t, w, v)
	home := func() *server.Home {
		h, err := server.OpenHome(w.Home.Dir)
		must(t, err)
		return h
	}
	quiet := slog.New(slog.DiscardHandler)
	before := keysOf(t, home())
	if _, err := home().Renew(ctx, server.InVault, server.VaultAccess{}, quiet); !errors.Is(err, server.ErrNoNewKey) {
		t.Errorf("without a new version: %v", err)
	}
	v.Call(t, "POST", "transit/keys/ckpt-dir/rotate", nil)
	v.Call(t, "POST", "transit/keys/ckpt-ev/rotate", nil)
	v.deliver(t, w.Home.Dir)
	logs, err := home().Renew(ctx, server.InVault, server.VaultAccess{}, quiet)
	must(t, err)
	v.deliver(t, w.Home.Dir)
	r := serve(t, w, w.Home.Dir)
	sends, _ := people(t, w, r)
	_, err = sends()
	must(t, err)
	r.signed()
	(&renewal{t: t, w: w, live: r}).bothSign(logs, [2]string{before[ledger.Dir], before[ledger.Ev]})
	r.end()
	x, err := home().OpenExchange(ctx, w.Clock, w.Packs, quiet)
	must(t, err)
	defer x.Store.Close()
	if err := home().FinishRenewal(ctx, x); !errors.Is(err, server.ErrNotNamed) {
		t.Errorf("finished although the council signed nothing: %v", err)
	}
	must(t, home().CancelRenewal(x))
	if after := keysOf(t, home()); after[ledger.Dir] != before[ledger.Dir] || after[ledger.Ev] != before[ledger.Ev] {
		t.Errorf("given up: %v", after)
	}
}

// What is wrong with the settings of a key in Vault is said, in the log once and
// to whoever asks, and a key that could be taken out begins no ledger.
func TestVaultWarnings(t *testing.T) {
	v := prepared(t, vaulttest.Dev(t))
	w, _ := atRest(t, "")
	moved(t, w, v)
	v.Call(t, "POST", "transit/keys/ckpt-dir/config", map[string]any{"deletion_allowed": true, "exportable": true, "allow_plaintext_backup": true})
	v.Call(t, "POST", "transit/keys/ckpt-ev/rotate", nil)
	v.Call(t, "POST", "transit/keys/ckpt-ev/config", map[string]any{"min_encryption_version": 2})
	r := serve(t, w, w.Home.Dir)
	until(t, "the keys were looked at", func() bool { s, err := r.home.KeyState(); return err == nil && s != nil && len(s.Warnings) > 0 })
	s, err := r.home.KeyState()
	must(t, err)
	for i, want := range []string{"ckpt-dir: the key can be exported", "ckpt-dir: the key can be backed up", "ckpt-dir: the key may be deleted", "ckpt-ev: min_encryption_version is 2"} {
		if i >= len(s.Warnings) || !strings.HasPrefix(s.Warnings[i], want) {
			t.Errorf("%d: %v, want %q", i, s.Warnings, want)
		}
	}
	sends, _ := people(t, w, r)
	_, err = sends()
	must(t, err)
	until(t, "it is said that nothing is signed", func() bool { return strings.Contains(r.log.String(), "lower its min_encryption_version") })
	if n := strings.Count(r.log.String(), "a key in Vault is not as it should be"); n != 4 {
		t.Errorf("said %d times", n)
	}
	r.end()
	dir := filepath.Join(memoryDir(t), "new")
	must(t, os.Mkdir(dir, 0o700))
	_, err = server.InitHomeInVault(t.Context(), dir, server.Settings{Host: "exchange.example", Authority: "exchange.example", DB: "sqlite:ledger.db"}, v.access(t, dir), slog.New(slog.DiscardHandler))
	if !errors.Is(err, server.ErrTakeable) {
		t.Errorf("a ledger with a key that can be taken out: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "server.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("settings were written: %v", err)
	}
}

// The last step of an urgent erasure: after a cycle in Vault the period keys of a
// backup open nothing, and those of the database all, also for a server that ran
// meanwhile.
func TestCycleInVault(t *testing.T) {
	ctx := t.Context()
	v := prepared(t, vaulttest.Dev(t))
	w, old := atRest(t, "")
	moved(t, w, v)
	r := serve(t, w, w.Home.Dir)
	sends, reads := people(t, w, r)
	must(t, reads(old))
	backup := periodRows(t, r.x.Store)
	v.deliver(t, w.Home.Dir)
	quiet := slog.New(slog.DiscardHandler)
	done, err := r.home.Cycle(ctx, quiet)
	must(t, err)
	if done.Version != 1 || done.Periods != len(backup) || done.In != server.InVault {
		t.Errorf("before a rotation: %+v", done)
	}
	v.Call(t, "POST", "transit/keys/period/rotate", nil)
	v.deliver(t, w.Home.Dir)
	done, err = r.home.Cycle(ctx, quiet)
	must(t, err)
	if done.Version != 2 {
		t.Errorf("%+v", done)
	}
	v.Call(t, "POST", "transit/keys/period/config", map[string]any{"min_decryption_version": 2, "min_encryption_version": 2})
	v.Call(t, "POST", "transit/keys/period/trim", map[string]any{"min_available_version": 2})
	msg, err := sends()
	must(t, err)
	for _, row := range backup {
		if _, err := r.keys.Periods.UnwrapPeriod(ctx, row.ID, row.Wrapped); !errors.Is(err, shred.ErrKey) {
			t.Errorf("a copy from before the cycle: %v", err)
		}
	}
	if n, all := opens(t, r.x.Store, r.keys.Periods); n != all || all == 0 {
		t.Errorf("%d of %d open", n, all)
	}
	r.end()
	v.deliver(t, w.Home.Dir)
	r = serve(t, w, w.Home.Dir)
	_, reads = people(t, w, r)
	until(t, "the keys are in memory", func() bool { return reads(old) == nil })
	must(t, reads(msg))
}

func periodRows(t *testing.T, store exchange.Store) (rows []exchange.PeriodRow) {
	t.Helper()
	must(t, store.Read(t.Context(), func(v exchange.View) (err error) {
		rows, err = v.Periods(t.Context())
		return err
	}))
	return rows
}

// What a checkpoint costs with the keys in Vault, beside what it costs with files:
// two reads, a signature and a write.
func BenchmarkStep(b *testing.B) {
	ctx := b.Context()
	s := vaulttest.Dev(b)
	s.Call(b, "POST", "sys/mounts/transit", map[string]any{"type": "transit"})
	s.Call(b, "POST", "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.Call(b, "POST", "transit/keys/ckpt-ev", map[string]any{"type": "ed25519"})
	token := filepath.Join(b.TempDir(), "token")
	must(b, os.WriteFile(token, []byte(s.RootToken), 0o600))
	client, err := vault.Open(ctx, vault.Config{Address: s.Address, Auth: vault.TokenFile{Path: token}})
	must(b, err)
	defer client.Close()
	keys, err := client.PublicKeys(ctx, operator.KeyEv)
	must(b, err)
	vkey, err := ledger.VerifierKey("ledger.example/ev", keys[1])
	must(b, err)
	inVault, err := operator.Signer(ctx, client, operator.KeyEv, vkey)
	must(b, err)
	inFile, err := ledger.NewSigningKey("ledger.example/ev", make([]byte, 32))
	must(b, err)
	folder, err := ledger.OpenFileAnchor(b.TempDir())
	must(b, err)
	for name, of := range map[string]struct {
		signer ledger.Signer
		anchor ledger.Anchor
	}{"files": {inFile, folder}, "vault": {inVault, operator.Anchor(client, operator.AnchorPath)}} {
		b.Run(name, func(b *testing.B) {
			m := storagetest.NewMemory()
			p := ledger.NewPublisher(m, ledger.Ev, of.signer, of.anchor, ledger.Unwatched{})
			for b.Loop() {
				must(b, storagetest.Append(m, ledger.Ev, 1, []byte("leaf")))
				_, _, err := p.Step(ctx, 1000)
				must(b, err)
			}
		})
	}
}
