package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/ledger"
)

// Place is where a key lies.
type Place string

// The places.
const (
	InFile  Place = "file"    // in the folder of the server
	InVault Place = "vault"   // in the operator's Vault, which never gives it away
	Retired Place = "retired" // it signs no more; what it signed still verifies
)

// Custody is where the keys of a server lie. A server whose settings hold none
// has them all in files of fixed names, see [Home].
type Custody struct {
	Vault  *VaultAccess `json:"vault,omitempty"` // needed where a key lies there
	Dir    []LogKey     `json:"dir"`
	Ev     []LogKey     `json:"ev"`
	Period Kept         `json:"period"` // wraps the period keys of stored blobs
	Anchor Kept         `json:"anchor"` // the last signed checkpoints; the folder anchor/ holds them too
}

// VaultAccess says which Vault, and how this server logs in: with an AppRole or,
// where somebody else keeps a token alive, with the file of a token. File names
// that are not absolute begin at the folder of the server.
type VaultAccess struct {
	Address  string `json:"address"`             // https://host:port
	CA       string `json:"ca,omitempty"`        // file of PEM certificates; the system's if empty
	RoleID   string `json:"role_id,omitempty"`   // file
	SecretID string `json:"secret_id,omitempty"` // file of a wrapped secret id, used up by a login
	AppRole  string `json:"approle,omitempty"`   // mount, "approle" if empty
	Role     string `json:"role,omitempty"`      // that the secret id must be of
	Token    string `json:"token,omitempty"`     // file of a token, instead of the AppRole
	Transit  string `json:"transit,omitempty"`   // mount, "transit" if empty
	KV       string `json:"kv,omitempty"`        // mount, "kv" if empty
}

// LogKey is a key that signs checkpoints of a log, or did.
type LogKey struct {
	VKey    string `json:"vkey"`
	In      Place  `json:"in"`
	Name    string `json:"name,omitempty"`    // of the file in keys/, or of the key in Vault
	Version int    `json:"version,omitempty"` // of the key in Vault; no other ever signs
	Since   int64  `json:"since"`             // when it came there, ms since 1970 UTC
}

// Kept is where something else lies.
type Kept struct {
	In   Place  `json:"in"`
	Name string `json:"name,omitempty"` // of the key in Vault
}

// ErrInVault says that a key lies in Vault, where this cannot reach it.
var ErrInVault = errors.New("the key lies in Vault")

// of are the keys of a log, those in use first.
func (c *Custody) of(l ledger.Log) []LogKey {
	if l == ledger.Dir {
		return c.Dir
	}
	return c.Ev
}

func (c *Custody) set(l ledger.Log, keys []LogKey) {
	if l == ledger.Dir {
		c.Dir = keys
	} else {
		c.Ev = keys
	}
}

// clone is a copy that can be changed.
func (c *Custody) clone() *Custody {
	next := *c
	next.Dir, next.Ev = append([]LogKey{}, c.Dir...), append([]LogKey{}, c.Ev...)
	return &next
}

// inUse are the keys that sign.
func inUse(keys []LogKey) (list []LogKey) {
	for _, k := range keys {
		if k.In != Retired {
			list = append(list, k)
		}
	}
	return list
}

// inVault reports whether anything lies in Vault.
func (c *Custody) inVault() bool {
	if c == nil {
		return false
	}
	for _, l := range ledger.Logs {
		for _, k := range c.of(l) {
			if k.In == InVault {
				return true
			}
		}
	}
	return c.Period.In == InVault || c.Anchor.In == InVault
}

// seedName is what a file of a seed may be called.
var seedName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}\.seed$`)

// check wants settings that can be worked with; host is that of the origins.
func (c *Custody) check(host string) error {
	if c == nil {
		return nil
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: keys: %s", ErrSettings, fmt.Sprintf(format, args...))
	}
	for _, l := range ledger.Logs {
		keys := c.of(l)
		if n := len(inUse(keys)); n < 1 || n > 2 || len(keys) > 32 {
			return wrong("%s has %d keys in use, not one, or two while it is renewed", l, n)
		}
		seen := map[string]bool{}
		for _, k := range keys {
			if err := k.check(l.Origin(host)); err != nil || seen[k.VKey] {
				return wrong("%s: %.60q: not a key, or twice: %v", l, k.VKey, err)
			}
			seen[k.VKey] = true
		}
	}
	for name, k := range map[string]Kept{"period": c.Period, "anchor": c.Anchor} {
		if k.In != InFile && k.In != InVault || name == "period" && (k.In == InVault) != (k.Name != "") {
			return wrong("%s is neither in a file nor in Vault", name)
		}
	}
	if c.inVault() && c.Vault == nil {
		return wrong("something lies in Vault, and no vault is named")
	}
	if v := c.Vault; v != nil && (v.Address == "" || (v.Token == "") == (v.RoleID == "" || v.SecretID == "")) {
		return wrong("vault: an address, and either a token or both role_id and secret_id are needed")
	}
	return nil
}

func (k LogKey) check(origin string) error {
	v, err := ledger.ParseVerifierKey(k.VKey)
	if err != nil {
		return err
	}
	switch {
	case v.Name() != origin:
		return fmt.Errorf("of %s, not of %s", v.Name(), origin)
	case k.In == InFile && !seedName.MatchString(k.Name):
		return fmt.Errorf("no name of a file: %.40q", k.Name)
	case k.In == InVault && (k.Name == "" || k.Version < 1):
		return errors.New("a key in Vault has a name and a version")
	case k.In != InFile && k.In != InVault && k.In != Retired:
		return fmt.Errorf("no place: %.40q", k.In)
	}
	return nil
}

// Custody is where the keys lie, also where the settings do not say so.
func (h *Home) Custody() (*Custody, error) {
	if h.Keys != nil {
		return h.Keys, nil
	}
	c := &Custody{Period: Kept{In: InFile}, Anchor: Kept{In: InFile}}
	for _, l := range ledger.Logs {
		key, err := h.seedKey(l, l.String()+".seed")
		if err != nil {
			return nil, err
		}
		c.set(l, []LogKey{{VKey: key.VerifierKey(), In: InFile, Name: l.String() + ".seed"}})
	}
	return c, nil
}

// VerifierKeys are the keys that sign for a log: one, or two while it is renewed.
func (h *Home) VerifierKeys(l ledger.Log) ([]string, error) {
	c, err := h.Custody()
	if err != nil {
		return nil, err
	}
	var vkeys []string
	for _, k := range inUse(c.of(l)) {
		vkeys = append(vkeys, k.VKey)
	}
	return vkeys, nil
}

// verifiers are the keys of a log as somebody who signs nothing uses them, those
// that signed once among them.
func (h *Home) verifiers(l ledger.Log) ([]ledger.Signer, error) {
	c, err := h.Custody()
	if err != nil {
		return nil, err
	}
	var list []ledger.Signer
	for _, k := range c.of(l) {
		v, err := ledger.ParseVerifierKey(k.VKey)
		if err != nil {
			return nil, err
		}
		list = append(list, publicKey{v})
	}
	return list, nil
}

// publicKey is the public half of a signer, of a command that signs nothing.
type publicKey struct{ v note.Verifier }

func (p publicKey) Verifier() note.Verifier { return p.v }

// at is a file that the settings name.
func (h *Home) at(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return h.path(name)
}

// FileNamed is a name for the settings: that of a file as seen from the folder
// where it lies in it, else absolute.
func (h *Home) FileNamed(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(h.Dir)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, abs); err == nil && !strings.HasPrefix(rel, "..") {
		return rel, nil
	}
	return abs, nil
}

// Sign implements [ledger.Signer].
func (p publicKey) Sign(context.Context, []byte) ([]byte, error) { return nil, ErrInVault }
