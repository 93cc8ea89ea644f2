package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
)

func encode64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func connectCommand() *cobra.Command {
	var url, genesis string
	cmd := &cobra.Command{
		Use: "connect", Short: "name the exchange that existing keys belong to", Args: cobra.NoArgs,
		Long: `connect writes down which exchange the keystore of the home folder belongs to. It is
for keys that were made before the exchange was: of the council, of delegates, of
an institution's root. A folder that belongs to an exchange is left as it is.`,
		Example: `  odziv connect --home ~/council --url https://exchange.example.rs \
      --genesis 1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			if genesis, err = readGenesisHash(genesis); err != nil {
				return err
			}
			if !isThere(filepath.Join(home, keystoreFile)) && !isThere(filepath.Join(home, vaultFile)) {
				return cli.Hint(fmt.Errorf("%s holds no keystore", home), "make one with: odziv enroll")
			}
			demo, _ := cmd.Flags().GetBool("demo")
			if err := askWhich(cmd, url, genesis, demo); err != nil {
				return err
			}
			if _, err := office.CreateNotebook(home, office.Pin{URL: url, Genesis: genesis}); err != nil {
				return cli.Hint(err, "nothing was changed; for another exchange take another folder and other keys")
			}
			return cli.Out(cmd, map[string]string{"exchange": url, "genesis": genesis}, func(w io.Writer) {
				fmt.Fprintf(w, "exchange   %s\ngenesis    %s\n\nnext: odziv status\n", url, grouped(genesis))
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "address of the exchange")
	cmd.Flags().StringVar(&genesis, "genesis", "", "hash of its genesis, from the annex")
	cmd.MarkFlagRequired("url")
	cmd.MarkFlagRequired("genesis")
	return cmd
}
