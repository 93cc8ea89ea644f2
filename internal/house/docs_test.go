package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents that promise something and name the test that shows
// it, as `folder: TestName`, several names separated by commas.
var pages = []string{"SECURITY.md", "docs/architecture.md"}

var (
	named   = regexp.MustCompile("`([a-z/-]+): ((?:(?:Test|Fuzz)[A-Za-z0-9_]+(?:, )?)+)`")
	anyTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9_]+`)
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// Documents name only tests that exist, so that a promise whose test was
// dropped is noticed.
func TestDocumentsNameTests(t *testing.T) {
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root(t), page))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			tests := testsOf(t, m[1])
			for name := range strings.SplitSeq(m[2], ", ") {
				seen++
				if !tests[name] {
					t.Errorf("%s: there is no %s in %s", page, name, m[1])
				}
			}
		}
		if all := len(anyTest.FindAllString(string(text), -1)); seen != all || seen < 10 {
			t.Errorf("%s names %d tests, %d of them in a form this test understands", page, all, seen)
		}
	}
}

// testsOf are the tests of a folder.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no tests", folder)
	}
	found := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range defined.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
	}
	return found
}

// link matches a relative link of a document.
var link = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)

// No link of a document leads nowhere.
func TestDocumentsLinkToFiles(t *testing.T) {
	seen := 0
	list, _ := filepath.Glob(filepath.Join(root(t), "*.md"))
	more, _ := filepath.Glob(filepath.Join(root(t), "docs", "*.md"))
	for _, page := range append(list, more...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			seen++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d links: this test looks in the wrong place", seen)
	}
}

// The table of docs/architecture.md has a row for every room, and no other.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z/-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = true
	}
	for name := range rooms {
		if !rows[name] {
			t.Errorf("docs/architecture.md says nothing of %s", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/architecture.md describes %s, which stands in no row of the table", name)
	}
}
