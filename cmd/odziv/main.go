// Odziv is an officer's program: it seals and sends, signs for and opens, shows
// what is owed, keeps consent records and follows the directory.
package main

import (
	"errors"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/keystore"
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
file that --passphrase-file or $ODZIV_PASSPHRASE_FILE names.

` + cli.ExitCodes,
		Example: `  odziv status
  odziv inbox
  odziv read m_oofw6vd6cx6m2svg5rffxs55au
  odziv send --kind complaint --to ppo-nis.registry --basis legal-obligation --purpose procedure --text notice.txt
  odziv owed --missing
  odziv consent list`,
	}
	flags := cmd.PersistentFlags()
	flags.String("home", os.Getenv("ODZIV_HOME"), "folder of this officer's program")
	flags.String("desk", "", "desk to act for (default: the only one)")
	flags.String("passphrase-file", os.Getenv("ODZIV_PASSPHRASE_FILE"), "file that holds the passphrase")
	flags.String("family", "rs-a", "family of rule packs")
	flags.Bool("demo", false, "accept an exchange that is a demonstration, and its weak keystores")
	cli.AddJSON(cmd)
	cmd.AddCommand(statusCommand(), enrollCommand(), connectCommand(), directoryCommand(), sendCommand(), inboxCommand(), readCommand(),
		replyCommand(), owedCommand(), consentCommand(), attestCommand(), caseCommand(), repCommand(), pendingCommand(), proveCommand())
	return cmd
}

// explain says what to do about errors of the packages below.
func explain(err error) (hint string, code int) {
	var problem *wire.Problem
	var refused *office.Refused
	var security *office.SecurityError
	var network *net.OpError
	switch {
	case errors.As(err, &security):
		return "stop working with this exchange; write down what you did and call your institution's administrator", cli.Failed
	case errors.As(err, &refused):
		return refusedHint(refused), cli.Refused
	case errors.As(err, &problem):
		return problem.Hint, problemCode(problem)
	case errors.Is(err, office.ErrDemo):
		return "add --demo if you mean to look at a demonstration", cli.Refused
	case errors.Is(err, office.ErrWeakKeys):
		return "keys made with --demo stay in demonstrations: make others with odziv enroll, without --demo", cli.Refused
	case errors.Is(err, keystore.ErrPassphrase):
		return "type the six words again, with one space between them; after a mistake nothing is lost", cli.Failed
	case errors.Is(err, keystore.ErrDemo):
		return "this keystore belongs to a demonstration: add --demo", cli.Refused
	case errors.Is(err, office.ErrProvisional):
		return "it is stored, but not confirmed yet: run odziv status in a minute", cli.Away
	case errors.As(err, &network):
		return "check the network and the address in exchange.json; nothing was lost, run the same command again", cli.Away
	}
	return "", 0
}

func refusedHint(r *office.Refused) string {
	if r.Code == "basis" {
		return "choose a basis that the rules permit for this recipient; odzivd rules print shows them"
	}
	return "nothing was sealed or sent"
}

func problemCode(p *wire.Problem) int {
	switch {
	case p.Status >= 500:
		return cli.Away
	case p.Status == 403, p.Status == 409, p.Status == 422:
		return cli.Refused
	}
	return cli.Failed
}
