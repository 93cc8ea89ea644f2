package wire

import (
	"errors"
	"strings"
)

// A Problem is an answer of no (RFC 9457). Code is stable and one of [Codes];
// Detail says what was wrong with this request and nothing of other people's
// cases; Hint says what to do next.
type Problem struct {
	Type     string `json:"type"` // TypePrefix and the code
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"` // names the request in the operator's log
	Code     string `json:"code"`
	Hint     string `json:"hint,omitempty"`
}

// TypePrefix and the code make the type of a problem.
const TypePrefix = "urn:odziv:problem:"

// NewProblem returns the problem of a code.
func NewProblem(status int, code, detail, hint string) *Problem {
	return &Problem{Type: TypePrefix + code, Title: Title(code), Status: status, Detail: detail, Code: code, Hint: hint}
}

func (p *Problem) Error() string {
	switch {
	case p.Detail != "":
		return p.Code + ": " + p.Detail
	case p.Title != "":
		return p.Code + ": " + p.Title
	}
	return p.Code
}

// Final reports whether the same request would be refused again: it is neither
// a failure of the exchange (5xx) nor of the request's signature (401).
func (p *Problem) Final() bool { return p.Status < 500 && p.Status != 401 }

// CodeOf returns the code of the problem that err is or wraps, or "".
func CodeOf(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// Code is one kind of problem. A Name that ends in '*' stands for a family.
type Code struct {
	Name   string
	Status []int
	Title  string
}

// Title is what a code means, in one line, or "" for an unknown code.
func Title(code string) string {
	title := ""
	for _, c := range Codes {
		if c.Name == code {
			return c.Title
		}
		if family, is := strings.CutSuffix(c.Name, "*"); is && strings.HasPrefix(code, family) {
			title = c.Title
		}
	}
	return title
}
