package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/ledger"
)

// operatorVault is a Vault prepared as deploy/vault/apply.sh prepares it, with the
// policies that are shipped.
type operatorVault struct {
	*vaulttest.Server
	dir    string
	roleID string
}

func prepared(t *testing.T, s *vaulttest.Server) *operatorVault {
	t.Helper()
	v := &operatorVault{Server: s, dir: t.TempDir()}
	s.Call(t, "POST", "sys/mounts/transit", map[string]any{"type": "transit"})
	s.Call(t, "POST", "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.Call(t, "POST", "sys/auth/approle", map[string]any{"type": "approle"})
	for _, name := range []string{"odziv-api", "odziv-signer", "odziv-setup"} {
		v.policy(t, name)
	}
	s.Call(t, "POST", "auth/approle/role/odziv", map[string]any{"token_policies": "odziv-api,odziv-signer", "token_no_default_policy": true,
		"token_period": "20m", "secret_id_num_uses": 1})
	v.roleID = s.Call(t, "GET", "auth/approle/role/odziv/role-id", nil)["data"].(map[string]any)["role_id"].(string)
	return v
}

// policy puts a shipped policy in force.
func (v *operatorVault) policy(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/vault/" + name + ".hcl")
	must(t, err)
	v.Call(t, "PUT", "sys/policies/acl/"+name, map[string]any{"policy": string(text)})
}

// deliver puts a wrapped secret id and one in reserve into a folder.
func (v *operatorVault) deliver(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"secret-id", "secret-id.reserve"} {
		v.write(t, filepath.Join(dir, name), strings.TrimSpace(v.Command(t, "write", "-f", "-wrap-ttl=1h", "-field=wrapping_token", "auth/approle/role/odziv/secret-id")))
	}
}

func (v *operatorVault) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text+"\n"), 0o600))
}

// access is how the server of a folder logs in.
func (v *operatorVault) access(t *testing.T, dir string) server.VaultAccess {
	t.Helper()
	v.write(t, filepath.Join(dir, "role-id"), v.roleID)
	v.deliver(t, dir)
	return server.VaultAccess{Address: v.Address, CA: v.CACert, RoleID: "role-id", SecretID: "secret-id"}
}

// token writes a token of a policy into a file.
func (v *operatorVault) token(t *testing.T, policy string) string {
	t.Helper()
	name := filepath.Join(v.dir, policy+".token")
	v.write(t, name, v.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{policy}, "no_default_policy": true})["auth"].(map[string]any)["client_token"].(string))
	return name
}

// makeKeys makes the keys of a new ledger.
func (v *operatorVault) makeKeys(t *testing.T) {
	t.Helper()
	for name, typ := range map[string]string{"ckpt-dir": "ed25519", "ckpt-ev": "ed25519", "period": "aes256-gcm96"} {
		v.Call(t, "POST", "transit/keys/"+name, map[string]any{"type": typ})
	}
}

// said collects a log.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// live is a server on a folder, as odzivd serve runs it.
type live struct {
	t     *testing.T
	home  *server.Home
	x     *exchange.Exchange
	keys  *server.Keys
	url   string
	log   *said
	stop  context.CancelFunc
	ended chan error
	over  sync.Once
}

// serve starts a server on a folder and ends it with the test.
func serve(t *testing.T, w *demo.World, dir string) *live {
	t.Helper()
	return serveAt(t, w, dir, "127.0.0.1:0")
}

func serveAt(t *testing.T, w *demo.World, dir, address string) *live {
	t.Helper()
	home, err := server.OpenHome(dir)
	must(t, err)
	must(t, home.CheckSettled())
	release, err := home.Lock()
	must(t, err)
	r, log := open(t, w, home)
	signers, err := r.keys.Signers(r.x)
	must(t, err)
	srv := api.Server(address, nil, nil, log)
	listener, err := api.Listen(t.Context(), srv)
	must(t, err)
	r.url = "http://" + listener.Addr().String()
	srv.Handler = api.New(r.x, api.Options{Authority: listener.Addr().String(), Log: log})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r.stop = stop
	cfg := server.Config{Exchange: r.x, Signers: signers, Anchor: r.keys.Anchor, Keys: r.keys, HTTP: srv, Listener: listener, Log: log,
		SignEvery: 10 * time.Millisecond, Periods: 50 * time.Millisecond}
	go func() {
		err := server.Run(ctx, cfg)
		r.keys.Close()
		r.ended <- errors.Join(err, r.x.Store.Close(), release())
	}()
	t.Cleanup(r.end)
	return r
}

// open opens what a server on a folder works with.
func open(t *testing.T, w *demo.World, home *server.Home) (*live, *slog.Logger) {
	t.Helper()
	r := &live{t: t, home: home, log: &said{}, ended: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	var err error
	r.keys, err = home.OpenKeys(log)
	must(t, err)
	r.x, err = r.keys.OpenExchange(t.Context(), home, w.Clock, w.Packs, log)
	must(t, err)
	return r, log
}

// end stops the server, once.
func (r *live) end() {
	r.over.Do(func() {
		r.stop()
		if err := <-r.ended; err != nil {
			r.t.Errorf("server: %v", err)
		}
		if r.t.Failed() {
			r.t.Logf("log of %s:\n%s", r.home.Dir, notable(r.log.String()))
		}
	})
}

// until waits for something that a server does by itself.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !happened(); {
		if time.Now().After(end) {
			t.Fatalf("not true within two minutes: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// state waits until the server has written down a state.
func (r *live) state(why string) *server.KeyState {
	r.t.Helper()
	var s *server.KeyState
	until(r.t, "the state is "+why, func() bool {
		var err error
		s, err = r.home.KeyState()
		must(r.t, err)
		return s != nil && s.Why == why
	})
	return s
}

// signedSize is the size of the last checkpoint of the evidence tree, which must
// be signed with the key that the directory names.
func (r *live) signedSize() int64 {
	r.t.Helper()
	last := r.last(ledger.Ev)
	v, err := ledger.ParseVerifierKey(r.x.Directory().Logs().Ev)
	must(r.t, err)
	if _, err := ledger.ParseCheckpoint(last.Note, v); last.Exists() && err != nil {
		r.t.Fatalf("the last checkpoint: %v", err)
	}
	return last.Size
}

func (r *live) last(l ledger.Log) (last ledger.Published) {
	r.t.Helper()
	must(r.t, r.x.Store.View(r.t.Context(), func(read ledger.Reader) (err error) {
		last, err = read.LastCheckpoint(r.t.Context(), l)
		return err
	}))
	return last
}

func (r *live) size() (size int64) {
	r.t.Helper()
	must(r.t, r.x.Store.View(r.t.Context(), func(read ledger.Reader) error {
		head, err := read.Head(r.t.Context(), ledger.Ev)
		size = head.Size
		return err
	}))
	return size
}

// signed waits until checkpoints cover everything.
func (r *live) signed() {
	r.t.Helper()
	until(r.t, "a checkpoint covers all", func() bool { return r.signedSize() == r.size() })
}

// atRest is a world with a message on record, whose server has ended.
func atRest(t *testing.T, db string) (w *demo.World, msg string) {
	t.Helper()
	ctx := t.Context()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()
	w, err := demo.Open(ctx, demo.Options{Dir: filepath.Join(memoryDir(t), "world"), DB: db, Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	must(t, err)
	from, to := deskOf(t, w, "swc-kraljevo", "legal"), deskOf(t, w, "hppo-kraljevo", "registry")
	msg, err = send(ctx, at(t, w, from.Officers[0], w.URL), from.ID, to.ID)
	must(t, err)
	must(t, w.Published(ctx))
	must(t, w.Close())
	return w, msg
}

// people are a sender and a reader who work through a server.
func people(t *testing.T, w *demo.World, r *live) (sends func() (string, error), reads func(msg string) error) {
	from, to := deskOf(t, w, "swc-kraljevo", "legal"), deskOf(t, w, "hppo-kraljevo", "registry")
	sender, reader := at(t, w, from.Officers[0], r.url), at(t, w, to.Officers[0], r.url)
	sends = func() (string, error) { return send(t.Context(), sender, from.ID, to.ID) }
	return sends, func(msg string) error { return read(t.Context(), reader, to.ID, msg) }
}

func read(ctx context.Context, o *office.Office, desk, msg string) error {
	if err := o.Sync(ctx); err != nil {
		return err
	}
	_, err := o.Read(ctx, desk, msg)
	return err
}

// moved brings the keys of a world into Vault.
func moved(t *testing.T, w *demo.World, v *operatorVault) {
	t.Helper()
	home, err := server.OpenHome(w.Home.Dir)
	must(t, err)
	m := &server.Mover{Home: home, Vault: v.access(t, home.Dir), Token: v.token(t, "odziv-setup"), Log: slog.New(slog.DiscardHandler)}
	must(t, m.ToVault(t.Context()))
	v.deliver(t, home.Dir)
}

// noSecrets looks for keys in what was logged or written down.
func noSecrets(t *testing.T, w *demo.World, text string, secrets ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.Home.Dir, "keys*", "*"))
	must(t, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		must(t, err)
		secrets = append(secrets, strings.TrimSpace(string(data)))
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Error("a secret is in the log")
		}
	}
	if strings.Contains(text, "hvs.") || strings.Contains(text, "hvb.") {
		t.Error("a token is in the log")
	}
}

// opens counts the period keys of a database that a wrapper opens.
func opens(t *testing.T, store exchange.Store, w shred.PeriodWrapper) (opened, all int) {
	t.Helper()
	must(t, store.Read(t.Context(), func(v exchange.View) error {
		rows, err := v.Periods(t.Context())
		for _, row := range rows {
			if _, err := w.UnwrapPeriod(t.Context(), row.ID, row.Wrapped); err == nil {
				opened++
			}
		}
		all = len(rows)
		return err
	}))
	return opened, all
}

// sound checks the whole database of a world whose servers have ended.
func sound(t *testing.T, w *demo.World) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), w.Home.DSN())
	must(t, err)
	defer store.Close()
	scratch, err := sqlstore.Create(t.Context(), "sqlite:"+filepath.Join(memoryDir(t), "scratch.db"))
	must(t, err)
	defer scratch.Close()
	found, err := exchange.Check(t.Context(), store, scratch, w.Packs, nil)
	must(t, err)
	for _, f := range found {
		t.Errorf("fsck: %s", f)
	}
}

// notable leaves the requests that went well out of a log.
func notable(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "status=200") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
