package rules

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// plainKey is how a key of a pack is spelt. The TOML library also takes
// Family for family; two spellings of one member must not both be valid.
var plainKey = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)

// locate maps every path of the file, such as "rule[3].due[0].unit", to its
// line, and reports keys that are not spelt plainly or are no member of a pack.
// It is lenient otherwise: what is not TOML the decoder refuses with a better
// message.
func locate(data []byte) (map[string]int, []Problem) {
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
	return l.lines, l.bad
}

type locator struct {
	parser unstable.Parser
	breaks []int          // offsets of the line feeds
	lines  map[string]int // path to line
	arrays map[string]int // path of an array of tables to its length so far
	prefix string         // of the current table
	bad    []Problem
}

func (l *locator) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.Table, unstable.ArrayTable:
		l.prefix = l.table(e)
	case unstable.KeyValue:
		l.keyValue(l.prefix, e)
	}
}

// table resolves a header to its path: [[rule.due]] is due of the latest rule.
func (l *locator) table(e *unstable.Node) string {
	path, line := "", 0
	for it := e.Key(); it.Next(); {
		var key string
		key, line = l.key(it.Node())
		path = l.member(path, key, line)
		if it.IsLast() && e.Kind == unstable.ArrayTable {
			l.arrays[path]++
		}
		if n := l.arrays[path]; n > 0 {
			path = at(path, n-1)
		}
	}
	l.set(path, line)
	return path
}

func (l *locator) keyValue(prefix string, e *unstable.Node) {
	path, line := prefix, 0
	for it := e.Key(); it.Next(); {
		var key string
		key, line = l.key(it.Node())
		path = l.member(path, key, line)
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
			element := path
			if len(path) <= maxPath {
				element = at(path, n)
			}
			l.value(element, it.Node())
		}
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			l.keyValue(path, it.Node())
		}
	}
}

func (l *locator) key(n *unstable.Node) (key string, line int) {
	return string(n.Data), 1 + sort.SearchInts(l.breaks, int(n.Raw.Offset))
}

// member extends a path by a key, and reports the key that leads out of the
// format; what lies beyond it is not looked at.
func (l *locator) member(path, key string, line int) string {
	within, next := schemaPath(path), join(path, key)
	switch free := members[within+".*"]; {
	case within != "" && !members[within]: // reported already
	case !plainKey.MatchString(key):
		l.bad = append(l.bad, Problem{Line: line, Path: path,
			Text: fmt.Sprintf("key %q is not spelt in lower-case letters, digits, '_' and '-'; write it as in FORMAT.md", clip(key))})
	case !free && !members[schemaPath(next)]:
		l.bad = append(l.bad, Problem{Line: line, Path: next,
			Text: "no such member in a pack; remove it, or see FORMAT.md for how it is spelt"})
	}
	return next
}

// set keeps the first line of a path.
func (l *locator) set(path string, line int) {
	if _, ok := l.lines[path]; !ok {
		l.lines[path] = line
	}
}

// maxPath ends paths that belong to no pack: a key of a hundred thousand dots
// must not cost their square.
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

// lineOf finds the line of path, or of the nearest path around it.
func lineOf(lines map[string]int, path string) int {
	for path != "" {
		if n, ok := lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// clip keeps hostile input short in an error.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

var element = regexp.MustCompile(`\[[0-9]+\]`)

// schemaPath is a path without the numbers of elements: "rule.due.unit".
func schemaPath(path string) string { return element.ReplaceAllString(path, "") }

// members holds the path of every member of the format, and "path.*" for every
// table whose keys the pack chooses. The decoder knows them too, but finds the
// line of each unknown one from the start of the file, and stops counting
// elements.
var members = func() map[string]bool {
	into := map[string]bool{}
	addMembers(into, "", reflect.TypeFor[Pack]())
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
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case f.Anonymous:
			addMembers(into, prefix, f.Type)
		case f.IsExported() && name != "-":
			path := join(prefix, name)
			into[path] = true
			addMembers(into, path, f.Type)
		}
	}
}
