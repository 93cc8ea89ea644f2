package scenario

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
)

func packs(t testing.TB) *rules.Set {
	t.Helper()
	set, err := server.Packs()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// shippedText is the text of one scenario of the program.
func shippedText(t testing.TB, name string) string {
	t.Helper()
	data, err := shipped.ReadFile("files/" + name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parse(t testing.TB, name, text string) *File {
	t.Helper()
	f, err := Parse(name, []byte(text), packs(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func play(t testing.TB, opts Options, files ...*File) (*demo.World, *Result, error) {
	t.Helper()
	w, r, err := Play(context.Background(), files, opts)
	if w != nil {
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return w, r, err
}

// testScenario plays one scenario on both engines, and without the bookkeeper.
// Everything it expects holds, what is stored verifies and can be derived again
// to the byte, the engines leave the same leaves and the same rows, and what is
// missing at the end is the same with and without books: silence is computed.
func testScenario(t *testing.T, name string) {
	t.Parallel()
	text := shippedText(t, name)
	w, kept, err := play(t, Options{Bookkeeper: true}, parse(t, name+".toml", text))
	if err != nil {
		t.Fatal(err)
	}
	other, there, err := play(t, Options{Bookkeeper: true, World: onPostgres(t)}, parse(t, name+".toml", text))
	if err != nil {
		t.Fatalf("on PostgreSQL: %v", err)
	}
	sameOutcome(t, w, other)
	whole(t, w)
	whole(t, other)
	sameOutcome(t, w, other)
	if !slices.Equal(kept.Missing, there.Missing) {
		t.Errorf("on SQLite     %+v\non PostgreSQL %+v", kept.Missing, there.Missing)
	}
	_, silent, err := play(t, Options{}, withoutBooks(t, name, text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept.Missing {
		kept.Missing[i].Level = -1 // what is on record of it differs, and only that
	}
	if !slices.Equal(kept.Missing, silent.Missing) || len(kept.Missing) == 0 {
		t.Errorf("with books %+v\nwithout    %+v", kept.Missing, silent.Missing)
	}
}

func TestS01(t *testing.T) { testScenario(t, "s01") }
func TestS02(t *testing.T) { testScenario(t, "s02") }
func TestS05(t *testing.T) { testScenario(t, "s05") }
func TestS11(t *testing.T) { testScenario(t, "s11") }
func TestS18(t *testing.T) { testScenario(t, "s18") }

// derived is every derived row.
func derived(t *testing.T, w *demo.World) map[string]string {
	t.Helper()
	rows := map[string]string{}
	err := w.Exchange.Store.Read(context.Background(), func(v exchange.View) error {
		return v.Derived(context.Background(), func(table, key, row string) error {
			rows[table+"/"+key] = row
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// withoutBooks leaves out what only books can satisfy: leaves that the server
// writes when something has become due.
func withoutBooks(t *testing.T, name, text string) *File {
	f := parse(t, name+".toml", text)
	for i := range f.Steps {
		e := &f.Steps[i].Expect
		e.Feed = slices.DeleteFunc(e.Feed, func(x *FeedExpect) bool {
			return strings.HasPrefix(x.Event, "obligation.") || x.Event == "notice.escalation"
		})
		for _, d := range e.Duty {
			d.Level = nil
		}
		for _, r := range e.Record {
			r.Events = nil
		}
	}
	return f
}

// All five on one exchange, on PostgreSQL: one directory, one ledger, one audit
// bundle that verifies with nothing but the hash of the genesis. On SQLite the
// demonstration does the same.
func TestAllTogether(t *testing.T) {
	files, err := Shipped(packs(t))
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	progress := func(what string, done, total int) {
		if what == "steps" {
			steps = done
		}
	}
	w, r, err := play(t, Options{Bookkeeper: true, Progress: progress, World: onPostgres(t)}, files...)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Stories) != 5 || steps < 60 {
		t.Errorf("%d stories, %d steps", len(r.Stories), steps)
	}
	path := filepath.Join(t.TempDir(), "audit.zip")
	if err := w.Bundle(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	report, found, err := demo.Verify(context.Background(), path, w.Genesis)
	if err != nil || len(found) > 0 || !report.Pinned || !report.Demo {
		t.Errorf("bundle: %+v, %v, %v", report, found, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path+".changed", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, found, err := demo.Verify(context.Background(), path+".changed", w.Genesis); err == nil && len(found) == 0 {
		t.Error("a changed bundle verifies")
	}
	for _, lang := range []string{English, Serbian, SerbianLatin} {
		var b strings.Builder
		Tell(&b, r, lang)
		if strings.Contains(b.String(), "%!") || identifier.MatchString(b.String()) {
			t.Errorf("%s: a phrase does not fit, or an identifier is told", lang)
		}
	}
}

var identifier = regexp.MustCompile(`[a-z]_[a-z2-7]{26}`)

// A copy of a scenario with one number changed ends at it and says where.
func TestFailedExpectationIsNamed(t *testing.T) {
	text := strings.Replace(shippedText(t, "s01"), `due = "2026-03-10 00:00"`, `due = "2026-03-11 00:00"`, 1)
	line := strings.Count(text[:strings.Index(text, `due = "2026-03-11 00:00"`)], "\n") + 1
	_, _, err := play(t, Options{Bookkeeper: true}, parse(t, "copy.toml", text))
	var failed *Failed
	if !errors.As(err, &failed) {
		t.Fatalf("%v", err)
	}
	if failed.File != "copy.toml" || failed.What != "duty" || failed.Line != line-7 ||
		!strings.HasPrefix(failed.Written, "[[step.expect.duty]]\nrule = \"registration\"") ||
		len(failed.Found) != 1 || failed.Found[0] != "due: expected 2026-03-11 00:00, found 2026-03-10 00:00" {
		t.Errorf("line %d: %+v", line, failed)
	}
	for _, part := range []string{"copy.toml:", "step 1 (2026-03-02 10:00)", "duty does not hold", "expected 2026-03-11 00:00, found 2026-03-10 00:00"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err.Error())
		}
	}
}

// What becomes of an act is compared with what the step says: a no that is not
// expected, a yes that is not, and a failure all end the play.
func TestOutcomeOfAStep(t *testing.T) {
	text := shippedText(t, "s05")
	refused := "\n[step.refused]\nby = \"exchange\"\ncode = \"consent_recipient\"\nfor = \"police\"\n"
	if !strings.Contains(text, refused) {
		t.Fatal("the scenario has changed")
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"a no that is not expected": {refused, "\n", "the exchange said no: consent_recipient"},
		"a yes that is not expected": {"[[step.expect.message]]\nof = \"referral\"\nbasis", "[step.refused]\nby = \"exchange\"\ncode = \"basis\"\n\n[[step.expect.message]]\nof = \"referral\"\nbasis",
			"to say no with basis, but it was done"},
		"another code":      {`code = "consent_recipient"` + "\nfor", `code = "consent_purpose"` + "\nfor", "code: expected consent_purpose, found consent_recipient"},
		"another recipient": {"code = \"consent_recipient\"\nfor = \"police\"", "code = \"consent_recipient\"\nfor = \"ngo\"", "for: expected ngo"},
		"a failure":         {"[step.read]\nby = \"swc\"", "[step.read]\nby = \"police\"", "has no message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := play(t, Options{Bookkeeper: true}, parse(t, "copy.toml", strings.Replace(text, c.from, c.to, 1)))
			var failed *Failed
			if !errors.As(err, &failed) || !strings.Contains(strings.Join(failed.Found, "\n"), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// What the shipped scenarios do not need of the format works too.
func TestRestOfTheFormat(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/more.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := play(t, Options{Bookkeeper: true}, parse(t, "more.toml", string(data))); err != nil {
		t.Fatal(err)
	}
}
