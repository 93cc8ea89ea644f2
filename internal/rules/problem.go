package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Problem is one thing wrong with a pack.
type Problem struct {
	Line int    `json:"line,omitempty"` // in the file, from 1; 0 when there is none
	Path string `json:"path,omitempty"` // such as "rule[registration].due[0].unit"
	Text string `json:"text"`           // what is wrong and what to do
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Text
	}
	return p.Path + ": " + p.Text
}

// Invalid is the error of [Parse]. It holds every problem found.
type Invalid struct {
	Name     string
	Problems []Problem
}

// maxPrinted keeps the error of a hopeless file readable.
const maxPrinted = 100

// Error lists the problems, one a line, as "name:line: path: text".
func (e *Invalid) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rules: %s: %d problem(s)", e.Name, len(e.Problems))
	for i, p := range e.Problems {
		if i == maxPrinted {
			fmt.Fprintf(&b, "\n… and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n" + e.Name)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": " + p.String())
	}
	return b.String()
}

// decodeProblems explains what the TOML decoder refused.
func decodeProblems(err error) []Problem {
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		line, _ := syntax.Position()
		return []Problem{{Line: line, Path: strings.Join(syntax.Key(), "."),
			Text: strings.TrimPrefix(syntax.Error(), "toml: ")}}
	}
	return []Problem{{Text: strings.TrimPrefix(err.Error(), "toml: ")}}
}
