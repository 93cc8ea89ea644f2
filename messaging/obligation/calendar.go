package obligation

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
)

// Day is an ad-hoc day from the directory: a working day declared free, or a
// free day declared working.
type Day struct {
	Date string // YYYY-MM-DD
	Off  bool
}

// Calendar tells working days and when a date begins. It is safe for
// concurrent use.
type Calendar struct {
	loc     *time.Location
	rule    rules.Calendar
	weekend [7]bool
	adhoc   map[Date]bool // true: off
	hash    string

	mu    sync.Mutex
	years map[int]map[Date]offDay
}

// offDay is why a date is free although it is no weekend.
type offDay struct {
	why  string // whyHoliday or whySubstitute
	name rules.Text
}

// Why a day is not a working day, or is one against the rule.
const (
	whyWeekend    = "weekend"
	whyHoliday    = "holiday"
	whySubstitute = "substitute" // of a state holiday that fell on a Sunday
	whyAdHoc      = "ad-hoc"     // declared in the directory
)

// NewCalendar makes the calendar of a pack in its zone, with the ad-hoc days
// the directory declares; of two for one date the later stands, and a date that
// is none is left out (the directory refuses it before).
func NewCalendar(c rules.Calendar, loc *time.Location, days []Day) *Calendar {
	cal := &Calendar{loc: loc, rule: c, adhoc: map[Date]bool{}, years: map[int]map[Date]offDay{}}
	for d := time.Sunday; d <= time.Saturday; d++ {
		cal.weekend[d] = slices.Contains(c.Weekend, strings.ToLower(d.String()))
	}
	for _, day := range days {
		if date, err := ParseDate(day.Date); err == nil {
			cal.adhoc[date] = day.Off
		}
	}
	cal.hash = cal.fingerprint()
	return cal
}

// Hash is the hex SHA-256 of all that the calendar computes with (FORMAT.md
// 3.4): two calendars of one hash give every term the same end.
func (c *Calendar) Hash() string { return c.hash }

// Zone is the time zone in which dates begin.
func (c *Calendar) Zone() *time.Location { return c.loc }

// IsWorking reports whether the date is a working day.
func (c *Calendar) IsWorking(d Date) bool {
	_, free := c.free(d)
	return !free
}

// NextWorking is d itself or the first working day after it, and false when
// there is none within a year (a calendar that never works).
func (c *Calendar) NextWorking(d Date) (Date, bool) {
	for end := d + 366; d <= end; d++ {
		if c.IsWorking(d) {
			return d, true
		}
	}
	return d, false
}

// DateOf is the local date of an instant.
func (c *Calendar) DateOf(at int64) Date { return dateOf(time.UnixMilli(at).In(c.loc)) }

// Begin is the first instant of a date. Where a clock change skips midnight it
// is the first instant after the gap, where one repeats it, the earlier.
func (c *Calendar) Begin(d Date) int64 {
	y, m, day := d.utc().Date()
	at := time.Date(y, m, day, 0, 0, 0, 0, c.loc).UnixMilli()
	const step = 30 * 1000 // no clock has changed by a fraction of it since 1970
	for c.DateOf(at) < d {
		at += step
	}
	for c.DateOf(at-1) >= d {
		at -= step
	}
	return at
}

// free tells whether a date is no working day, and why.
func (c *Calendar) free(d Date) (offDay, bool) {
	if off, declared := c.adhoc[d]; declared {
		return offDay{why: whyAdHoc}, off
	}
	if off, ok := c.year(d.utc().Year())[d]; ok {
		return off, true
	}
	return offDay{why: whyWeekend}, c.weekend[d.Weekday()]
}

// year is what the law frees in a year, without weekends and ad-hoc days.
func (c *Calendar) year(y int) map[Date]offDay {
	c.mu.Lock()
	defer c.mu.Unlock()
	days, ok := c.years[y]
	if !ok {
		if len(c.years) > 200 { // a caller outside 1900-2099; do not keep every year it asks for
			clear(c.years)
		}
		days = c.compute(y)
		c.years[y] = days
	}
	return days
}

// compute lists the free days of a year. It starts a year earlier, because a
// holiday late in December may free a day of January, and ends a year later,
// because the search for that day must know the January holidays.
func (c *Calendar) compute(y int) map[Date]offDay {
	days := map[Date]offDay{}
	var sundays []Date
	for year := y - 1; year <= y+1; year++ {
		for _, h := range c.rule.Holidays {
			d, ok := dateIn(h, year)
			if !ok || h.Working {
				continue
			}
			if _, taken := days[d]; !taken {
				days[d] = offDay{whyHoliday, h.Name}
			}
			if h.State && d.Weekday() == time.Sunday && !slices.Contains(sundays, d) {
				sundays = append(sundays, d)
			}
		}
	}
	if c.rule.SundayMovesNext {
		slices.Sort(sundays)
		c.substitute(days, sundays)
	}
	for d := range days {
		if d.utc().Year() != y {
			delete(days, d)
		}
	}
	return days
}

// substitute frees, for each state holiday on a Sunday, the first following day
// that works and is not freed already.
func (c *Calendar) substitute(days map[Date]offDay, sundays []Date) {
	for _, sunday := range sundays {
		for d := sunday + 1; d <= sunday+31; d++ {
			if _, off := days[d]; off || c.weekend[d.Weekday()] {
				continue
			}
			days[d] = offDay{whySubstitute, days[sunday].name}
			break
		}
	}
}

// dateIn is the date of a holiday in a year, if it has one (29 February).
func dateIn(h rules.Holiday, year int) (Date, bool) {
	switch h.Easter {
	case "orthodox":
		return OrthodoxEaster(year) + Date(h.Offset), true
	case "western":
		return WesternEaster(year) + Date(h.Offset), true
	}
	d := civil(year, time.Month(h.Month), h.Day)
	return d, d.utc().Day() == h.Day
}

// description is what the hash of a calendar covers.
type description struct {
	AdHoc    []adHoc   `json:"adhoc"`
	Holidays []holiday `json:"holidays"`
	Sunday   bool      `json:"sunday"`
	V        int       `json:"v"`
	Weekend  []string  `json:"weekend"`
	Zone     string    `json:"zone"`
}

type adHoc struct {
	Date string `json:"date"`
	Off  bool   `json:"off"`
}

type holiday struct {
	Day    int    `json:"day"`
	Easter string `json:"easter"`
	Month  int    `json:"month"`
	Offset int    `json:"offset"`
	State  bool   `json:"state"`
}

func (c *Calendar) fingerprint() string {
	desc := description{AdHoc: []adHoc{}, Holidays: []holiday{}, Sunday: c.rule.SundayMovesNext,
		V: 1, Weekend: []string{}, Zone: c.loc.String()}
	for d, off := range c.adhoc {
		desc.AdHoc = append(desc.AdHoc, adHoc{d.String(), off})
	}
	slices.SortFunc(desc.AdHoc, func(a, b adHoc) int { return cmp.Compare(a.Date, b.Date) })
	for _, h := range c.rule.Holidays {
		if !h.Working {
			desc.Holidays = append(desc.Holidays, holiday{h.Day, h.Easter, h.Month, h.Offset, h.State})
		}
	}
	slices.SortFunc(desc.Holidays, compareHolidays)
	desc.Holidays = slices.Compact(desc.Holidays)
	for d, off := range c.weekend {
		if off {
			desc.Weekend = append(desc.Weekend, strings.ToLower(time.Weekday(d).String()))
		}
	}
	raw, err := statement.Marshal(desc)
	if err != nil { // only a zone or a word outside NFC could; then no hash, and nothing agrees with it
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func compareHolidays(a, b holiday) int {
	return cmp.Or(cmp.Compare(a.Easter, b.Easter), cmp.Compare(a.Month, b.Month), cmp.Compare(a.Day, b.Day),
		cmp.Compare(a.Offset, b.Offset), cmp.Compare(boolInt(a.State), boolInt(b.State)))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
