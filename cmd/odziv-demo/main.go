// Odziv-demo shows Odziv on one computer, and plays scenario files.
package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/sqlstore"
)

func main() { os.Exit(run()) }

func run() int { return cli.Run(new(program).root(), explain) }

// program is one run.
type program struct {
	db     string
	dir    string
	lang   string
	listen string
	all    bool
	end    bool
}

func (p *program) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "odziv-demo",
		Short: "a demonstration of Odziv on one computer, and a player of scenarios",
		Long: `odziv-demo starts an exchange on a loopback address, founds the institutions that
five stories of the field need, plays the stories with real clients, real sealing
and a clock of its own, and tells them: who sent what to whom, what is owed, what is
overdue and why, what was refused. Then it prints the missing replies, writes an
audit bundle and verifies it with the code of odziv-verify, knowing nothing but the
hash of the genesis.

Afterwards the exchange keeps running, so that you can look at it with odziv; Ctrl-C
ends it. Without --dir everything lies in a temporary folder and is gone then.

It is a demonstration: one key is the council, nobody witnesses the ledger, and
passphrases lie beside the keystores. Nothing in it is safe.

` + cli.ExitCodes + `

Exit code 1 also means that an expectation of a scenario does not hold.`,
		Example: `  odziv-demo
  odziv-demo --exit --lang sr
  odziv-demo --all --dir ~/odziv-demo
  odziv-demo play my-story.toml
  odziv-demo --exit --db postgres:///demo?host=/var/run/postgresql
  odziv-demo setup --dir ~/odziv-demo`,
		Args: cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{scenario.English, scenario.Serbian, scenario.SerbianLatin}, p.lang) {
				return cli.UsageError("--lang: %.20q is none of en, sr, sr-latn", p.lang)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demonstrate(cmd) },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&p.lang, "lang", scenario.English, "language: en, sr (Cyrillic), sr-latn")
	flags.BoolVar(&p.all, "all", false, "found all institutions of the demonstration directory")
	cli.AddJSON(cmd)
	p.keep(cmd)
	cmd.Flags().BoolVar(&p.end, "exit", false, "end after the stories, with exit code 0 only if everything held")
	cmd.Flags().StringVar(&p.listen, "listen", "127.0.0.1:0", "loopback address of the exchange; port 0 is any that is free")
	cmd.AddCommand(p.playCommand(), p.setupCommand())
	return cmd
}

// keep adds the flags that say where things stay.
func (p *program) keep(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.db, "db", "", "database, made new and kept: sqlite:PATH, or postgres://LOGIN@HOST/DATABASE that is empty (default: in the folder)")
	cmd.Flags().StringVar(&p.dir, "dir", "", "folder that keeps everything; missing or empty (default: a temporary one)")
}

// explain says what to do about errors of the packages below.
func explain(err error) (hint string, code int) {
	var failed *scenario.Failed
	var invalid *scenario.Invalid
	switch {
	case errors.As(err, &failed):
		return "either the scenario expects something else than the rules say, or the rules changed; docs/scenarios.md describes every member", cli.Failed
	case errors.As(err, &invalid):
		return "docs/scenarios.md describes every member", cli.Failed
	case errors.Is(err, context.Canceled):
		return "interrupted; nothing runs any more, and a temporary folder is gone", cli.Failed
	case errors.Is(err, fs.ErrExist), errors.Is(err, sqlstore.ErrExists), errors.Is(err, exchange.ErrExists):
		return "name a folder or database that is not there yet", cli.Failed
	}
	var store *sqlstore.Failure
	if errors.As(err, &store) {
		return store.Hint(), cli.Failed
	}
	return "", 0
}
