package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// passphrase opens every keystore of these tests.
const passphrase = "a passphrase of these tests"

// worlds are exchanges to copy from, each founded once: "" and "overdue", in
// which a complaint was sent forty days ago and nobody answered it.
type worlds struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex
	found map[string]string // by kind, its folder
}

func newWorlds(t *testing.T) *worlds {
	return &worlds{t: t, dir: t.TempDir(), found: map[string]string{}}
}

// template is the folder of a founded exchange that nobody serves.
func (w *worlds) template(kind string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dir, ok := w.found[kind]; ok {
		return dir, nil
	}
	dir := filepath.Join(w.dir, "world-"+kind)
	w.found[kind] = dir
	return dir, found(dir, kind)
}

const forty = 40 * 24 * time.Hour

// found builds an exchange with a few institutions and writes the home of each
// of its officers and registrars.
func found(dir, kind string) error {
	ctx := context.Background()
	began := time.Now()
	if kind == "overdue" {
		began = began.Add(-forty)
	}
	clock := demo.NewClock(began.UnixMilli())
	w, err := demo.Open(ctx, demo.Options{Dir: dir, Clock: clock,
		Codes: []string{"swc-kraljevo", "hppo-kraljevo", "police-kraljevo", "ngo-a", "bar-sponsor"}})
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.Represent(ctx, "bar-sponsor"); err != nil {
		return err
	}
	if kind == "overdue" {
		if err := complain(ctx, w); err != nil {
			return err
		}
		if err := clock.Forward(began.Add(forty).UnixMilli()); err != nil {
			return err
		}
	}
	if err := w.Published(ctx); err != nil {
		return err
	}
	if err := errors.Join(writeHomes(w, filepath.Join(dir, "homes")), writePolicy(w, dir)); err != nil {
		return err
	}
	return w.Close()
}

// complain sends what the scripts find unanswered.
func complain(ctx context.Context, w *demo.World) error {
	from, _ := w.Member("swc-kraljevo")
	to, _ := w.Member("hppo-kraljevo")
	legal, _ := from.Desk("legal")
	registry, _ := to.Desk("registry")
	at, err := legal.Office(ctx)
	if err != nil {
		return err
	}
	_, err = at.Send(ctx, office.Draft{Desk: legal.ID, Family: "rs-a", Kind: "complaint", To: []string{registry.ID},
		Subj: []string{statement.NewID(statement.Person)}, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
		Cats: []string{"identity"}, Facts: map[string]string{"complainant": "institution"},
		Text: envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}})
	return err
}

// writeHomes makes homes/CODE.FN for the first officer of a desk, CODE.FN.2 for
// the second, CODE.registrar1 and 2, CODE.root, council.
func writeHomes(w *demo.World, dir string) error {
	names := map[string]string{}
	for _, m := range w.Members {
		names[m.Code] = m.ID
		for _, d := range m.Desks {
			names[d.Name()] = d.ID
		}
	}
	if err := writeHome(filepath.Join(dir, "council"), w.Pin(), w.Council(), names); err != nil {
		return err
	}
	for _, m := range w.Members {
		if err := writeHome(filepath.Join(dir, m.Code+".root"), w.Pin(), m.Root(), names); err != nil {
			return err
		}
		for i, k := range m.Registrars() {
			if err := writeHome(filepath.Join(dir, fmt.Sprintf("%s.registrar%d", m.Code, i+1)), w.Pin(), k, names); err != nil {
				return err
			}
		}
		for _, d := range m.Desks {
			for i, o := range d.Officers {
				home := filepath.Join(dir, d.Name())
				if i > 0 {
					home += fmt.Sprintf(".%d", i+1)
				}
				if err := writeHome(home, w.Pin(), o.Keys, names); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func writeHome(dir string, pin office.Pin, keys *keystore.Keystore, names map[string]string) error {
	if _, err := office.CreateNotebook(dir, pin); err != nil {
		return err
	}
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "names.json"), data, 0o600); err != nil {
		return err
	}
	return keys.Save(filepath.Join(dir, keystoreFile), keystore.NewSecret(passphrase))
}

// install copies an exchange into the script's folder and moves it to an
// address of its own.
func (w *worlds) install(ts *testscript.TestScript, args []string) {
	kind := ""
	if len(args) > 0 {
		kind = args[0]
	}
	dir, err := w.template(kind)
	ts.Check(err)
	out, err := exec.Command("cp", "-a", dir+"/.", ts.MkAbs(".")).CombinedOutput() // os.CopyFS loses the modes
	if err != nil {
		ts.Fatalf("%s", out)
	}
	address, err := freeAddress()
	ts.Check(err)
	ts.Setenv("ADDRESS", address)
	ts.Setenv("URL", "http://"+address)
	ts.Check(move(ts.MkAbs("."), address))
	pin, err := office.OpenNotebook(ts.MkAbs("homes/swc-kraljevo.legal"))
	ts.Check(err)
	ts.Setenv("GENESIS", pin.Pin.Genesis)
	for name, id := range readNamesOf(ts) {
		ts.Setenv(name, id)
	}
}

// move lets the server and every home know the address.
func move(dir, address string) error {
	home, err := server.OpenHome(filepath.Join(dir, "server"))
	if err != nil {
		return err
	}
	settings := home.Settings
	settings.Authority = address
	if err := writeJSON(filepath.Join(dir, "server", "server.json"), settings); err != nil {
		return err
	}
	pins, err := filepath.Glob(filepath.Join(dir, "homes", "*", "exchange.json"))
	if err != nil {
		return err
	}
	for _, file := range pins {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var pin office.Pin
		if err := json.Unmarshal(data, &pin); err != nil {
			return err
		}
		pin.URL = "http://" + address
		if err := writeJSON(file, pin); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// readNamesOf gives every desk's id to the script, as $CODE.FN would, in a
// spelling of environment variables: swc_kraljevo_legal.
func readNamesOf(ts *testscript.TestScript) map[string]string {
	names := map[string]string{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("homes/swc-kraljevo.legal/names.json")), &names))
	vars := map[string]string{}
	for name, id := range names {
		vars[envName(name)] = id
	}
	return vars
}

func envName(desk string) string {
	out := []byte(desk)
	for i, c := range out {
		if c == '-' || c == '.' {
			out[i] = '_'
		}
	}
	return string(out)
}
