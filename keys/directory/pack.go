package directory

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/statement"
)

// PackAdopt puts a version of a rule pack in force from a time on. Signed by two
// delegates.
type PackAdopt struct {
	Head
	From int64  `json:"from"`
	Hash string `json:"hash"` // hex SHA-256 of the pack's file
	ID   string `json:"id"`   // family "@" version, such as rs-a@1
}

// CalendarDay declares a day off, or takes that back. Signed by two delegates.
type CalendarDay struct {
	Head
	Date string `json:"date"` // 2026-02-15
	Off  bool   `json:"off"`
	Ref  string `json:"ref"` // where it is decreed
	Zone string `json:"zone"`
}

func (*PackAdopt) kind() string        { return "pack.adopt" }
func (*CalendarDay) kind() string      { return "calendar.day" }
func (b *PackAdopt) Subject() string   { return b.ID }
func (b *CalendarDay) Subject() string { return b.Zone }

var packVersion = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)

func (b *PackAdopt) check() error {
	family, version, _ := strings.Cut(b.ID, "@")
	if !packVersion.MatchString(version) {
		return fmt.Errorf("id: %q is no pack id (such as rs-a@1)", clip(b.ID))
	}
	return checks(statement.CheckCode("id", family), checkHash("hash", b.Hash), checkTime("from", b.From))
}

func (b *CalendarDay) check() error {
	if day, err := time.Parse(time.DateOnly, b.Date); err != nil || day.Year() < 1970 {
		return fmt.Errorf("date: %q is no day since 1970 (such as 2026-02-15)", clip(b.Date))
	}
	return checks(checkZone("zone", b.Zone), checkText("ref", b.Ref))
}

func (b *PackAdopt) admit(v View) ([]Group, error) {
	for _, p := range v.adopted(family(b.ID)) {
		if p.ID == b.ID && p.Hash != b.Hash {
			return nil, ruled(ErrConflict, "%s was adopted with hash %s: a changed pack is a new version", b.ID, p.Hash)
		}
	}
	return []Group{v.delegates()}, nil
}

func (b *CalendarDay) admit(v View) ([]Group, error) { return []Group{v.delegates()}, nil }

func (b *PackAdopt) enact(c *change) {
	old, _ := c.packs.get(family(b.ID), c.n+1)
	c.packs = c.packs.with(family(b.ID), c.n, append(slices.Clip(old), Pack{ID: b.ID, Hash: b.Hash, From: b.From, DirN: c.n}))
}

func (b *CalendarDay) enact(c *change) {
	c.days = c.days.with(b.Zone+" "+b.Date, c.n, Day{Date: b.Date, Off: b.Off, Ref: b.Ref})
}

// family is the part of a pack id before the version.
func family(id string) string { f, _, _ := strings.Cut(id, "@"); return f }

// adopted lists the adoptions of a family in the order of the directory.
func (v View) adopted(family string) []Pack {
	packs, _ := v.facts.packs.get(family, v.n)
	return packs
}
