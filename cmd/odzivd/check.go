package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
)

// checked is the answer of fsck.
type checked struct {
	Sound    bool               `json:"sound"`
	Findings []exchange.Finding `json:"findings"`
}

func fsckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fsck",
		Short: "replay the whole ledger and compare it with everything stored",
		Long: `fsck recomputes both trees from their entries, replays the directory, opens every
opening against its leaf, derives every obligation again and compares each row of
each derived table with the result. It changes nothing. Exit code 1 means that
something is wrong; each line says where and what.`,
		Example: `  odzivd fsck --dir /var/lib/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			return fsck(cmd, dir)
		},
	}
}

func fsck(cmd *cobra.Command, dir string) error {
	found, err := check(cmd.Context(), dir, progress(cmd))
	if err != nil {
		return err
	}
	if found == nil {
		found = []exchange.Finding{}
	}
	err = cli.Out(cmd, checked{Sound: len(found) == 0, Findings: found}, func(w io.Writer) {
		for _, f := range found {
			fmt.Fprintln(w, f)
		}
		if len(found) == 0 {
			fmt.Fprintln(w, "sound: every entry, opening and derived row agrees")
		}
	})
	if err != nil || len(found) == 0 {
		return err
	}
	if !cli.JSON(cmd) {
		return cli.Hint(fmt.Errorf("%d things are wrong", len(found)),
			"tables can be derived again with odzivd rebuild; for entries, nodes and openings stop the server, keep the database and restore from a backup or a mirror")
	}
	return cli.Ended(cli.Failed)
}

func check(ctx context.Context, dir string, progress func(done, total int64)) (found []exchange.Finding, err error) {
	home, err := server.OpenHome(dir)
	if err != nil {
		return nil, err
	}
	packs, err := server.Packs()
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.OpenPatient(ctx, home.DSN())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	scratch, drop, err := scratchStore(ctx)
	if err != nil {
		return nil, err
	}
	defer drop()
	return exchange.Check(ctx, store, scratch, packs, progress)
}

// scratchStore is an empty store that vanishes.
func scratchStore(ctx context.Context) (exchange.Store, func(), error) {
	dir, err := os.MkdirTemp("", "odzivd-fsck-*")
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.Create(ctx, "sqlite:"+filepath.Join(dir, "scratch.db"))
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return store, func() { store.Close(); os.RemoveAll(dir) }, nil
}

func rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "drop every derived table and derive it from the ledger again",
		Long: `rebuild recreates, in one transaction, every table that follows from openings and
directory. The result is the same to the byte; what was erased stays erased. Stop
the server before.`,
		Example: `  odzivd rebuild --dir /var/lib/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			packs, err := server.Packs()
			if err != nil {
				return err
			}
			store, err := sqlstore.OpenPatient(cmd.Context(), home.DSN())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			if err := exchange.Rebuild(cmd.Context(), store, packs, progress(cmd)); err != nil {
				return err
			}
			return cli.Out(cmd, map[string]bool{"rebuilt": true}, func(w io.Writer) {
				fmt.Fprintln(w, "rebuilt: every derived table follows from the ledger again")
			})
		},
	}
}

// progress tells of long work on standard error.
func progress(cmd *cobra.Command) func(done, total int64) {
	return func(done, total int64) {
		if done > 0 && done%10_000 == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "odzivd: %d of %d entries\n", done, total)
		}
	}
}
