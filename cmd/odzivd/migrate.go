package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
)

func migrateCommand() *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "bring the tables of the database up to date with this program",
		Long: `migrate changes the tables to what this program needs, once, forward only, all in
one transaction. What is up to date it leaves alone.

A server does so by itself when its login may change tables. On PostgreSQL it
need not: then --db names, for this one command, a login that is a member of
odziv_owner. Stop the servers before, and make a backup: there is no way back.`,
		Example: `  odzivd migrate --dir /var/lib/odziv --db postgres://odziv_install@db.example.rs/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			if db == "" {
				home, err := server.OpenHome(dir)
				if err != nil {
					return err
				}
				db = home.DSN()
			}
			if err := server.CheckDB(db); err != nil {
				return err
			}
			if err := sqlstore.Migrate(cmd.Context(), db); err != nil {
				return err
			}
			return cli.Out(cmd, map[string]bool{"current": true}, func(w io.Writer) {
				fmt.Fprintln(w, "up to date: the tables are those of this program")
			})
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the database, for a login that may change tables (default: the server's own)")
	return cmd
}
