package api_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
)

// classes are the names of the classes in the source.
var classes = map[string]exchange.Class{
	"Malformed": exchange.Malformed, "Unauthentic": exchange.Unauthentic, "Forbidden": exchange.Forbidden,
	"Missing": exchange.Missing, "Conflicting": exchange.Conflicting, "TooLarge": exchange.TooLarge,
	"Unprocessable": exchange.Unprocessable, "Unavailable": exchange.Unavailable,
}

// emitted reads the codes and statuses that the sources can answer with.
type emitted struct {
	t     *testing.T
	codes map[string]map[int]bool
}

func (e *emitted) add(code string, status int) {
	if e.codes[code] == nil {
		e.codes[code] = map[int]bool{}
	}
	e.codes[code][status] = true
}

// TestCodes holds the table of codes against what the sources of the exchange
// and of this package can say, and against the document, both ways.
func TestCodes(t *testing.T) {
	e := &emitted{t: t, codes: map[string]map[int]bool{}}
	e.read("../exchange")
	e.read(".")
	for _, code := range consent.Codes() {
		if family := "consent_"; strings.HasPrefix(code, family) {
			code = family + "*"
		}
		e.add(code, http.StatusForbidden)
	}
	known := map[string]bool{}
	for _, c := range wire.Codes {
		known[c.Name] = true
		for _, status := range c.Status {
			if !e.codes[c.Name][status] {
				t.Errorf("%s with %d is listed, and nothing answers so", c.Name, status)
			}
		}
	}
	for code, statuses := range e.codes {
		for status := range statuses {
			if !known[code] || !slices.Contains(entry(code).Status, status) {
				t.Errorf("%s with %d is answered and not listed", code, status)
			}
		}
	}
	documented := readDocument(t).Components.Schemas["Code"].AnyOf
	if len(documented) != len(wire.Codes) {
		t.Fatalf("%d codes documented, %d listed", len(documented), len(wire.Codes))
	}
	for i, c := range wire.Codes {
		d := documented[i]
		name := d.Const
		if d.Pattern != "" {
			name = strings.TrimSuffix(strings.TrimPrefix(d.Pattern, "^"), "[a-z0-9-]+$") + "*"
		}
		if name != c.Name || d.Title != c.Title || !slices.Equal(d.Status, c.Status) {
			t.Errorf("documented %q %v %q, listed %+v", name, d.Status, d.Title, c)
		}
	}
}

func entry(name string) wire.Code {
	i := slices.IndexFunc(wire.Codes, func(c wire.Code) bool { return c.Name == name })
	if i < 0 {
		return wire.Code{}
	}
	return wire.Codes[i]
}

func (e *emitted) read(dir string) {
	e.t.Helper()
	files := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		e.t.Fatal(err)
	}
	count := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			e.t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			count += e.node(files, n)
			return true
		})
	}
	if count == 0 {
		e.t.Fatalf("no refusal found in %s", dir)
	}
}

// node reads one call or literal that makes a refusal or a problem.
func (e *emitted) node(files *token.FileSet, n ast.Node) int {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := nameOf(n.Fun)
		if len(n.Args) < 2 || name != "refuse" && name != "NewProblem" {
			return 0
		}
		status := 0
		if class, ok := classes[nameOf(n.Args[0])]; ok {
			status = api.StatusOf[class]
		} else if s, ok := statuses[nameOf(n.Args[0])]; ok {
			status = s
		}
		code, ok := codeOf(n.Args[1])
		switch {
		case ok && status != 0:
			e.add(code, status)
		case !read[types(n.Args[0])+" "+types(n.Args[1])]:
			e.t.Errorf("%s: a code this test cannot read", files.Position(n.Pos()))
		}
		return 1
	case *ast.CompositeLit:
		return e.literal(n)
	}
	return 0
}

// read lists the calls whose code is not in the call itself, and where it is:
// tables, which literal reads, or consent.Codes.
var read = map[string]bool{
	"r.class r.code":                 true, // directoryRefusal
	"Forbidden d.Code":               true, // consent.Codes
	"statusOf[] r.Code":              true, // a refusal of the exchange
	"http.StatusUnauthorized s.code": true, // signatureProblem
}

// statuses are the names of statuses in the source of this package.
var statuses = map[string]int{
	"StatusRequestEntityTooLarge": 413, "StatusRequestTimeout": 408, "StatusBadRequest": 400,
	"StatusServiceUnavailable": 503, "StatusInternalServerError": 500, "StatusMethodNotAllowed": 405, "StatusNotFound": 404,
}

// literal reads a row of a table of refusals, and a Refusal by its members.
func (e *emitted) literal(n *ast.CompositeLit) int {
	if len(n.Elts) >= 3 {
		class, isClass := classes[nameOf(n.Elts[1])]
		if code, ok := codeOf(n.Elts[2]); ok && isClass {
			e.add(code, api.StatusOf[class])
			return 1
		}
		if code, ok := codeOf(n.Elts[1]); ok && strings.HasPrefix(nameOf(n.Elts[0]), "Err") {
			e.add(code, http.StatusUnauthorized)
			return 1
		}
	}
	if nameOf(n.Type) != "Refusal" {
		return 0
	}
	status, code := 0, ""
	for _, elt := range n.Elts {
		kv, ok := elt.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if class, ok := classes[nameOf(kv.Value)]; ok && nameOf(kv.Key) == "Class" {
			status = api.StatusOf[class]
		}
		if c, ok := codeOf(kv.Value); ok && nameOf(kv.Key) == "Code" {
			code = c
		}
	}
	if code != "" && status != 0 {
		e.add(code, status)
	}
	return 1
}

// codeOf reads "code", or "family_" + something.
func codeOf(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		s, ok := codeOf(x.X)
		return s + "*", ok && strings.HasSuffix(s, "_")
	}
	return "", false
}

// nameOf is the last name of an expression.
func nameOf(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.StarExpr:
		return nameOf(x.X)
	}
	return ""
}

// types spells an expression roughly.
func types(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return types(x.X) + "." + x.Sel.Name
	case *ast.IndexExpr:
		return types(x.X) + "[]"
	case *ast.BasicLit:
		s, _ := strconv.Unquote(x.Value)
		return s
	}
	return fmt.Sprintf("%T", x)
}
