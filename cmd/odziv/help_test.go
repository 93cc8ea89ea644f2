package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
)

// Every command explains itself, shows an example that names it, and an example
// that the command line accepts.
func TestHelp(t *testing.T) {
	commands := 0
	walk(root(), func(c *cobra.Command) {
		commands++
		if c.Short == "" || c.Long == "" {
			t.Errorf("%s: no explanation", c.CommandPath())
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example of it", c.CommandPath())
		}
		for _, line := range examples(c.Example) {
			if err := accepts(line); err != nil {
				t.Errorf("%s\n  %s", err, line)
			}
		}
	})
	if commands < 30 {
		t.Errorf("%d commands: this test looks at too few", commands)
	}
}

func walk(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		walk(sub, f)
	}
}

// examples are the command lines of an example, each on one line.
func examples(text string) []string {
	text = strings.ReplaceAll(text, "\\\n", " ")
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "odziv ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// accepts parses a command line as far as cobra does before anything runs.
func accepts(line string) error {
	args := words(line)[1:]
	r := root()
	cmd, rest, err := r.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	for _, check := range []func() error{cmd.ValidateRequiredFlags, cmd.ValidateFlagGroups, func() error { return cmd.ValidateArgs(cmd.Flags().Args()) }} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// words splits at blanks outside double quotes.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list[len(list)-1] += part
			continue
		}
		fields := strings.Fields(part)
		if i > 0 && len(fields) > 0 && !strings.HasPrefix(part, " ") {
			list[len(list)-1] += fields[0]
			fields = fields[1:]
		}
		list = append(list, fields...)
		if strings.HasSuffix(part, " ") && i < strings.Count(line, `"`) {
			list = append(list, "")
		}
	}
	return list
}

// The help of the program says what its exit codes mean.
func TestHelpSaysExitCodes(t *testing.T) {
	if !strings.Contains(root().Long, cli.ExitCodes) {
		t.Error("no exit codes")
	}
}
