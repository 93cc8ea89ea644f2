package audit

import (
	"fmt"
	"hash/fnv"

	"github.com/odziv/odziv/internal/evidence"
)

// oversight follows obligations through META alone, which is all that the
// oversight body sees: each is opened once, and what moves is what was opened.
// It remembers at most [MaxReplay] of them.
type oversight struct {
	opened  map[objectKey]uint64 // rule and obligor
	opens   int64
	moves   int64
	refused int64
	full    bool
}

func newOversight() *oversight { return &oversight{opened: map[objectKey]uint64{}} }

// openOp is what META.obl calls the opening of an obligation.
const openOp = "open"

// take checks the traces of one entry; skipped says that an entry before it is
// not shown at all.
func (s *oversight) take(m *evidence.Meta, skipped bool, found func(format string, args ...any)) {
	if m.Dec != evidence.Allow {
		s.refused++
	}
	for i := range m.Obl {
		if err := s.trace(&m.Obl[i], skipped); err != nil {
			found("obl: %v", err)
		}
	}
}

func (s *oversight) trace(o *evidence.Obligation, skipped bool) error {
	key, who := keyOf(o.O), whose(o)
	before, known := s.opened[key]
	if o.Op == openOp {
		s.opens++
		if known {
			return fmt.Errorf("%s was opened before", o.O)
		}
		if s.full = s.full || len(s.opened) >= MaxReplay; !s.full {
			s.opened[key] = who
		}
		return nil
	}
	s.moves++
	switch {
	case known && before != who:
		return fmt.Errorf("%s was opened under another rule or for another institution", o.O)
	case !known && !skipped && !s.full:
		return fmt.Errorf("%s of %s, which no entry opened", o.Op, o.O)
	}
	return nil
}

func whose(o *evidence.Obligation) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", o.Rule, o.OR)
	return h.Sum64()
}
