package consent

import "slices"

// Removed returns those of disclosed that prev let receive and next does not:
// after a withdrawal all of them, after a narrowing those no longer named. A
// Party without an institution is looked up with instOf (which may be nil). The
// order is that of disclosed, each desk once.
//
// It looks at recipients alone. A recipient who stays named while a purpose or
// category went is found by [Lapsed], one message at a time.
func Removed(prev, next *Version, instOf func(desk string) string, disclosed []Party) []Party {
	var out []Party
	seen := make(map[string]bool, len(disclosed))
	for _, p := range disclosed {
		if p.Inst == "" && instOf != nil {
			p.Inst = instOf(p.Desk)
		}
		if seen[p.Desk] || !prev.receives(p) || next.receives(p) {
			continue
		}
		seen[p.Desk] = true
		out = append(out, p)
	}
	return out
}

func (v *Version) receives(p Party) bool { return v.Act.Permits() && v.S.names(p) }

// Disclosure is one message that went to one recipient under a consent.
type Disclosure struct {
	From    string // sending institution
	To      Party
	Purpose string
	Cats    []string
}

// Lapsed reports whether prev covered d and next no longer does, be it for the
// recipient, the sender, the purpose or a category.
func Lapsed(prev, next *Version, d Disclosure) bool { return prev.covers(d) && !next.covers(d) }

func (v *Version) covers(d Disclosure) bool {
	if !v.receives(d.To) || !slices.Contains(v.S.From, d.From) || !slices.Contains(v.S.Purposes, d.Purpose) {
		return false
	}
	return !slices.ContainsFunc(d.Cats, func(c string) bool { return !slices.Contains(v.S.Cats, c) })
}
