package scenario

import (
	"embed"

	"github.com/odziv/odziv/internal/rules"
)

//go:embed files/*.toml
var shipped embed.FS

// Shipped reads the scenarios of this program, in the order of their names.
func Shipped(packs *rules.Set) ([]*File, error) {
	entries, err := shipped.ReadDir("files")
	if err != nil {
		return nil, err
	}
	var files []*File
	for _, e := range entries {
		data, err := shipped.ReadFile("files/" + e.Name())
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
