package consent

import (
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/rules"
)

func TestExplain(t *testing.T) {
	decisions := []Decision{{Allow: true}, {}, {Code: "from-a-newer-program"}}
	for _, code := range Codes() {
		decisions = append(decisions, Decision{Code: code, Desk: ngo1.Desk, Detail: id("p", "1")})
	}
	seen := map[string]string{}
	for _, d := range decisions {
		en, sr := Explain(d, English), Explain(d, Serbian)
		for _, text := range []string{en, sr} {
			if n := len([]rune(text)); n < 10 || n > 80 || !strings.HasSuffix(text, ".") {
				t.Errorf("%q: %q is no short sentence", d.Code, text)
			}
			if strings.Contains(text, "_") {
				t.Errorf("%q: %q names an identifier or a code", d.Code, text)
			}
			if w, found := rules.TellingWord(text); found {
				t.Errorf("%q: %q contains %q", d.Code, text, w)
			}
		}
		if strings.ContainsAny(sr, "abcdefghijklmnopqrstuvwxyzšđčćž") {
			t.Errorf("%q: %q mixes alphabets", d.Code, sr)
		}
		if Explain(d, "de") != en {
			t.Errorf("%q: an unknown language is not answered in English", d.Code)
		}
		if other, twice := seen[en]; twice && d.Code != "" && other != "" {
			t.Errorf("%q and %q read alike", d.Code, other)
		}
		seen[en] = d.Code
	}
	if Explain(Decision{Allow: true}, English) == Explain(Decision{}, English) {
		t.Error("an empty refusal reads like a permit")
	}
}
