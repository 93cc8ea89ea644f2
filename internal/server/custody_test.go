package server

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// goodCustody is one of a ledger that was renewed from a file into Vault.
func goodCustody(t *testing.T) *Custody {
	t.Helper()
	key := func(l ledger.Log, b byte) string {
		k, err := ledger.NewSigningKey(l.Origin("exchange.example"), []byte(strings.Repeat(string(rune('a'+b)), 32)))
		if err != nil {
			t.Fatal(err)
		}
		return k.VerifierKey()
	}
	c := &Custody{Vault: &VaultAccess{Address: "https://vault.example:8200", RoleID: "role-id", SecretID: "secret-id"},
		Period: Kept{InVault, "period"}, Anchor: Kept{In: InVault}}
	for _, l := range ledger.Logs {
		c.set(l, []LogKey{{VKey: key(l, 1), In: InVault, Name: "ckpt-" + l.String(), Version: 2}, {VKey: key(l, 2), In: InFile, Name: l.String() + ".seed"}, {VKey: key(l, 3), In: Retired}})
	}
	return c
}

// Settings that say where keys lie are taken whole or refused, and come back as
// they were written.
func TestCustodyCheck(t *testing.T) {
	for name, spoil := range map[string]func(c *Custody){
		"no key":               func(c *Custody) { c.Dir = nil },
		"only retired":         func(c *Custody) { c.Ev = c.Ev[2:] },
		"three in use":         func(c *Custody) { c.Dir[2].In, c.Dir[2].Name = InFile, "third.seed" },
		"one twice":            func(c *Custody) { c.Dir[1].VKey = c.Dir[0].VKey },
		"of the other tree":    func(c *Custody) { c.Dir[0].VKey = c.Ev[0].VKey },
		"no key at all":        func(c *Custody) { c.Dir[0].VKey = "exchange.example/dir+aa" },
		"a file elsewhere":     func(c *Custody) { c.Dir[1].Name = "../dir.seed" },
		"a hidden file":        func(c *Custody) { c.Dir[1].Name = ".seed" },
		"no version":           func(c *Custody) { c.Ev[0].Version = 0 },
		"no name":              func(c *Custody) { c.Ev[0].Name = "" },
		"no place":             func(c *Custody) { c.Ev[0].In = "memory" },
		"no vault":             func(c *Custody) { c.Vault = nil },
		"no address":           func(c *Custody) { c.Vault.Address = "" },
		"no login":             func(c *Custody) { c.Vault.SecretID = "" },
		"two logins":           func(c *Custody) { c.Vault.Token = "token" },
		"no period":            func(c *Custody) { c.Period = Kept{} },
		"period without name":  func(c *Custody) { c.Period.Name = "" },
		"a file with a name":   func(c *Custody) { c.Period.In = InFile },
		"no anchor":            func(c *Custody) { c.Anchor = Kept{} },
		"more keys than there": func(c *Custody) { c.Dir = append(c.Dir, make([]LogKey, 40)...) },
	} {
		c := goodCustody(t)
		spoil(c)
		s := settings()
		s.Keys = c
		if err := s.check(); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := settings()
	s.Keys = goodCustody(t)
	h := &Home{Dir: t.TempDir(), Settings: s}
	if err := h.writeSettings(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenHome(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(s)
	after, _ := json.Marshal(again.Settings)
	if string(before) != string(after) {
		t.Errorf("wrote %s, read %s", before, after)
	}
	if !again.InVault() || len(inUse(again.Keys.Dir)) != 2 {
		t.Errorf("%+v", again.Keys)
	}
	if vkeys, err := again.VerifierKeys(ledger.Dir); err != nil || len(vkeys) != 2 || vkeys[0] != s.Keys.Dir[0].VKey {
		t.Errorf("%v %v", vkeys, err)
	}
	list, err := again.verifiers(ledger.Ev)
	if err != nil || len(list) != 3 {
		t.Errorf("%d verifiers, %v", len(list), err)
	}
	if _, err := list[0].Sign(t.Context(), nil); !errors.Is(err, ErrInVault) {
		t.Errorf("a public key signed: %v", err)
	}
}

// Names of files are those of the folder where they lie in it.
func TestFileNamed(t *testing.T) {
	dir := t.TempDir()
	h := &Home{Dir: dir}
	outside := filepath.Join(t.TempDir(), "role-id")
	for name, want := range map[string]string{"": "", filepath.Join(dir, "vault", "secret-id"): "vault/secret-id", outside: outside} {
		got, err := h.FileNamed(name)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", name, got, err)
		}
		if want != "" && h.at(got) != name {
			t.Errorf("%q is found at %q", name, h.at(got))
		}
	}
}

// What a move left in the middle, or cannot be read, lets no server start.
func TestCheckSettled(t *testing.T) {
	h := &Home{Dir: t.TempDir()}
	if err := h.CheckSettled(); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(h.path("keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{h.movingPath(), h.nextPeriodPath()} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.CheckSettled(); !errors.Is(err, ErrMoving) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}
