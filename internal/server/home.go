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
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Home is the folder a server lives in: its settings, its keys as files unless
// they lie in Vault, the anchor of its signer, and, unless the settings say
// otherwise, its database.
//
//	server.json       settings
//	keys/dir.seed     signs checkpoints of the directory tree
//	keys/ev.seed      signs checkpoints of the evidence tree
//	keys/period.key   wraps the period keys of stored blobs
//	anchor/           the last signed checkpoints, never part of a backup of the database
//	ledger.db         the embedded database, where the settings name no other
//	lock              held by a server that runs, and by whoever moves its keys
//	vault.json        what a server with keys in Vault saw of it last
//	moving.json       keys that are being moved: no server runs until they are
type Home struct {
	Dir string
	Settings
}

// Settings are what a server knows about itself.
type Settings struct {
	Host      string `json:"host"`      // of the origins, for ever
	Authority string `json:"authority"` // host and port that clients sign their requests for
	DB        string `json:"db"`        // sqlite:PATH, a relative path starts at the folder; or postgres://…, which may hold a password

	Keys *Custody `json:"keys,omitempty"` // where the keys lie, unless all are files
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
	if err := s.Keys.check(s.Host); err != nil {
		return err
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
	names := []string{h.path("server.json"), h.seedPath(ledger.Dir), h.seedPath(ledger.Ev), h.periodPath()}
	for _, name := range append([]string{h.path("server.json.new")}, names...) {
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
	if err := shred.InitKeyFile(h.periodPath()); err != nil {
		return nil, err
	}
	return h, h.writeSettings()
}

// writeSettings comes last: a folder with settings has everything else.
func (h *Home) writeSettings() error { return writeWhole(h.path("server.json"), h.Settings) }

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

func (h *Home) periodPath() string { return h.path("keys", "period.key") }

// writeSeed makes a 32-byte Ed25519 seed, in base64, that nobody else can read.
func writeSeed(path string) error {
	var seed [32]byte
	rand.Read(seed[:])
	defer clear(seed[:])
	return writeNew(path, encodeSeed(seed[:]))
}

func encodeSeed(seed []byte) []byte {
	return []byte(base64.StdEncoding.EncodeToString(seed) + "\n")
}

// Signer opens the key that signs checkpoints of a log, where it is a file.
func (h *Home) Signer(l ledger.Log) (*ledger.SigningKey, error) {
	if h.Keys == nil {
		return h.seedKey(l, l.String()+".seed")
	}
	for _, k := range inUse(h.Keys.of(l)) {
		if k.In == InFile {
			return h.seedKey(l, k.Name)
		}
	}
	return nil, fmt.Errorf("%s: %w", l, ErrInVault)
}

// seedKey opens the key of a log whose seed is a file of keys/.
func (h *Home) seedKey(l ledger.Log, name string) (*ledger.SigningKey, error) {
	seed, err := readSeed(h.path("keys", name))
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return ledger.NewSigningKey(l.Origin(h.Host), seed)
}

// readSeed reads a file that [writeSeed] wrote.
func readSeed(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != 32 {
		return nil, fmt.Errorf("%s: not a seed of 32 bytes in base64", path)
	}
	return seed, nil
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
// each for its own log: any other ledger could never publish a checkpoint. After
// a renewal it is the first keys that it names.
func (h *Home) CheckGenesis(genesis []byte) (*directory.State, error) {
	state, err := directory.New().Apply(genesis)
	if err != nil {
		return nil, err
	}
	c, err := h.Custody()
	if err != nil {
		return nil, err
	}
	for _, l := range ledger.Logs {
		named := namedKey(state, l)
		if !slices.ContainsFunc(c.of(l), func(k LogKey) bool { return k.VKey == named }) {
			return nil, fmt.Errorf("%w: %s is %s, not %s", ErrOtherKeys, l, c.of(l)[0].VKey, named)
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

// OpenExchange opens the database and the exchange on it, for a command or for a
// server whose keys are files. Where the keys lie in Vault it opens none of them:
// a server then begins with [Home.OpenKeys]. The caller closes the store after
// the exchange's Run has ended.
func (h *Home) OpenExchange(ctx context.Context, clock exchange.Clock, packs *rules.Set, log *slog.Logger) (*exchange.Exchange, error) {
	var periods shred.PeriodWrapper = noPeriods{}
	if h.Keys == nil || h.Keys.Period.In == InFile {
		file, err := shred.OpenKeyFile(h.periodPath())
		if err != nil {
			return nil, err
		}
		periods = file
	}
	return openExchange(ctx, h, exchange.Config{Clock: clock, Packs: packs, Log: log, Periods: periods})
}

// Signers opens the keys of both logs, where they are files, and refuses them if
// the directory names others.
func (h *Home) Signers(x *exchange.Exchange) (map[ledger.Log]ledger.Signer, error) {
	if err := h.CheckNamed(x.Directory()); err != nil {
		return nil, err
	}
	signers := map[ledger.Log]ledger.Signer{}
	for _, l := range ledger.Logs {
		key, err := h.Signer(l)
		if err != nil {
			return nil, err
		}
		signers[l] = key
	}
	return signers, nil
}

// Anchor opens the signer's memory outside the database, on this server's disk.
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
