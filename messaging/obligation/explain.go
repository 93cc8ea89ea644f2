package obligation

import (
	"fmt"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/rules"
)

// Step is one step of how a due time came about: a code and what it speaks of.
type Step struct {
	Code string `json:"code"`
	Date string `json:"date,omitempty"` // YYYY-MM-DD, local
	At   int64  `json:"at,omitempty"`   // ms
	N    int    `json:"n,omitempty"`    // an amount, or the weekday (0 = Sunday) of a free weekend day
	Unit string `json:"unit,omitempty"`
	Why  string `json:"why,omitempty"`
	EN   string `json:"en,omitempty"` // name of a holiday
	SR   string `json:"sr,omitempty"`
}

// Codes of steps.
const (
	StepStart     = "start"     // the term starts At; Why: a start of rules.Deadline
	StepEstimated = "estimated" // the start is an estimate: its own event is not on record
	StepAttested  = "attested"  // it rests on an attestation
	StepWaiting   = "waiting"   // the term has not started: the message was not handed over
	StepEventDay  = "event-day" // Date is not counted
	StepFree      = "free"      // Date is no working day; Why: weekend, holiday, substitute, ad-hoc
	StepCount     = "count"     // N Unit end with Date
	StepElapsed   = "elapsed"   // N Unit have elapsed At
	StepShift     = "shift"     // the end moves to Date
	StepEnd       = "end"       // last day Date; from At it is late
	StepExtended  = "extended"  // extended by agreement; from At it is late
	StepSuspended = "suspended" // suspended; from At it is late
)

// Explain writes the steps as sentences, one a line: English for "en", Serbian
// (Cyrillic) for every other language. Times are in the zone given.
func Explain(steps []Step, lang string, zone *time.Location) []string {
	words := serbian
	if lang == "en" {
		words = english
	}
	lines := make([]string, 0, len(steps))
	for _, s := range steps {
		lines = append(lines, words.sentence(s, zone))
	}
	return lines
}

// language is what the sentences of one language are made of.
type language struct {
	sentences map[string]string
	starts    map[string]string
	free      map[string]string
	weekdays  [7]string
	units     map[string][3]string
	name      func(Step) string
	plural    func(n int) int
	date      string
}

// sentence fills a pattern: {date}, {at}, {amount}, {why}.
func (l *language) sentence(s Step, zone *time.Location) string {
	pattern, ok := l.sentences[s.Code]
	if !ok {
		return s.Code
	}
	return strings.NewReplacer(
		"{date}", l.day(s.Date),
		"{at}", time.UnixMilli(s.At).In(zone).Format(l.date+" 15:04"),
		"{amount}", l.amount(s),
		"{why}", l.why(s),
	).Replace(pattern)
}

func (l *language) day(date string) string {
	d, err := ParseDate(date)
	if err != nil {
		return date
	}
	return d.utc().Format(l.date)
}

func (l *language) amount(s Step) string {
	forms, ok := l.units[s.Unit]
	if !ok {
		return fmt.Sprint(s.N, " ", s.Unit)
	}
	return fmt.Sprint(s.N, " ", forms[l.plural(s.N)])
}

func (l *language) why(s Step) string {
	if s.Code == StepStart {
		return l.starts[s.Why]
	}
	why := l.free[s.Why]
	if s.Why == whyWeekend && s.N >= 0 && s.N < 7 {
		return l.weekdays[s.N]
	}
	if name := l.name(s); name != "" {
		why += " (" + name + ")"
	}
	return why
}

var english = &language{
	date: "2006-01-02",
	sentences: map[string]string{
		StepStart:     "The term starts at {at}: {why}.",
		StepEstimated: "This start is an estimate, because the event itself is not on record.",
		StepAttested:  "It rests on an attestation of something done off the system.",
		StepWaiting:   "The term has not started: the message has not been handed over.",
		StepEventDay:  "{date}, the day of the event, is not counted.",
		StepFree:      "{date} is not a working day: {why}.",
		StepCount:     "Length: {amount}; it ends with {date}.",
		StepElapsed:   "Length: {amount}; it is over at {at}. Holidays and clock changes do not matter.",
		StepShift:     "The end moves to {date}, the next working day.",
		StepEnd:       "The last day is {date} until 24:00; from {at} it is late.",
		StepExtended:  "The obligee extended the term; from {at} it is late.",
		StepSuspended: "The term was suspended; from {at} it is late.",
	},
	starts: map[string]string{
		rules.StartConsigned:  "the ledger recorded the message",
		rules.StartHandedOver: "the message was handed over",
		rules.StartDecided:    "the decision was made",
		rules.StartServed:     "the order was served",
		rules.StartEvent:      "the event took place",
	},
	free: map[string]string{
		whyHoliday: "public holiday", whySubstitute: "free day for a holiday that fell on a Sunday", whyAdHoc: "declared free",
	},
	weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	units: map[string][3]string{
		rules.UnitMinutes: {"minute", "minutes", "minutes"}, rules.UnitHours: {"hour", "hours", "hours"},
		rules.UnitCalendarDays: {"calendar day", "calendar days", "calendar days"},
		rules.UnitWorkingDays:  {"working day", "working days", "working days"},
		rules.UnitMonths:       {"month", "months", "months"},
	},
	name: func(s Step) string { return s.EN },
	plural: func(n int) int {
		if n == 1 {
			return 0
		}
		return 1
	},
}

var serbian = &language{
	date: "02.01.2006.",
	sentences: map[string]string{
		StepStart:     "Рок почиње {at}: {why}.",
		StepEstimated: "Почетак је процењен, јер сам догађај није забележен.",
		StepAttested:  "Ослања се на потврду о радњи ван система.",
		StepWaiting:   "Рок није почео: порука није уручена.",
		StepEventDay:  "{date}, дан догађаја, не рачуна се.",
		StepFree:      "{date} није радни дан: {why}.",
		StepCount:     "Трајање: {amount}; истиче са даном {date}",
		StepElapsed:   "Трајање: {amount}; протиче до {at}; празници и померање сата не утичу.",
		StepShift:     "Крај рока се помера на {date}, први наредни радни дан.",
		StepEnd:       "Последњи дан је {date} до 24:00; од {at} је доцња.",
		StepExtended:  "Овлашћена страна је продужила рок; од {at} је доцња.",
		StepSuspended: "Рок је био у застоју; од {at} је доцња.",
	},
	starts: map[string]string{
		rules.StartConsigned:  "порука је забележена у дневнику",
		rules.StartHandedOver: "порука је уручена",
		rules.StartDecided:    "одлука је донета",
		rules.StartServed:     "наредба је уручена",
		rules.StartEvent:      "догађај је наступио",
	},
	free: map[string]string{
		whyHoliday: "празник", whySubstitute: "нерадни дан због празника који пада у недељу", whyAdHoc: "проглашен нерадним",
	},
	weekdays: [7]string{"недеља", "понедељак", "уторак", "среда", "четвртак", "петак", "субота"},
	units: map[string][3]string{
		rules.UnitMinutes: {"минут", "минута", "минута"}, rules.UnitHours: {"сат", "сата", "сати"},
		rules.UnitCalendarDays: {"календарски дан", "календарска дана", "календарских дана"},
		rules.UnitWorkingDays:  {"радни дан", "радна дана", "радних дана"},
		rules.UnitMonths:       {"месец", "месеца", "месеци"},
	},
	name: func(s Step) string { return s.SR },
	plural: func(n int) int {
		switch {
		case n%10 == 1 && n%100 != 11:
			return 0
		case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
			return 1
		}
		return 2
	},
}
