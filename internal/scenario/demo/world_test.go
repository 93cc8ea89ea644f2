package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const start = 1767868200000 // 2026-01-08 10:30 UTC

func open(t testing.TB, opts demo.Options) *demo.World {
	t.Helper()
	opts.Clock = demo.NewClock(start)
	w, err := demo.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// An institution brings along whom it escalates to, and the center; every desk
// has two officers and a key that both hold.
func TestWorldOfFew(t *testing.T) {
	w := open(t, demo.Options{Codes: []string{"swc-novi-sad", "ngo-a"}})
	var codes []string
	for _, m := range w.Members {
		codes = append(codes, m.Code)
		for _, d := range m.Desks {
			if len(d.Officers) != 2 {
				t.Errorf("%s has %d officers", d.Name(), len(d.Officers))
			}
		}
	}
	want := []string{"swc-novi-sad", "center", "ngo-a", "ministry-social", "prov-sec-vojvodina"}
	if !slices.Equal(codes, want) {
		t.Errorf("institutions %v, want %v", codes, want)
	}
	m, _ := w.Member("swc-novi-sad")
	d, ok := m.Desk("duty")
	if !ok {
		t.Fatal("no duty desk")
	}
	at, err := d.Office(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dir := at.Directory()
	inst, _ := dir.Institution(m.ID)
	above, _ := w.Member("prov-sec-vojvodina")
	me, err := at.Me()
	if err != nil || !me.HasRole("duty") || inst.EscalatesTo != above.ID || inst.Type != "swc" || !dir.Demo() {
		t.Errorf("%+v, %+v, %v", me, inst, err)
	}
	if e, ok := dir.ActiveEpoch(d.ID); !ok || len(e.Pkg) != 2 {
		t.Errorf("epoch %+v, %v", e, ok)
	}
	if id, _ := dir.AdoptedPack("rs-a", start); id != "rs-a@1" {
		t.Errorf("pack %q", id)
	}
}

// Every institution of the demonstration directory can be founded at once.
func TestWorldOfAll(t *testing.T) {
	if testing.Short() {
		t.Skip("founds 39 institutions")
	}
	list, err := demo.Institutions()
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	w := open(t, demo.Options{Progress: func(what string, done, total int) {
		if what == "institutions" && total == len(list) {
			told = done
		}
	}})
	if len(w.Members) != len(list) || told != len(list) || len(list) < 35 {
		t.Errorf("%d institutions of %d, told of %d", len(w.Members), len(list), told)
	}
	found, err := w.Check(context.Background())
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestRepresentative(t *testing.T) {
	w := open(t, demo.Options{Codes: []string{"bar-sponsor"}})
	d, err := w.Represent(context.Background(), "bar-sponsor")
	if err != nil {
		t.Fatal(err)
	}
	at, err := d.Office(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if typ := at.Directory().TypeOfDesk(d.ID); typ != directory.Representative || len(d.Officers) != 1 {
		t.Errorf("type %s, %d officers", typ, len(d.Officers))
	}
	if _, err := w.Represent(context.Background(), "center"); err == nil {
		t.Error("the center hosts a representative")
	}
}

// What is written can be used by the programs: a server's folder, and for each
// desk a home whose keystore opens with the passphrase beside it.
func TestHomes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	w := open(t, demo.Options{Dir: dir, Codes: []string{"ngo-b", "bar-sponsor"}, Authority: "127.0.0.1:9"})
	if _, err := w.Represent(context.Background(), "bar-sponsor"); err != nil {
		t.Fatal(err)
	}
	homes, err := w.WriteHomes("http://127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := server.OpenHome(homes.Server)
	if err != nil || settings.Authority != "127.0.0.1:9" || settings.Host != demo.Host {
		t.Errorf("%+v, %v", settings, err)
	}
	var names map[string]string
	data, err := os.ReadFile(homes.Phonebook)
	if err != nil || json.Unmarshal(data, &names) != nil {
		t.Fatal(err)
	}
	home := homes.Officers["ngo-b.case"]
	words, err := os.ReadFile(filepath.Join(home, "passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	secret := keystore.NewSecret(strings.TrimSpace(string(words)))
	keys, err := keystore.Open(filepath.Join(home, "keystore.age"), secret, keystore.Options{Demo: true})
	if err != nil || len(keys.DeskEpochs(names["ngo-b.case"])) != 1 {
		t.Errorf("keystore: %v", err)
	}
	if _, err := keystore.Open(filepath.Join(home, "keystore.age"), secret, keystore.Options{}); !errors.Is(err, keystore.ErrDemo) {
		t.Errorf("a demonstration's keystore opens anywhere: %v", err)
	}
	notebook, err := office.OpenNotebook(home)
	if err != nil || notebook.Pin.Genesis != w.Genesis || notebook.Pin.URL != "http://127.0.0.1:9" {
		t.Errorf("%+v, %v", notebook, err)
	}
	for _, name := range []string{"ngo-b.case-2", "bar-sponsor.rep-1"} {
		if _, err := os.Stat(filepath.Join(dir, "officers", name, "keystore.age")); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"council", "delegate-2", "ngo-b.root", "ngo-b.registrar-2"} {
		if _, err := os.Stat(filepath.Join(dir, "authorities", name, "keystore.age")); err != nil {
			t.Error(err)
		}
	}
}

// A program whose clock is that of the computer can be used beside a
// demonstration that lives in another time: it learns the difference.
func TestProgramsOfAnotherTime(t *testing.T) {
	ctx := context.Background()
	w := open(t, demo.Options{Codes: []string{"ngo-b"}})
	w.Clock.Run()
	homes, err := w.WriteHomes(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	home := homes.Officers["ngo-b.duty"]
	words, err := os.ReadFile(filepath.Join(home, "passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keystore.Open(filepath.Join(home, "keystore.age"), keystore.NewSecret(strings.TrimSpace(string(words))), keystore.Options{Demo: true})
	if err != nil {
		t.Fatal(err)
	}
	notebook, err := office.OpenNotebook(home)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() int64 { return time.Now().UnixMilli() }
	c, err := client.New(notebook.Pin.URL, keys.Signer(), clock, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: notebook, Packs: w.Packs, Clock: clock, Demo: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := at.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	desk, err := at.Desk("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at.Duties(ctx, desk, true, true); err != nil {
		t.Error(err)
	}
	if now := at.Now(); now < start || now > start+24*3600_000 {
		t.Errorf("the program believes it is %d", now)
	}
}

// A temporary folder is gone afterwards, one that was named stays, and one that
// holds something is never touched.
func TestFolders(t *testing.T) {
	w, err := demo.Open(context.Background(), demo.Options{Clock: demo.NewClock(start), Codes: []string{"ngo-b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := os.Stat(w.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", w.Dir, err)
	}
	dir := t.TempDir()
	kept := filepath.Join(dir, "mine")
	if err := os.WriteFile(kept, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Open(context.Background(), demo.Options{Clock: demo.NewClock(start), Dir: dir}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder with a file in it: %v", err)
	}
	if data, err := os.ReadFile(kept); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
	db := "sqlite:" + filepath.Join(t.TempDir(), "named.db")
	w = open(t, demo.Options{Codes: []string{"ngo-b"}, DB: db})
	if _, err := os.Stat(strings.TrimPrefix(db, "sqlite:")); err != nil {
		t.Error(err)
	}
	if _, err := demo.Open(context.Background(), demo.Options{Clock: demo.NewClock(start), Codes: []string{"ngo-b"}, DB: db}); err == nil {
		t.Error("a database that is there was begun again")
	}
}

// A world on a server of PostgreSQL: founded once, verified, and not founded
// again where it is.
func TestWorldOnPostgres(t *testing.T) {
	opts := demo.Options{Codes: []string{"ngo-b"}, DB: pgtest.Shared(t).Database(t)}
	w := open(t, opts)
	found, err := w.Check(context.Background())
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	opts.Clock = demo.NewClock(start)
	if _, err := demo.Open(context.Background(), opts); !errors.Is(err, exchange.ErrExists) {
		t.Errorf("founded over a ledger: %v", err)
	}
}

func TestWorldRefuses(t *testing.T) {
	for name, opts := range map[string]demo.Options{
		"unknown institution":   {Codes: []string{"swc-paris"}},
		"unknown pack":          {Codes: []string{"ngo-b"}, Packs: []string{"rs-a@99"}},
		"an address of others":  {Codes: []string{"ngo-b"}, Listen: "0.0.0.0:0"},
		"a database of no kind": {Codes: []string{"ngo-b"}, DB: "file.db"},
	} {
		opts.Clock = demo.NewClock(start)
		if w, err := demo.Open(context.Background(), opts); err == nil {
			t.Errorf("%s: opened", name)
			w.Close()
		}
	}
}

func TestClock(t *testing.T) {
	c := demo.NewClock(start)
	if c.Now() != start || c.Monotonic() != start {
		t.Errorf("%d", c.Now())
	}
	if err := c.Forward(start + 1); err != nil || c.Now() != start+1 {
		t.Errorf("%d, %v", c.Now(), err)
	}
	if err := c.Forward(start); err == nil || c.Now() != start+1 {
		t.Errorf("time went back: %d", c.Now())
	}
	c.Run()
	if now := c.Now(); now < start+1 {
		t.Errorf("%d", now)
	}
	if err := c.Forward(start + 3600_000); err != nil || c.Now() < start+3600_000 {
		t.Errorf("%d, %v", c.Now(), err)
	}
}

// Nobody in the demonstration directory escalates to nobody, and each institution
// has a name in both languages.
func TestInstitutions(t *testing.T) {
	list, err := demo.Institutions()
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, i := range list {
		codes[i.Code] = true
	}
	for _, i := range list {
		if i.NameEN == "" || i.NameSR == "" || len(i.Desks) == 0 || i.EscalatesTo != "" && !codes[i.EscalatesTo] {
			t.Errorf("%+v", i)
		}
		for _, fn := range i.Desks {
			if !slices.Contains(directory.Functions, fn) {
				t.Errorf("%s has a desk %q", i.Code, fn)
			}
		}
	}
}
