package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

func importCommand() *cobra.Command {
	var from string
	var begin bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "bring back entries that the database lost, from a mirror",
		Long: `import appends to both trees what a mirror has beyond the end of this database,
each entry at the index it had, after a restore of an old backup or the takeover
of a standby that lagged. It audits the mirror first, and refuses one that parts
from this database. It may be interrupted; the same command goes on.

` + mirrorHelp + `

Entries come back without what opens them. Until the members' programs have
given that back, the exchange records nothing else ("odzivd status" counts).
Stop every server before.

With --begin the database is made anew, from the mirror alone: when it and every
backup of it are lost.`,
		Example: `  odzivd import --dir /var/lib/odziv --from /media/mirror
  odzivd import --dir /var/lib/odziv --from https://mirror.example.rs/odziv
  odzivd import --dir /var/lib/odziv --from mirror.zip --begin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			return importTail(cmd, dir, from, begin)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "folder, zip or address of a mirror")
	cmd.Flags().BoolVar(&begin, "begin", false, "make the database, which must not exist")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// imported is the answer of import.
type imported struct {
	Trees []exchange.Imported `json:"trees"`
	Holes int                 `json:"holes"`
	Ready bool                `json:"ready"` // the signer would go on
}

func importTail(cmd *cobra.Command, dir, from string, begin bool) (err error) {
	ctx := cmd.Context()
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	files, shut, err := openMirror(ctx, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	if begin {
		if err := beginFrom(ctx, home, files); err != nil {
			return err
		}
	}
	done, err := importInto(cmd, home, files)
	if err != nil {
		return err
	}
	x, err := openAt(ctx, home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	if begin { // nothing was signed over this mirror's head by anybody who could say so
		if err := home.Adopt(ctx, x); err != nil {
			return err
		}
	}
	holes, err := countHoles(ctx, x.Store)
	if err != nil {
		return err
	}
	states, err := home.Examine(ctx, x, false)
	if err != nil {
		return err
	}
	answer := imported{Trees: done, Holes: holes, Ready: firstProblem(states) == nil}
	if err := cli.Out(cmd, answer, func(w io.Writer) { answer.print(w, dir, states) }); err != nil || answer.Ready {
		return err
	}
	if cli.JSON(cmd) {
		return cli.Ended(cli.Failed)
	}
	if err := firstProblem(states); !errors.Is(err, ledger.ErrRollback) {
		return halted(err, dir)
	}
	return cli.Hint(firstProblem(states), "this mirror does not have all that was signed: import from one that is further; every institution that observes has one")
}

func (a *imported) print(w io.Writer, dir string, states []server.TreeState) {
	for _, t := range a.Trees {
		fmt.Fprintf(w, "%-3s  %d entries imported: %d before, %d now, the mirror has %d\n", t.Log, t.To-t.From, t.From, t.To, t.Mirror)
	}
	if a.Holes > 0 {
		fmt.Fprintf(w, "\n%d entries are not opened. Until the members' programs have given back what\nopens them, the exchange records nothing else.\n", a.Holes)
	}
	if firstProblem(states) == nil {
		fmt.Fprintf(w, "\nnext: odzivd serve --dir %s\n", dir)
	}
}

// beginFrom makes the database with the first entry of the mirror's directory.
func beginFrom(ctx context.Context, home *server.Home, files fs.FS) error {
	mirror, err := home.Mirror(files)
	if err != nil {
		return err
	}
	genesis, err := mirror.Genesis(ctx)
	if err != nil {
		return err
	}
	if _, err := home.CheckGenesis(genesis); err != nil {
		return err
	}
	return home.Begin(ctx, genesis, time.Now().UnixMilli())
}

func importInto(cmd *cobra.Command, home *server.Home, files fs.FS) (done []exchange.Imported, err error) {
	mirror, err := home.Mirror(files)
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.OpenPatient(cmd.Context(), home.DSN())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return exchange.Import(cmd.Context(), store, mirror, time.Now().UnixMilli(),
		func(log ledger.Log, done, total int64) {
			if done%10_240 == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "odzivd: %s: %d of %d entries\n", log, done, total)
			}
		})
}

// openAt opens the exchange for one look or one act, without a sequencer.
func openAt(ctx context.Context, home *server.Home) (*exchange.Exchange, error) {
	packs, err := server.Packs()
	if err != nil {
		return nil, err
	}
	return home.OpenExchange(ctx, exchange.System(), packs, slog.New(slog.DiscardHandler))
}

// countHoles counts what is neither opened nor erased.
func countHoles(ctx context.Context, store exchange.Store) (n int, err error) {
	err = store.Read(ctx, func(v exchange.View) error {
		for from := int64(0); ; {
			page, err := v.Holes(ctx, from, ledger.MaxPage)
			if err != nil || len(page) == 0 {
				return err
			}
			n += len(page)
			from = page[len(page)-1] + 1
		}
	})
	return n, err
}

func firstProblem(states []server.TreeState) error {
	for _, s := range states {
		if s.Err != nil {
			return s.Err
		}
	}
	return nil
}
