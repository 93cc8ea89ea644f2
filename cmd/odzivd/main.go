// Odzivd is the exchange server of Odziv.
package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/directory"
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
signer, and the embedded database unless there is one of PostgreSQL. "init" makes
it once and refuses twice.

` + cli.ExitCodes,
		Example: `  odzivd init --dir /var/lib/odziv --host exchange.example.rs
  odzivd init --dir /var/lib/odziv --genesis genesis.json
  odzivd serve --dir /var/lib/odziv --listen 127.0.0.1:8443
  odzivd fsck --dir /var/lib/odziv`,
	}
	cmd.PersistentFlags().String("dir", ".", "the server's folder")
	cli.AddJSON(cmd)
	cmd.AddCommand(initCommand(), serveCommand(), statusCommand(), doctorCommand(), importCommand(), adoptCommand(), giveUpCommand(), acceptClockCommand(), backupCommand(), restoreCommand(), fsckCommand(), exportAuditCommand(), keysCommand(), rebuildCommand(), migrateCommand(), rulesCommand())
	return cmd
}

// explain says what to do about errors of the packages below.
func explain(err error) (hint string, code int) {
	for _, known := range known {
		if errors.Is(err, known.is) {
			return known.hint, cli.Failed
		}
	}
	if parting := (*exchange.Parting)(nil); errors.As(err, &parting) {
		return "something was written after the restore, and it cannot be removed. Keep this database as evidence, restore the backup again under another name, and import before any server runs; docs/operator.md has it step by step", cli.Refused
	}
	if hint := vaultHint(err); hint != "" {
		return hint, cli.Failed
	}
	var failure *sqlstore.Failure
	if errors.As(err, &failure) {
		return failure.Hint(), cli.Failed
	}
	return "", 0
}

// known are errors with one cause each, and what to do about it. The order
// matters where one wraps another.
var known = []struct {
	is   error
	hint string
}{
	{ledger.ErrRollback, "the database is older than what was signed: docs/operator.md says how to bring the rest back; never delete the anchor"},
	{ledger.ErrAnchorEmpty, "put the anchor folder of this server back, or compare with a mirror: odzivd adopt"},
	{ledger.ErrTreeMismatch, "somebody or something changed the database: stop, keep it, and run odzivd fsck"},
	{exchange.ErrMirror, "nothing of it was taken: try the mirror of another institution, or export this one again"},
	{exchange.ErrGrown, "stop every server, then run the same command again"},
	{server.ErrHome, "nothing was touched; a ledger is begun once, so name another folder for a new one"},
	{exchange.ErrExists, "nothing was touched; a ledger is begun once, so name another folder for a new one"},
	{server.ErrNoHome, "name the folder with --dir, or make one with: odzivd init --host …"},
	{server.ErrSettings, "mend server.json, or the flags of odzivd init"},
	{server.ErrServes, "stop the server of this folder first, then run the same command again"},
	{server.ErrMoving, "an odzivd keys move or keys cycle was interrupted: run the same command again, which goes on where it stopped"},
	{server.ErrInVault, "the key never leaves Vault: see odzivd keys --help"},
	{server.ErrOtherKeys, "the council signs a genesis that names the keys this server printed at odzivd init --host"},
	{server.ErrForeignKey, "put the keys folder of this server back, with its server.json: no other key can sign this ledger. If the council named new ones, see odzivd keys renew --help"},
	{directory.ErrMalformed, "the file is no signed genesis: odziv directory genesis makes one"},
	{directory.ErrSigners, "every key of the council signs the genesis: odziv directory genesis"},
	{api.ErrPlain, "listen on 127.0.0.1 behind a proxy with TLS 1.3, or give --tls-cert and --tls-key"},
	{syscall.EADDRINUSE, "another server listens there: stop it, or choose another address with --listen"},
	{syscall.EACCES, "check who owns the folder, or choose a port above 1023"},
	{syscall.ENOSPC, "free space on this disk, then run the same command again; nothing was lost"},
	{sqlstore.ErrNoFile, "begin the ledger with odzivd init --genesis, or put the database back"},
	{fs.ErrNotExist, "check the name of the file"},
}
