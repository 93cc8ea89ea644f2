package rules

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Every institution and desk of the demonstration directory exists in rs-a.
func TestDirectoryTypes(t *testing.T) {
	p := load(t, "rs-a@1")
	f, err := os.Open("testdata/demonstration.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 10 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		if _, ok := p.Type(row[0]); !ok {
			t.Errorf("no type %s", row[0])
		}
		for _, fn := range strings.Split(row[1], ";") {
			if _, ok := p.Function(fn); !ok {
				t.Errorf("no function %s", fn)
			}
		}
	}
}

// The numbers of rs-a, each as its source gives it: a changed pack must be a
// changed version, and a changed test.
func TestNumbers(t *testing.T) {
	p := load(t, "rs-a@1")
	want := map[string]string{
		"ack":                   "I 30 min consigned none assumption; U 2 h consigned none assumption; R 2 wd consigned none assumption",
		"registration":          " 5 wd consigned none assumption",
		"registration-person":   " 5 wd consigned none assumption",
		"status-digest":         " 2 mo consigned none assumption",
		"query-reply":           "U 24 h consigned none assumption;  5 wd consigned none assumption",
		"report-to-center":      " 24 h consigned none assumption",
		"report-feedback":       " 7 cd consigned none assumption",
		"dismissal-injured":     " 8 cd decided next-working-day law",
		"dismissal-police":      " 8 cd decided next-working-day assumption",
		"dismissal-complainant": " 8 cd decided next-working-day assumption",
		"stage-complainant":     " 5 wd decided none assumption",
		"stage-injured":         " 5 wd decided none assumption",
		"stage-center":          " 5 wd decided none assumption",
		"judgment-injured":      " 8 cd decided next-working-day assumption",
		"judgment-complainant":  " 8 cd decided next-working-day assumption",
		"referral-response":     "U 24 h consigned none assumption; R 3 wd consigned none assumption",
		"referral-outcome":      " 30 cd consigned none assumption",
		"withdrawal-confirm":    " 24 h consigned none assumption",
		"erasure-reply":         " 5 wd consigned none assumption",
	}
	for _, r := range p.Rules {
		var due []string
		for _, d := range r.Due {
			due = append(due, fmt.Sprintf("%s %d %s %s %s %s", d.Urgency, d.Amount, d.Unit, d.Start, d.Shift, d.Source.Kind))
		}
		if got := strings.Join(due, "; "); got != want[r.Code] {
			t.Errorf("%s is %q, want %q", r.Code, got, want[r.Code])
		}
		if r.Statutory != (r.Code == "dismissal-injured") || r.Missing == (r.Code == "ack") {
			t.Errorf("%s: statutory %v, missing %v", r.Code, r.Statutory, r.Missing)
		}
	}
	if len(p.Rules) != len(want)+1 { // withdrawal-confirm is there for two events
		t.Errorf("%d entries for %d rules", len(p.Rules), len(want))
	}
	c, _ := p.Clock("objection")
	if c.Informed.Amount != 8 || c.Informed.Unit != "cd" || c.Never.Amount != 3 || c.Never.Unit != "mo" || c.Never.Start != "decided" {
		t.Errorf("objection: %+v", c)
	}
	s := p.Consent
	if s.Default.Amount != 6 || s.Longest.Amount != 12 || s.Guardian.Amount != 6 || s.Reask.Amount != 7 || s.Reask.Unit != "cd" {
		t.Errorf("consent: %+v %+v %+v %+v", s.Default, s.Longest, s.Guardian, s.Reask)
	}
}

func TestDueFor(t *testing.T) {
	p := load(t, "rs-a@1")
	for _, c := range []struct {
		rule, urgency, want string
	}{
		{"ack", "I", "30 min"}, {"ack", "U", "2 h"}, {"ack", "R", "2 wd"}, {"ack", "X", ""},
		{"query-reply", "U", "24 h"}, {"query-reply", "R", "5 wd"},
		{"referral-response", "R", "3 wd"}, {"referral-response", "I", ""},
		{"withdrawal-confirm", "", "24 h"},
	} {
		r, _ := p.Rule(c.rule)
		d, ok := r.DueFor(c.urgency)
		if got := strings.TrimPrefix(fmt.Sprintf("%d %s", d.Amount, d.Unit), "0 "); ok != (c.want != "") || got != c.want {
			t.Errorf("%s %s: %q, want %q", c.rule, c.urgency, got, c.want)
		}
	}
}

// What may go where, on which basis: the cells that the scenarios stand on,
// and next to each a way that must stay closed.
func TestMatrixOfRSA(t *testing.T) {
	p := load(t, "rs-a@1")
	for _, c := range []struct{ kind, from, to, want string }{
		{"complaint", "swc", "ppo-higher", "legal-obligation"},
		{"complaint", "police", "ppo-higher", "criminal-procedure legal-obligation"},
		{"complaint", "swc", "police", ""},
		{"complaint-registered", "ppo-higher", "swc", "criminal-procedure cooperation"},
		{"complaint-registered", "swc", "ppo-higher", ""},
		{"dismissal", "ppo-higher", "police", "criminal-procedure"},
		{"dismissal", "ppo-higher", "swc", "cooperation"},
		{"dismissal", "ppo-higher", "representative", "criminal-procedure"},
		{"dismissal", "ppo-higher", "ngo", "protocol"},
		{"dismissal", "police", "swc", ""},
		{"referral", "ngo", "swc", "consent"},
		{"referral", "swc", "police", "consent"},
		{"referral", "swc", "ngo", "consent"},
		{"referral", "swc", "nes", "consent"},
		{"referral", "swc", "shelter", "consent child-interest"},
		{"referral", "swc", "ppo-higher", ""},
		{"referral-accepted", "swc", "ngo", "consent protocol"},
		{"suspicion-report", "swc", "center", "consent legal-obligation public-task"},
		{"suspicion-report", "representative", "center", "consent"},
		{"withdrawal-confirmed", "nes", "swc", "legal-obligation"},
		{"withdrawal-confirmed", "ngo", "representative", "legal-obligation"},
		{"judgment-final", "court-higher", "representative", "criminal-procedure"},
		{"unknown", "swc", "ppo-higher", ""},
		{"complaint", "unknown", "ppo-higher", ""},
	} {
		if got := strings.Join(p.Allowed(c.kind, c.from, c.to), " "); got != c.want {
			t.Errorf("%s %s → %s on %q, want %q", c.kind, c.from, c.to, got, c.want)
		}
	}
	for code, want := range map[string][3]bool{ // ref, necessity, consent
		"consent": {false, false, true}, "criminal-procedure": {true}, "legal-obligation": {}, "cooperation": {},
		"public-task": {false, true}, "vital-interest": {false, true}, "child-interest": {}, "court-order": {true},
		"protocol": {}, "aggregate": {},
	} {
		b, ok := p.Basis(code)
		if !ok || [3]bool{b.Ref, b.Necessity, b.Consent} != want {
			t.Errorf("basis %s: %+v", code, b)
		}
	}
	if len(p.Bases) != 10 {
		t.Errorf("%d bases, want 10", len(p.Bases))
	}
}

// Allowed agrees with reading the matrix cell by cell.
func TestAllowedIsTheMatrix(t *testing.T) {
	for _, id := range []string{"rs-a@1", "xx-demo@1"} {
		p := load(t, id)
		fits := func(list []string, code string) bool { return slices.Contains(list, code) || list[0] == Any }
		for _, k := range p.Kinds {
			for _, from := range p.Types {
				for _, to := range p.Types {
					got := p.Allowed(k.Code, from.Code, to.Code)
					for _, b := range p.Bases {
						want := slices.ContainsFunc(p.Matrix, func(c Cell) bool {
							return c.Kind == k.Code && fits(c.From, from.Code) && fits(c.To, to.Code) && slices.Contains(c.Bases, b.Code)
						})
						if slices.Contains(got, b.Code) != want {
							t.Errorf("%s %s %s→%s on %s: %v", id, k.Code, from.Code, to.Code, b.Code, !want)
						}
					}
				}
			}
		}
	}
}

func TestRulesFor(t *testing.T) {
	p := load(t, "rs-a@1")
	for kind, want := range map[string]string{
		"complaint":        "ack registration registration-person status-digest report-to-center",
		"dismissal":        "ack dismissal-injured dismissal-police dismissal-complainant",
		"referral":         "ack referral-response referral-outcome",
		"acknowledgement":  "ack",
		"judgment-final":   "ack stage-center judgment-injured judgment-complainant",
		"suspicion-report": "ack report-feedback",
		"unknown":          "",
	} {
		var codes []string
		for _, r := range p.RulesFor(kind) {
			codes = append(codes, r.Code)
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("%s may open %q, want %q", kind, got, want)
		}
	}
	for _, ev := range []string{"consent.narrowed", "consent.withdrawn"} {
		if on := p.RulesOn(ev); len(on) != 1 || on[0].Code != "withdrawal-confirm" {
			t.Errorf("%s opens %v", ev, on)
		}
	}
}

func TestLookups(t *testing.T) {
	p := load(t, "rs-a@1")
	found := map[string]bool{}
	_, found["kind complaint"] = p.Kind("complaint")
	_, found["chain e1"] = p.Chain("e1")
	_, found["clock objection"] = p.Clock("objection")
	_, found["purpose procedure"] = p.Purpose("procedure")
	_, found["purpose assistance"] = p.Purpose("assistance")
	_, found["value no-data"] = p.Value("no-data")
	_, found["category location"] = p.Category("location")
	_, found["letter post"] = p.Letter("post")
	_, found["reason secrecy hold"] = p.ReasonFor("secrecy", "hold")
	_, found["reason danger-life necessity"] = p.ReasonFor("danger-life", "necessity")
	for what, ok := range found {
		if !ok {
			t.Errorf("no %s", what)
		}
	}
	missing := map[string]bool{}
	_, missing["kind"] = p.Kind("x")
	_, missing["chain"] = p.Chain("x")
	_, missing["clock"] = p.Clock("x")
	_, missing["basis"] = p.Basis("x")
	_, missing["rule"] = p.Rule("x")
	_, missing["type"] = p.Type("x")
	_, missing["category"] = p.Category("x")
	_, missing["letter"] = p.Letter("x")
	_, missing["reason for another use"] = p.ReasonFor("secrecy", "waive")
	_, missing["convenience"] = p.ReasonFor("faster", "necessity")
	for what, ok := range missing {
		if ok {
			t.Errorf("found %s", what)
		}
	}
	if got := p.ClocksFor("dismissal"); len(got) != 1 || got[0].Code != "objection" {
		t.Errorf("clocks of a dismissal: %v", got)
	}
	if p.Location().String() != "Europe/Belgrade" {
		t.Error(p.Location())
	}
	for channel, serves := range map[string]bool{"post": true, "courier": true, "in-person": true, "phone": false} {
		if l, ok := p.Letter(channel); !ok || l.Serves != serves {
			t.Errorf("letter %s: %+v", channel, l)
		}
	}
}

// Excluded categories are those that no consent covers unless it names them.
func TestExclusions(t *testing.T) {
	var excluded []string
	for _, c := range load(t, "rs-a@1").Categories {
		if c.Excluded {
			excluded = append(excluded, c.Code)
		}
	}
	slices.Sort(excluded)
	if want := []string{"health", "location", "statements"}; !slices.Equal(excluded, want) {
		t.Errorf("excluded %v, want %v", excluded, want)
	}
}
