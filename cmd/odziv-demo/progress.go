package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// progress tells on standard error how far long work is: on a terminal as a line
// that is rewritten, elsewhere once per kind of work.
type progress struct {
	w        io.Writer
	terminal bool
	open     bool
	last     string
}

func newProgress(cmd *cobra.Command) *progress {
	info, err := os.Stderr.Stat()
	return &progress{w: cmd.ErrOrStderr(), terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// step is called in the course of the work, never twice at a time.
func (p *progress) step(what string, done, total int) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r\033[Kodziv-demo: %s %d of %d", what, done, total)
		p.open = true
	case what != p.last:
		fmt.Fprintf(p.w, "odziv-demo: %s: %d\n", what, total)
	}
	p.last = what
}

// end leaves the line empty.
func (p *progress) end() {
	if p.open {
		fmt.Fprint(p.w, "\r\033[K")
		p.open = false
	}
}
