package scenario

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// small is the smallest scenario that does something.
const small = `format = 1
id = "small"
title = {en = "Small", sr = "Мало"}
persons = ["v1"]
others = ["g1"]
cases = ["c1"]

[[actor]]
name = "swc"
desk = "swc-nis.legal"

[[actor]]
name = "ppo"
desk = "hppo-nis.registry"

[[actor]]
name = "att"
sponsor = "bar-sponsor"

[[step]]
at = "2026-03-02 10:00"

[step.send]
as = "m1"
from = "swc"
to = ["ppo"]
kind = "complaint"
case = "c1"
about = ["v1"]
basis = {code = "legal-obligation", purpose = "procedure"}

[step.send.fields]
facts-of-case = "x"

[[step.expect.duty]]
rule = "registration"
by = "ppo"
to = "swc"
of = "m1"
overdue = false

[[step]]
at = "2026-03-03 10:00"

[[step.expect.missing]]
desk = "swc"
side = "owed"
count = 0
`

func TestSmallParses(t *testing.T) {
	f := parse(t, "small.toml", small)
	if f.Start() != 1772442000000 || f.Location().String() != "Europe/Belgrade" || f.Pack != "rs-a@1" {
		t.Errorf("%d %s %s", f.Start(), f.Location(), f.Pack)
	}
	line, written := f.at("step[0].expect.duty[0].overdue")
	if line != 40 || written != "overdue = false" {
		t.Errorf("line %d: %s", line, written)
	}
}

// Everything that is not as docs/scenarios.md says is refused, with its line.
func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for name, c := range map[string]struct {
		from, to string
		line     int
		want     string
	}{
		"no TOML":                    {`format = 1`, `format = `, 1, ""},
		"unknown member":             {`rule = "registration"`, `rule = "registration"` + "\ncolour = \"red\"", 37, "no such member"},
		"unknown table":              {`[[step.expect.duty]]`, `[[step.expect.wish]]`, 35, "no such member"},
		"another spelling":           {`kind = "complaint"`, `Kind = "complaint"`, 27, "no such member"},
		"wrong type":                 {`count = 0`, `count = "none"`, 48, ""},
		"another format":             {`format = 1`, `format = 2`, 1, "this program reads 1"},
		"no id":                      {`id = "small"`, `id = "Small one"`, 2, "short name"},
		"one language":               {`sr = "Мало"`, `sr = ""`, 3, "Serbian"},
		"unknown pack":               {`persons = ["v1"]`, `persons = ["v1"]` + "\npack = \"rs-a@99\"", 5, "ships no rule pack"},
		"unknown zone":               {`persons = ["v1"]`, `persons = ["v1"]` + "\nzone = \"Europe/Nis\"", 5, "no time zone"},
		"a bad name":                 {`persons = ["v1"]`, `persons = ["V 1"]`, 4, "is no name"},
		"a name twice":               {`others = ["g1"]`, `others = ["v1"]`, 5, "another person"},
		"an actor named twice":       {`name = "att"`, `name = "swc"`, 17, "another actor"},
		"an actor of another house":  {`name = "swc"`, `name = "swc-vranje"`, 9, "not a desk of it"},
		"desk and sponsor":           {`sponsor = "bar-sponsor"`, `sponsor = "bar-sponsor"` + "\ndesk = \"swc-nis.case\"", 16, "or a representative"},
		"no such institution":        {`swc-nis.legal`, `swc-paris.legal`, 10, "no institution"},
		"no such desk":               {`swc-nis.legal`, `swc-nis.judge`, 10, "no desk"},
		"a desk of a representative": {`swc-nis.legal`, `bar-sponsor.rep`, 10, "no desk"},
		"no sponsor":                 {`sponsor = "bar-sponsor"`, `sponsor = "swc-nis"`, 18, "hosts no representatives"},
		"no time":                    {`at = "2026-03-02 10:00"`, `note = {en = "a", sr = "б"}`, 20, "is missing"},
		"a bad time":                 {`at = "2026-03-02 10:00"`, `at = "2 March"`, 21, "is no time"},
		"a time that does not exist": {`at = "2026-03-02 10:00"`, `at = "2026-03-29 02:30"`, 21, "does not exist"},
		"time going back":            {`at = "2026-03-03 10:00"`, `at = "2026-03-02 09:59"`, 43, "before the step before"},
		"a note in one language":     {`at = "2026-03-03 10:00"`, `at = "2026-03-03 10:00"` + "\nnote = {en = \"a\"}", 44, "Serbian"},
		"two things at once":         {"[step.send.fields]", "[step.look]\nby = \"swc\"\n[step.send.fields]", 20, "several things"},
		"nothing to refuse":          {"[[step.expect.missing]]", "[step.refused]\nby = \"exchange\"\ncode = \"basis\"\n[[step.expect.missing]]", 45, "nothing is done"},
		"a set of one":               {"[step.send]", "[[step.set]]", 20, "at least two"},
		"unknown actor":              {`from = "swc"`, `from = "nobody"`, 25, "is no actor"},
		"unknown kind":               {`kind = "complaint"`, `kind = "complain"`, 27, "is no kind"},
		"no kind":                    {`kind = "complaint"` + "\n", "", 23, "is missing"},
		"unknown case":               {`case = "c1"`, `case = "c2"`, 28, "is no case"},
		"no case":                    {`case = "c1"` + "\n", "", 23, "name the case"},
		"unknown person":             {`about = ["v1"]`, `about = ["g1"]`, 29, "is no person"},
		"unknown basis":              {`legal-obligation`, `legal`, 30, "is no basis"},
		"unknown purpose":            {`"procedure"`, `"fun"`, 30, "is no purpose"},
		"unknown rule":               {`rule = "registration"`, `rule = "registrations"`, 36, "is no rule"},
		"a thing not named yet":      {`of = "m1"`, `of = "m2"`, 39, "is no thing"},
		"a thing of another sort":    {`case = "c1"`, `re = "k1"`, 28, "is no message"},
		"unknown side":               {`side = "owed"`, `side = "left"`, 47, "is no owing"},
		"a desk and no desk":         {`desk = "swc"` + "\nside", `side`, 45, "a desk or an institution"},
		"nothing compared":           {`count = 0`, ``, 45, "compares nothing"},
		"too long a text":            {`facts-of-case = "x"`, `facts-of-case = "x"` + "\n[[step]]\nat = \"2026-03-02 11:00\"\n[step.send]\nfrom = \"swc\"\nto = [\"ppo\"]\nkind = \"complaint\"\nre = \"m1\"\nbasis = {code = \"protocol\"}\nbody = \"" + long + "\"", 42, "at most"},
		"too many":                   {`cases = ["c1"]`, `cases = ["c1"` + strings.Repeat(`, "x"`, maxNames) + "]", 6, "at most 64"},
		"a negative number":          {`count = 0`, `count = -1`, 48, "is not between"},
		"an act of nothing":          {"[step.send.fields]", "[[step.send.act]]\nop = \"fulfil\"\nrule = \"registration\"\n[step.send.fields]", 32, "what opened the duty"},
		"an unknown act":             {"[step.send.fields]", "[[step.send.act]]\nop = \"forget\"\nrule = \"registration\"\nof = \"m1\"\n[step.send.fields]", 33, "is no op"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(small, c.from) {
				t.Fatalf("%q is not in the file", c.from)
			}
			_, err := Parse("copy.toml", []byte(strings.Replace(small, c.from, c.to, 1)), packs(t))
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("parsed: %v", err)
			}
			where := fmt.Sprintf("copy.toml:%d:", c.line)
			all := strings.Join(invalid.Lines(), "\n")
			if !strings.Contains(all, where) || !strings.Contains(all, c.want) || !strings.Contains(err.Error(), invalid.Lines()[0]) {
				t.Errorf("want %q and %q in\n%s", where, c.want, all)
			}
		})
	}
}

// Consents have a shape of their own.
func TestParseRefusesConsents(t *testing.T) {
	base := small + `
[[step]]
at = "2026-03-04 10:00"

[step.consent]
as = "k1"
act = "given"
by = "swc"
person = "v1"
case = "c1"
from = ["swc"]
to = ["ppo", "swc-nis"]
purposes = ["assistance"]
cats = ["contact"]
`
	parse(t, "base.toml", base)
	for name, c := range map[string]struct{ from, to, want string }{
		"neither new nor old": {`as = "k1"` + "\n", "", "as for a new one"},
		"new and old":         {`as = "k1"`, "as = \"k1\"\nof = \"k1\"", "as for a new one"},
		"no person":           {`person = "v1"` + "\n", "", "first version names"},
		"nobody receives":     {`to = ["ppo", "swc-nis"]` + "\n", "", "first version names"},
		"unknown act":         {`act = "given"`, `act = "gave"`, "is no act"},
		"unknown recipient":   {`"swc-nis"]`, `"swc-paris"]`, "is no actor or institution"},
		"unknown category":    {`cats = ["contact"]`, `cats = ["gossip"]`, "is no category"},
	} {
		_, err := Parse("copy.toml", []byte(strings.Replace(base, c.from, c.to, 1)), packs(t))
		var invalid *Invalid
		if !errors.As(err, &invalid) || !strings.Contains(strings.Join(invalid.Lines(), "\n"), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseBounds(t *testing.T) {
	_, err := Parse("large.toml", make([]byte, MaxFile+1), packs(t))
	if err == nil || !strings.Contains(err.Error(), "write two scenarios") {
		t.Errorf("%v", err)
	}
	steps := strings.Repeat("\n[[step]]\nat = \"2026-03-04 10:00\"\n", maxSteps)
	if _, err := Parse("many.toml", []byte(small+steps), packs(t)); err == nil || !strings.Contains(err.Error(), "at most 400") {
		t.Errorf("%v", err)
	}
	hopeless := strings.Repeat("\n[[step]]\nat = \"never\"\n", 100)
	_, err = Parse("many.toml", []byte(small+hopeless), packs(t))
	var invalid *Invalid
	if !errors.As(err, &invalid) || invalid.Lines()[maxPrinted] != "… and 50 more" {
		t.Errorf("%v", err)
	}
}

// Whatever bytes: no panic, and what parses has steps in order of time.
func FuzzParse(f *testing.F) {
	set := packs(f)
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz.toml", data, set)
		if err != nil {
			var invalid *Invalid
			if !errors.As(err, &invalid) || len(invalid.Lines()) == 0 || err.Error() == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		last := int64(0)
		for i := range file.Steps {
			if file.Steps[i].At.MS < last {
				t.Fatal("steps are out of order")
			}
			last = file.Steps[i].At.MS
			if len(file.Steps[i].actions()) > 1 {
				t.Fatal("a step does several things")
			}
		}
	})
}

func TestFuzzSeeds(t *testing.T) {
	seeds, err := os.ReadDir("testdata/fuzz/FuzzParse")
	if err != nil || len(seeds) < 3 {
		t.Errorf("%d seeds, %v", len(seeds), err)
	}
}

// docs/scenarios.md names every member, and its example is one.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for path := range members {
		name := path[strings.LastIndexByte(path, '.')+1:]
		if name != "*" && !regexp.MustCompile("[`. {]"+regexp.QuoteMeta(name)+"[`, }.\\]]").MatchString(page) {
			t.Errorf("docs/scenarios.md does not speak of %s", path)
		}
	}
	_, rest, _ := strings.Cut(page, "```toml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/scenarios.md has no example")
	}
	if _, _, err := play(t, Options{Bookkeeper: true}, parse(t, "scenarios.md", example)); err != nil {
		t.Error(err)
	}
}
