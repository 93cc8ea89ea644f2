// Odzivd is the exchange server of Odziv.
package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

func main() { os.Exit(cli.Run(root(), explain)) }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "odzivd",
		Short: "the exchange server of Odziv",
		Long: `odzivd keeps the ledger, decides by the rule packs and hands sealed mail over.
It never holds plaintext, nor a key that could open it.

A server lives in a folder (--dir): settings, keys of its own, the anchor of its
signer, and the embedded database. "init" makes it once and refuses twice.

` + cli.ExitCodes,
		Example: `  odzivd init --dir /var/lib/odziv --host exchange.example.rs
  odzivd init --dir /var/lib/odziv --genesis genesis.json
  odzivd serve --dir /var/lib/odziv --listen 127.0.0.1:8443
  odzivd fsck --dir /var/lib/odziv`,
	}
	cmd.PersistentFlags().String("dir", ".", "the server's folder")
	cli.AddJSON(cmd)
	cmd.AddCommand(initCommand(), serveCommand(), fsckCommand(), rebuildCommand(), rulesCommand())
	return cmd
}

// explain says what to do about errors of the packages below.
func explain(err error) (hint string, code int) {
	var failure *sqlstore.Failure
	switch {
	case errors.Is(err, ledger.ErrRollback):
		return "the database is older than what this server signed: stop, restore a newer one or import the missing entries from a mirror; never delete the anchor", cli.Failed
	case errors.Is(err, ledger.ErrAnchorEmpty):
		return "the anchor folder does not belong to this database: put the right one back", cli.Failed
	case errors.Is(err, ledger.ErrTreeMismatch):
		return "somebody or something changed the database: stop, keep it, and run odzivd fsck", cli.Failed
	case errors.Is(err, server.ErrHome), errors.Is(err, exchange.ErrExists):
		return "a ledger is begun once; name another folder for a new one", cli.Failed
	case errors.As(err, &failure):
		return failure.Hint(), cli.Failed
	}
	return "", 0
}
