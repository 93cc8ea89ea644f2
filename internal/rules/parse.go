package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	_ "time/tzdata" // a pack's days must not depend on the machine's zone files

	"github.com/pelletier/go-toml/v2"
)

// MaxSize is the largest pack in bytes.
const MaxSize = 512 << 10

// Parse reads and checks a pack. Name stands for the file in errors.
//
// The error is an [*Invalid] that lists everything found, each problem with its
// line, its path and what to do about it. Nothing of a pack with a problem is
// returned: half a rule book is worse than none.
func Parse(name string, data []byte) (*Pack, error) {
	if len(data) > MaxSize {
		return nil, &Invalid{Name: name, Problems: []Problem{{Text: fmt.Sprintf(
			"%d bytes, at most %d; split the domain into two packs", len(data), MaxSize)}}}
	}
	lines, keys := locate(data)
	if len(keys) > 0 {
		return nil, &Invalid{Name: name, Problems: keys}
	}
	p := new(Pack)
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, &Invalid{Name: name, Problems: decodeProblems(err)}
	}
	if found := check(p, lines); len(found) > 0 {
		return nil, &Invalid{Name: name, Problems: found}
	}
	p.raw = bytes.Clone(data)
	sum := sha256.Sum256(data)
	p.hash = hex.EncodeToString(sum[:])
	if err := p.complete(); err != nil {
		return nil, err
	}
	return p, nil
}

// complete fills in what the pack leaves to its defaults, and the indexes.
func (p *Pack) complete() error {
	loc, err := time.LoadLocation(p.Zone)
	if err != nil {
		return fmt.Errorf("rules: zone: %w", err)
	}
	written := p.Rules
	p.Rules = nil
	for _, r := range written {
		if r.FulfilOn == "" {
			r.FulfilOn = OnSubmitted
		}
		if r.Tell == "" {
			r.Tell = TellOpen
		}
		p.Rules = append(p.Rules, perEvent(r)...)
	}
	p.index = newIndex(p, loc)
	return nil
}

// perEvent enters a rule once for each event that opens it.
func perEvent(r Rule) []Rule {
	if len(r.Trigger.Events) == 0 {
		return []Rule{r}
	}
	var out []Rule
	for _, ev := range r.Trigger.Events {
		r.Trigger.Event = ev
		out = append(out, r)
	}
	return out
}

// ID names this version of the pack, such as "rs-a@1".
func (p *Pack) ID() string { return p.Family + "@" + strconv.Itoa(p.Version) }

// Hash is the lower-case hex SHA-256 of the file, which pack.adopt witnesses.
func (p *Pack) Hash() string { return p.hash }

// Raw returns a copy of the file.
func (p *Pack) Raw() []byte { return bytes.Clone(p.raw) }

// Location is the zone of the pack's days.
func (p *Pack) Location() *time.Location { return p.index.loc }
