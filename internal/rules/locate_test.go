package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	src := `version = 1
[consent]
default.source = {kind = "law", ref = "x"}

[[rule]]
code = "a"
[[rule.due]]
amount = 1
[[rule.due]]
amount = 2
[rule.every]
amount = 3
[[rule]]
when = [{field = "a", in = ["b"]}, {field = "c"}]
[[rule.due]]
amount = 4
[rule.trigger.facts]
any-code = "x"
`
	lines, bad := locate([]byte(src))
	if len(bad) > 0 {
		t.Errorf("%v", bad)
	}
	for path, want := range map[string]int{
		"version": 1, "consent": 2, "consent.default.source": 3, "consent.default.source.ref": 3,
		"rule[0]": 5, "rule[0].code": 6, "rule[0].due[0]": 7, "rule[0].due[0].amount": 8, "rule[0].due[1].amount": 10,
		"rule[0].every": 11, "rule[0].every.amount": 12, "rule[1]": 13, "rule[1].when": 14, "rule[1].when[1].field": 14,
		"rule[1].due[0].amount": 16, "rule[1].trigger.facts.any-code": 18,
	} {
		if lines[path] != want {
			t.Errorf("%s is on line %d, want %d", path, lines[path], want)
		}
	}
	for path, want := range map[string]int{ // missing members: the nearest path around
		"rule[1].due[0].unit": 15, "rule[0].trigger.kinds": 5, "rule[0].due[1].source.kind": 9, "consent.form": 2, "kind": 0, "": 0,
	} {
		if got := lineOf(lines, path); got != want {
			t.Errorf("lineOf(%s) = %d, want %d", path, got, want)
		}
	}
}

// Each key that leads out of the format is reported once, where it stands.
func TestLocateKeys(t *testing.T) {
	src := strings.Join([]string{
		`family = "x"`,
		`Family = "x"`,
		`"b c" = 1`,
		`[D]`,
		`e.F = 2`,
		`[[rule]]`,
		`due = [{amount = 1, grace = 2}]`,
		`Due.amount = 3`,
		`every.amount = 1`,
		`every.x.y.z = 1`,
		`trigger.facts = {any = "x", Any = "y"}`,
		`[[rule.due.x]]`,
		`[rule.obligor]`,
		strings.Repeat("g", 41) + ` = 1`,
	}, "\n")
	_, bad := locate([]byte(src))
	var got []string
	for _, p := range bad {
		why := "unknown"
		if strings.Contains(p.Text, "is not spelt") {
			why = "spelling"
		}
		got = append(got, fmt.Sprintf("%d %s %s", p.Line, p.Path, why))
	}
	want := []string{
		"2  spelling", "3  spelling", "4  spelling", "7 rule[0].due[0].grace unknown", "8 rule[0] spelling",
		"10 rule[0].every.x unknown", "11 rule[0].trigger.facts spelling", "12 rule[0].due.x unknown", "14 rule[0].obligor spelling",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What the decoder knows, the locator knows: a pack that uses every member.
func TestMembers(t *testing.T) {
	for _, path := range []string{"rule.due.amount", "rule.due.source.kind", "rule.trigger.events", "kind.fact.reason", "consent.grantor.age", "calendar.holiday.easter", "chain.step.after.unit", "clock.never.start"} {
		if !members[path] {
			t.Errorf("%s is not known", path)
		}
	}
	for _, path := range []string{"", "rule.trigger.event", "rule.due.term", "hash", "raw", "index"} {
		if members[path] {
			t.Errorf("%q is known", path)
		}
	}
	if !members["rule.trigger.facts.*"] || !members["warning.facts.*"] {
		t.Error("facts are not free")
	}
}
