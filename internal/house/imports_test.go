package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/odziv/odziv"

// pkg is what "go list" tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	DepOnly    bool
	Error      *struct{ Err string }
}

// graph maps import paths to packages, ours without the module's name.
type graph map[string]*pkg

// load asks the go command for every package of ours and all they import.
func load(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Imports,Deps,DepOnly,Error", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	g := graph{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = short(p.ImportPath)
		for _, list := range [][]string{p.Imports, p.Deps} {
			for i := range list {
				list[i] = short(list[i])
			}
		}
		if p.Error != nil && !p.DepOnly {
			t.Fatalf("%s: %s", p.ImportPath, p.Error.Err)
		}
		g[p.ImportPath] = &p
	}
	if g["ledger"] == nil || g["net/http"] == nil {
		t.Fatal("go list shows neither our packages nor those they import")
	}
	return g
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// ours are the packages of the module, without placeholders outside the
// repository.
func (g graph) ours() []*pkg {
	var list []*pkg
	for _, p := range g {
		if !p.DepOnly && p.ImportPath != "internal/deps" {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return list
}

// violations compares the house as it is with the table.
func violations(g graph, rooms map[string]room, importers map[string]string) []string {
	var wrong []string
	for _, p := range g.ours() {
		row, ok := rooms[p.ImportPath]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s stands in no row of the table", p.ImportPath))
			continue
		}
		wrong = append(wrong, p.wrongDoors(g, row)...)
		wrong = append(wrong, p.wrongReach(row)...)
		for _, path := range p.Imports {
			who, closed := importers[path]
			if closed && !slices.Contains(strings.Fields(who), p.ImportPath) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which only %s may", p.ImportPath, path, who))
			}
		}
	}
	for name := range rooms {
		if g[name] == nil {
			wrong = append(wrong, fmt.Sprintf("the table has a row for %s, which does not exist", name))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// wrongDoors are the imports of ours that the row does not allow.
func (p *pkg) wrongDoors(g graph, row room) []string {
	var wrong []string
	for _, path := range p.Imports {
		other := g[path]
		if row.may == "*" || other == nil || other.DepOnly || slices.Contains(strings.Fields(row.may), path) {
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s imports %s", p.ImportPath, path))
	}
	return wrong
}

// wrongReach are the packages that the row forbids and some path reaches.
func (p *pkg) wrongReach(row room) []string {
	var wrong []string
	for _, never := range strings.Fields(row.never) {
		for _, dep := range p.Deps {
			if dep == never || strings.HasPrefix(dep, never+"/") {
				wrong = append(wrong, fmt.Sprintf("%s reaches %s", p.ImportPath, dep))
			}
		}
	}
	return wrong
}

func TestImports(t *testing.T) {
	for _, wrong := range violations(load(t), rooms, importers) {
		t.Error(wrong)
	}
}

// The check itself must see what is wrong: each kind of violation in a made-up
// house of four rooms.
func TestImportsSeesViolations(t *testing.T) {
	table := map[string]room{
		"cmd/a":  {may: "hall", never: "net/http cellar"},
		"hall":   {may: "*"},
		"cellar": {may: ""},
		"gone":   {},
	}
	closed := map[string]string{"database/sql": "cellar"}
	g := graph{
		"cmd/a":        {ImportPath: "cmd/a", Imports: []string{"hall", "cellar", "database/sql"}, Deps: []string{"hall", "cellar", "net/http/internal", "database/sql"}},
		"hall":         {ImportPath: "hall", Imports: []string{"cellar"}, Deps: []string{"cellar"}},
		"cellar":       {ImportPath: "cellar", Imports: []string{"database/sql", "hall"}},
		"attic":        {ImportPath: "attic"},
		"database/sql": {ImportPath: "database/sql", DepOnly: true},
	}
	want := []string{
		"attic stands in no row of the table",
		"cellar imports hall",
		"cmd/a imports cellar",
		"cmd/a imports database/sql, which only cellar may",
		"cmd/a reaches cellar",
		"cmd/a reaches net/http/internal",
		"the table has a row for gone, which does not exist",
	}
	if got := violations(g, table, closed); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What the server runs must not be able to open a sealed body, and what checks
// evidence must not be able to ask anybody: said here once more, by program,
// because everything else rests on it.
func TestPrograms(t *testing.T) {
	g := load(t)
	reaches := func(program, path string) bool { return slices.Contains(g[program].Deps, path) }
	for _, path := range []string{"messaging/envelope", "keys/keystore", "internal/office"} {
		if reaches("cmd/odzivd", path) {
			t.Errorf("the server reaches %s", path)
		}
	}
	for _, path := range []string{"messaging/envelope", "keys/keystore", "filippo.io/age", "database/sql", "net/http"} {
		if g["cmd/odziv-verify"] != nil && reaches("cmd/odziv-verify", path) {
			t.Errorf("the verifier reaches %s", path)
		}
	}
	if !reaches("cmd/odzivd", "internal/shred") || !reaches("cmd/odzivd", "net/http") {
		t.Error("go list does not show what the server certainly uses")
	}
}

// The clock that moves when told exists in one room, and only the demonstration
// reaches it.
func TestVirtualClock(t *testing.T) {
	for _, p := range load(t).ours() {
		inside := p.ImportPath == "cmd/odziv-demo" || strings.HasPrefix(p.ImportPath, "internal/scenario")
		if !inside && (slices.Contains(p.Deps, "internal/scenario/demo") || slices.Contains(p.Deps, "internal/scenario")) {
			t.Errorf("%s reaches the virtual clock", p.ImportPath)
		}
	}
}
