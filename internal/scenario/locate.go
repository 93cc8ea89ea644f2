package scenario

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// locate maps every path of a file, such as "step[3].expect.duty[0].due", to
// its line. It is lenient: what is not TOML the decoder refuses, and says so
// better.
func locate(data []byte) map[string]int {
	l := &locator{lines: map[string]int{}, arrays: map[string]int{}}
	for i, b := range data {
		if b == '\n' {
			l.breaks = append(l.breaks, i)
		}
	}
	l.parser.Reset(bytes.Clone(data))
	for l.parser.NextExpression() {
		l.expression(l.parser.Expression())
	}
	return l.lines
}

type locator struct {
	parser unstable.Parser
	breaks []int          // offsets of the line feeds
	lines  map[string]int // path to line
	arrays map[string]int // path of an array of tables to its length so far
	prefix string         // of the current table
}

func (l *locator) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.Table, unstable.ArrayTable:
		l.prefix = l.table(e)
	case unstable.KeyValue:
		l.keyValue(l.prefix, e)
	}
}

// table resolves a header to its path: [[step.expect.duty]] belongs to the
// latest step.
func (l *locator) table(e *unstable.Node) string {
	path, line := "", 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		path, line = join(path, string(n.Data)), l.line(n)
		if it.IsLast() && e.Kind == unstable.ArrayTable {
			l.arrays[path]++
		}
		if n := l.arrays[path]; n > 0 {
			path = element(path, n-1)
		}
	}
	l.set(path, line)
	return path
}

func (l *locator) keyValue(prefix string, e *unstable.Node) {
	path, line := prefix, 0
	for it := e.Key(); it.Next(); {
		path, line = join(path, string(it.Node().Data)), l.line(it.Node())
	}
	l.set(path, line)
	l.value(path, e.Value())
}

// value goes into arrays and inline tables. Depth is bounded by the parser.
func (l *locator) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.Array:
		n := 0
		for it := v.Children(); it.Next(); n++ {
			l.value(element(path, n), it.Node())
		}
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			l.keyValue(path, it.Node())
		}
	}
}

func (l *locator) line(n *unstable.Node) int {
	return 1 + sort.SearchInts(l.breaks, int(n.Raw.Offset))
}

// set keeps the first line of a path.
func (l *locator) set(path string, line int) {
	if _, ok := l.lines[path]; !ok {
		l.lines[path] = line
	}
}

// maxPath ends paths that belong to no scenario: a key of a hundred thousand
// dots must not cost their square.
const maxPath = 200

func join(path, key string) string {
	if path == "" {
		return clip(key)
	}
	if len(path) > maxPath {
		return path
	}
	return path + "." + clip(key)
}

func element(path string, n int) string {
	if len(path) > maxPath {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, n)
}

// lineOf finds the line of a path, or of the nearest path around it.
func lineOf(lines map[string]int, path string) int {
	for path != "" {
		if n, ok := lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

var number = regexp.MustCompile(`\[[0-9]+\]`)

// schemaPath is a path without the numbers of elements, and "*" for a key that
// is the scenario's own.
func schemaPath(path string) string {
	path = number.ReplaceAllString(path, "")
	if i := strings.LastIndexByte(path, '.'); i >= 0 && members[path[:i]+".*"] {
		return path[:i] + ".*"
	}
	return path
}

// members holds the schema path of every member of the format.
var members = func() map[string]bool {
	into := map[string]bool{}
	addMembers(into, "", reflect.TypeFor[File]())
	return into
}()

func addMembers(into map[string]bool, prefix string, t reflect.Type) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map {
		into[prefix+".*"] = true
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("toml"); name != "" {
			into[join(prefix, name)] = true
			addMembers(into, join(prefix, name), t.Field(i).Type)
		}
	}
}

// walk calls visit for every field of v that the file can hold, with its path;
// pointers and lists are followed, absent ones passed over.
func walk(path string, v reflect.Value, visit func(path string, field reflect.StructField, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(path, v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(element(path, i), v.Index(i), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := f.Tag.Get("toml")
			if name == "" {
				continue
			}
			at := join(path, name)
			visit(at, f, v.Field(i))
			walk(at, v.Field(i), visit)
		}
	}
}
