package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// source is one Go file of the program, tests excepted.
type source struct {
	name  string // such as "ledger/note.go"
	set   *token.FileSet
	file  *ast.File
	lines int
}

func (s *source) room() string { return path.Dir(s.name) }

// sources parses every file of the module that is compiled into a program.
// Nested modules and test data are other houses.
func sources(t *testing.T) []*source {
	t.Helper()
	dir, list := root(t), []*source(nil)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "internal/deps" || nested(p)) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(rel, ".go") && !strings.HasSuffix(rel, "_test.go") {
			list = append(list, parse(t, p, rel))
		}
		return nil
	})
	if err != nil || len(list) < 100 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	return list
}

func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func parse(t *testing.T, name, rel string) *source {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parseText(t, rel, text)
}

func parseText(t *testing.T, rel string, text []byte) *source {
	t.Helper()
	s := &source{name: rel, set: token.NewFileSet(), lines: bytes.Count(text, []byte("\n"))}
	var err error
	if s.file, err = parser.ParseFile(s.set, rel, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	return s
}

// uses lists where a file mentions one of the names of an imported package,
// under whatever name it imports it; a dot import counts as a mention.
func (s *source) uses(importPath string, names ...string) []token.Position {
	local := ""
	var found []token.Position
	for _, imp := range s.file.Imports {
		if p, _ := strconv.Unquote(imp.Path.Value); p != importPath {
			continue
		}
		local = path.Base(importPath)
		if imp.Name != nil {
			local = imp.Name.Name
		}
		if local == "." {
			found = append(found, s.set.Position(imp.Pos()))
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := sel.X.(*ast.Ident)
		for _, name := range names {
			if ok && local != "" && id.Name == local && sel.Sel.Name == name {
				found = append(found, s.set.Position(sel.Pos()))
			}
		}
		return true
	})
	return found
}

// Everything of package time that reads the machine's clock or waits for it.
var clockNames = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func TestPureRoomsReadNoClock(t *testing.T) {
	for _, s := range sources(t) {
		if !rooms[s.room()].pure || clockFiles[s.name] {
			continue
		}
		for _, at := range s.uses("time", clockNames...) {
			t.Errorf("%s reads the clock: now is an argument here", at)
		}
	}
}

func TestOnlyProgramsExit(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.name, "cmd/") {
			continue
		}
		found := append(s.uses("os", "Exit"), s.uses("log", "Fatal", "Fatalf", "Fatalln")...)
		for _, at := range append(found, s.uses("syscall", "Exit", "Kill")...) {
			t.Errorf("%s ends the program: only cmd may", at)
		}
	}
}

// A room that the server reaches must not be able to open what a desk sealed.
// age's package is there for the server's own wrap, in one room.
func TestOneServerRoomOpensAge(t *testing.T) {
	server := map[string]bool{}
	for _, dep := range load(t)["cmd/odzivd"].Deps {
		server[dep] = true
	}
	seen := false
	for _, s := range sources(t) {
		if !server[s.room()] {
			continue
		}
		for _, at := range s.uses("filippo.io/age", "Decrypt", "DecryptReaderAt", "DecryptHeader", "NewInjectedFileKeyIdentity") {
			seen = true
			if !opensAge[s.room()] {
				t.Errorf("%s decrypts on the server", at)
			}
		}
		for _, at := range s.uses("filippo.io/age", "GenerateHybridIdentity", "ParseHybridIdentity", "ParseIdentities") {
			t.Errorf("%s holds an identity on the server", at)
		}
	}
	if !seen {
		t.Error("the server opens no wrap of its own: this test looks in the wrong place")
	}
}

// No package does anything before main.
func TestNoEffectsAtInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", s.set.Position(f.Pos()))
			}
		}
	}
}

func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d", s.name, s.lines, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > maxFuncLines {
				t.Errorf("%s: %s has %d lines, at most %d", s.set.Position(f.Pos()), f.Name.Name, n, maxFuncLines)
			}
		}
	}
}

// Every room says what it is for.
func TestPackageDocs(t *testing.T) {
	said := map[string]bool{}
	all := sources(t)
	for _, s := range all {
		said[s.room()] = said[s.room()] || s.file.Doc != nil
	}
	for _, s := range all {
		if !said[s.room()] {
			t.Errorf("%s has no package comment", s.room())
			said[s.room()] = true
		}
	}
}

// The reader of sources sees through renamed and dotted imports.
func TestUsesSeesRenamedImports(t *testing.T) {
	for name, text := range map[string]string{
		"plain":   "package a\nimport \"time\"\nvar x = time.Now()\n",
		"renamed": "package a\nimport clock \"time\"\nvar x = clock.Now\n",
		"dotted":  "package a\nimport . \"time\"\nvar x = Now()\n",
	} {
		if len(parseText(t, name+".go", []byte(text)).uses("time", clockNames...)) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
	innocent := "package a\nimport \"time\"\ntype T struct{ Now int }\nfunc f(time_ T) int { return time_.Now }\nvar y = time.UnixMilli(0)\n"
	if found := parseText(t, "innocent.go", []byte(innocent)).uses("time", clockNames...); len(found) != 0 {
		t.Errorf("seen where there is none: %v", found)
	}
}
