package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

const now = int64(1772442000123)

func settings() Settings {
	return Settings{Host: "exchange.example", Authority: "exchange.example:8443", DB: "sqlite:ledger.db"}
}

// files lists what is in a folder, with modes.
func files(t *testing.T, dir string) []string {
	t.Helper()
	list := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		list = append(list, strings.TrimPrefix(path, dir+"/")+" "+info.Mode().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestInitHome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	made, err := InitHome(dir, settings())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"keys/dir.seed -rw-------", "keys/ev.seed -rw-------", "keys/period.key -rw-------", "server.json -rw-------"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	h, err := OpenHome(dir)
	if err != nil || h.Settings != made.Settings || h.DSN() != "sqlite:"+filepath.Join(dir, "ledger.db") {
		t.Errorf("%+v %v", h, err)
	}
	for _, l := range ledger.Logs {
		a, err := made.Signer(l)
		b, err2 := h.Signer(l)
		if err != nil || err2 != nil || a.VerifierKey() != b.VerifierKey() || !strings.HasPrefix(a.VerifierKey(), "exchange.example/"+l.String()+"+") {
			t.Errorf("%s: %v %v", l, err, err2)
		}
	}
	before := files(t, dir)
	key, _ := os.ReadFile(h.seedPath(ledger.Dir))
	if _, err := InitHome(dir, settings()); !errors.Is(err, ErrHome) {
		t.Errorf("a second time: %v", err)
	}
	after, _ := os.ReadFile(h.seedPath(ledger.Dir))
	if !slices.Equal(files(t, dir), before) || string(key) != string(after) {
		t.Error("the second time changed something")
	}
}

// A folder that lost its settings keeps its keys: nobody else has them.
func TestInitHomeKeepsKeys(t *testing.T) {
	dir := t.TempDir()
	if _, err := InitHome(dir, settings()); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "server.json"))
	before := files(t, dir)
	if _, err := InitHome(dir, settings()); !errors.Is(err, ErrHome) {
		t.Errorf("%v", err)
	}
	if !slices.Equal(files(t, dir), before) {
		t.Error("something was touched")
	}
}

// The name of a database may hold a password, which no error repeats.
func TestDatabaseNames(t *testing.T) {
	for db, good := range map[string]bool{"sqlite:x": true, "postgres://u:secret@h/d": true, "postgresql://h/d?sslmode=verify-full": true,
		"": false, "sqlite:": false, "mysql://u:secret@h": false, "user=odzivd password=secret": false, "secret": false} {
		err := CheckDB(db)
		if (err == nil) != good || err != nil && (!errors.Is(err, ErrSettings) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v", db, err)
		}
	}
	h := &Home{Dir: "dir", Settings: Settings{DB: "postgres://u:secret@h/d"}}
	if h.DSN() != h.DB {
		t.Errorf("DSN %q", h.DSN())
	}
	other := &Home{Dir: "dir", Settings: Settings{DB: "sqlite:ledger.db"}}
	for _, h := range []*Home{h, other} {
		if err := h.BeginAs(t.Context(), "sqlite:x", nil, now); !errors.Is(err, ErrSettings) {
			t.Errorf("begin %s through a file: %v", h.DB, err)
		}
	}
}

// What cannot work is refused before anything is made, and what fails in the
// middle leaves nothing.
func TestInitHomeRefuses(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"no host":        func(s *Settings) { s.Host = "" },
		"a URL":          func(s *Settings) { s.Host = "https://exchange.example" },
		"a blank":        func(s *Settings) { s.Host = "exchange example" },
		"upper case":     func(s *Settings) { s.Host = "Exchange.example" },
		"a plus":         func(s *Settings) { s.Host = "exchange+example" },
		"a path":         func(s *Settings) { s.Host = "exchange.example/x" },
		"long":           func(s *Settings) { s.Host = strings.Repeat("a", 254) },
		"no authority":   func(s *Settings) { s.Authority = "" },
		"bad authority":  func(s *Settings) { s.Authority = "http://x" },
		"another engine": func(s *Settings) { s.DB = "mysql://x" },
		"no database":    func(s *Settings) { s.DB = "sqlite:" },
	} {
		dir := filepath.Join(t.TempDir(), "home")
		s := settings()
		change(&s)
		if _, err := InitHome(dir, s); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a folder was made", name)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "server.json.new"), 0o700); err != nil { // in the way of the last file
		t.Fatal(err)
	}
	if _, err := InitHome(dir, settings()); err == nil {
		t.Error("made over something in the way")
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left %v", got)
	}
	os.Remove(filepath.Join(dir, "server.json.new"))
	if _, err := InitHome(dir, settings()); err != nil {
		t.Errorf("not after a failure: %v", err)
	}
}

func TestOpenHomeRefuses(t *testing.T) {
	if _, err := OpenHome(t.TempDir()); !errors.Is(err, ErrNoHome) {
		t.Errorf("%v", err)
	}
	for name, text := range map[string]string{
		"cut":        `{"host":"a"`,
		"misspelled": `{"host":"exchange.example","authorty":"exchange.example","db":"sqlite:x"}`,
		"empty":      `{}`,
		"trailing":   `{"host":"exchange.example","authority":"exchange.example","db":"sqlite:x"} {}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "server.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenHome(dir); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignerRefuses(t *testing.T) {
	dir := t.TempDir()
	h, err := InitHome(dir, settings())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"short": "AAAA", "no base64": "!", "empty": ""} {
		os.WriteFile(h.seedPath(ledger.Ev), []byte(text), 0o600)
		if _, err := h.Signer(ledger.Ev); err == nil || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// genesis is one that names the keys of a home.
func genesis(t *testing.T, h *Home) []byte {
	t.Helper()
	council := statement.NewSigningKey(make([]byte, 32))
	body := &directory.Genesis{Council: directory.Council{K: 1, Keys: directory.Council{}.Keys}, Demo: true, Name: "test",
		Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{}, Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}}
	body.Council.Keys = append(body.Council.Keys, council.Public())
	dir, err := h.Signer(ledger.Dir)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := h.Signer(ledger.Ev)
	if err != nil {
		t.Fatal(err)
	}
	body.Logs = directory.Logs{Dir: dir.VerifierKey(), Ev: ev.VerifierKey()}
	payload, err := directory.New().Prepare(body, now)
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, council)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// A ledger is begun once; a failed beginning is none.
func TestBegin(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	h, err := InitHome(dir, settings())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(ctx, []byte("{}"), now); err == nil {
		t.Error("began with no genesis")
	}
	for _, f := range files(t, dir) {
		if strings.Contains(f, "ledger.db") {
			t.Errorf("a failed beginning left %s", f)
		}
	}
	// What a crash in the middle left is no ledger.
	if err := os.WriteFile(filepath.Join(dir, "ledger.db.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(ctx, genesis(t, h), now); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
	if err := h.Begin(ctx, genesis(t, h), now+1); !errors.Is(err, exchange.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, "ledger.db"))
	if string(before) != string(after) || len(before) == 0 {
		t.Error("the ledger was touched")
	}
	if got := files(t, dir); slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, ".new") }) {
		t.Errorf("left %v", got)
	}
	// A file of that name that is no ledger is left alone too.
	other := *h
	other.DB = "sqlite:other.db"
	if err := os.WriteFile(filepath.Join(dir, "other.db"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := other.Begin(ctx, genesis(t, h), now); !errors.Is(err, exchange.ErrExists) {
		t.Errorf("over another file: %v", err)
	}
}

// A genesis that names other keys, or these in the other's place, could never
// be served.
func TestCheckGenesis(t *testing.T) {
	h, err := InitHome(t.TempDir(), settings())
	if err != nil {
		t.Fatal(err)
	}
	state, err := h.CheckGenesis(genesis(t, h))
	if err != nil || !state.Demo() {
		t.Errorf("%v", err)
	}
	other, err := InitHome(t.TempDir(), settings())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CheckGenesis(genesis(t, other)); !errors.Is(err, ErrOtherKeys) {
		t.Errorf("another server's: %v", err)
	}
	if err := os.Rename(h.seedPath(ledger.Dir), h.seedPath(ledger.Dir)+"x"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CheckGenesis(genesis(t, other)); err == nil {
		t.Error("without a key")
	}
}
