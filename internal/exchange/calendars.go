package exchange

import (
	"strings"
	"sync"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging/obligation"
)

// calendars keeps the calendars in use: building one hashes years of holidays,
// which is too dear for every message. It is safe for concurrent use.
type calendars struct {
	mu    sync.Mutex
	byKey map[string]*obligation.Calendar
}

// maxCalendars bounds the memory; more than a few are in use only while an old
// ledger is replayed.
const maxCalendars = 64

// of is a pack's calendar with the directory's ad-hoc days.
func (c *calendars) of(pack *rules.Pack, days []directory.Day) *obligation.Calendar {
	key := calendarKey(pack, days)
	c.mu.Lock()
	defer c.mu.Unlock()
	if cal, ok := c.byKey[key]; ok {
		return cal
	}
	extra := make([]obligation.Day, 0, len(days))
	for _, d := range days {
		extra = append(extra, obligation.Day{Date: d.Date, Off: d.Off})
	}
	cal := obligation.NewCalendar(pack.Calendar, pack.Location(), extra)
	if c.byKey == nil || len(c.byKey) >= maxCalendars {
		c.byKey = map[string]*obligation.Calendar{}
	}
	c.byKey[key] = cal
	return cal
}

// calendarKey is everything a calendar is made of: the pack by its hash, and
// the days.
func calendarKey(pack *rules.Pack, days []directory.Day) string {
	var b strings.Builder
	b.WriteString(pack.Hash())
	for _, d := range days {
		b.WriteByte('|')
		b.WriteString(d.Date)
		if d.Off {
			b.WriteByte('-')
		}
	}
	return b.String()
}
