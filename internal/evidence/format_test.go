package evidence

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var names = regexp.MustCompile(`^([a-z_.]+)(\{[a-z_, ]+\})?`)

// eventTable reads section 5: each event and who signs it.
func eventTable(t *testing.T) map[string]string {
	t.Helper()
	_, section, _ := strings.Cut(page(t), "\n## 5. Events\n")
	section, _, _ = strings.Cut(section, "\n## ")
	table := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.Contains(line, "|") || strings.Contains(cells[1], "---") {
			continue
		}
		m := names.FindStringSubmatch(strings.TrimSpace(cells[1]))
		if m == nil || m[1] == "event" {
			continue
		}
		for end := range strings.SplitSeq(strings.Trim(m[2], "{}"), ", ") {
			table[m[1]+end] = strings.TrimSpace(cells[4])
		}
	}
	if len(table) < 40 {
		t.Fatalf("the table has %d events", len(table))
	}
	return table
}

// Every event that the package names stands in the table of FORMAT.md, and the
// table and ServerMade agree about who makes its leaf.
func TestEventTable(t *testing.T) {
	table := eventTable(t)
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		event, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		constants++
		if _, ok := table[event]; !ok {
			t.Errorf("%s stands in no row of FORMAT.md", event)
		}
		return true
	})
	if constants < 20 {
		t.Errorf("%d constants: this test looks in the wrong place", constants)
	}
	for event, by := range table {
		if (by == "–") != ServerMade(event) {
			t.Errorf("%s: signed by %q, and ServerMade is %v", event, by, ServerMade(event))
		}
	}
}

// The worked example of FORMAT.md is a vector.
func TestFormatExample(t *testing.T) {
	c, text := loadVectors(t).Items[0], page(t)
	for _, example := range []string{c.Item, c.Leaf, c.Hash} {
		if !strings.Contains(text, "\n"+example+"\n") {
			t.Errorf("FORMAT.md does not show %.60s", example)
		}
	}
}
