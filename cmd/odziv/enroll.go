package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault/officer"
)

// enrolled is the answer: what the registrars compare on paper.
type enrolled struct {
	Keystore    string `json:"keystore,omitempty"` // "" where the keys are in Vault
	Vault       string `json:"vault,omitempty"`    // its address, where the keys are there
	Role        string `json:"role"`
	Inst        string `json:"inst,omitempty"`
	Officer     string `json:"officer,omitempty"`
	Request     string `json:"request,omitempty"`
	KeyFile     string `json:"key_file"`
	Public      []byte `json:"public"` // Ed25519, in base64, as statements name it
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`

	again bool
}

// enrolment is what the flags ask for.
type enrolment struct {
	home, url, genesis string
	invite, label      string
	owner              keystore.Owner
	roles              []string
	again              string // the officer id of before
	place              vaultPlace
	passphraseFile     string
	demo               bool
}

func enrollCommand() *cobra.Command {
	var e enrolment
	cmd := &cobra.Command{
		Use: "enroll", Short: "make your keys and ask to be enrolled", Args: cobra.NoArgs,
		Long: `enroll makes a keystore with a generated passphrase of six words, shown once, and
a request that two registrars of your institution sign (odziv officer enrol). Two of
the words are to be typed back, from paper.
They compare the fingerprint with you, in person, before they do. Every role
gets key.json beside the keystore: the public half, to be given to others.

The genesis is on the wall of your institution: an exchange with another genesis
is not yours. The invite of your institution names exchange, genesis and
institution at once. Council members, delegates and roots may make their keys
before there is an exchange, without all that, and name it later with odziv
connect.

Who lost her keys makes others with --again and her officer id (a colleague finds it
with odziv directory history): a registrar revokes the lost key, two enrol the new
one, a colleague grants what the desk may still read. With --vault the keys are made
in your institution's Vault, or taken from there if they were before.`,
		Example: `  odziv enroll --home ~/odziv --invite invite.json --role member,head
  odziv enroll --home ~/odziv --url https://exchange.example.rs --inst i_rooefvdqc76v4aa4ktvk2uhrku \
      --genesis 1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa
  odziv enroll --invite invite.json --again u_aaaqeayeaudaocajbifqydiob4
  odziv enroll --invite invite.json --vault https://vault.example.rs:8200 --vault-auth ldap --vault-user officer-a
  odziv enroll --home ~/council --as council`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if e.home, err = homeOf(cmd); err != nil {
				return err
			}
			e.demo, _ = cmd.Flags().GetBool("demo")
			return e.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.url, "url", "", "address of the exchange")
	f.StringVar(&e.genesis, "genesis", "", "hash of its genesis, from the annex")
	f.StringVar(&e.invite, "invite", "", "invite file of your institution, instead of --url, --genesis and --inst")
	f.StringVar(&e.owner.Inst, "inst", "", "your institution (i_…)")
	f.StringVar(&e.owner.Role, "as", keystore.Officer, "officer, registrar, delegate, root, custodian, observer or council")
	f.StringSliceVar(&e.roles, "role", []string{"member"}, "roles of an officer: member, duty, head, supervisor, dpo, desk-key, auditor")
	f.StringVar(&e.again, "again", "", "your officer id (u_…), to be enrolled again with new keys")
	e.place.addFlags(cmd)
	f.StringVar(&e.passphraseFile, "new-passphrase-file", "", "write the passphrase to this new file instead of the screen")
	return cmd
}

// run makes everything or nothing: what was made before a failure is removed
// again, since nobody knows its passphrase. Keys in Vault stay there: the next run
// takes them.
func (e *enrolment) run(cmd *cobra.Command) (err error) {
	if err := e.invited(); err != nil {
		return err
	}
	if err := e.check(cmd); err != nil {
		return err
	}
	var made made
	defer func() {
		if err != nil {
			made.undo()
		}
	}()
	if err := os.MkdirAll(e.home, 0o700); err != nil {
		return err
	}
	keys, err := e.keys(cmd, &made)
	if err != nil {
		return err
	}
	defer keys.Forget()
	a := enrolled{Keystore: filepath.Join(e.home, keystoreFile), Vault: e.place.Address, Role: keys.Role, Inst: keys.Inst, Officer: keys.Officer}
	if e.place.Address != "" {
		a.Keystore = ""
	}
	a.KeyFile = made.file(e.home, keyFile)
	if err := writeKey(a.KeyFile, keys); err != nil {
		return err
	}
	if keys.Role == keystore.Officer {
		a.Request = made.file(e.home, requestFile)
		if err := writeRequest(a.Request, keys, e.roles); err != nil {
			return err
		}
	}
	if e.url != "" {
		if _, err := office.CreateNotebook(e.home, office.Pin{URL: e.url, Genesis: e.genesis}); err != nil {
			return err
		}
	}
	if err := labelInstitution(e.home, e.label, keys.Inst); err != nil {
		return err
	}
	a.Public = keys.Signer().Public()
	a.Key = statement.KeyID(a.Public)
	a.Fingerprint = ceremony.FingerprintOf(a.Public)
	a.again = e.again != ""
	return cli.Out(cmd, a, a.print)
}

// requestFile is what the registrars sign, beside the keystore.
const requestFile = "enrol-request.json"

// made are files that a failure takes back.
type made []string

func (m *made) file(dir, name string) string {
	*m = append(*m, filepath.Join(dir, name))
	return filepath.Join(dir, name)
}

func (m made) undo() {
	for _, name := range m {
		os.Remove(name)
	}
}

// keys makes the keys, in a file or in Vault.
func (e *enrolment) keys(cmd *cobra.Command, made *made) (*keystore.Keystore, error) {
	if e.place.Address != "" {
		return e.keysInVault(cmd, made)
	}
	words, undo, err := newWords(cmd, e.passphraseFile, false)
	if err != nil {
		return nil, err
	}
	path := made.file(e.home, keystoreFile)
	made.file(e.home, keystoreFile+keystore.LockSuffix)
	keys, err := keystore.Create(path, words, e.owner, time.Now().UnixMilli(), keystore.Options{Demo: e.demo})
	if err != nil {
		undo()
		return nil, err
	}
	if e.passphraseFile != "" {
		*made = append(*made, e.passphraseFile)
	}
	return keys, nil
}

// keysInVault makes keys in Vault, or takes those that are there.
func (e *enrolment) keysInVault(cmd *cobra.Command, made *made) (*keystore.Keystore, error) {
	client, err := e.place.login(cmd)
	if err != nil {
		return nil, err
	}
	cli.AtEnd(cmd.Context(), client.Close)
	keys, fresh, err := officer.Create(cmd.Context(), client, e.owner, time.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if e.again != "" && keys.Officer != e.again {
		return nil, cli.Hint(fmt.Errorf("Vault holds the keys of %s", keys.Officer), "nothing was changed; log in as yourself, or leave out --again")
	}
	if !fresh {
		fmt.Fprintln(cmd.ErrOrStderr(), "odziv: your keys were in Vault already and are used here too; if they are enrolled, nobody need sign anything")
	}
	e.place.Public = keys.Signer().Public()
	data, err := json.MarshalIndent(e.place, "", "  ")
	if err != nil {
		return nil, err
	}
	return keys.Keystore, writeNew(made.file(e.home, vaultFile), append(data, '\n'))
}

// keyFile is the public half of a keystore, beside it.
const keyFile = "key.json"

// invited takes from the invite what was not said otherwise.
func (e *enrolment) invited() error {
	if e.invite == "" {
		return nil
	}
	if e.url != "" || e.genesis != "" || e.owner.Inst != "" {
		return cli.UsageError("--invite says what --url, --genesis and --inst say: leave them out")
	}
	invite, err := readInvite(e.invite)
	if err != nil {
		return err
	}
	e.url, e.genesis, e.label = invite.URL, invite.Genesis, invite.Name
	if e.owner.Role != keystore.Council {
		e.owner.Inst = invite.Inst
	}
	return nil
}

// readInvite reads the file that a delegate gave to an institution.
func readInvite(file string) (*ceremony.Invite, error) {
	data, err := cli.ReadFile(file, ceremony.MaxFile)
	if err != nil {
		return nil, err
	}
	invite, err := ceremony.ParseInvite(data)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("%s: %w", file, err), "a delegate makes one with: odziv institution invite")
	}
	return invite, nil
}

// writeKey writes the public half.
func writeKey(name string, keys *keystore.Keystore) error {
	k := &ceremony.Key{Ed: keys.Signer().Public(), Inst: keys.Inst, Officer: keys.Officer, Rcp: keys.Recipient(), Role: keys.Role, V: ceremony.Version}
	data, err := k.Encode()
	if err != nil {
		return err
	}
	return writeNew(name, data)
}

// check refuses, before anything is made, what would not work.
func (e *enrolment) check(cmd *cobra.Command) error {
	if !slices.Contains([]string{keystore.Officer, keystore.Registrar, keystore.Delegate, keystore.Root, keystore.Custodian, keystore.Observer, keystore.Council}, e.owner.Role) {
		return cli.UsageError("--as: %.20q is none of officer, registrar, delegate, root, custodian, observer and council", e.owner.Role)
	}
	if e.owner.Role == keystore.Officer {
		e.owner.Officer = cmp.Or(e.again, statement.NewID(statement.Officer))
	}
	switch {
	case e.again != "" && (e.owner.Role != keystore.Officer || !statement.IsID(e.again, statement.Officer)):
		return cli.UsageError("--again: %.40q is no officer's id: it begins with u_; a colleague finds it with odziv directory history", e.again)
	case e.place.Address != "" && e.passphraseFile != "":
		return cli.UsageError("keys in Vault have no passphrase: leave out --new-passphrase-file")
	case e.place.Address != "":
		if err := e.place.complete(); err != nil {
			return err
		}
	}
	if e.owner.Role == keystore.Delegate && e.owner.Inst == "" {
		e.owner.Inst = statement.NewID(statement.Institution) // the body joins later, under this id
	}
	needed := e.owner.Role == keystore.Officer || e.owner.Role == keystore.Registrar
	if (e.url == "") != (e.genesis == "") || needed && e.url == "" {
		return cli.UsageError("give the exchange's --url and its --genesis")
	}
	if e.owner.Role != keystore.Council && !statement.IsID(e.owner.Inst, statement.Institution) {
		return cli.UsageError("--inst: %.40q is no institution's id: it begins with i_ and is on the sheet of your institution", e.owner.Inst)
	}
	if e.url != "" {
		var err error
		if e.genesis, err = readGenesisHash(e.genesis); err != nil {
			return err
		}
	}
	for _, name := range []string{keystoreFile, keyFile, vaultFile, requestFile, "exchange.json"} {
		if _, err := os.Lstat(filepath.Join(e.home, name)); !errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(fmt.Errorf("%s holds keys or an exchange already (%s)", e.home, name),
				"nothing was changed; name another folder with --home, or name the exchange of these keys with: odziv connect")
		}
	}
	if e.url == "" {
		return nil
	}
	return askWhich(cmd, e.url, e.genesis, e.demo)
}

func readGenesisHash(text string) (string, error) {
	hash := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if !statement.IsHash(hash) {
		return "", cli.UsageError("--genesis is not 64 hexadecimal digits")
	}
	return hash, nil
}

// askWhich asks the exchange what it is, so that a wrong address or genesis is
// noticed before keys are made for it. It believes only a no: what the exchange
// is, the directory proves later.
func askWhich(cmd *cobra.Command, url, genesis string, demo bool) error {
	c, err := client.New(url, nil, func() int64 { return time.Now().UnixMilli() }, client.Options{Attempts: 1, Timeout: 15 * time.Second})
	if err != nil {
		return cli.UsageError("--url: %v", err)
	}
	status, err := c.Status(cmd.Context())
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		fmt.Fprintf(cmd.ErrOrStderr(), "odziv: the exchange does not answer now (%v); run odziv status when it does\n", err)
		return nil
	case status.Genesis != genesis:
		return cli.Hint(fmt.Errorf("the exchange at %s has another genesis: %s", url, grouped(status.Genesis)),
			"compare --genesis with the annex on the wall; if it is typed right, this is not your exchange")
	case status.Demo && !demo:
		return office.ErrDemo
	case demo && !status.Demo:
		return errNoDemo
	}
	return nil
}

// errNoDemo refuses weak keys where they would be all that guards real mail.
var errNoDemo = &cli.Error{Err: errors.New("this exchange is no demonstration, and --demo makes and accepts weakly locked keystores"),
	Hint: "leave out --demo; keys that were made with it stay in demonstrations: make others with odziv enroll", Code: cli.Refused}

// writeNew writes a file that does not exist yet, for its owner alone, durably.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = cmp.Or(err, f.Sync()); err != nil {
		return errors.Join(err, f.Close(), os.Remove(name))
	}
	return f.Close()
}

func (a enrolled) print(w io.Writer) {
	if a.Vault != "" {
		fmt.Fprintf(w, "keys in      Vault at %s\n", a.Vault)
	} else {
		fmt.Fprintf(w, "keystore     %s\n", a.Keystore)
	}
	fmt.Fprintf(w, "public key   %s\n", encode64(a.Public))
	fmt.Fprintf(w, "fingerprint  %s\n", a.Fingerprint)
	if a.Request != "" {
		fmt.Fprintf(w, "request      %s\n", a.Request)
	}
	fmt.Fprintf(w, "key file     %s\n\nnext: %s\n      print the sheet for it with: odziv ceremony sheet %s\n", a.KeyFile, a.next(), cmp.Or(a.Request, a.KeyFile))
}

// next is what the owner of fresh keys does with them.
func (a enrolled) next() string {
	switch a.Role {
	case keystore.Officer:
		if a.again {
			return "a registrar revokes your lost key (odziv officer revoke " + a.Officer + "), two enrol this one, comparing the\n      fingerprint with you in person; then a colleague runs odziv directory rotate, and grant for older messages."
		}
		return "give the request to two registrars of your institution; compare the fingerprint with them in person."
	case keystore.Council:
		return "bring the key file and the sheet to the ceremony; the fingerprint is read aloud there."
	case keystore.Delegate:
		return "bring the key file and the sheet to the council."
	case keystore.Root:
		return "bring the key file and the sheet to whoever runs odziv institution join."
	}
	return "bring the key file and the sheet to the roots of your institution."
}

// writeRequest writes what the registrars will sign: keys, no name.
func writeRequest(name string, keys *keystore.Keystore, roles []string) error {
	pub := keys.Signer().Public()
	now := time.Now()
	body := map[string]any{"t": "officer.enrol", "u": keys.Officer, "i": keys.Inst, "key": statement.KeyID(pub), "ed": []byte(pub),
		"rcp": keys.Recipient(), "roles": roles, "nb": now.UnixMilli(), "na": now.AddDate(1, 0, 0).UnixMilli()}
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return err
	}
	return writeNew(name, append(data, '\n'))
}

// grouped splits a hex digest by four for reading aloud.
func grouped(hex string) string {
	var parts []string
	for i := 0; i < len(hex); i += 4 {
		parts = append(parts, hex[i:min(i+4, len(hex))])
	}
	return strings.Join(parts, " ")
}
