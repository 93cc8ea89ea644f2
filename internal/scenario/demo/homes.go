package demo

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// Homes are what was written to disk so that people can act in a demonstration
// with the program odziv.
type Homes struct {
	Server    string            `json:"server"`    // folder for odzivd --dir
	Folder    string            `json:"folder"`    // of the officers' homes
	Officers  map[string]string `json:"officers"`  // "swc-nis.legal" to a folder for odziv --home
	Phonebook string            `json:"phonebook"` // file: desk name to identifier
	Keys      string            `json:"keys"`      // folder of the authorities' keystores
}

// Names of files in a home. The program odziv calls them so.
const (
	keystoreFile   = "keystore.age"
	passphraseFile = "passphrase"
	namesFile      = "names.json"
)

// WriteHomes writes into the world's folder, for whoever calls the exchange at
// url:
//
//	officers/swc-nis.legal/                  home of the desk's first officer
//	officers/swc-nis.legal-2/                of its second
//	authorities/swc-nis.registrar-1/, -2/    who sign officers and desks in
//	authorities/swc-nis.root/                of the institution
//	authorities/council/, delegate-1/, -2/   above all
//	phonebook.json                           desk name to identifier
//
// Each home holds a keystore, the passphrase beside it, which is why nothing in
// a demonstration is safe, the pin of the exchange, and the phonebook.
func (w *World) WriteHomes(url string) (*Homes, error) {
	names := w.phonebook()
	h := &Homes{Server: w.Home.Dir, Folder: filepath.Join(w.Dir, "officers"), Officers: map[string]string{}, Phonebook: filepath.Join(w.Dir, "phonebook.json"),
		Keys: filepath.Join(w.Dir, "authorities")}
	if err := writeJSON(h.Phonebook, names); err != nil {
		return nil, err
	}
	pin := office.Pin{URL: url, Genesis: w.Genesis}
	jobs := w.homes(h)
	done := 0
	err := spread(len(jobs), func(i int) error { return writeHome(jobs[i].dir, jobs[i].keys, pin, names) }, func() {
		done++
		w.progress("homes", done, len(jobs))
	})
	return h, err
}

// phonebook names every desk and institution.
func (w *World) phonebook() map[string]string {
	names := map[string]string{}
	for _, m := range w.Members {
		names[m.Code] = m.ID
		for name, d := range m.named() {
			names[name] = d.ID
		}
	}
	return names
}

// named gives each desk of an institution its name; of several representatives
// each has a number.
func (m *Member) named() map[string]*Desk {
	names := map[string]*Desk{}
	reps := 0
	for _, d := range m.Desks {
		name := d.Name()
		if d.Fn == directory.Rep {
			reps++
			name = fmt.Sprintf("%s-%d", name, reps)
		}
		names[name] = d
	}
	return names
}

// home is one folder to be written.
type home struct {
	dir  string
	keys *keystore.Keystore
}

// homes lists them, and tells h where the officers' are.
func (w *World) homes(h *Homes) []home {
	var list []home
	add := func(keys *keystore.Keystore, folder, name string) string {
		dir := filepath.Join(w.Dir, folder, name)
		list = append(list, home{dir, keys})
		return dir
	}
	add(w.keys.council, "authorities", "council")
	for i, d := range w.keys.delegates {
		add(d, "authorities", fmt.Sprintf("delegate-%d", i+1))
	}
	for _, m := range w.Members {
		add(m.root, "authorities", m.Code+".root")
		for i, r := range m.registrars {
			add(r, "authorities", fmt.Sprintf("%s.registrar-%d", m.Code, i+1))
		}
		for name, d := range m.named() {
			h.Officers[name] = add(d.Officers[0].Keys, "officers", name)
			for _, o := range d.Officers[1:] {
				add(o.Keys, "officers", name+"-2")
			}
		}
	}
	return list
}

// writeHome writes one.
func writeHome(dir string, keys *keystore.Keystore, pin office.Pin, names map[string]string) error {
	if _, err := office.CreateNotebook(dir, pin); err != nil {
		return err
	}
	words := keystore.GeneratePassphrase()
	if err := keys.Save(filepath.Join(dir, keystoreFile), words); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, passphraseFile), []byte(words.Reveal()+"\n"), 0o600); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, namesFile), names)
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}
