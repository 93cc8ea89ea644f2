package server

import (
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
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
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
//	ledger.db         the embedded database
type Home struct {
	Dir string
	Settings
}

// Settings are what a server knows about itself.
type Settings struct {
	Host      string `json:"host"`      // of the origins, for ever
	Authority string `json:"authority"` // host and port that clients sign their requests for
	DB        string `json:"db"`        // sqlite:PATH; a relative path starts at the folder
}

// ErrHome says that the folder is a server's already, or is none.
var (
	ErrHome   = errors.New("the folder belongs to a server already")
	ErrNoHome = errors.New("the folder is no server's: run odzivd init first")
)

// InitHome makes the folder, its settings and keys, once. It never touches what
// is there.
func InitHome(dir string, s Settings) (*Home, error) {
	h := &Home{Dir: dir, Settings: s}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := os.Stat(h.path("server.json")); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrHome)
	}
	for _, sub := range []string{"keys", "anchor"} {
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
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return h, os.WriteFile(h.path("server.json"), append(data, '\n'), 0o600)
}

// OpenHome reads the settings of a server's folder.
func OpenHome(dir string) (*Home, error) {
	h := &Home{Dir: dir}
	data, err := os.ReadFile(h.path("server.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoHome)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &h.Settings); err != nil {
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(seed[:]))
	return errors.Join(err, f.Sync(), f.Close())
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

// DSN is where the database lies.
func (h *Home) DSN() string {
	path, ok := strings.CutPrefix(h.DB, "sqlite:")
	if ok && !filepath.IsAbs(path) {
		return "sqlite:" + h.path(path)
	}
	return h.DB
}

// Begin creates the database and makes genesis its first entry, once.
func (h *Home) Begin(ctx context.Context, genesis []byte, now int64) error {
	store, err := sqlstore.Create(ctx, h.DSN())
	if err != nil {
		return err
	}
	return errors.Join(exchange.Begin(ctx, store, genesis, now), store.Close())
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
			return nil, fmt.Errorf("%s is not the key that the directory names for %s", h.seedPath(l), l)
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
