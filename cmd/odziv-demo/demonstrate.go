package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/scenario/demo"
)

// shown is the answer of a demonstration.
type shown struct {
	played
	Audit audited     `json:"audit"`
	URL   string      `json:"url,omitempty"` // of the exchange, while it keeps running
	Homes *demo.Homes `json:"homes,omitempty"`
}

// audited is what became of the audit bundle.
type audited struct {
	File     string          `json:"file"`
	Verified bool            `json:"verified"`
	Report   audit.Report    `json:"report"`
	Findings []audit.Finding `json:"findings"`
}

// demonstrate plays the stories, tells them, verifies what they left, and keeps
// the exchange running.
func (p *program) demonstrate(cmd *cobra.Command) (err error) {
	if !cli.JSON(cmd) {
		fmt.Fprintln(cmd.OutOrStdout(), p.text(banner)+"\n")
	}
	w, r, err := p.play(cmd, nil, true)
	if w != nil {
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	if err != nil {
		return p.failure(cmd, err)
	}
	s := shown{played: played{Demo: true, Held: true, Result: r}}
	if s.Audit, err = bundle(cmd.Context(), w); err != nil {
		return err
	}
	if s.Homes, err = p.homes(w); err != nil {
		return err
	}
	if !p.end {
		s.URL = w.URL
	}
	err = cli.Out(cmd, s, func(out io.Writer) { p.tell(out, &s) })
	if err != nil || p.end {
		return errors.Join(err, s.Audit.failure())
	}
	return p.linger(cmd, w, s.Audit.failure())
}

// homes are written where somebody can use them: while the exchange runs, or in
// a folder that stays.
func (p *program) homes(w *demo.World) (*demo.Homes, error) {
	if p.end && p.dir == "" {
		return nil, nil
	}
	return w.WriteHomes(w.URL)
}

// bundle writes an audit bundle and verifies it.
func bundle(ctx context.Context, w *demo.World) (audited, error) {
	a := audited{File: filepath.Join(w.Dir, "audit.zip"), Findings: []audit.Finding{}}
	if err := w.Bundle(ctx, a.File); err != nil {
		return a, err
	}
	report, found, err := demo.Verify(ctx, a.File, w.Genesis)
	a.Report, a.Findings = report, append(a.Findings, found...)
	a.Verified = err == nil && len(found) == 0
	return a, err
}

// failure says that the bundle does not verify, if it does not.
func (a *audited) failure() error {
	if a.Verified {
		return nil
	}
	return cli.Hint(fmt.Errorf("the audit bundle does not verify: %v", a.Findings), "this is a fault of the program: please report it")
}

func (p *program) tell(out io.Writer, s *shown) {
	scenario.Tell(out, s.Result, p.lang)
	scenario.TellMissing(out, s.Result, p.lang)
	fmt.Fprintf(out, "\n%s\n\n", p.text(verifies(s.Audit.Verified)))
	for _, f := range s.Audit.Report.Facts {
		fmt.Fprintf(out, "  • %s\n", p.latin(f.Text(p.reportLang())))
	}
	for _, f := range s.Audit.Findings {
		fmt.Fprintf(out, "  ✗ %s\n", f)
	}
	fmt.Fprintf(out, "\n%s\n", p.text(banner))
	if s.Homes != nil {
		p.tellFiles(out, s)
	}
}

// linger lets the exchange go on, on the stories' clock, until the program is
// interrupted.
func (p *program) linger(cmd *cobra.Command, w *demo.World, failure error) error {
	w.Clock.Run()
	books := time.NewTicker(10 * time.Second)
	defer books.Stop()
	for {
		select {
		case <-cmd.Context().Done():
			return failure
		case <-books.C:
			if _, err := w.Bookkeep(cmd.Context()); err != nil && cmd.Context().Err() == nil {
				return err
			}
		}
	}
}
