package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var errRule, errAway = errors.New("a rule"), errors.New("no answer")

// explain is a program's explainer.
func explain(err error) (string, int) {
	switch {
	case errors.Is(err, errRule):
		return "ask for consent first", Refused
	case errors.Is(err, errAway):
		return "try again", Away
	}
	return "", 0
}

// program is a small program with one command that fails as told.
func program(fail error, args ...string) *cobra.Command {
	root := &cobra.Command{Use: "odziv-test"}
	AddJSON(root)
	root.AddCommand(&cobra.Command{
		Use: "do", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fail != nil {
				return fail
			}
			return Out(cmd, map[string]string{"said": "<да>"}, func(w io.Writer) { fmt.Fprintln(w, "said да") })
		},
	})
	group := &cobra.Command{Use: "group", Short: "a group"}
	group.AddCommand(&cobra.Command{Use: "sub", RunE: func(*cobra.Command, []string) error { return Ended(Refused) }})
	root.AddCommand(group)
	root.SetArgs(args)
	return root
}

// A word that no command of a group knows is an error, not a page of help.
func TestRunGroup(t *testing.T) {
	if code, out, errs := run(t, program(nil, "group")); code != OK || errs != "" || !strings.Contains(out, "a group") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	code, out, errs := run(t, program(nil, "group", "subb"))
	if code != Usage || out != "" || !strings.Contains(errs, `error: unknown command "subb" for "odziv-test group"`) {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

// A program that said everything in its answer ends with its code alone.
func TestRunEnded(t *testing.T) {
	if code, out, errs := run(t, program(nil, "group", "sub")); code != Refused || out != "" || errs != "" {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

// run runs a program and returns what it wrote to its outputs.
func run(t *testing.T, root *cobra.Command) (code int, out, errs string) {
	t.Helper()
	read := func(file **os.File) func() string {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		old := *file
		*file = w
		return func() string {
			*file = old
			w.Close()
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	stdout, stderr := read(&os.Stdout), read(&os.Stderr)
	code = Run(root, explain)
	return code, stdout(), stderr()
}

// A panic ends a command with where it was, and without what it said.
func TestRunPanic(t *testing.T) {
	const secret = "AGE-SECRET-KEY-PQ-1CANARY"
	for name, cause := range map[string]func(){
		"text":  func() { panic(secret) },
		"error": func() { panic(errors.New(secret)) },
		"nil":   func() { var m map[string]int; m[secret] = 1 },
		"index": func() { _ = []byte(secret)[len(os.Args)+1000] },
	} {
		for _, args := range [][]string{{"boom"}, {"boom", "--json"}} {
			root := program(nil, args...)
			root.AddCommand(&cobra.Command{Use: "boom", RunE: func(*cobra.Command, []string) error { cause(); return nil }})
			code, out, errs := run(t, root)
			if code != Failed || !strings.Contains(out+errs, "made a mistake") || !strings.Contains(out+errs, "at cli_test.go:") {
				t.Errorf("%s: %d %q %q", name, code, out, errs)
			}
			if strings.Contains(out+errs, "CANARY") || strings.Contains(out+errs, "goroutine") {
				t.Errorf("%s: it says what it held: %q %q", name, out, errs)
			}
		}
	}
}

// What was begun is ended, in the opposite order, whether it worked or not.
func TestAtEnd(t *testing.T) {
	var ended []string
	for _, cause := range []func() error{func() error { return nil }, func() error { return errRule }, func() error { panic("x") }} {
		ended = nil
		root := program(nil, "begin")
		root.AddCommand(&cobra.Command{Use: "begin", RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"a", "b"} {
				AtEnd(cmd.Context(), func() { ended = append(ended, name) })
			}
			return cause()
		}})
		run(t, root)
		if strings.Join(ended, "") != "ba" {
			t.Errorf("ended: %v", ended)
		}
	}
	AtEnd(t.Context(), func() { t.Error("called outside of a command line") })
}

// Every way a program can end, as a person and as a script sees it.
func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		fail error
		args []string
		code int
		errs string // on standard error; the same is under "error" and "hint" with --json
	}{
		"done":              {nil, []string{"do"}, OK, ""},
		"failed":            {errors.New("broken"), []string{"do"}, Failed, "odziv-test: error: broken\n"},
		"with a hint":       {Hint(errors.New("broken"), "look at %s", "x"), []string{"do"}, Failed, "odziv-test: error: broken\nodziv-test: hint: look at x\n"},
		"refused":           {fmt.Errorf("send: %w", errRule), []string{"do"}, Refused, "odziv-test: error: send: a rule\nodziv-test: hint: ask for consent first\n"},
		"away":              {errAway, []string{"do"}, Away, "odziv-test: error: no answer\nodziv-test: hint: try again\n"},
		"own hint wins":     {Hint(errRule, "mine"), []string{"do"}, Refused, "odziv-test: error: a rule\nodziv-test: hint: mine\n"},
		"makes no sense":    {UsageError("--to and --all"), []string{"do"}, Usage, "odziv-test: error: --to and --all\nodziv-test: hint: see --help\n"},
		"unknown flag":      {nil, []string{"do", "--nonsense"}, Usage, "odziv-test: error: unknown flag: --nonsense\nodziv-test: hint: see --help\n"},
		"too many words":    {nil, []string{"do", "it"}, Usage, ""},
		"unknown command":   {nil, []string{"undo"}, Usage, ""},
		"wrapped code wins": {fmt.Errorf("x: %w", &Error{Err: errors.New("broken"), Code: Away}), []string{"do"}, Away, "odziv-test: error: x: broken\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, program(tt.fail, tt.args...))
			if code != tt.code || tt.errs != "" && errs != tt.errs {
				t.Errorf("code %d, want %d\n%s\nwant\n%s", code, tt.code, errs, tt.errs)
			}
			if lines := strings.Count(errs, "\n"); lines > 2 || lines != strings.Count(errs, "odziv-test: ") {
				t.Errorf("not one line each: %q", errs)
			}
			if code != OK && (out != "" || errs == "" || strings.Contains(errs, "goroutine")) {
				t.Errorf("output %q, errors %q", out, errs)
			}
			if code == OK && out != "said да\n" {
				t.Errorf("output %q", out)
			}
		})
	}
}

// With --json, success and failure are one object on standard output.
func TestRunJSON(t *testing.T) {
	code, out, errs := run(t, program(nil, "do", "--json"))
	if code != OK || errs != "" || !strings.Contains(out, "<да>") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	for _, args := range [][]string{{"undo", "--json"}, {"do", "--nonsense", "--json"}, {"do", "it", "--json"}} {
		old := os.Args
		os.Args = append([]string{"odziv-test"}, args...)
		code, out, errs := run(t, program(nil, args...))
		os.Args = old
		if code != Usage || errs != "" || !json.Valid([]byte(out)) {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
	code, out, errs = run(t, program(errRule, "do", "--json"))
	var answer struct {
		Error, Hint string
		Exit        int
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&answer); err != nil || dec.More() {
		t.Fatalf("%q: %v", out, err)
	}
	if code != Refused || errs != "" || answer.Exit != Refused || answer.Error != "a rule" || answer.Hint != "ask for consent first" {
		t.Errorf("%d %+v %q", code, answer, errs)
	}
}

// The help of every program says what this package returns.
func TestExitCodesAreDocumented(t *testing.T) {
	for _, code := range []int{OK, Failed, Usage, Refused, Away} {
		if !strings.Contains(ExitCodes, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("%d is not documented", code)
		}
	}
	if n := strings.Count(ExitCodes, "\n"); n != 5 {
		t.Errorf("%d lines for 5 codes", n)
	}
}

func TestHintOfNothing(t *testing.T) {
	if err := Hint(nil, "x"); err != nil {
		t.Error(err)
	}
	if err := Hint(errRule, "x"); !errors.Is(err, errRule) {
		t.Error("the cause is lost")
	}
}

func TestPrint(t *testing.T) {
	var b bytes.Buffer
	if err := Print(&b, map[string]any{"b": 1, "a": []string{"<ж>"}}); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"a\": [\n    \"<ж>\"\n  ],\n  \"b\": 1\n}\n"; b.String() != want {
		t.Errorf("%s", b.String())
	}
}
