package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Home is the folder a server lives in: its settings, its keys as files, the
// anchor of its signer, and, unless the settings say otherwise, its database.
//
//	server.json       settings
//	keys/dir.seed     signs checkpoints of the directory tree
//	keys/ev.seed      signs checkpoints of the evidence tree
//	keys/period.key   wraps the period keys of stored blobs
//	anchor/           the last signed checkpoints, never part of a backup of the database
//	ledger.db         the embedded database, where the settings name no other
type Home struct {
	Dir string
	Settings
}

// Settings are what a server knows about itself.
type Settings struct {
	Host      string `json:"host"`      // of the origins, for ever
	Authority string `json:"authority"` // host and port that clients sign their requests for
	DB        string `json:"db"`        // sqlite:PATH, a relative path starts at the folder; or postgres://…, which may hold a password
}

// Errors of a home. Each is wrapped with what it is about.
var (
	ErrHome      = errors.New("the folder belongs to a server already")
	ErrNoHome    = errors.New("the folder is no server's")
	ErrSettings  = errors.New("the settings make no sense")
	ErrOtherKeys = errors.New("the genesis does not name this server's keys")

	ErrForeignKey = errors.New("this is not the key that the directory names")
)

// hostName is what may stand in an origin: a name and perhaps a port.
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// maxHost bounds a host, in bytes (RFC 1035: 253 of a name, and a port).
const maxHost = 253

func (s Settings) check() error {
	for name, host := range map[string]string{"host": s.Host, "authority": s.Authority} {
		if !hostName.MatchString(host) || len(host) > maxHost {
			return fmt.Errorf("%w: %s: %.40q is no host name, such as exchange.example.rs", ErrSettings, name, host)
		}
	}
	return CheckDB(s.DB)
}

const scheme = "sqlite:"

// onServer reports whether a database is PostgreSQL's, on a server of its own.
func onServer(db string) bool {
	return strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://")
}

// CheckDB wants the name of a database. Its error never repeats the name, which
// may hold a password.
func CheckDB(db string) error {
	if path, ok := strings.CutPrefix(db, scheme); onServer(db) || ok && path != "" {
		return nil
	}
	return fmt.Errorf("%w: db: it begins neither with sqlite: and a path nor with postgres://", ErrSettings)
}

// InitHome makes the folder, its settings and keys, once. It never touches what
// is there, and what it made before a failure it removes again.
func InitHome(dir string, s Settings) (h *Home, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	h = &Home{Dir: dir, Settings: s}
	names := []string{h.path("server.json"), h.seedPath(ledger.Dir), h.seedPath(ledger.Ev), h.path("keys", "period.key")}
	for _, name := range names {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", dir, ErrHome)
		}
	}
	defer func() {
		if err != nil {
			for _, name := range names {
				os.Remove(name)
			}
		}
	}()
	for _, sub := range []string{"", "keys", "anchor"} {
		if err := os.MkdirAll(h.path(sub), 0o700); err != nil {
			return nil, err
		}
	}
	for _, l := range ledger.Logs {
		if err := writeSeed(h.seedPath(l)); err != nil {
			return nil, err
		}
	}
	if err := shred.InitKeyFile(h.path("keys", "period.key")); err != nil {
		return nil, err
	}
	return h, h.writeSettings()
}

// writeSettings comes last: a folder with settings has everything else.
func (h *Home) writeSettings() error {
	data, err := json.MarshalIndent(h.Settings, "", "  ")
	if err != nil {
		return err
	}
	next := h.path("server.json.new")
	if err := writeNew(next, append(data, '\n')); err != nil {
		return err
	}
	return errors.Join(os.Rename(next, h.path("server.json")), syncFolder(h.Dir))
}

// writeNew writes a file that does not exist yet, for its owner alone, durably.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenHome reads the settings of a server's folder. A member it does not know
// is an error: a misspelled one would silently be another's default.
func OpenHome(dir string) (*Home, error) {
	h := &Home{Dir: dir}
	data, err := os.ReadFile(h.path("server.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoHome)
	}
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h.Settings); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", h.path("server.json"), ErrSettings, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("%s: %w: something follows the end", h.path("server.json"), ErrSettings)
	}
	if err := h.Settings.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.path("server.json"), err)
	}
	return h, nil
}

func (h *Home) path(parts ...string) string {
	return filepath.Join(append([]string{h.Dir}, parts...)...)
}

func (h *Home) seedPath(l ledger.Log) string { return h.path("keys", l.String()+".seed") }

// writeSeed makes a 32-byte Ed25519 seed, in base64, that nobody else can read.
func writeSeed(path string) error {
	var seed [32]byte
	rand.Read(seed[:])
	return writeNew(path, []byte(base64.StdEncoding.EncodeToString(seed[:])+"\n"))
}

// Signer opens the key that signs checkpoints of a log.
func (h *Home) Signer(l ledger.Log) (*ledger.SigningKey, error) {
	text, err := os.ReadFile(h.seedPath(l))
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != 32 {
		return nil, fmt.Errorf("%s: not a seed of 32 bytes in base64", h.seedPath(l))
	}
	return ledger.NewSigningKey(l.Origin(h.Host), seed)
}

// DSN is where the database lies. It may hold a password: never print it.
func (h *Home) DSN() string {
	if onServer(h.DB) {
		return h.DB
	}
	return scheme + h.database()
}

func (h *Home) database() string {
	path := strings.TrimPrefix(h.DB, scheme)
	if filepath.IsAbs(path) {
		return path
	}
	return h.path(path)
}

// CheckGenesis wants a genesis to be complete and to name this server's keys,
// each for its own log: any other ledger could never publish a checkpoint.
func (h *Home) CheckGenesis(genesis []byte) (*directory.State, error) {
	state, err := directory.New().Apply(genesis)
	if err != nil {
		return nil, err
	}
	named := map[ledger.Log]string{ledger.Dir: state.Logs().Dir, ledger.Ev: state.Logs().Ev}
	for _, l := range ledger.Logs {
		key, err := h.Signer(l)
		if err != nil {
			return nil, err
		}
		if vkey := key.VerifierKey(); vkey != named[l] {
			return nil, fmt.Errorf("%w: %s is %s, not %s", ErrOtherKeys, l, vkey, named[l])
		}
	}
	return state, nil
}

// beside are the names SQLite gives to what belongs to a database.
var beside = []string{"", "-wal", "-shm", "-journal"}

// Begin creates the tables and makes genesis the first entry, once. A beginning
// that failed, or crashed, is none and may be repeated: a file is made under
// another name and gets its own when it is complete; on a database server, tables
// that hold no ledger yet are taken as they are.
func (h *Home) Begin(ctx context.Context, genesis []byte, now int64) error {
	if onServer(h.DB) {
		return beginOnServer(ctx, h.DB, genesis, now)
	}
	path := h.database()
	for _, suffix := range beside {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", path+suffix, exchange.ErrExists)
		}
	}
	next := path + ".new"
	removeDatabase(next)
	if err := begin(ctx, scheme+next, genesis, now); err != nil {
		removeDatabase(next)
		return err
	}
	return errors.Join(os.Rename(next, path), syncFolder(filepath.Dir(path)))
}

// BeginAs is Begin through installer: the name of the same database for a login
// that may make roles and tables, which the server's own need not.
func (h *Home) BeginAs(ctx context.Context, installer string, genesis []byte, now int64) error {
	if !onServer(h.DB) || !onServer(installer) {
		return fmt.Errorf("%w: db: only a database of PostgreSQL has another login for its beginning", ErrSettings)
	}
	return beginOnServer(ctx, installer, genesis, now)
}

func begin(ctx context.Context, dsn string, genesis []byte, now int64) error {
	store, err := sqlstore.Create(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(exchange.Begin(ctx, store, genesis, now), store.Close())
}

func beginOnServer(ctx context.Context, dsn string, genesis []byte, now int64) error {
	err := begin(ctx, dsn, genesis, now)
	if !errors.Is(err, sqlstore.ErrExists) {
		return err
	}
	store, err := sqlstore.Open(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(exchange.Begin(ctx, store, genesis, now), store.Close())
}

// removeDatabase removes what was never a ledger; there may be nothing.
func removeDatabase(path string) {
	for _, suffix := range beside {
		_ = os.Remove(path + suffix)
	}
}

// OpenExchange opens the database and the exchange on it. The caller closes the
// store after the exchange's Run has ended.
func (h *Home) OpenExchange(ctx context.Context, clock exchange.Clock, packs *rules.Set, log *slog.Logger) (*exchange.Exchange, error) {
	periods, err := shred.OpenKeyFile(h.path("keys", "period.key"))
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.Open(ctx, h.DSN())
	if err != nil {
		return nil, err
	}
	x, err := exchange.Open(ctx, exchange.Config{Store: store, Clock: clock, Host: h.Host, Packs: packs, Periods: periods, Log: log})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return x, nil
}

// Signers opens both keys, and refuses them if the directory names others.
func (h *Home) Signers(x *exchange.Exchange) (map[ledger.Log]ledger.Signer, error) {
	logs := x.Directory().Logs()
	named := map[ledger.Log]string{ledger.Dir: logs.Dir, ledger.Ev: logs.Ev}
	signers := map[ledger.Log]ledger.Signer{}
	for _, l := range ledger.Logs {
		key, err := h.Signer(l)
		if err != nil {
			return nil, err
		}
		if key.VerifierKey() != named[l] {
			return nil, fmt.Errorf("%s: %w for %s", h.seedPath(l), ErrForeignKey, l)
		}
		signers[l] = key
	}
	return signers, nil
}

// Anchor opens the signer's memory outside the database.
func (h *Home) Anchor() (ledger.Anchor, error) { return ledger.OpenFileAnchor(h.path("anchor")) }

// Packs loads the rule packs that this program ships.
func Packs() (*rules.Set, error) {
	ids, err := rules.Embedded()
	if err != nil {
		return nil, err
	}
	var packs []*rules.Pack
	for _, id := range ids {
		p, err := rules.Load(id)
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return rules.NewSet(packs...), nil
}
