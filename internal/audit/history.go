package audit

import (
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// history takes the openings in their order and checks what one says of others.
type history struct {
	v     *bundleVerifier
	size  int64
	shown bits
	gone  bits // covered by an erasure
	last  map[objectKey]int64
	feeds map[string]*feed
	at    int64 // of the opening before
	dirn  int64
	next  int64 // index after the opening before
	holes bool  // an entry before is not shown, or not in full
	rules *replay

	skipped bool                   // an entry before is not shown at all
	escrows map[string]*escrowBook // by desk
	traces  *oversight
}

func newHistory(v *bundleVerifier, size int64) *history {
	h := &history{v: v, size: size, shown: newBits(size), gone: newBits(size), last: map[objectKey]int64{}, feeds: map[string]*feed{},
		traces: newOversight(), escrows: map[string]*escrowBook{}}
	if v.dir != nil {
		h.rules = newReplay(v)
	}
	return h
}

// take checks one opening that holds by itself.
func (h *history) take(c *checked) {
	m, counts := c.meta, h.v.report.Bundle
	h.shown.set(m.Idx)
	counts.Shown++
	counts.Signatures += int64(c.sigs)
	if m.Idx != h.next {
		h.holes, h.skipped = true, true
	}
	h.next = m.Idx + 1
	h.order(m)
	h.chain(m)
	h.traces.take(m, h.skipped, func(format string, args ...any) { h.found(m.Idx, format, args...) })
	if c.priv == nil {
		counts.MetaOnly++
		h.holes = true
		return
	}
	h.deliver(m.Idx, c.priv.To)
	if e, ok := c.said.body.(*evidence.ErasureData); ok {
		h.erase(m.Idx, e)
	}
	if evidence.IsEscrow(m.Ev) && h.v.dir != nil {
		h.escrow(c)
	}
	if h.rules != nil {
		h.rules.take(c, h.holes)
	}
}

// order wants times and directory sizes never to fall.
func (h *history) order(m *evidence.Meta) {
	if m.At < h.at {
		h.found(m.Idx, "at: %d is before that of an earlier entry, %d", m.At, h.at)
	}
	if m.DirN < h.dirn {
		h.found(m.Idx, "dirn: %d is smaller than that of an earlier entry, %d", m.DirN, h.dirn)
	}
	h.at, h.dirn = max(h.at, m.At), max(h.dirn, m.DirN)
}

// chain wants prev to name the entry before about the same object. Where some
// entries are not shown it may name one of those instead.
func (h *history) chain(m *evidence.Meta) {
	key := keyOf(m.Obj)
	last, seen := h.last[key]
	if !seen {
		last = -1
	}
	h.last[key] = m.Idx
	hidden := m.Prev > last && m.Prev < m.Idx && !h.shown.has(m.Prev)
	if m.Prev != last && !hidden {
		h.found(m.Idx, "prev: %d, the entry before about %s is %d", m.Prev, m.Obj, last)
	}
}

func (h *history) found(idx int64, format string, args ...any) {
	h.v.found.entry(ledger.Ev, idx, format, args...)
}

// maxGaps bounds the holes remembered of one feed.
const maxGaps = 1 << 12

// feed is the numbering of one desk's feed: the last number seen, and the
// numbers before it that no opening shown has.
type feed struct {
	last   int64
	hidden int64 // entries not shown before that of the last number
	gaps   map[int64]bool
	more   bool // gaps beyond maxGaps
}

func (h *history) feed(desk string) *feed {
	f := h.feeds[desk]
	if f == nil {
		f = &feed{gaps: map[int64]bool{}}
		h.feeds[desk] = f
	}
	return f
}

// deliver wants the feed numbers of every desk to grow, and notes what lies
// between. As many entries must be hidden between the two.
func (h *history) deliver(idx int64, to []evidence.Delivery) {
	hidden := idx - h.shown.count + 1 + h.v.report.Bundle.MetaOnly // before this entry
	for _, d := range to {
		if h.v.dir != nil && h.v.dir.InstOfDesk(d.Desk) == "" {
			h.found(idx, "to: %.40q is no desk of the directory", d.Desk)
			continue
		}
		f := h.feed(d.Desk)
		if d.N <= f.last {
			h.found(idx, "to: number %d of the feed of %s was given before", d.N, d.Desk)
			continue
		}
		if gap := d.N - f.last - 1; gap > hidden-f.hidden {
			h.found(idx, "to: number %d of the feed of %s leaves out %d, more than there are entries not shown", d.N, d.Desk, gap)
		} else {
			f.leave(d.N)
		}
		f.last, f.hidden = d.N, hidden
	}
}

// leave notes the numbers between the last and n.
func (f *feed) leave(n int64) {
	for i := f.last + 1; i < n; i++ {
		if len(f.gaps) >= maxGaps {
			f.more = true
			return
		}
		f.gaps[i] = true
	}
}

// erase notes what an erasure took, and where in which feeds it stood.
func (h *history) erase(idx int64, e *evidence.ErasureData) {
	for _, gone := range e.Erased {
		switch {
		case gone.Idx < 0 || gone.Idx >= idx:
			h.found(idx, "erased: %d is no earlier entry", gone.Idx)
			continue
		case h.shown.has(gone.Idx):
			h.found(idx, "erased: entry %d is shown nevertheless", gone.Idx)
			continue
		case !h.gone.has(gone.Idx):
			h.gone.set(gone.Idx)
			h.v.report.Bundle.Erased++
		}
		for _, d := range gone.To {
			delete(h.feed(d.Desk).gaps, d.N)
		}
	}
}

// finish says what only the whole shows: completeness, feeds without holes.
func (h *history) finish() {
	counts := h.v.report.Bundle
	complete := counts.Complete() && counts.MetaOnly == 0
	if complete {
		for desk, f := range h.feeds {
			if len(f.gaps) > 0 || f.more {
				h.v.found.put(Finding{Log: ledger.Ev.String(), Idx: -1, What: fmt.Sprintf(
					"the feed of %s has a hole at number %d, although every entry is shown or erased", desk, f.first())})
			}
		}
	}
	h.v.lastAt = h.at
	counts.Opened, counts.Moved, counts.Refused = h.traces.opens, h.traces.moves, h.traces.refused
	if counts.TimeDoubt = counts.SeenEv.doubt(h.at); counts.TimeDoubt == TimeBefore {
		counts.TimeDoubt = "" // nothing was recorded for a while
	}
	if h.rules != nil {
		h.rules.finish(complete)
	}
}

func (f *feed) first() int64 {
	first := f.last
	for n := range f.gaps {
		first = min(first, n)
	}
	return first
}
