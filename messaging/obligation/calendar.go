package obligation

import (
	"time"

	"github.com/odziv/odziv/internal/rules"
)

// Day is an ad-hoc day from the directory: a working day declared free, or a
// free day declared working.
type Day struct {
	Date string // YYYY-MM-DD
	Off  bool
}

// Calendar tells working days. It is safe for concurrent use.
type Calendar struct {
}

// NewCalendar makes the calendar of a pack in its zone, with the ad-hoc days
// the directory declares; of two for one date the later stands.
func NewCalendar(c rules.Calendar, loc *time.Location, days []Day) *Calendar { return &Calendar{} }

// Hash is the hex SHA-256 of all that the calendar computes with.
func (c *Calendar) Hash() string { return "" }
