package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
)

func (p *program) playCommand() *cobra.Command {
	var silent, drills bool
	cmd := &cobra.Command{
		Use:   "play [FILE…]",
		Short: "play scenario files, and stop at the first expectation that does not hold",
		Long: `play runs scenario files (docs/scenarios.md) on one exchange, their steps in the
order of their times: a real server, real clients over loopback HTTP, real sealing, a
clock of its own. At the first expectation that does not hold it stops with exit code
1, naming file, line and step, the expectation as written, and what was found.
Without files it plays the five it ships; with --drills what may happen to keys
(people leave, computers are lost, somebody cheats), each on an exchange of its own.`,
		Example: `  odziv-demo play
  odziv-demo play my-story.toml --db sqlite:/tmp/story.db
  odziv-demo play --drills
  odziv-demo play my-story.toml --json | jq .missing`,
		RunE: func(cmd *cobra.Command, names []string) (err error) {
			if drills {
				return p.drills(cmd, names)
			}
			w, r, err := p.play(cmd, names, !silent)
			if w != nil {
				defer func() { err = errors.Join(err, w.Close()) }()
			}
			if err != nil {
				return p.failure(cmd, err)
			}
			return cli.Out(cmd, played{Held: true, Demo: true, Result: r}, func(out io.Writer) {
				scenario.Tell(out, r, p.lang)
				scenario.TellMissing(out, r, p.lang)
			})
		},
	}
	cmd.Flags().BoolVar(&silent, "no-books", false, "let the server write no reminder and no overdue leaf: what is missing stays the same")
	cmd.Flags().BoolVar(&drills, "drills", false, "play the drills that are shipped")
	p.keep(cmd)
	return cmd
}

// drills plays what is shipped about keys, each drill on an exchange of its own:
// they would be in each other's way at the same desks.
func (p *program) drills(cmd *cobra.Command, names []string) error {
	if len(names) > 0 || p.dir != "" || p.db != "" {
		return cli.UsageError("--drills plays what is shipped, each on a new exchange: name no file, folder or database")
	}
	packs, err := server.Packs()
	if err != nil {
		return err
	}
	files, err := scenario.Drills(packs)
	if err != nil {
		return err
	}
	answer := drilled{Demo: true}
	for _, f := range files {
		story, err := p.drill(cmd, f)
		if err != nil {
			return p.failure(cmd, err)
		}
		answer.Stories = append(answer.Stories, story)
	}
	answer.Held = true
	return cli.Out(cmd, answer, func(out io.Writer) { scenario.Tell(out, &scenario.Result{Stories: answer.Stories}, p.lang) })
}

func (p *program) drill(cmd *cobra.Command, f *scenario.File) (_ *scenario.Story, err error) {
	tell := newProgress(cmd)
	defer tell.end()
	w, r, err := scenario.Play(cmd.Context(), []*scenario.File{f}, scenario.Options{Bookkeeper: true, Progress: tell.step, World: demo.Options{Listen: p.listen}})
	if w != nil {
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	return r.Stories[0], nil
}

// drilled is the answer of play --drills.
type drilled struct {
	Demo    bool              `json:"demo"` // always: nothing in it is safe
	Held    bool              `json:"held"`
	Stories []*scenario.Story `json:"drills"`
}

// played is the answer of play.
type played struct {
	Demo   bool             `json:"demo"` // always: nothing in it is safe
	Held   bool             `json:"held"`
	Failed *scenario.Failed `json:"failed,omitempty"`
	*scenario.Result
}

// failure shows what the one line of an error has no room for: the expectation as
// written, or every problem of a file; under --json, the whole as JSON.
func (p *program) failure(cmd *cobra.Command, err error) error {
	var failed *scenario.Failed
	var invalid *scenario.Invalid
	switch {
	case errors.As(err, &invalid):
		for _, line := range invalid.Lines() {
			fmt.Fprintln(cmd.ErrOrStderr(), line)
		}
	case errors.As(err, &failed) && cli.JSON(cmd):
		return errors.Join(cli.Print(cmd.OutOrStdout(), played{Demo: true, Failed: failed}), cli.Ended(cli.Failed))
	case errors.As(err, &failed):
		fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d\n%s\n", failed.File, failed.Line, failed.Written)
	}
	return err
}

// play reads the files named, or those shipped, and plays them. The world, if
// there is one, is the caller's to close.
func (p *program) play(cmd *cobra.Command, names []string, books bool) (*demo.World, *scenario.Result, error) {
	packs, err := server.Packs()
	if err != nil {
		return nil, nil, err
	}
	files, err := read(names, packs)
	if err != nil {
		return nil, nil, err
	}
	tell := newProgress(cmd)
	defer tell.end()
	return scenario.Play(cmd.Context(), files, scenario.Options{All: p.all, Bookkeeper: books, Progress: tell.step,
		World: demo.Options{Dir: p.dir, DB: p.db, Listen: p.listen}})
}

// read parses scenario files, or those of the program.
func read(names []string, packs *rules.Set) ([]*scenario.File, error) {
	if len(names) == 0 {
		return scenario.Shipped(packs)
	}
	var files []*scenario.File
	for _, name := range names {
		f, err := readFile(name, packs)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func readFile(name string, packs *rules.Set) (*scenario.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, scenario.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return scenario.Parse(filepath.Base(name), data, packs)
}
