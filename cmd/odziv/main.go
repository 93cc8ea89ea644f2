// Odziv is an officer's program: it seals and sends, signs for and opens, shows
// what is owed, keeps consent records and follows the directory.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
)

func main() { os.Exit(cli.Run(root(), explain)) }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "odziv",
		Short: "registered mail that knows what it is owed",
		Long: `odziv is an officer's program. It seals notices for desks of other institutions,
signs for and opens what arrives, shows what is owed and overdue, and keeps the
proof of everything it wrote.

It lives in a folder (--home, or $ODZIV_HOME): the keystore, the exchange it
belongs to, and the directory as verified. Desks are named by id (d_…) or by a
name of names.json in that folder. The passphrase is asked for, or read from the
file that --passphrase-file or $ODZIV_PASSPHRASE_FILE names; a demonstration keeps
it beside the keystore.

` + cli.ExitCodes,
		Example: `  odziv status
  odziv inbox
  odziv read m_oofw6vd6cx6m2svg5rffxs55au
  odziv send --kind status-request --to ppo-nis.registry --basis cooperation --purpose procedure --case c_jt2ak6raipdtlc55gznuantxou
  odziv owed --missing
  odziv consent list`,
	}
	flags := cmd.PersistentFlags()
	flags.String("home", os.Getenv("ODZIV_HOME"), "folder of this officer's program")
	flags.String("desk", "", "desk to act for (default: the only one)")
	flags.String("passphrase-file", os.Getenv("ODZIV_PASSPHRASE_FILE"), "file that holds the passphrase")
	flags.String("family", "rs-a", "family of rule packs")
	flags.Bool("demo", false, "accept an exchange that is a demonstration, and its weak keystores")
	flags.Bool("keep-proofs", false, "keep proofs of own acts on this computer, for a representative too")
	cli.AddJSON(cmd)
	cmd.AddCommand(statusCommand(), enrollCommand(), connectCommand(), ceremonyCommand(), institutionCommand(), officerCommand(), directoryCommand(), recoveryCommand(), sendCommand(), inboxCommand(), readCommand(),
		replyCommand(), owedCommand(), consentCommand(), attestCommand(), caseCommand(), repCommand(), pendingCommand(), proveCommand(), observeCommand(), sessionCommand(), keysCommand())
	return cmd
}
