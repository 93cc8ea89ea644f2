package consent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

func TestParseIsTheInverseOfEncode(t *testing.T) {
	for _, act := range Acts() {
		s := with(given(), func(s *Statement) { s.Ev = act.Event() })
		got, err := Parse(signed(t, s, officer("swc-a.case")))
		if err != nil {
			t.Fatalf("%s: %v", act, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("%s: parsed\n%+v\nwant\n%+v", act, got, s)
		}
		if got.Act() != act {
			t.Errorf("Act() = %q, want %q", got.Act(), act)
		}
	}
}

// At every limit at once a statement is far below the size of any: Encode needs
// no bound of its own.
func TestLargestStatementFits(t *testing.T) {
	long := func(n int) []string {
		out := codes(n)
		for i := range out {
			out[i] += strings.Repeat("x", 40-len(out[i]))
		}
		return out
	}
	_, payload, err := with(given(), func(s *Statement) {
		s.From, s.To, s.Onward = ids("i", MaxParties), ids("d", MaxParties), ids("d", MaxParties)
		s.Purposes, s.Cats, s.Told, s.Doc = long(MaxPurposes), long(MaxCats), long(MaxTold), hash("doc")
	}).Encode()
	if err != nil || len(payload) > statement.MaxSize/2 {
		t.Errorf("%d bytes, %v", len(payload), err)
	}
}

// The members are those of the specification and no others: there is no place
// for a free word, and so none for what cannot be consented to.
func TestMembers(t *testing.T) {
	_, payload, err := with(given(), func(s *Statement) { s.Doc, s.Occurred = hash("doc"), t0-1 }).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatal(err)
	}
	var got []string
	for m := range members {
		got = append(got, m)
	}
	slices.Sort(got)
	want := strings.Fields("age at by case cats channel dirn doc ev form from grantor id interp lang method na nb occurred " +
		"onward opinion pack prev purposes subj text to told understood v ver")
	if !slices.Equal(got, want) {
		t.Errorf("members %v\nwant    %v", got, want)
	}
}

func TestNoMemberHoldsFreeText(t *testing.T) {
	const words = "Free text, with spaces"
	v := reflect.ValueOf(given()).Elem()
	for _, path := range stringPaths(v.Type(), nil) {
		s := given()
		f := reflect.ValueOf(s).Elem().FieldByIndex(path)
		if f.Kind() == reflect.String {
			f.SetString(words)
		} else {
			f.Set(reflect.ValueOf([]string{words}))
		}
		if _, _, err := s.Encode(); err == nil {
			t.Errorf("%s accepts %q", v.Type().FieldByIndex(path).Name, words)
		}
	}
}

func stringPaths(typ reflect.Type, prefix []int) [][]int {
	var out [][]int
	for i := range typ.NumField() {
		path := append(slices.Clone(prefix), i)
		switch f := typ.Field(i).Type; {
		case f.Kind() == reflect.Struct:
			out = append(out, stringPaths(f, path)...)
		case f.Kind() == reflect.String, f.Kind() == reflect.Slice && f.Elem().Kind() == reflect.String:
			out = append(out, path)
		}
	}
	return out
}

func ids(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = id(prefix, fmt.Sprint("many ", i))
	}
	return out
}

func codes(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("code-%d", i)
	}
	return out
}

func TestShape(t *testing.T) {
	long := strings.Repeat("a", 40)
	for _, c := range []struct {
		name   string
		ok     bool
		change func(*Statement)
	}{
		{"as given", true, func(s *Statement) {}},
		{"no version", false, func(s *Statement) { s.Ver, s.Prev = 0, -1 }},
		{"prev is not the one before", false, func(s *Statement) { s.Prev = 1 }},
		{"second version", true, func(s *Statement) { s.Ver, s.Prev = 2, 1 }},
		{"largest version", true, func(s *Statement) { s.Ver, s.Prev = maxVer, maxVer-1 }},
		{"version too large", false, func(s *Statement) { s.Ver, s.Prev = maxVer+1, maxVer }},
		{"no case", false, func(s *Statement) { s.Case = "" }},
		{"id of another sort", false, func(s *Statement) { s.ID = id("x", "1") }},
		{"subject of another sort", false, func(s *Statement) { s.Subj = id("g", "1") }},
		{"self is another", false, func(s *Statement) { s.Grantor.H = id("p", "2") }},
		{"another is the person", false, func(s *Statement) { s.Grantor.Rel = "parent" }},
		{"grantor by g handle", true, func(s *Statement) { s.Grantor = Grantor{id("g", "2"), "parent"} }},
		{"grantor by another p handle", true, func(s *Statement) { s.Grantor = Grantor{id("p", "2"), "parent"} }},
		{"grantor is a desk", false, func(s *Statement) { s.Grantor = Grantor{ngo1.Desk, "parent"} }},
		{"to all", false, func(s *Statement) { s.To = []string{"all"} }},
		{"to any", false, func(s *Statement) { s.To = []string{"*"} }},
		{"to a type", false, func(s *Statement) { s.To = []string{"ngo"} }},
		{"to nobody", false, func(s *Statement) { s.To = []string{} }},
		{"to absent", false, func(s *Statement) { s.To = nil }},
		{"to a desk", true, func(s *Statement) { s.To = []string{ngo1.Desk} }},
		{"to a person", false, func(s *Statement) { s.To = []string{id("p", "1")} }},
		{"to twice", false, func(s *Statement) { s.To = []string{ngo1.Inst, ngo1.Inst} }},
		{"to 32", true, func(s *Statement) { s.To = ids("i", 32) }},
		{"to 33", false, func(s *Statement) { s.To = ids("i", 33) }},
		{"from a desk", false, func(s *Statement) { s.From = []string{swcA.Desk} }},
		{"from 32", true, func(s *Statement) { s.From = ids("i", 32) }},
		{"from 33", false, func(s *Statement) { s.From = ids("i", 33) }},
		{"from nobody", false, func(s *Statement) { s.From = []string{} }},
		{"onward 32", true, func(s *Statement) { s.Onward = ids("d", 32) }},
		{"onward 33", false, func(s *Statement) { s.Onward = ids("d", 33) }},
		{"onward all", false, func(s *Statement) { s.Onward = []string{"all"} }},
		{"16 purposes", true, func(s *Statement) { s.Purposes = codes(16) }},
		{"17 purposes", false, func(s *Statement) { s.Purposes = codes(17) }},
		{"no purpose", false, func(s *Statement) { s.Purposes = []string{} }},
		{"16 categories", true, func(s *Statement) { s.Cats = codes(16) }},
		{"17 categories", false, func(s *Statement) { s.Cats = codes(17) }},
		{"no category", false, func(s *Statement) { s.Cats = []string{} }},
		{"all categories", false, func(s *Statement) { s.Cats = []string{"*"} }},
		{"16 told", true, func(s *Statement) { s.Told = codes(16) }},
		{"17 told", false, func(s *Statement) { s.Told = codes(17) }},
		{"nothing told", true, func(s *Statement) { s.Told = []string{} }}, // Check refuses it where it matters
		{"language of 40", true, func(s *Statement) { s.Lang = long }},
		{"language of 41", false, func(s *Statement) { s.Lang = long + "a" }},
		{"no language", false, func(s *Statement) { s.Lang = "" }},
		{"given without form", false, func(s *Statement) { s.Form = "" }},
		{"given without method", false, func(s *Statement) { s.Method = "" }},
		{"given without opinion", false, func(s *Statement) { s.Opinion = "" }},
		{"refused without form", false, func(s *Statement) { s.Ev, s.Form = Refused.Event(), "" }},
		{"requested without an answer", true, func(s *Statement) {
			s.Ev, s.Form, s.Method, s.Opinion = Requested.Event(), "", "", ""
		}},
		{"requested for nothing", false, func(s *Statement) { s.Ev, s.Cats = Requested.Event(), []string{} }},
		{"refused with nothing named", true, func(s *Statement) {
			s.Ev, s.From, s.To, s.Purposes, s.Cats = Refused.Event(), []string{}, []string{}, []string{}, []string{}
		}},
		{"withdrawn with nothing named", true, func(s *Statement) { s.Ev, s.To = Withdrawn.Event(), []string{} }},
		{"narrowed to nobody", false, func(s *Statement) { s.Ev, s.To = Narrowed.Event(), []string{} }},
		{"no explanation", false, func(s *Statement) { s.Text = Text{} }},
		{"explanation version 0", false, func(s *Statement) { s.Text.Ver = 0 }},
		{"explanation version 1", true, func(s *Statement) { s.Text.Ver = 1 }},
		{"largest explanation version", true, func(s *Statement) { s.Text.Ver = maxVer }},
		{"explanation version too large", false, func(s *Statement) { s.Text.Ver = maxVer + 1 }},
		{"document is no hash", false, func(s *Statement) { s.Doc = "scan.pdf" }},
		{"ends as it begins", false, func(s *Statement) { s.NA = s.NB }},
		{"one millisecond", true, func(s *Statement) { s.NA = s.NB + 1 }},
		{"begins at nothing", false, func(s *Statement) { s.NB = 0 }},
		{"expired is no statement", false, func(s *Statement) { s.Ev = "consent.expired" }},
		{"superseded is no statement", false, func(s *Statement) { s.Ev = "consent.superseded" }},
		{"unknown event", false, func(s *Statement) { s.Ev = "consent.exploited" }},
		{"other family of events", false, func(s *Statement) { s.Ev = "message.submitted" }},
		{"occurred after at", false, func(s *Statement) { s.Occurred = s.At + 1 }},
		{"other version of the format", false, func(s *Statement) { s.V = 2 }},
	} {
		_, _, err := with(given(), c.change).Encode()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Encode and Parse refuse the same; here what only bytes can get wrong.
func TestParseRefuses(t *testing.T) {
	typ, payload, err := given().Encode()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte {
		if !bytes.Contains(payload, []byte(old)) {
			t.Fatalf("payload has no %s", old)
		}
		return bytes.Replace(payload, []byte(old), []byte(new), 1)
	}
	for _, c := range []struct {
		name    string
		typ     string
		payload []byte
	}{
		{"type of another act", statement.TypeOfEvent("consent.renewed"), payload},
		{"type of another event", statement.TypeNotice, payload},
		{"no type", "", payload},
		{"event of another act", typ, edit(`"ev":"consent.given"`, `"ev":"consent.refused"`)},
		{"unknown member", typ, edit(`"age":`, `"agea":"x","age":`)},
		{"member in capitals", typ, edit(`"subj"`, `"Subj"`)},
		{"null", typ, edit(`"onward":[]`, `"onward":null`)},
		{"absent array", typ, edit(`"onward":[],`, ``)},
		{"empty optional member", typ, edit(`"dirn":`, `"doc":"","dirn":`)},
		{"fraction", typ, edit(`"ver":1}`, `"ver":1.0}`)},
		{"trailing space", typ, append(bytes.Clone(payload), ' ')},
		{"too large", typ, append(bytes.Clone(payload), bytes.Repeat([]byte(" "), statement.MaxSize)...)},
		{"empty", typ, nil},
	} {
		if s, err := Parse(&statement.DSSE{Payload: c.payload, PayloadType: c.typ}); err == nil {
			t.Errorf("%s: accepted as %+v", c.name, s)
		}
	}
	if _, err := Parse(nil); err == nil {
		t.Error("no statement: accepted")
	}
}

func TestMoment(t *testing.T) {
	s := given()
	if s.Moment() != s.At {
		t.Errorf("Moment() = %d, want at", s.Moment())
	}
	s.Occurred = s.At - 5
	if s.Moment() != s.At-5 {
		t.Errorf("Moment() = %d, want occurred", s.Moment())
	}
}

// checkCase is one statement against the test pack; the vectors hold the same
// cases.
type checkCase struct {
	name   string
	base   *Statement
	change func(*Statement)
	member string
	reason string
}

func checkCases(t testing.TB) []checkCase {
	end := func(stamp string) int64 { return belgrade(t, stamp) }
	return []checkCase{
		{"an adult, alone", given(), func(s *Statement) {}, "", ""},
		{"a spouse for an adult", given(), func(s *Statement) { s.Grantor = Grantor{id("g", "1"), "spouse"} }, "grantor", FaultGrantor},
		{"a parent for an adult", given(), func(s *Statement) { s.Grantor = Grantor{id("g", "1"), "parent"} }, "grantor", FaultGrantor},
		{"asking a spouse", given(), func(s *Statement) { s.Ev, s.Grantor = Requested.Event(), Grantor{id("g", "1"), "spouse"} }, "grantor", FaultGrantor},
		{"a spouse refuses", given(), func(s *Statement) { s.Ev, s.Grantor = Refused.Event(), Grantor{id("g", "1"), "spouse"} }, "", ""},
		{"a child alone", given(), func(s *Statement) { s.Age = "10-14" }, "grantor", FaultGrantor},
		{"unknown age, alone", given(), func(s *Statement) { s.Age = "unknown" }, "grantor", FaultGrantor},
		{"unknown age, guardian", childs(), func(s *Statement) { s.Age = "unknown" }, "", ""},
		{"guardian and opinion", childs(), func(s *Statement) {}, "", ""},
		{"opinion not expressed", childs(), func(s *Statement) { s.Opinion = "not-expressed" }, "", ""},
		{"opinion not asked", childs(), func(s *Statement) { s.Opinion = "not-asked" }, "opinion", FaultOpinion},
		{"opinion contrary", childs(), func(s *Statement) { s.Opinion = "disagrees" }, "opinion", FaultOpinion},
		{"opinion not asked under 10", childs(), func(s *Statement) { s.Age, s.Opinion = "under-10", "not-asked" }, "", ""},
		{"opinion contrary under 10", childs(), func(s *Statement) { s.Age, s.Opinion = "under-10", "disagrees" }, "opinion", FaultOpinion},
		{"15 and agrees", childs(), func(s *Statement) { s.Age = "15-17" }, "", ""},
		{"15 and does not say", childs(), func(s *Statement) { s.Age, s.Opinion = "15-17", "not-expressed" }, "opinion", FaultOpinion},
		{"15, asked only", childs(), func(s *Statement) { s.Ev, s.Age, s.Opinion = Requested.Event(), "15-17", "" }, "", ""},
		{"15, renewed unasked", childs(), func(s *Statement) { s.Ev, s.Age, s.Opinion = Renewed.Event(), "15-17", "not-asked" }, "opinion", FaultOpinion},
		{"a refusal needs no opinion", childs(), func(s *Statement) { s.Ev, s.Opinion = Refused.Event(), "not-asked" }, "", ""},
		{"not told of one exception", given(), func(s *Statement) { s.Told = []string{"danger", "child"} }, "told", FaultTold},
		{"asked, not told", given(), func(s *Statement) { s.Ev, s.Told = Requested.Event(), []string{} }, "told", FaultTold},
		{"refused, not told", given(), func(s *Statement) { s.Ev, s.Told = Refused.Event(), []string{} }, "", ""},
		{"deferred, not told", given(), func(s *Statement) { s.Ev, s.Told = Deferred.Event(), []string{} }, "", ""},
		{"not understood", given(), func(s *Statement) { s.Understood = false }, "understood", FaultUnderstood},
		{"not understood, narrowed", given(), func(s *Statement) { s.Ev, s.Understood = Narrowed.Event(), false }, "understood", FaultUnderstood},
		{"not understood, renewed", given(), func(s *Statement) { s.Ev, s.Understood = Renewed.Event(), false }, "understood", FaultUnderstood},
		{"not understood, asked", given(), func(s *Statement) { s.Ev, s.Understood = Requested.Event(), false }, "", ""},
		{"not understood, refused", given(), func(s *Statement) { s.Ev, s.Understood = Refused.Event(), false }, "", ""},
		{"not understood, invalidated", given(), func(s *Statement) { s.Ev, s.Understood = Invalidated.Event(), false }, "", ""},
		{"excluded category, named", given(), func(s *Statement) { s.Cats = []string{"health"} }, "", ""},
		{"longest", given(), func(s *Statement) { s.NA = end("2027-02-14 00:00:00.000") }, "", ""},
		{"longer than longest", given(), func(s *Statement) { s.NA = end("2027-02-14 00:00:00.000") + 1 }, "na", FaultValidity},
		{"guardian's longest", childs(), func(s *Statement) { s.NA = end("2026-08-14 00:00:00.000") }, "", ""},
		{"longer than a guardian's", childs(), func(s *Statement) { s.NA = end("2026-08-14 00:00:00.000") + 1 }, "na", FaultValidity},
		{"longest runs from the act", given(), func(s *Statement) {
			s.Occurred, s.NA = t0-day, end("2027-02-14 00:00:00.000")
		}, "na", FaultValidity},
		{"begins with the act", given(), func(s *Statement) { s.Occurred, s.NB = t0-day, t0-day }, "", ""},
		{"begins with the day", given(), func(s *Statement) { s.NB = end("2026-02-13 00:00:00.000") }, "", ""},
		{"begins before the day", given(), func(s *Statement) { s.NB = end("2026-02-13 00:00:00.000") - 1 }, "nb", FaultValidity},
		{"begins later", given(), func(s *Statement) { s.NB = t0 + month }, "", ""},
		{"a renewal keeps its beginning", given(), func(s *Statement) { s.Ev, s.NB = Renewed.Event(), t0-month }, "", ""},
		{"unknown purpose", given(), func(s *Statement) { s.Purposes = []string{"research"} }, "purposes", FaultUnknown},
		{"unknown category", given(), func(s *Statement) { s.Cats = []string{"everything"} }, "cats", FaultUnknown},
		{"unknown age band", given(), func(s *Statement) { s.Age = "old" }, "age", FaultUnknown},
		{"unknown opinion", given(), func(s *Statement) { s.Opinion = "maybe" }, "opinion", FaultUnknown},
		{"unknown form", given(), func(s *Statement) { s.Form = "x" }, "form", FaultUnknown},
		{"unknown method", given(), func(s *Statement) { s.Method = "x" }, "method", FaultUnknown},
		{"unknown channel", given(), func(s *Statement) { s.Channel = "x" }, "channel", FaultUnknown},
		{"unknown interpreter", given(), func(s *Statement) { s.Interp = "x" }, "interp", FaultUnknown},
		{"unknown relation", given(), func(s *Statement) { s.Grantor = Grantor{id("g", "1"), "x"} }, "grantor.rel", FaultUnknown},
		{"told what the pack does not know", given(), func(s *Statement) { s.Told = append(s.Told, "x") }, "told", FaultUnknown},
		{"a refusal of an unknown purpose", given(), func(s *Statement) { s.Ev, s.Purposes = Refused.Event(), []string{"x"} }, "purposes", FaultUnknown},
		{"narrowed after its codes left the pack", given(), func(s *Statement) { s.Ev, s.Purposes = Narrowed.Event(), []string{"x"} }, "", ""},
		{"withdrawn after its codes left the pack", given(), func(s *Statement) {
			s.Ev, s.Purposes, s.Age, s.Form = Withdrawn.Event(), []string{"x"}, "x", "x"
		}, "", ""},
		{"revoked", given(), func(s *Statement) { s.Ev, s.NA = Revoked.Event(), t0+100*month }, "", ""},
	}
}

func TestCheck(t *testing.T) {
	for _, c := range checkCases(t) {
		s := with(c.base, c.change)
		if _, _, err := s.Encode(); err != nil {
			t.Errorf("%s: the case itself is malformed: %v", c.name, err)
		}
		checkFault(t, c.name, s.Check(testPack()), c.member, c.reason)
	}
}

func checkFault(t *testing.T, name string, err error, member, reason string) {
	t.Helper()
	var fault *CheckError
	switch {
	case reason == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case reason != "" && !errors.As(err, &fault):
		t.Errorf("%s: %v, want %s: %s", name, err, member, reason)
	case reason != "" && (fault.Member != member || fault.Reason != reason):
		t.Errorf("%s: %v, want %s: %s", name, fault, member, reason)
	}
}

func TestUntil(t *testing.T) {
	for _, c := range []struct{ age, rel, from, want string }{
		{"adult", "self", "2026-02-13 17:26:40.000", "2026-08-14 00:00:00.000"},
		{"adult", "self", "2026-08-31 00:00:00.000", "2027-03-01 00:00:00.000"}, // no 31 February
		{"adult", "self", "2026-08-31 23:59:59.999", "2027-03-01 00:00:00.000"},
		{"adult", "self", "2026-09-01 00:00:00.000", "2027-03-02 00:00:00.000"},
		{"10-14", "guardian", "2025-12-31 12:00:00.000", "2026-07-01 00:00:00.000"},
	} {
		got, err := Until(testPack(), c.age, c.rel, belgrade(t, c.from))
		if err != nil || got != belgrade(t, c.want) {
			t.Errorf("Until(%s, %s, %s) = %d, %v; want %s", c.age, c.rel, c.from, got, err, c.want)
		}
	}
}
