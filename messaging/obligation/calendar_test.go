package obligation_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging/obligation"
	"pgregory.net/rapid"
)

func date(t testing.TB, s string) obligation.Date {
	t.Helper()
	d, err := obligation.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// calendarVectors reads testdata/calendar.txt.
func calendarVectors(t testing.TB) [][]string {
	t.Helper()
	f, err := os.Open("testdata/calendar.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Fields(line))
		}
	}
	if len(rows) < 50 {
		t.Fatalf("only %d vectors", len(rows))
	}
	return rows
}

func TestCalendarVectors(t *testing.T) {
	for _, w := range []*testWorld{readWorld(t), readWorld(t).withPack(t, "rs-a@1")} {
		for _, row := range calendarVectors(t) {
			t.Run(w.id+" "+strings.Join(row, " "), func(t *testing.T) { checkVector(t, w.cal(), row) })
		}
	}
}

func checkVector(t *testing.T, cal *obligation.Calendar, row []string) {
	t.Helper()
	want := row[len(row)-1]
	got := ""
	switch row[0] {
	case "easter":
		got = obligation.OrthodoxEaster(number(t, row[1])).String()
	case "western":
		got = obligation.WesternEaster(number(t, row[1])).String()
	case "substitutes":
		got, want = strings.Join(substitutes(t, cal, number(t, row[1])), " "), strings.Join(row[2:], " ")
	case "working":
		got = map[bool]string{true: "yes", false: "no"}[cal.IsWorking(date(t, row[1]))]
	case "due":
		got = lastDay(t, cal, row)
	case "elapsed":
		got, want = elapsed(t, cal, row), rfc(t, want).UTC().Format(time.RFC3339)
	default:
		t.Fatalf("unknown check %q", row[0])
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func number(t testing.TB, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rfc(t testing.TB, s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// substitutes are the days of a year that Explain calls free for a holiday
// which fell on a Sunday, found by asking for one working day from each day.
func substitutes(t *testing.T, cal *obligation.Calendar, year int) []string {
	var found []string
	for d := date(t, fmt.Sprintf("%d-01-01", year)); d.String()[:4] == strconv.Itoa(year); d++ {
		_, steps, err := cal.Due(rules.Deadline{Term: rules.Term{Amount: 1, Unit: "wd"}}, cal.Begin(d-1))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if s.Why == "substitute" && s.Date == d.String() && !slices.Contains(found, s.Date) {
				found = append(found, s.Date)
			}
		}
	}
	return found
}

// lastDay computes "due AMOUNT UNIT SHIFT START" and checks that the term ends
// with the last instant of that day.
func lastDay(t *testing.T, cal *obligation.Calendar, row []string) string {
	d := rules.Deadline{Term: rules.Term{Amount: number(t, row[1]), Unit: row[2]}, Shift: row[3]}
	start := cal.Begin(date(t, row[4]))
	due, _, err := cal.Due(d, start+10*3600*1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{start, cal.Begin(date(t, row[4])+1) - 1} { // the hour of the event does not matter
		if same, _, err := cal.Due(d, at); err != nil || same != due {
			t.Errorf("from %d: due %d, %v, not %d", at, same, err, due)
		}
	}
	if due != cal.Begin(cal.DateOf(due)) {
		t.Errorf("due %d is not the beginning of a day", due)
	}
	return cal.DateOf(due - 1).String()
}

func elapsed(t *testing.T, cal *obligation.Calendar, row []string) string {
	d := rules.Deadline{Term: rules.Term{Amount: number(t, row[1]), Unit: row[2]}, Shift: "none"}
	due, _, err := cal.Due(d, rfc(t, row[3]).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(due).UTC().Format(time.RFC3339)
}

func TestEasterIsASundayInSpring(t *testing.T) {
	for year := 1900; year <= 2099; year++ {
		o, w := obligation.OrthodoxEaster(year), obligation.WesternEaster(year)
		if o.Weekday() != time.Sunday || w.Weekday() != time.Sunday {
			t.Errorf("%d: %s and %s are not both Sundays", year, o, w)
		}
		if s := o.String()[5:]; s < "04-03" || s > "05-10" {
			t.Errorf("%d: orthodox Easter on %s", year, o)
		}
		if s := w.String()[5:]; s < "03-22" || s > "04-25" {
			t.Errorf("%d: western Easter on %s", year, w)
		}
		if gap := int(o - w); gap != 0 && gap != 7 && gap != 28 && gap != 35 {
			t.Errorf("%d: the Easters are %d days apart", year, gap)
		}
	}
}

func TestAdHocDaysDecide(t *testing.T) {
	w := readWorld(t)
	days := []obligation.Day{
		{Date: "2026-03-04", Off: true}, {Date: "2026-03-07", Off: false}, // a Saturday made a working day
		{Date: "2026-03-05", Off: true}, {Date: "2026-03-05", Off: false}, // revoked
		{Date: "2026-02-30", Off: true}, // no date
	}
	cal := obligation.NewCalendar(w.pack().Calendar, belgrade(t), days)
	for day, want := range map[string]bool{"2026-03-03": true, "2026-03-04": false, "2026-03-05": true, "2026-03-07": true, "2026-03-08": false} {
		if cal.IsWorking(date(t, day)) != want {
			t.Errorf("%s working: want %v", day, want)
		}
	}
	due, steps, err := cal.Due(rules.Deadline{Term: rules.Term{Amount: 5, Unit: "wd"}}, ms(t, "2026-03-02 10:00"))
	if err != nil || show(t, due) != "2026-03-10 00:00" {
		t.Errorf("due %s, %v", show(t, due), err)
	}
	if !slices.ContainsFunc(steps, func(s obligation.Step) bool { return s.Why == "ad-hoc" && s.Date == "2026-03-04" }) {
		t.Error("the declared day is not among the steps")
	}
}

func TestSubstituteKnowsConsecutiveHolidays(t *testing.T) {
	rule := rules.Calendar{Weekend: []string{"saturday", "sunday"}, SundayMovesNext: true}
	for _, day := range []int{28, 29, 30} { // 2025-12-28 is a Sunday
		rule.Holidays = append(rule.Holidays, rules.Holiday{Month: 12, Day: day, State: true})
	}
	rule.Holidays = append(rule.Holidays, rules.Holiday{Month: 12, Day: 31}, rules.Holiday{Month: 1, Day: 1})
	cal := obligation.NewCalendar(rule, time.UTC, nil)
	if cal.IsWorking(date(t, "2026-01-02")) || !cal.IsWorking(date(t, "2026-01-05")) {
		t.Error("the Sunday holiday of December does not free the first working day of January")
	}
	rule.SundayMovesNext = false
	if !obligation.NewCalendar(rule, time.UTC, nil).IsWorking(date(t, "2026-01-02")) {
		t.Error("a day is freed although the pack moves none")
	}
}

func TestLeapDayHoliday(t *testing.T) {
	cal := obligation.NewCalendar(rules.Calendar{Holidays: []rules.Holiday{{Month: 2, Day: 29, State: true}}}, time.UTC, nil)
	if cal.IsWorking(date(t, "2028-02-29")) || !cal.IsWorking(date(t, "2027-03-01")) {
		t.Error("29 February is free where there is one, and 1 March is not instead")
	}
}

func TestHashCoversWhatIsComputedWith(t *testing.T) {
	base := readWorld(t).pack().Calendar
	hash := func(c rules.Calendar, loc *time.Location, days ...obligation.Day) string {
		return obligation.NewCalendar(c, loc, days).Hash()
	}
	const want = "e5b8b4fd96db950083c57371135bbd9575571fae3ecf0c68f5bf37cbde5c94a5"
	if got := hash(base, belgrade(t)); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	changed := map[string]string{
		"zone":    hash(base, time.UTC),
		"ad-hoc":  hash(base, belgrade(t), obligation.Day{Date: "2026-03-04", Off: true}),
		"working": hash(base, belgrade(t), obligation.Day{Date: "2026-03-04", Off: false}),
	}
	noMove, week, fewer := base, base, base
	noMove.SundayMovesNext = false
	week.Weekend = []string{"friday"}
	fewer.Holidays = base.Holidays[1:]
	changed["no move"], changed["weekend"], changed["holidays"] = hash(noMove, belgrade(t)), hash(week, belgrade(t)), hash(fewer, belgrade(t))
	seen := map[string]string{want: "base"}
	for what, h := range changed {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have one hash", what, other)
		}
		seen[h] = what
	}
	renamed := base
	renamed.Holidays = slices.Clone(base.Holidays)
	renamed.Holidays[0].Name.EN = "other"
	slices.Reverse(renamed.Holidays)
	if hash(renamed, belgrade(t)) != want {
		t.Error("a name or the order of holidays changes the hash")
	}
}

// Zones whose clocks skip or repeat midnight, or a whole day.
var oddZones = []string{"America/Sao_Paulo", "Atlantic/Azores", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia",
	"Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "Africa/Monrovia", "Europe/Belgrade"}

func TestBeginIsTheFirstInstantOfADate(t *testing.T) {
	for _, name := range oddZones {
		cal := obligation.NewCalendar(rules.Calendar{}, zone(t, name), nil)
		for d := date(t, "1970-01-02"); d < date(t, "2026-01-01"); d++ {
			at := cal.Begin(d)
			if cal.DateOf(at) < d || cal.DateOf(at-1) >= d {
				t.Fatalf("%s: %s begins at %d, which is %s after %s", name, d, at, cal.DateOf(at), cal.DateOf(at-1))
			}
		}
	}
}

func TestDateRoundTrip(t *testing.T) {
	for _, bad := range []string{"", "2026-2-3", "2026-02-30", "2026-02-03T00:00:00Z", "26-02-03", strings.Repeat("9", 400)} {
		if _, err := obligation.ParseDate(bad); err == nil || len(err.Error()) > 120 {
			t.Errorf("ParseDate(%.30q): %v", bad, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := obligation.Date(rapid.IntRange(0, int(obligation.LastDate)).Draw(t, "d"))
		if back, err := obligation.ParseDate(d.String()); err != nil || back != d {
			t.Fatalf("%s reads back as %s, %v", d, back, err)
		}
	})
	if obligation.LastDate.String() != "2099-12-31" {
		t.Errorf("last date is %s", obligation.LastDate)
	}
}

// What must hold for every term in every calendar.
func TestDueProperties(t *testing.T) {
	w := readWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		cal := obligation.NewCalendar(w.pack().Calendar, zone(t, rapid.SampledFrom(oddZones).Draw(rt, "zone")), nil)
		start := rapid.Int64Range(0, 3_400_000_000_000).Draw(rt, "start")
		amount := rapid.IntRange(0, 200).Draw(rt, "amount")
		unit := rapid.SampledFrom([]string{"min", "h", "cd", "wd", "mo"}).Draw(rt, "unit")
		shift := rapid.SampledFrom([]string{"none", "next-working-day"}).Draw(rt, "shift")
		d := rules.Deadline{Term: rules.Term{Amount: amount, Unit: unit}, Shift: shift}
		due, steps, err := cal.Due(d, start)
		if err != nil {
			rt.Fatalf("%+v: %v", d, err)
		}
		checkDue(rt, cal, d, start, due, steps)
		more := d
		more.Amount++
		if later, _, err := cal.Due(more, start); err != nil || later < due || later == due && (unit == "min" || unit == "h" || unit == "wd" && shift == "none") {
			rt.Fatalf("one more %s ends at %d, not after %d (%v)", unit, later, due, err)
		}
		if after, _, err := cal.Due(d, start+1); err != nil || after < due {
			rt.Fatalf("a later start ends at %d, before %d (%v)", after, due, err)
		}
	})
}

func checkDue(t rapid.TB, cal *obligation.Calendar, d rules.Deadline, start, due int64, steps []obligation.Step) {
	if len(steps) < 2 || steps[0].Code != obligation.StepStart || steps[0].At != start || steps[len(steps)-1].At != due {
		t.Fatalf("steps do not lead from %d to %d: %+v", start, due, steps)
	}
	last := cal.DateOf(due - 1)
	switch d.Unit {
	case "min", "h":
		if want := start + int64(d.Amount)*map[string]int64{"min": 60_000, "h": 3_600_000}[d.Unit]; due != want {
			t.Fatalf("due %d, want %d", due, want)
		}
		return
	case "wd":
		n := 0
		for day := cal.DateOf(start) + 1; day <= last; day++ {
			if cal.IsWorking(day) {
				n++
			}
		}
		if n != d.Amount && d.Shift == "none" {
			t.Fatalf("%d working days until %s, want %d", n, last, d.Amount)
		}
	}
	if due != cal.Begin(last+1) {
		t.Fatalf("due %d is not the end of %s", due, last)
	}
	if d.Shift == "next-working-day" && !cal.IsWorking(last) {
		t.Fatalf("%s is not a working day", last)
	}
}

func TestDueRefusesWhatItCannotCompute(t *testing.T) {
	cal := readWorld(t).cal()
	never := obligation.NewCalendar(rules.Calendar{Weekend: []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}}, time.UTC, nil)
	d := func(n int, unit, shift string) rules.Deadline {
		return rules.Deadline{Term: rules.Term{Amount: n, Unit: unit}, Shift: shift}
	}
	at := ms(t, "2026-03-02 10:00")
	for name, c := range map[string]struct {
		cal   *obligation.Calendar
		d     rules.Deadline
		start int64
	}{
		"unit":           {cal, d(1, "week", "none"), at},
		"shift":          {cal, d(1, "cd", "previous"), at},
		"negative":       {cal, d(-1, "cd", "none"), at},
		"before 1970":    {cal, d(1, "cd", "none"), -1},
		"after 2099":     {cal, d(1, "h", "none"), 4_102_444_800_000 + 86_400_000},
		"ends after":     {cal, d(40000, "cd", "none"), at},
		"huge cd":        {cal, d(1<<62, "cd", "none"), at},
		"huge mo":        {cal, d(1<<62, "mo", "none"), at},
		"huge h":         {cal, d(1<<62, "h", "none"), at},
		"huge min":       {cal, d(1<<62, "min", "none"), at},
		"huge wd":        {cal, d(1<<62, "wd", "none"), at},
		"never works":    {never, d(1, "wd", "none"), at},
		"never shifts":   {never, d(1, "cd", "next-working-day"), at},
		"more than 10 y": {cal, d(3660*24+1, "h", "none"), at},
	} {
		if due, steps, err := c.cal.Due(c.d, c.start); err == nil {
			t.Errorf("%s: due %d, %v, no error", name, due, steps)
		}
	}
	if _, _, err := cal.Due(d(3660*24, "h", "none"), at); err != nil {
		t.Errorf("ten years in hours: %v", err)
	}
}

// One calendar serves many requests at once, and forgets no holiday when asked
// for more years than it keeps.
func TestCalendarIsSharedAndBounded(t *testing.T) {
	cal := readWorld(t).cal()
	done := make(chan bool)
	for range 4 {
		go func() {
			ok := true
			for year := 1970; year < 2400; year++ {
				d, err := obligation.ParseDate(fmt.Sprintf("%d-05-01", year))
				ok = ok && err == nil && !cal.IsWorking(d)
			}
			done <- ok
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("1 May is a working day somewhere")
		}
	}
}
