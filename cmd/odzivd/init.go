package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

func initCommand() *cobra.Command {
	var host, authority, db, genesis string
	var inVault vaultFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "make a server's folder and keys, then begin its ledger",
		Long: `init has two steps, since the council signs a genesis that names the ledger's keys.

First, with --host: makes the folder, the two keys that sign checkpoints, the
key of the shred layer and the anchor, and prints the verifier keys.
Then, with --genesis FILE: creates the database and makes the council's signed
genesis its first entry. Neither step touches what is there already.

With --vault the keys are not files: they were made in the operator's Vault by
deploy/vault/apply.sh, and never leave it. The server's own login shows that each
does what it must, and uses up one wrapped secret id.

The database is a file, or PostgreSQL's: --db postgres://LOGIN@HOST/DATABASE with
the first step names the login the server will use, which needs few rights. With
the second it may name, once, the login that makes roles and tables.`,
		Example: `  odzivd init --dir /var/lib/odziv --host exchange.example.rs
  odzivd init --dir /var/lib/odziv --host exchange.example.rs --vault https://vault.example.rs:8200 --vault-role-id /etc/odziv/role-id --vault-secret-id /var/lib/odziv/secret-id
  odzivd init --dir /var/lib/odziv --genesis genesis.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			switch {
			case (host == "") == (genesis == ""):
				return cli.UsageError("give --host for the first step or --genesis for the second")
			case host != "":
				return makeHome(cmd, dir, server.Settings{Host: host, Authority: orElse(authority, host), DB: db}, inVault)
			}
			installer := ""
			if cmd.Flags().Changed("db") {
				installer = db
			}
			return begin(cmd, dir, installer, genesis)
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "the exchange's name, part of every checkpoint for ever")
	cmd.Flags().StringVar(&authority, "authority", "", "host:port that clients call (default: the host)")
	cmd.Flags().StringVar(&db, "db", "sqlite:ledger.db", "where the database lies: sqlite:PATH or postgres://LOGIN@HOST/DATABASE")
	cmd.Flags().StringVar(&genesis, "genesis", "", "the council's signed genesis (canonical JSON)")
	inVault.add(cmd)
	return cmd
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// keysMade is the answer of the first step.
type keysMade struct {
	Dir string `json:"dir"`
	Ev  string `json:"ev"`
}

func makeHome(cmd *cobra.Command, dir string, s server.Settings, inVault vaultFlags) error {
	access, err := inVault.access(&server.Home{Dir: dir})
	if err != nil {
		return err
	}
	var home *server.Home
	if access == nil {
		home, err = server.InitHome(dir, s)
	} else {
		home, err = server.InitHomeInVault(cmd.Context(), dir, s, *access, keyLog(cmd))
	}
	if err != nil {
		return err
	}
	vkeys := map[ledger.Log]string{}
	for _, l := range ledger.Logs {
		keys, err := home.VerifierKeys(l)
		if err != nil {
			return err
		}
		vkeys[l] = keys[0]
	}
	return cli.Out(cmd, keysMade{Dir: vkeys[ledger.Dir], Ev: vkeys[ledger.Ev]}, func(w io.Writer) {
		fmt.Fprintf(w, "folder made: %s\n\nverifier keys for the genesis:\n  dir  %s\n  ev   %s\n\n", dir, vkeys[ledger.Dir], vkeys[ledger.Ev])
		fmt.Fprintf(w, "next: the council signs a genesis that names them, then\n  odzivd init --dir %s --genesis genesis.json\n", dir)
	})
}

// begun is the answer of the second step.
type begun struct {
	Genesis string `json:"genesis"`
	Demo    bool   `json:"demo"`
}

// begin begins the ledger with the council's genesis.
func begin(cmd *cobra.Command, dir, installer, file string) error {
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	leaf, err := cli.ReadFile(file, maxGenesis)
	if err != nil {
		return err
	}
	leaf = bytes.TrimRight(leaf, "\n")
	state, err := home.CheckGenesis(leaf)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	if installer == "" {
		err = home.Begin(cmd.Context(), leaf, now)
	} else {
		err = home.BeginAs(cmd.Context(), installer, leaf, now)
	}
	if err != nil {
		return err
	}
	return cli.Out(cmd, begun{Genesis: state.Genesis(), Demo: state.Demo()}, func(w io.Writer) {
		fmt.Fprintf(w, "ledger begun: %s\n\ngenesis  %s\n\n", dir, fingerprint(state.Genesis()))
		if state.Demo() {
			fmt.Fprintln(w, "This is a demonstration. Nothing in it is safe.")
		}
		fmt.Fprintf(w, "Compare the genesis with the annex of the agreement, and write it on the wall.\nnext: odzivd serve --dir %s\n", dir)
	})
}

// maxGenesis bounds the file, in bytes.
const maxGenesis = 2 * statement.MaxSize

// fingerprint groups a hex digest by four for reading aloud.
func fingerprint(hex string) string {
	out := ""
	for i := 0; i < len(hex); i += 4 {
		if i > 0 {
			out += " "
		}
		out += hex[i:min(i+4, len(hex))]
	}
	return out
}
