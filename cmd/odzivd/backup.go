package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
)

func backupCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "copy the embedded database while the server works on it",
		Long: `backup writes the database as it is at one moment to a new file. It copies neither
the keys, which are kept elsewhere, nor the anchor, which must never come back
with the database: it is what notices an old one.

A backup holds openings and the keys of stored parts. What is erased lives on in
it, so keep backups two weeks at most. On PostgreSQL use pg_basebackup or pg_dump.`,
		Example: `  odzivd backup --dir /var/lib/odziv --to /backup/ledger-monday.db`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			if err := sqlstore.Backup(cmd.Context(), home.DSN(), to); err != nil {
				if errors.Is(err, fs.ErrExist) {
					return cli.Hint(err, "nothing was touched: name a new file")
				}
				return err
			}
			return cli.Out(cmd, map[string]string{"file": to}, func(w io.Writer) { fmt.Fprintf(w, "written: %s\n", to) })
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "a new file")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func restoreCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "put a backup in the place of a lost database",
		Long: `restore copies a backup to where the server's database lies. Stop the server, and
move away what is left of the old database: nothing is written over.

It then tells what is missing up to what was signed. Bring that back with
"odzivd import" before any server runs: what is written in between cannot be
removed, and is another history.`,
		Example: `  odzivd restore --dir /var/lib/odziv --from /backup/ledger-monday.db`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			return restore(cmd, dir, from)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the backup")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// put is the answer of restore.
type put struct {
	Trees []server.TreeState `json:"trees"`
	Ready bool               `json:"ready"` // the signer would go on
}

func restore(cmd *cobra.Command, dir, from string) (err error) {
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	file := home.File()
	if file == "" {
		return sqlstore.ErrBackup
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(fmt.Errorf("%s: %w", file, fs.ErrExist), "stop the server, move the old database away with everything named like it, and keep it")
	}
	if err := sqlstore.Backup(cmd.Context(), "sqlite:"+from, file); err != nil {
		return err
	}
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return errors.Join(err, os.Remove(file))
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	if err := home.CheckNamed(x.Directory()); err != nil {
		return errors.Join(cli.Hint(err, "this is the backup of another ledger; it was taken away again"), os.Remove(file))
	}
	states, err := home.Examine(cmd.Context(), x, false)
	if err != nil {
		return err
	}
	ready := firstProblem(states) == nil
	return cli.Out(cmd, put{Trees: states, Ready: ready}, func(w io.Writer) {
		for _, s := range states {
			fmt.Fprintf(w, "%-3s  %d entries", s.Log, s.Database.Size)
			if s.Anchor != nil && s.Anchor.Size > s.Database.Size {
				fmt.Fprintf(w, ", %d are missing up to what was signed", s.Anchor.Size-s.Database.Size)
			}
			fmt.Fprintln(w)
		}
		if !ready {
			fmt.Fprintf(w, "\nnext: odzivd import --dir %s --from MIRROR\n", dir)
			return
		}
		fmt.Fprintf(w, "\nThe anchor knows of nothing newer. Ask a mirror too before you serve:\n  odzivd import --dir %s --from MIRROR\n", dir)
	})
}
