package rules

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func formatPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The example of the page passes, and its counterexample is refused as the
// page says.
func TestFormatExample(t *testing.T) {
	_, example, ok := strings.Cut(formatPage(t), "```toml\n")
	example, _, ended := strings.Cut(example, "```\n")
	if !ok || !ended {
		t.Fatal("the page has no example")
	}
	p, err := Parse("FORMAT.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID() != "xx-small@1" {
		t.Error(p.ID())
	}
	src := edit(t, example, [2]string{`trigger = {kinds = ["question"]}`, `trigger = {kinds = ["question"], facts = {topic = "time"}}`},
		[2]string{"declared = true\nwhen = [{field = \"topic\", in = [\"time\"]}]\n", ""})
	_, err = Parse("FORMAT.md", []byte(src))
	_, want, _ := strings.Cut(formatPage(t), "the pack is refused:\n")
	want = strings.Join(strings.Fields(want), " ")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nthe page says\n%s", err, want)
	}
}

// The page names every member and every word of the format.
func TestFormatIsComplete(t *testing.T) {
	page := formatPage(t)
	spoken := regexp.MustCompile("`([^`]+)`")
	named := map[string]bool{}
	for _, m := range spoken.FindAllStringSubmatch(page, -1) {
		for _, w := range regexp.MustCompile(`[a-zA-Z0-9_*@.-]+`).FindAllString(m[1], -1) {
			named[w] = true
			for _, part := range strings.Split(w, ".") {
				named[part] = true
			}
		}
	}
	for path := range members {
		if name := path[strings.LastIndex(path, ".")+1:]; !named[name] && name != "*" {
			t.Errorf("FORMAT.md does not name the member %s", path)
		}
	}
	for place, words := range vocabulary {
		for _, w := range words {
			if place != "weekday" && !named[w] {
				t.Errorf("FORMAT.md does not name %s, a word of %s", w, place)
			}
		}
	}
}
