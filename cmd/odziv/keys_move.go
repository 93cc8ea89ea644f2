package main

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/officer"
)

// afterStep is where a test ends the program: after each step of a move.
var afterStep = func(step string) {}

// mover is one run of odziv keys move.
type mover struct {
	cmd          *cobra.Command
	home         string
	to           string
	place        vaultPlace
	passwordFile string
	from         string // keystore file to come back with
	newWordsFile string
}

func moveKeysCommand() *cobra.Command {
	var m mover
	cmd := &cobra.Command{
		Use: "move", Short: "move your keys into your institution's Vault, or back into a file", Args: cobra.NoArgs,
		Long: `move --to vault brings the keys of the keystore into your institution's Vault: the
same signing key, so that nobody has to enrol you anew, and the identities. Vault
then signs, and never shows the key. The command ends only when Vault has signed with
the key and everything was read back; the keystore is kept as keystore.before-vault.age.

move --to file goes back with that file and its passphrase, and what your desks got
since. Without the file (it was destroyed, or the keys were made in Vault) the signing
key stays where it is for ever: the command makes a keystore with a new one and a
request to enrol it, and you work on with Vault until registrars have signed that;
then give the same command once more.

Whatever stops the command, give it again: it goes on where it was.`,
		Example: `  odziv keys move --to vault --vault https://vault.example.rs:8200 --vault-auth ldap --vault-user officer-a
  odziv keys move --to file
  odziv keys move --to file --from /media/safe/keystore.before-vault.age`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			m.cmd = cmd
			if m.home, err = homeOf(cmd); err != nil {
				return err
			}
			switch m.to {
			case "vault":
				return m.toVault()
			case "file":
				return m.toFile()
			}
			return cli.UsageError("--to: %.20q is neither vault nor file", m.to)
		},
	}
	cmd.Flags().StringVar(&m.to, "to", "", "vault or file")
	cmd.Flags().StringVar(&m.from, "from", "", "the keystore that was moved to Vault (default: "+beforeVault+" of the home folder)")
	cmd.Flags().StringVar(&m.newWordsFile, "new-passphrase-file", "", "where a new keystore is made, write its passphrase to this new file instead of the screen")
	m.place.addFlags(cmd)
	cmd.Flags().StringVar(&m.passwordFile, "vault-password-file", "", "file that holds your password at Vault")
	cmd.MarkFlagRequired("to")
	return markChangesKeys(cmd)
}

// maxRounds bounds how often a move begins again because another program of the
// officer saved a desk's key meanwhile.
const maxRounds = 5

// toVault. The order of steps: keep the file under its other name and open it
// there; have Vault sign and read everything back; write vault.json, from when on
// Vault decides; delete the file. Before vault.json the officer works with the
// file, after it with Vault, and both have the same keys.
func (m *mover) toVault() error {
	there, err := readVaultFile(m.home)
	switch {
	case err == nil && m.place.Address != "" && m.place.Address != there.Address:
		return cli.Hint(fmt.Errorf("your keys are in the Vault at %s already", there.Address), "move them back first: odziv keys move --to file")
	case err == nil:
		m.place = *there
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if err := m.place.complete(); err != nil {
			return err
		}
	}
	path, before := filepath.Join(m.home, keystoreFile), filepath.Join(m.home, beforeVault)
	source := path
	if !isThere(path) {
		if there != nil {
			return m.sayMoved(before)
		}
		if source = before; !isThere(before) {
			return noKeystore(m.home)
		}
	}
	demo, _ := m.cmd.Flags().GetBool("demo")
	opts := keystore.Options{Demo: demo}
	words, err := tryPassphrase(m.cmd, "passphrase of your keystore: ", func(words keystore.Secret) error {
		k, err := keystore.Open(source, words, opts)
		if err == nil {
			k.Forget()
		}
		return err
	})
	if err != nil {
		return err
	}
	client, err := m.place.loginWith(m.cmd, m.passwordFile)
	if err != nil {
		return err
	}
	cli.AtEnd(m.cmd.Context(), client.Close)
	for round := 0; ; round++ {
		err := m.bring(client, source, before, words, opts)
		if err == nil {
			return m.sayMoved(before)
		}
		if !errors.Is(err, keystore.ErrChanged) || round == maxRounds {
			return err
		}
	}
}

// bring moves what the file holds now.
func (m *mover) bring(client *vault.Client, source, before string, words keystore.Secret, opts keystore.Options) error {
	ctx := m.cmd.Context()
	keys, err := keystore.Open(source, words, opts)
	if source != before && err == nil {
		keys.Forget()
		keys, err = keystore.Copy(source, before, words, opts)
	}
	if errors.Is(err, keystore.ErrOther) {
		return cli.Hint(err, "%s is of other keys or another passphrase: put it elsewhere, into the safe, and run the same command again", before)
	}
	if err != nil {
		return err
	}
	defer keys.Forget()
	afterStep("kept")
	moved, err := officer.Move(ctx, client, keys)
	if err != nil {
		return err
	}
	defer moved.Forget()
	afterStep("in vault")
	m.place.Public = keys.Signer().Public()
	data, err := json.MarshalIndent(m.place, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceDurably(filepath.Join(m.home, vaultFile), append(data, '\n')); err != nil {
		return err
	}
	afterStep("vault.json")
	if source == before {
		return nil
	}
	return keys.Retire(source)
}

func (m *mover) sayMoved(before string) error {
	a := map[string]string{"where": "vault", "vault": m.place.Address}
	if isThere(before) {
		a["kept"] = before
	}
	return cli.Out(m.cmd, a, func(w io.Writer) {
		fmt.Fprintf(w, "your keys are in the Vault at %s; it signed with them, and everything was read back\n", m.place.Address)
		if isThere(before) {
			fmt.Fprintf(w, `
The keystore is kept as %s.
With its passphrase it is still worth as much as your keys. Either put it on a stick
into the safe, with the paper: you can come back with it. Or delete it: then nobody
can take your signing key out of Vault any more, and coming back needs two registrars.
`, before)
		}
		fmt.Fprintln(w, "\nnext: odziv keys show")
	})
}

// toFile. The order of steps: have a keystore file that holds everything, and
// open it; delete vault.json, from when on the file decides. What is in Vault stays
// there: whoever keeps it deletes it.
func (m *mover) toFile() error {
	where, err := readVaultFile(m.home)
	if errors.Is(err, fs.ErrNotExist) {
		if !isThere(filepath.Join(m.home, keystoreFile)) {
			return noKeystore(m.home)
		}
		return m.sayFiled("")
	}
	if err != nil {
		return err
	}
	m.place = *where
	from := m.from
	if from == "" {
		from = filepath.Join(m.home, beforeVault)
	}
	switch {
	case isThere(from):
		return m.back(from)
	case m.from != "":
		return cli.Hint(fmt.Errorf("%s is not there", from), "check the name; without it leave --from out, and a new signing key is made")
	}
	if path := filepath.Join(m.home, keystoreFile); isThere(path) {
		return m.take(path, path) // a run that was stopped before its last step
	}
	if next := filepath.Join(m.home, nextKeystore); isThere(next) {
		return m.take(next, filepath.Join(m.home, keystoreFile))
	}
	return m.prepare(filepath.Join(m.home, nextKeystore))
}

// inVault opens what Vault has.
func (m *mover) inVault() (*officer.Keys, error) {
	client, err := m.place.loginWith(m.cmd, m.passwordFile)
	if err != nil {
		return nil, err
	}
	cli.AtEnd(m.cmd.Context(), client.Close)
	return officer.Open(m.cmd.Context(), client)
}

// back comes back with the file that was moved to Vault.
func (m *mover) back(from string) error {
	there, err := m.inVault()
	if err != nil {
		return err
	}
	defer there.Forget()
	demo, _ := m.cmd.Flags().GetBool("demo")
	opts := keystore.Options{Demo: demo}
	var keys *keystore.Keystore
	words, err := tryPassphrase(m.cmd, "passphrase of the keystore that was moved: ", func(words keystore.Secret) (err error) {
		keys, err = keystore.Open(from, words, opts)
		return err
	})
	if err != nil {
		return err
	}
	defer keys.Forget()
	if _, err := keys.Merge(there.Keystore); errors.Is(err, keystore.ErrOther) {
		return cli.Hint(fmt.Errorf("%s: %w", from, err), "this file is not the one that was moved to this Vault: name the right one with --from")
	} else if err != nil {
		return err
	}
	path := filepath.Join(m.home, keystoreFile)
	if err := keys.Update(path, words); err != nil {
		return err
	}
	if err := proven(path, words, opts, keys); err != nil {
		return err
	}
	afterStep("filed")
	if err := m.leaveVault(); err != nil {
		return err
	}
	afterStep("left")
	if own := filepath.Join(m.home, beforeVault); from == own { // an older version of what is proven now
		if err := os.Rename(own, path+keystore.PreviousSuffix); err != nil {
			return err
		}
	}
	return m.sayFiled(there.Name())
}

// proven opens what was written, and compares.
func proven(path string, words keystore.Secret, opts keystore.Options, keys *keystore.Keystore) error {
	written, err := keystore.Open(path, words, opts)
	if err != nil {
		return fmt.Errorf("the keystore that was written does not open, nothing else was changed: %w", err)
	}
	defer written.Forget()
	return sameKeys(keys, written)
}

func (m *mover) leaveVault() error {
	if err := os.Remove(filepath.Join(m.home, vaultFile)); err != nil {
		return err
	}
	return syncFolder(m.home)
}

func (m *mover) sayFiled(name string) error {
	path := filepath.Join(m.home, keystoreFile)
	return cli.Out(m.cmd, map[string]string{"where": "file", "keystore": path, "left_in_vault": name}, func(w io.Writer) {
		fmt.Fprintf(w, "your keys are in %s, and were opened there\n", path)
		if name != "" {
			fmt.Fprintf(w, "\nWhat is in Vault stays there: ask whoever keeps it to delete key and entry %s.\n", name)
		}
		fmt.Fprintln(w, "\nnext: odziv keys show")
	})
}

const (
	// nextKeystore is a keystore whose key is not enrolled yet.
	nextKeystore = "keystore.next.age"
	nextRequest  = "enrol-request.next.json"
)

// take comes back with a keystore that has another signing key than Vault, once
// that is enrolled; the officer works with Vault until then. The keystore moves to
// path, and then vault.json goes.
func (m *mover) take(from, path string) error {
	demo, _ := m.cmd.Flags().GetBool("demo")
	opts := keystore.Options{Demo: demo}
	var keys *keystore.Keystore
	words, err := tryPassphrase(m.cmd, "passphrase of the new keystore: ", func(words keystore.Secret) (err error) {
		keys, err = keystore.Open(from, words, opts)
		return err
	})
	if err != nil {
		return err
	}
	defer keys.Forget()
	if there, err := m.inVault(); err == nil {
		defer there.Forget()
		if _, err := keys.Adopt(there.Keystore); err != nil {
			return err
		}
	} else { // her access may have ended with the old key: what it held was taken over before
		fmt.Fprintf(m.cmd.ErrOrStderr(), "odziv: Vault was not asked for desk keys that came since (%v); a colleague can grant them\n", err)
	}
	if err := keys.Update(from, words); err != nil {
		return err
	}
	if !keys.Signer().Public().Equal(ed25519.PublicKey(m.place.Public)) {
		if err := m.enrolledYet(keys); err != nil {
			return err
		}
	}
	if err := proven(from, words, opts, keys); err != nil {
		return err
	}
	if from != path {
		if err := os.Rename(from, path); err != nil {
			return err
		}
		os.Remove(from + keystore.LockSuffix)
		os.Rename(from+keystore.PreviousSuffix, path+keystore.PreviousSuffix)
	}
	afterStep("filed")
	if err := m.leaveVault(); err != nil {
		return err
	}
	return m.sayFiled("of the key before")
}

// enrolledYet asks the exchange, with the new key, whether it is enrolled.
func (m *mover) enrolledYet(keys *keystore.Keystore) error {
	s := &session{cmd: m.cmd, home: m.home, keys: keys, at: &filed{path: filepath.Join(m.home, nextKeystore), keys: keys}}
	s.family, _ = m.cmd.Flags().GetString("family")
	notebook, err := office.OpenNotebook(m.home)
	if err != nil {
		return err
	}
	if err := s.connect(notebook); err != nil {
		return err
	}
	syncErr := s.Sync(m.cmd.Context())
	me, err := s.Me()
	if err == nil && me.ActiveAt(s.Now()) {
		return nil
	}
	if syncErr != nil && s.Directory().N() == 0 {
		return syncErr
	}
	return &cli.Error{Err: errors.New("the new key is not enrolled yet; your keys in Vault are as they were"), Code: cli.Refused,
		Hint: "a registrar revokes the old key and two enrol the new one with " + filepath.Join(m.home, nextRequest) + "; then run the same command again"}
}

// prepare makes a keystore with a new signing key, since the one in Vault never
// leaves it, and a new identity, since the directory wants a fresh one for a new
// key; and the request.
func (m *mover) prepare(next string) error {
	there, err := m.inVault()
	if err != nil {
		return err
	}
	defer there.Forget()
	words, undo, err := newWords(m.cmd, m.newWordsFile, false)
	if err != nil {
		return err
	}
	owner := keystore.Owner{Role: there.Role, Inst: there.Inst, Officer: there.Officer}
	keys, err := keystore.Generate(owner, time.Now().UnixMilli(), keystore.Options{Demo: there.Demo})
	if err == nil {
		_, err = keys.Adopt(there.Keystore)
	}
	if err != nil {
		undo()
		return err
	}
	defer keys.Forget()
	request := filepath.Join(m.home, nextRequest)
	if err := os.Remove(request); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was stopped: its key is nobody's
		undo()
		return err
	}
	if err := writeRequest(request, keys, m.rolesOf(there)); err != nil {
		undo()
		return err
	}
	afterStep("requested")
	if err := keys.Save(next, words); err != nil {
		undo()
		return err
	}
	a := map[string]any{"keystore": next, "request": request, "key": statement.KeyID(keys.Signer().Public())}
	return cli.Out(m.cmd, a, func(w io.Writer) {
		fmt.Fprintf(w, `The signing key never leaves Vault, so a new one was made:

keystore     %s
request      %s
fingerprint  %s

next: a registrar revokes your old key, and two enrol the new one with the request
      (odziv officer enrol), comparing the fingerprint with you. Send what waits to be
      sent before that. Until then you work on with Vault; then run again:
      odziv keys move --to file
`, next, request, ceremony.FingerprintOf(keys.Signer().Public()))
	})
}

// rolesOf are the roles that the directory on this computer gives the officer,
// member where it gives none.
func (m *mover) rolesOf(keys *officer.Keys) []string {
	if notebook, err := office.OpenNotebook(m.home); err == nil {
		s := &session{cmd: m.cmd, home: m.home, keys: keys.Keystore}
		if s.connect(notebook) == nil {
			if me, err := s.Me(); err == nil {
				return me.Roles
			}
		}
	}
	return []string{directory.Roles[0]}
}
