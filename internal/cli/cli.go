// Package cli gives every program of Odziv the same face on a terminal:
//
//   - answers go to standard output, everything else to standard error;
//   - an error is one line "PROGRAM: error: …", and, where there is something
//     to do about it, one line "PROGRAM: hint: …"; never a stack;
//   - --json prints one JSON value: an object, or a list of objects; a failure is
//     an object with error, hint and exit;
//   - exit codes are those of this package, in every program.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	OK      = 0 // done
	Failed  = 1 // it was tried and did not work, or something is wrong
	Usage   = 2 // the command line makes no sense
	Refused = 3 // a rule said no, here or at the exchange
	Away    = 4 // the exchange cannot be reached, or not now: try again
)

// ExitCodes is what the help of every program says of them.
const ExitCodes = `Exit codes:
  0  done
  1  it was tried and did not work, or something is wrong
  2  the command line makes no sense
  3  a rule said no, here or at the exchange
  4  the exchange cannot be reached, or not now: try again`

// Error is a failure with what to do about it.
type Error struct {
	Err  error
	Hint string
	Code int // exit code; 0 means Failed
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint adds what to do next to an error.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// UsageError is a command line that makes no sense.
func UsageError(format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: "see --help", Code: Usage}
}

// Ended is the end of a program that has already said, in its answer, what is
// wrong: nothing more is printed.
func Ended(code int) error { return &ended{code} }

type ended struct{ code int }

func (e *ended) Error() string { return fmt.Sprintf("ended with exit code %d", e.code) }

// Explainer finds the hint and exit code of errors of other packages.
type Explainer func(err error) (hint string, code int)

// Run executes a program until it ends or is interrupted, and returns its exit
// code. With --json among the arguments, a failure too is printed as JSON. What
// the program holds in memory stays there: see [seal].
func Run(root *cobra.Command, explain Explainer) int {
	if err := seal(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: cannot keep what this program holds out of core dumps: %v\n", root.Name(), err)
		return Failed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Line(ctx, root, os.Args[1:], explain)
}

// Line executes one command line of a program that goes on afterwards, and
// returns what would be its exit code. args are for what cobra refuses before it
// has read them.
func Line(ctx context.Context, root *cobra.Command, args []string, explain Explainer) int {
	ctx, end := withEnd(ctx)
	defer end()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &Error{Err: err, Hint: "see --help", Code: Usage}
	})
	started := watch(root)
	cmd, err := execute(ctx, root)
	if err == nil {
		return OK
	}
	if e := (*ended)(nil); errors.As(err, &e) {
		return e.code
	}
	if !*started { // cobra itself said no: an unknown command, an argument too many
		err = &Error{Err: err, Hint: "see --help", Code: Usage}
	}
	hint, code := reason(err, explain)
	report(cmd, root.Name(), slices.Contains(args, "--json"), err, hint, code)
	return code
}

// execute turns a panic into an error that says where and of what kind it was,
// and not what it said: that may be anything the program holds.
func execute(ctx context.Context, root *cobra.Command) (cmd *cobra.Command, err error) {
	cmd = root
	defer func() {
		if r := recover(); r != nil {
			err = &Error{Err: fmt.Errorf("this program made a mistake (%T at %s) and stopped", r, where()),
				Hint: "nothing more was done; report these words to whoever gave you the program, and run odziv status before you go on", Code: Failed}
		}
	}()
	return root.ExecuteContextC(ctx)
}

// where is the place of a panic, as FILE:LINE without folders.
func where() string {
	frames := runtime.CallersFrames(callers())
	for panicked := false; ; {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}

func callers() []uintptr {
	pcs := make([]uintptr, 64)
	return pcs[:runtime.Callers(1, pcs)]
}

// watch notes whether any command began its work. A command that only has
// others below it shows its help, and refuses a word that is none of them: cobra
// would show the help for that too and call it a success.
func watch(cmd *cobra.Command) *bool {
	started := new(bool)
	var wrap func(*cobra.Command)
	wrap = func(c *cobra.Command) {
		if c.HasParent() && c.HasSubCommands() && !c.Runnable() {
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, args []string) error {
				*started = true
				return run(c, args)
			}
		}
		for _, sub := range c.Commands() {
			wrap(sub)
		}
	}
	wrap(cmd)
	return started
}

// reason finds hint and exit code of an error.
func reason(err error, explain Explainer) (string, int) {
	var e *Error
	hint, code := "", Failed
	if errors.As(err, &e) {
		hint = e.Hint
		if e.Code != 0 {
			code = e.Code
		}
	}
	if explain != nil {
		if h, c := explain(err); c != 0 {
			code = c
			if hint == "" {
				hint = h
			}
		}
	}
	return hint, code
}

func report(cmd *cobra.Command, program string, json bool, err error, hint string, code int) {
	// A command line that cobra refuses may not have been read to its --json.
	if JSON(cmd) || json {
		Print(os.Stdout, map[string]any{"error": oneLine(err), "hint": hint, "exit": code})
		return
	}
	fmt.Fprintf(os.Stderr, "%s: error: %s\n", program, oneLine(err))
	if hint != "" {
		fmt.Fprintf(os.Stderr, "%s: hint: %s\n", program, hint)
	}
}

// oneLine keeps the promise that an error is one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// JSON reports whether --json was given.
func JSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("json")
	return f != nil && f.Value.String() == "true"
}

// AddJSON adds --json to a program.
func AddJSON(root *cobra.Command) {
	root.PersistentFlags().Bool("json", false, "print JSON: an object, or a list of them")
}

// Print writes one indented JSON object.
func Print(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Out prints v as JSON under --json, else what text writes.
func Out(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	if JSON(cmd) {
		return Print(cmd.OutOrStdout(), v)
	}
	text(cmd.OutOrStdout())
	return nil
}
