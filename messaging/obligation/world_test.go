package obligation_test

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// worldFile is testdata/world.json: a directory and a rule pack small enough to
// read, which the tests and the vectors share. FORMAT.md 8 describes it.
type worldFile struct {
	Pack     string       `json:"pack"`
	Zone     string       `json:"zone"`
	Calendar calendarFile `json:"calendar"`
	Desks    []struct {
		Name, Inst, Type, Fn string
	} `json:"desks"`
	Values  []string       `json:"values"`
	Reasons []rules.Reason `json:"reasons"`
	Letters []rules.Letter `json:"letters"`
	Kinds   []struct {
		Code   string
		Values []string
	} `json:"kinds"`
	Rules  []ruleFile `json:"rules"`
	Clocks []struct {
		Code, Rule      string
		Kinds           []string
		Informed, Never deadlineFile
	} `json:"clocks"`
	Chains []struct {
		Code          string
		RemindPercent int        `json:"remind_percent"`
		RemindBefore  rules.Term `json:"remind_before"`
		Steps         []rules.Step
	} `json:"chains"`
}

type calendarFile struct {
	Weekend         []string `json:"weekend"`
	SundayMovesNext bool     `json:"sunday_moves_next"`
	Holidays        []struct {
		Name, Easter       string
		Month, Day, Offset int
		State, Working     bool
	} `json:"holidays"`
}

type ruleFile struct {
	Code       string            `json:"code"`
	Event      string            `json:"event"`
	Kinds      []string          `json:"kinds"`
	From       []string          `json:"from"`
	Facts      map[string]string `json:"facts"`
	Declared   bool              `json:"declared"`
	Obligor    rules.Party       `json:"obligor"`
	Obligee    rules.Party       `json:"obligee"`
	Fulfilled  []string          `json:"fulfilled_by"`
	Interim    []string          `json:"interim_by"`
	FulfilOn   string            `json:"fulfil_on"`
	MaxInterim int               `json:"max_interim"`
	Every      *rules.Term       `json:"every"`
	EndsWith   []string          `json:"ends_with"`
	Missing    bool              `json:"missing"`
	Statutory  bool              `json:"statutory"`
	Chain      string            `json:"chain"`
	Due        []deadlineFile    `json:"due"`
}

type deadlineFile struct {
	Urgency, Unit, Start, Shift string
	Amount                      int
}

func (d deadlineFile) deadline() rules.Deadline {
	return rules.Deadline{Term: rules.Term{Amount: d.Amount, Unit: d.Unit}, Urgency: d.Urgency, Start: d.Start, Shift: d.Shift}
}

// testWorld is a directory that never changes, with any number of packs.
type testWorld struct {
	id    string // the pack in force
	desks []testDesk
	packs map[string]*rules.Pack
	cals  map[string]*obligation.Calendar
}

type testDesk struct{ name, id, inst, typ, fn string }

func (w *testWorld) desk(id string) (testDesk, bool) {
	i := slices.IndexFunc(w.desks, func(d testDesk) bool { return d.id == id })
	if i < 0 {
		return testDesk{}, false
	}
	return w.desks[i], true
}

func (w *testWorld) TypeOf(_ int64, desk string) string {
	d, _ := w.desk(desk)
	return d.typ
}

func (w *testWorld) Function(_ int64, typ, fn, near string) (string, bool) {
	inst := ""
	if d, ok := w.desk(near); ok {
		inst = d.inst
	}
	var ids []string
	for _, d := range w.desks {
		if d.typ == typ && d.fn == fn && (inst == "" || d.inst == inst) {
			ids = append(ids, d.id)
		}
	}
	if len(ids) == 0 {
		return near, near != ""
	}
	return slices.Min(ids), true
}

func (w *testWorld) Pack(id string) (*rules.Pack, bool) { p, ok := w.packs[id]; return p, ok }

func (w *testWorld) Calendar(id string, _ int64) *obligation.Calendar { return w.cals[id] }

// pack and cal are those in force.
func (w *testWorld) pack() *rules.Pack         { return w.packs[w.id] }
func (w *testWorld) cal() *obligation.Calendar { return w.cals[w.id] }

func readWorld(t testing.TB) *testWorld {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f worldFile
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	w := &testWorld{id: f.Pack, packs: map[string]*rules.Pack{}, cals: map[string]*obligation.Calendar{}}
	for _, d := range f.Desks {
		w.desks = append(w.desks, testDesk{d.Name, id("d", d.Name), id("i", d.Inst), d.Type, d.Fn})
	}
	w.packs[f.Pack] = f.rulePack()
	w.cals[f.Pack] = obligation.NewCalendar(w.packs[f.Pack].Calendar, belgrade(t), nil)
	return w
}

// rulePack turns the file into what rules.Parse would give.
func (f *worldFile) rulePack() *rules.Pack {
	p := &rules.Pack{Zone: f.Zone, Reasons: f.Reasons, Letters: f.Letters}
	p.Calendar = rules.Calendar{Weekend: f.Calendar.Weekend, SundayMovesNext: f.Calendar.SundayMovesNext}
	for _, h := range f.Calendar.Holidays {
		p.Calendar.Holidays = append(p.Calendar.Holidays, rules.Holiday{Name: rules.Text{EN: h.Name, SR: h.Name},
			Month: h.Month, Day: h.Day, Easter: h.Easter, Offset: h.Offset, State: h.State, Working: h.Working})
	}
	for _, v := range f.Values {
		p.Values = append(p.Values, rules.Named{Code: v})
	}
	for _, k := range f.Kinds {
		p.Kinds = append(p.Kinds, rules.Kind{Code: k.Code, Answers: k.Values})
	}
	for _, r := range f.Rules {
		p.Rules = append(p.Rules, r.rule())
	}
	for _, c := range f.Clocks {
		p.Clocks = append(p.Clocks, rules.Clock{Code: c.Code, Rule: c.Rule, Kinds: c.Kinds,
			Informed: c.Informed.deadline(), Never: c.Never.deadline()})
	}
	for _, c := range f.Chains {
		p.Chains = append(p.Chains, rules.Chain{Code: c.Code, RemindPercent: c.RemindPercent, RemindBefore: c.RemindBefore, Steps: c.Steps})
	}
	return p
}

func (f *ruleFile) rule() rules.Rule {
	r := rules.Rule{Code: f.Code, Declared: f.Declared, Obligor: f.Obligor, Obligee: f.Obligee, Fulfilled: f.Fulfilled,
		Interim: f.Interim, FulfilOn: f.FulfilOn, MaxInter: f.MaxInterim, Every: f.Every, EndsWith: f.EndsWith,
		Missing: f.Missing, Statutory: f.Statutory, Chain: f.Chain}
	r.Trigger = rules.Trigger{Kinds: f.Kinds, Event: f.Event, From: f.From, Facts: f.Facts}
	for _, d := range f.Due {
		r.Due = append(r.Due, d.deadline())
	}
	return r
}

// withPack is the world under a pack of the program.
func (w *testWorld) withPack(t testing.TB, packID string) *testWorld {
	t.Helper()
	p, err := rules.Load(packID)
	if err != nil {
		t.Fatal(err)
	}
	w.id = packID
	w.packs[packID] = p
	w.cals[packID] = obligation.NewCalendar(p.Calendar, belgrade(t), nil)
	return w
}

// id makes an identifier from a role's name, the same each time.
func id(prefix, name string) string {
	sum := sha256.Sum256([]byte(prefix + " " + name))
	return statement.FormatID(prefix, sum[:16])
}

func belgrade(t testing.TB) *time.Location { return zone(t, "Europe/Belgrade") }

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// ms reads "2026-03-02 10:00" as Belgrade time.
func ms(t testing.TB, local string) int64 {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", local, belgrade(t))
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// show writes a time as Belgrade time, for comparing.
func show(t testing.TB, at int64) string {
	t.Helper()
	if at == 0 {
		return ""
	}
	return time.UnixMilli(at).In(belgrade(t)).Format("2006-01-02 15:04")
}
