package scenario

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a file's times must not depend on the machine's zone files

	"github.com/pelletier/go-toml/v2"

	"github.com/odziv/odziv/internal/rules"
)

// MaxFile is the largest scenario, in bytes.
const MaxFile = 256 << 10

// Problem is one thing wrong with a file.
type Problem struct {
	Line int    `json:"line,omitempty"` // from 1; 0 when there is none
	Path string `json:"path,omitempty"` // such as "step[3].send.kind"
	Text string `json:"text"`
}

// Invalid is the error of [Parse]. It holds every problem found.
type Invalid struct {
	Name     string
	Problems []Problem
}

// maxPrinted keeps the error of a hopeless file readable.
const maxPrinted = 50

// Error is one line: the first problem, and how many there are.
func (e *Invalid) Error() string {
	if len(e.Problems) == 0 {
		return e.Name + " is no scenario"
	}
	return fmt.Sprintf("%s is no scenario, %d problem(s): %s", e.Name, len(e.Problems), e.line(&e.Problems[0]))
}

// Lines are the problems, one a line, as "name:line: path: text".
func (e *Invalid) Lines() []string {
	var lines []string
	for i := range e.Problems {
		if i == maxPrinted {
			return append(lines, fmt.Sprintf("… and %d more", len(e.Problems)-i))
		}
		lines = append(lines, e.line(&e.Problems[i]))
	}
	return lines
}

func (e *Invalid) line(p *Problem) string {
	where := fmt.Sprintf("%s:%d: ", e.Name, p.Line)
	if p.Path != "" {
		where += p.Path + ": "
	}
	return where + p.Text
}

// Parse reads and checks a scenario; name stands for the file in errors, packs
// holds the rule packs that scenarios may name. The error is an [*Invalid].
func Parse(name string, data []byte, packs *rules.Set) (*File, error) {
	fail := func(problems ...Problem) error { return &Invalid{Name: name, Problems: problems} }
	if len(data) > MaxFile {
		return nil, fail(Problem{Text: fmt.Sprintf("%d bytes, at most %d: write two scenarios", len(data), MaxFile)})
	}
	f := &File{name: name, text: strings.Split(string(data), "\n"), lines: locate(data)}
	if problems := f.strangers(); len(problems) > 0 {
		return nil, fail(problems...)
	}
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, fail(decodeProblem(err))
	}
	if problems := newChecker(f, packs).run(); len(problems) > 0 {
		return nil, fail(problems...)
	}
	return f, nil
}

// decodeProblem explains what the decoder refused.
func decodeProblem(err error) Problem {
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		line, _ := syntax.Position()
		return Problem{Line: line, Path: strings.Join(syntax.Key(), "."), Text: strings.TrimPrefix(syntax.Error(), "toml: ")}
	}
	return Problem{Text: strings.TrimPrefix(err.Error(), "toml: ")}
}

// strangers lists the members that are none of the format, or spelt otherwise:
// the library takes Rule for rule, and finds each line from the start of the
// file, which a hostile one makes long.
func (f *File) strangers() []Problem {
	var list []Problem
	for path, line := range f.lines {
		if !members[schemaPath(path)] {
			list = append(list, Problem{Line: line, Path: path, Text: "no such member; see docs/scenarios.md"})
		}
	}
	slices.SortFunc(list, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, strings.Compare(a.Path, b.Path)) })
	return list
}

// times resolves every time of the file.
func (f *File) times(loc *time.Location, report func(path, format string, args ...any)) {
	walk("", reflect.ValueOf(f), func(path string, _ reflect.StructField, v reflect.Value) {
		t, ok := v.Addr().Interface().(*Time)
		if p, is := v.Interface().(*Time); is && p != nil {
			t, ok = p, true
		}
		if !ok || t.None() {
			return
		}
		if err := t.resolve(loc); err != nil {
			report(path, "%v", err)
		}
	})
}

// Location is the zone of the file's times.
func (f *File) Location() *time.Location {
	if loc, err := time.LoadLocation(f.Zone); err == nil && f.Zone != "" {
		return loc
	}
	return f.pack.Location()
}

// Start is when the first step is.
func (f *File) Start() int64 { return f.Steps[0].At.MS }

// at is where a path stands: the line, and the lines of its table as written.
func (f *File) at(path string) (line int, written string) {
	line = lineOf(f.lines, path)
	if line == 0 {
		return 0, ""
	}
	end := line
	for end < len(f.text) && !strings.HasPrefix(f.text[end], "[") && !strings.HasPrefix(f.text[end], "#") {
		end++
	}
	return line, strings.TrimSpace(strings.Join(f.text[line-1:end], "\n"))
}
