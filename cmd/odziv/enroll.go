package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// enrolled is the answer: what the registrars compare on paper.
type enrolled struct {
	Keystore    string `json:"keystore"`
	Request     string `json:"request,omitempty"`
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
}

func enrollCommand() *cobra.Command {
	var url, genesis, inst, role, newPassphrase string
	cmd := &cobra.Command{
		Use: "enroll", Short: "make your keys and ask to be enrolled", Args: cobra.NoArgs,
		Long: `enroll makes a keystore with a generated passphrase of six words, shown once, and
a request that two registrars of your institution sign (odziv directory propose).
They compare the fingerprint with you, in person, before they do.

The genesis is on the wall of your institution: an exchange with another genesis
is not yours.`,
		Example: `  odziv enroll --home ~/odziv --url https://exchange.example.rs --genesis 1432ddf2… --inst i_rooefvdqc76v4aa4ktvk2uhrku`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			genesis = strings.ToLower(strings.ReplaceAll(genesis, " ", ""))
			if !statement.IsHash(genesis) {
				return cli.UsageError("--genesis is not 64 hexadecimal digits")
			}
			return enroll(cmd, home, office.Pin{URL: url, Genesis: genesis}, role, inst, newPassphrase)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "address of the exchange")
	cmd.Flags().StringVar(&genesis, "genesis", "", "hash of its genesis, from the annex")
	cmd.Flags().StringVar(&inst, "inst", "", "your institution (i_…)")
	cmd.Flags().StringVar(&role, "as", keystore.Officer, "officer, registrar, delegate, root or council")
	cmd.Flags().StringVar(&newPassphrase, "new-passphrase-file", "", "write the passphrase to this file instead of the screen")
	cmd.MarkFlagRequired("url")
	cmd.MarkFlagRequired("genesis")
	return cmd
}

func enroll(cmd *cobra.Command, home string, pin office.Pin, role, inst, newPassphrase string) error {
	demo, _ := cmd.Flags().GetBool("demo")
	if _, err := office.CreateNotebook(home, pin); err != nil {
		return err
	}
	owner := keystore.Owner{Role: role, Inst: inst}
	if role == keystore.Officer {
		owner.Officer = statement.NewID(statement.Officer)
	}
	words := keystore.GeneratePassphrase()
	path := filepath.Join(home, keystoreFile)
	keys, err := keystore.Create(path, words, owner, time.Now().UnixMilli(), keystore.Options{Demo: demo})
	if err != nil {
		return err
	}
	if err := showPassphrase(cmd, words, newPassphrase); err != nil {
		return err
	}
	id := statement.KeyID(keys.Signer().Public())
	a := enrolled{Keystore: path, Key: id, Fingerprint: grouped(strings.TrimPrefix(id, "ed25519:"))}
	if role == keystore.Officer {
		if a.Request, err = writeRequest(home, keys); err != nil {
			return err
		}
	}
	return cli.Out(cmd, a, a.print)
}

func showPassphrase(cmd *cobra.Command, words keystore.Secret, file string) error {
	if file != "" {
		return os.WriteFile(file, []byte(words.Reveal()+"\n"), 0o600)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Your passphrase, shown only now. Write it on paper and keep it apart from this computer:\n\n    %s\n\n", words.Reveal())
	return nil
}

func (a enrolled) print(w io.Writer) {
	fmt.Fprintf(w, "keystore     %s\nfingerprint  %s\n", a.Keystore, a.Fingerprint)
	if a.Request != "" {
		fmt.Fprintf(w, "request      %s\n\nnext: give the request to two registrars of your institution; compare the fingerprint with them in person.\n", a.Request)
	}
}

// writeRequest writes what the registrars will sign: keys, no name.
func writeRequest(home string, keys *keystore.Keystore) (string, error) {
	pub := keys.Signer().Public()
	now := time.Now()
	body := map[string]any{"t": "officer.enrol", "u": keys.Officer, "i": keys.Inst, "key": statement.KeyID(pub), "ed": []byte(pub),
		"rcp": keys.Recipient(), "roles": []string{"member"}, "nb": now.UnixMilli(), "na": now.AddDate(1, 0, 0).UnixMilli()}
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return "", err
	}
	name := filepath.Join(home, "enrol-request.json")
	return name, os.WriteFile(name, append(data, '\n'), 0o600)
}

// grouped splits a hex digest by four for reading aloud.
func grouped(hex string) string {
	var parts []string
	for i := 0; i < len(hex); i += 4 {
		parts = append(parts, hex[i:min(i+4, len(hex))])
	}
	return strings.Join(parts, " ")
}

// bodyOf reads a directory statement without its head (at, dirn, prev, v).
func bodyOf(data []byte) (directory.Body, error) {
	var members map[string]any
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if err := dec.Decode(&members); err != nil {
		return nil, err
	}
	for name, value := range map[string]any{"at": 1, "dirn": 0, "prev": "", "v": 1} {
		if _, ok := members[name]; !ok {
			members[name] = value
		}
	}
	payload, err := statement.Marshal(members)
	if err != nil {
		return nil, err
	}
	return directory.DecodePayload(payload)
}
