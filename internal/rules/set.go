package rules

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed packs/*.toml
var packs embed.FS

// embedded parses the packs of this program once. A pack that does not pass is
// an error of every Load: its test fails long before.
var embedded = sync.OnceValues(func() (map[string]*Pack, error) {
	files, err := fs.Glob(packs, "packs/*.toml")
	if err != nil {
		return nil, fmt.Errorf("rules: embedded packs: %w", err)
	}
	byID := make(map[string]*Pack, len(files))
	for _, f := range files {
		data, err := packs.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("rules: embedded packs: %w", err)
		}
		p, err := Parse(path.Base(f), data)
		if err != nil {
			return nil, err
		}
		byID[p.ID()] = p
	}
	return byID, nil
})

// Embedded lists the ids of the packs that come with the program, sorted.
func Embedded() ([]string, error) {
	byID, err := embedded()
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Load returns the embedded pack id, such as "rs-a@1".
func Load(id string) (*Pack, error) {
	byID, err := embedded()
	if err != nil {
		return nil, err
	}
	if p, ok := byID[id]; ok {
		return p, nil
	}
	ids, err := Embedded()
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("rules: no pack %q in this program; it has %s", clip(id), strings.Join(ids, ", "))
}

// Set holds the packs an exchange knows, by id. It is read-only after NewSet
// and safe for concurrent use.
type Set struct{ byID map[string]*Pack }

// NewSet makes a set of packs. Of two with one id the later stays; which of
// them was adopted, [Set.Adopted] decides by hash.
func NewSet(packs ...*Pack) *Set {
	s := &Set{byID: make(map[string]*Pack, len(packs))}
	for _, p := range packs {
		s.byID[p.ID()] = p
	}
	return s
}

// Get finds a pack by id.
func (s *Set) Get(id string) (*Pack, bool) {
	p, ok := s.byID[id]
	return p, ok
}

// IDs lists the packs of the set, sorted.
func (s *Set) IDs() []string {
	ids := make([]string, 0, len(s.byID))
	for id := range s.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Adopted finds the pack that pack.adopt witnessed: id and hash must both be
// this file's. A file changed after adoption is refused.
func (s *Set) Adopted(id, hash string) (*Pack, error) {
	p, ok := s.byID[id]
	if !ok {
		return nil, fmt.Errorf("rules: pack %q is not here; add its file", clip(id))
	}
	if p.hash != hash {
		return nil, fmt.Errorf("rules: pack %q here is %s, adopted was %s; use the adopted file, or adopt a new version", clip(id), p.hash, clip(hash))
	}
	return p, nil
}
