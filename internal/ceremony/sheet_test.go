package ceremony

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/script"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

var update = flag.Bool("update", false, "write the sheets of testdata anew")

// sheets are one of each kind, of the directory's own vectors.
func sheets(t *testing.T, s Script) map[string]*Sheet {
	t.Helper()
	list := map[string]*Sheet{}
	bodies, before := golden(t)
	for i, body := range bodies {
		switch b := body.(type) {
		case *directory.Genesis:
			list["annex"] = Annex(s, b, strings.Repeat("0123456789abcdef", 4))
			rehearsal := *b
			rehearsal.Demo = true
			list["annex-rehearsal"] = Annex(s, &rehearsal, strings.Repeat("0123456789abcdef", 4))
		case *directory.InstJoin:
			list["join"] = JoinSheet(s, b)
		case *directory.OfficerEnrol:
			list["enrolment"] = EnrolmentSheet(s, b)
		case *directory.InstRegistrars:
			list["statement"] = StatementSheet(s, Teller{Dir: before[i]}.Tell(b), strings.Repeat("fedcba9876543210", 4))
		case *directory.InstCustodians:
			list["key-custodian"] = KeySheet(s, &Key{Ed: someKey(), Inst: b.I, Rcp: b.Rcps[0], Role: Custodian, V: Version})
		}
	}
	list["key-council"] = KeySheet(s, &Key{Ed: someKey(), Role: Council, V: Version})
	return list
}

// The sheets are those of testdata, to be looked at in a browser: -update writes
// them.
func TestSheets(t *testing.T) {
	for _, s := range Scripts {
		for name, sheet := range sheets(t, s) {
			for ext, text := range map[string]string{".html": sheet.HTML(), ".txt": sheet.Text()} {
				file := filepath.Join("testdata", "sheets", name+"."+string(s)+ext)
				if *update {
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || string(want) != text {
					t.Errorf("%s is another (%v): go test ./internal/ceremony -run TestSheets -update, then look at it", file, err)
				}
			}
		}
	}
}

var tag = regexp.MustCompile(`<(/?)([a-z0-9]+)[^>]*>`)

// A sheet needs nothing but itself, prints in black and white, closes what it
// opens, shows every fingerprint whole, and names nobody.
func TestSheetsStandAlone(t *testing.T) {
	for _, s := range Scripts {
		for name, sheet := range sheets(t, s) {
			page := sheet.HTML()
			for _, foreign := range []string{"src=", "href=", "url(", "@import", "<script", "<link", "<img", "http:", "https:"} {
				if strings.Contains(page, foreign) {
					t.Errorf("%s %s: %s", name, s, foreign)
				}
			}
			if colours := regexp.MustCompile(`#[0-9a-f]{3,6}\b`).FindAllString(style, -1); slices.ContainsFunc(colours, func(c string) bool { return c != "#000" && c != "#fff" }) {
				t.Errorf("colours %v", colours)
			}
			var open []string
			for _, m := range tag.FindAllStringSubmatch(page, -1) {
				switch {
				case m[2] == "meta":
				case m[1] == "":
					open = append(open, m[2])
				case len(open) == 0 || open[len(open)-1] != m[2]:
					t.Fatalf("%s %s: </%s> closes %v", name, s, m[2], open)
				default:
					open = open[:len(open)-1]
				}
			}
			if len(open) > 0 {
				t.Errorf("%s %s: %v stay open", name, s, open)
			}
			for _, p := range sheet.parts {
				if p.kind == fingerprint && (!statement.IsHash(p.text) || !strings.Contains(page, rows(p.text)[3]) || !strings.Contains(sheet.Text(), strings.ReplaceAll(rows(p.text)[3], " ", "   "))) {
					t.Errorf("%s %s: the fingerprint of %s is not whole", name, s, p.label.en)
				}
			}
			for line := range strings.Lines(sheet.Text()) {
				if n := len([]rune(strings.TrimRight(line, "\n"))); n > width && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s %s: %d columns: %s", name, s, n, line)
				}
			}
		}
	}
}

// Latin is Cyrillic, letter by letter, and neither leaves anything in English.
func TestSheetsInThreeScripts(t *testing.T) {
	english, cyrillic, latin := sheets(t, English), sheets(t, Cyrillic), sheets(t, Latin)
	for name := range english {
		if name == "statement" {
			continue // its words are English, as on the screen
		}
		for i, p := range cyrillic[name].parts {
			for _, x := range []phrase{p.label, p.phrase} {
				if (x.en == "") != (x.sr == "") || x.en == x.sr && x.en != "" {
					t.Errorf("%s: %q is %q in Serbian", name, x.en, x.sr)
				}
			}
			if latin[name].say(latin[name].parts[i].label) != script.Latin(p.label.sr) {
				t.Errorf("%s: %q", name, p.label.sr)
			}
		}
		if strings.ContainsFunc(latin[name].Text(), script.IsCyrillic) || strings.ContainsFunc(english[name].HTML(), script.IsCyrillic) {
			t.Errorf("%s: a Cyrillic letter is left", name)
		}
	}
}

// What comes from a file does not become markup.
func TestSheetsEscape(t *testing.T) {
	g := &directory.Genesis{Name: `<script>alert("x")</script>`, Witnesses: []directory.Witness{{Operator: "<b>", VKey: "&"}}, Quorum: directory.Quorum{Dir: "<", Ev: ">"}}
	if page := Annex(English, g, strings.Repeat("0", 64)).HTML(); strings.Contains(page, "<script") || strings.Contains(page, "<b>") || !strings.Contains(page, "&lt;script") {
		t.Errorf("markup came through:\n%s", page)
	}
}
