package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
)

// Every command explains itself and shows an example that the command line
// accepts.
func TestHelp(t *testing.T) {
	commands := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		commands++
		if c.Short == "" || c.Long == "" {
			t.Errorf("%s: no explanation", c.CommandPath())
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example of it", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, " >")
			if err := accepts(line); err != nil {
				t.Errorf("%v: %s", err, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root())
	if commands < 9 {
		t.Errorf("%d commands: this test looks at too few", commands)
	}
	if !strings.Contains(root().Long, cli.ExitCodes) {
		t.Error("no exit codes")
	}
}

// accepts parses a command line as far as cobra does before anything runs.
func accepts(line string) error {
	cmd, rest, err := root().Find(strings.Fields(line)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
