package scenario

import (
	"embed"

	"github.com/odziv/odziv/internal/rules"
)

//go:embed files/*.toml drills/*.toml
var shipped embed.FS

// Shipped reads the stories of the field that come with this program, in the
// order of their names.
func Shipped(packs *rules.Set) ([]*File, error) { return from("files", packs) }

// Drills reads the drills that come with this program: what may happen to keys,
// and what then still holds.
func Drills(packs *rules.Set) ([]*File, error) { return from("drills", packs) }

func from(folder string, packs *rules.Set) ([]*File, error) {
	entries, err := shipped.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []*File
	for _, e := range entries {
		data, err := shipped.ReadFile(folder + "/" + e.Name())
		if err != nil {
			return nil, err
		}
		f, err := Parse(e.Name(), data, packs)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
