package obligation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging/obligation"
)

// explainCases are written out in testdata/explain.txt, in both languages.
func explainCases(t *testing.T) map[string][]obligation.Step {
	cal := obligation.NewCalendar(readWorld(t).pack().Calendar, belgrade(t), []obligation.Day{{Date: "2026-05-04", Off: true}})
	due := func(n int, unit, start, shift, at string) []obligation.Step {
		_, steps, err := cal.Due(rules.Deadline{Term: rules.Term{Amount: n, Unit: unit}, Start: start, Shift: shift}, ms(t, at))
		if err != nil {
			t.Fatal(err)
		}
		return steps
	}
	return map[string][]obligation.Step{
		"1 shifted":   due(8, "cd", "decided", "next-working-day", "2026-02-09 09:00"),
		"2 working":   due(2, "wd", "consigned", "none", "2026-04-09 12:00"),
		"3 elapsed":   due(24, "h", "handed-over", "none", "2026-03-28 20:00"),
		"4 month":     due(1, "mo", "event", "next-working-day", "2026-04-04 12:00"),
		"5 one":       due(1, "min", "served", "none", "2026-04-04 12:00"),
		"6 plurals":   due(22, "cd", "consigned", "none", "2026-04-04 12:00"),
		"7 estimated": {{Code: obligation.StepWaiting}, {Code: obligation.StepEstimated}, {Code: obligation.StepAttested}},
		"8 moved": {{Code: obligation.StepExtended, At: ms(t, "2026-04-05 00:00")},
			{Code: obligation.StepSuspended, At: ms(t, "2026-04-06 00:00")}, {Code: "unheard-of"}},
	}
}

func TestExplain(t *testing.T) {
	var b strings.Builder
	cases := explainCases(t)
	for _, name := range sortedKeys(cases) {
		for _, lang := range []string{"en", "sr"} {
			b.WriteString("# " + name + " " + lang + "\n" + strings.Join(obligation.Explain(cases[name], lang, belgrade(t)), "\n") + "\n")
		}
	}
	golden(t, "explain.txt", b.String())
}

// golden compares with a file of testdata; ODZIV_UPDATE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("ODZIV_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func TestExplainNamesEveryCode(t *testing.T) {
	for code := range map[string]bool{obligation.StepStart: true, obligation.StepEstimated: true, obligation.StepAttested: true,
		obligation.StepWaiting: true, obligation.StepEventDay: true, obligation.StepFree: true, obligation.StepCount: true,
		obligation.StepElapsed: true, obligation.StepShift: true, obligation.StepEnd: true, obligation.StepExtended: true, obligation.StepSuspended: true} {
		for _, lang := range []string{"en", "sr"} {
			for _, why := range []string{"consigned", "weekend", "holiday", "substitute", "ad-hoc"} {
				line := obligation.Explain([]obligation.Step{{Code: code, Date: "2026-03-02", Why: why, Unit: "cd", N: 6}}, lang, belgrade(t))[0]
				if line == code || strings.ContainsAny(line, "{}") {
					t.Errorf("%s in %s: %q", code, lang, line)
				}
			}
		}
	}
}
