package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/keys/vault"
)

func keysRenew() *cobra.Command {
	var to, out string
	var finish, cancel bool
	var flags vaultFlags
	cmd := &cobra.Command{
		Use:   "renew",
		Short: "put new keys of the ledger in the place of the old, with the council's signature",
		Long: `renew changes the keys that sign checkpoints, without a moment at which anybody's
program refuses what is signed. It takes three steps, a restart after each:

1. renew --to file, or --to vault, puts new keys beside the old and writes the policy
   that names them. In Vault the new keys are the newest versions of ckpt-dir and
   ckpt-ev, which odziv-breakglass made (vault write -f transit/keys/…/rotate):
   rotating alone changes nothing, the server stays with its version.
   Serve again: every checkpoint now bears both signatures.
2. The council signs that policy: odziv directory propose FILE.
3. When the witnesses have confirmed it, renew --finish: the old keys sign no more.
   renew --cancel instead of the second step forgets the new ones.

Of several servers on one database each takes the first step before the council
signs: copy the files of the new keys and the "keys" of server.json. Stop the server
while a step is taken.`,
		Example: `  odzivd keys renew --dir /var/lib/odziv --to vault --out policy.json
  odzivd keys renew --dir /var/lib/odziv --finish`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			begin := to != ""
			if begin == (finish || cancel) || finish && cancel {
				return cli.UsageError("give one of --to, --finish and --cancel")
			}
			if !begin {
				return endRenewal(cmd, home, finish)
			}
			if to != "file" && to != "vault" || out == "" {
				return cli.UsageError("--to is file or vault, and --out names a new file for the policy that the council signs")
			}
			return renew(cmd, home, server.Place(to), out, flags)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "file or vault: where the new keys lie")
	cmd.Flags().StringVar(&out, "out", "", "a new file for the policy that the council signs")
	cmd.Flags().BoolVar(&finish, "finish", false, "let the old keys sign no more")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "forget the new keys, which the directory does not name")
	flags.add(cmd)
	return cmd
}

// renewed is the answer of the first step.
type renewed struct {
	Dir       string `json:"dir"`
	Ev        string `json:"ev"`
	Statement string `json:"statement"` // file
}

func renew(cmd *cobra.Command, home *server.Home, to server.Place, out string, flags vaultFlags) error {
	access, err := flags.access(home)
	if err != nil {
		return err
	}
	if access == nil && to == server.InVault && !home.InVault() {
		return cli.UsageError("--vault, --vault-role-id and --vault-secret-id say which Vault, and how the server logs in there")
	}
	if access == nil {
		access = &server.VaultAccess{}
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(fmt.Errorf("%s: %w", out, fs.ErrExist), "nothing was touched: name a new file with --out")
	}
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return err
	}
	defer x.Store.Close()
	logs, err := home.Renew(cmd.Context(), to, *access, keyLog(cmd))
	if err != nil {
		return keysHint(err, home.Dir)
	}
	text, err := json.MarshalIndent(server.PolicyWith(x.Directory(), logs), "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
		return cli.Hint(err, "the keys are there; run the same command again with another --out")
	}
	return cli.Out(cmd, renewed{logs.Dir, logs.Ev, out}, func(w io.Writer) {
		fmt.Fprintf(w, `new keys stand beside the old:
  dir  %[1]s
  ev   %[2]s

next: odzivd serve --dir %[3]s, which signs with old and new; of several servers, each.
Then the council signs %[4]s (odziv directory propose), and when witnesses
have confirmed it: odzivd keys renew --dir %[3]s --finish
`, logs.Dir, logs.Ev, home.Dir, out)
	})
}

// ended is the answer of the last step.
type ended struct {
	Finished bool `json:"finished"` // or given up
}

func endRenewal(cmd *cobra.Command, home *server.Home, finish bool) error {
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return err
	}
	defer x.Store.Close()
	if finish {
		err = home.FinishRenewal(cmd.Context(), x)
	} else {
		err = home.CancelRenewal(x)
	}
	if err != nil {
		return keysHint(err, home.Dir)
	}
	return cli.Out(cmd, ended{finish}, func(w io.Writer) {
		if !finish {
			fmt.Fprintln(w, "given up: the ledger goes on under the keys it has; files of the others are in keys.retired/")
		} else {
			fmt.Fprintln(w, "renewed: only the new keys sign; files of the old ones are in keys.retired/, and are not needed any more")
		}
		fmt.Fprintf(w, "next: odzivd serve --dir %s\n", home.Dir)
	})
}

// vaultHint says what to do about a Vault that does not do as it is told.
func vaultHint(err error) string {
	for _, known := range vaultKnown {
		if errors.Is(err, known.is) {
			return known.hint
		}
	}
	return ""
}

var vaultKnown = []struct {
	is   error
	hint string
}{
	{vault.ErrSealed, "its keepers unseal Vault; then run the same command again"},
	{vault.ErrUnreachable, "look at network, firewall and certificate (--vault-ca), then run the same command again"},
	{vault.ErrLogin, "have a fresh wrapped secret id put in place (deploy/vault/deliver.sh), or check the file of the token"},
	{vault.ErrDenied, "compare the policies with deploy/vault: apply.sh operator --check"},
	{vault.ErrKeyVersion, "Vault does not hold the key that this ledger signs with, or may not use it any more: is it the right Vault?"},
	{vault.ErrAnswer, "what answered is not the Vault that holds these keys: do not go on before its keeper has looked"},
	{vault.ErrNotFound, "prepare Vault first: deploy/vault/apply.sh operator"},
}
