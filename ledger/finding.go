package ledger

import (
	"fmt"
	"strconv"
)

// MaxFindings is where an audit stops: so much damage needs a restore, not a
// longer list.
const MaxFindings = 100

// A Part is the kind of thing a Finding is about.
type Part string

// The parts of a log. Finding.At counts entries by index, nodes by stored
// position, heads and checkpoints by size, tiles by number.
const (
	PartEntry      Part = "entry"
	PartNode       Part = "node"
	PartTile       Part = "tile"
	PartHead       Part = "head"
	PartCheckpoint Part = "checkpoint"
)

// A Finding names one thing that is wrong in a log.
type Finding struct {
	Part Part
	At   int64
	Path string // of the tile or bundle, where there is one
	Text string // what is wrong, for a person
}

// String is one line: the place, then what is wrong.
func (f Finding) String() string {
	where := string(f.Part) + " " + strconv.FormatInt(f.At, 10)
	if f.Path != "" {
		where += " (" + f.Path + ")"
	}
	return where + ": " + f.Text
}

// findings collects up to MaxFindings.
type findings []Finding

func (f *findings) add(part Part, at int64, format string, args ...any) {
	f.put(Finding{Part: part, At: at, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) put(one Finding) {
	if !f.full() {
		*f = append(*f, one)
	}
}

func (f findings) full() bool { return len(f) >= MaxFindings }
