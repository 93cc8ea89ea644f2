package server

import (
	"slices"

	"github.com/odziv/odziv/keys/directory"
)

// handover finds the changes of the directory's policy that no quorum has
// confirmed yet.
type handover struct {
	seen int64 // entries looked at
	text string
	open []change
}

// change is an entry that put another policy in the place of one.
type change struct {
	entry  int64
	before string
}

// pending lists the policies that were in force before the changes not confirmed
// yet, the oldest first.
func (h *handover) pending(dir directory.View, confirmed func(entry int64) bool) []string {
	for ; h.seen < dir.N(); h.seen++ {
		text := dir.At(h.seen + 1).Quorum().Dir
		if h.seen > 0 && text != h.text {
			h.open = append(h.open, change{h.seen, h.text})
		}
		h.text = text
	}
	h.open = slices.DeleteFunc(h.open, func(c change) bool { return confirmed(c.entry) })
	var before []string
	for _, c := range h.open {
		before = append(before, c.before)
	}
	return before
}
