package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/keys/keystore"
)

// keystoreFile is the keystore in an officer's folder.
const keystoreFile = "keystore.age"

// unlocked are keys that somebody unlocked, and where they are kept.
type unlocked struct {
	home string
	keys *keystore.Keystore
	at   keeper
}

// keeper is where unlocked keys are kept: a file or a Vault.
type keeper interface {
	// keep stores the keys as they are, and what another program of the same
	// officer added meanwhile.
	keep(ctx context.Context) error
	// reread opens what is stored.
	reread(ctx context.Context) (*keystore.Keystore, error)
	// dropPrevious deletes the version before the one stored, which may hold keys
	// that were dropped.
	dropPrevious(ctx context.Context) error
	// end lets go of what the keeper needed: nothing is kept from then on.
	end()
}

// forget ends the use of unlocked keys.
func (u *unlocked) forget() {
	u.keys.Forget()
	u.at.end()
}

// filed keeps keys in the file of a folder, under the passphrase that opened it.
type filed struct {
	path       string
	passphrase keystore.Secret
	keys       *keystore.Keystore
}

func (f *filed) keep(context.Context) error { return f.keys.Update(f.path, f.passphrase) }
func (f *filed) end()                       { f.passphrase = keystore.Secret{} }

func (f *filed) dropPrevious(context.Context) error { return keystore.DropPrevious(f.path) }

func (f *filed) reread(context.Context) (*keystore.Keystore, error) {
	return keystore.Open(f.path, f.passphrase, keystore.Options{Demo: f.keys.Demo})
}

// unlock opens the keys of the home folder, or takes those that odziv session
// holds open.
func (s *session) unlock() error {
	u, err := heldKeys(s.cmd.Context(), s.home)
	if u == nil && err == nil {
		if u, err = unlockHome(s.cmd, s.home); err == nil {
			cli.AtEnd(s.cmd.Context(), u.forget)
		}
	}
	if err != nil {
		return err
	}
	s.keys, s.at = u.keys, u.at
	s.held = s.epochsHeld()
	return nil
}

// unlockHome opens the keys of a folder, wherever they are.
func unlockHome(cmd *cobra.Command, home string) (*unlocked, error) {
	where, err := readVaultFile(home)
	switch {
	case err == nil:
		return unlockVault(cmd, home, where)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return unlockFile(cmd, home)
}

// unlockFile opens the keystore file of a folder.
func unlockFile(cmd *cobra.Command, home string) (*unlocked, error) {
	path := filepath.Join(home, keystoreFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // before anybody types in vain
		return nil, noKeystore(home)
	}
	var keys *keystore.Keystore
	demo, _ := cmd.Flags().GetBool("demo")
	words, err := tryPassphrase(cmd, "passphrase: ", func(words keystore.Secret) (err error) {
		keys, err = keystore.Open(path, words, keystore.Options{Demo: demo})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &unlocked{home, keys, &filed{path, words, keys}}, nil
}

// noKeystore says what a folder without keys may be.
func noKeystore(home string) error {
	err := fmt.Errorf("%s holds no keystore", home)
	switch {
	case isThere(filepath.Join(home, keystoreFile+keystore.PreviousSuffix)):
		return cli.Hint(err, "its previous version is there; put it in its place with: odziv keys restore-previous")
	case isThere(filepath.Join(home, beforeVault)):
		return cli.Hint(err, "it was moved to Vault, and vault.json is gone: go on with odziv keys move --to vault, or back with odziv keys move --to file")
	}
	return cli.Hint(err, "name the folder with --home, or make keys with: odziv enroll")
}

func isThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// maxAttempts is how often a person at a terminal may type a passphrase before
// the command gives up. Each costs a second of scrypt, for a guesser too.
const maxAttempts = 3

// tryPassphrase asks for a passphrase until open takes it. Where it comes from a
// file there is nobody to ask again.
func tryPassphrase(cmd *cobra.Command, prompt string, open func(keystore.Secret) error) (keystore.Secret, error) {
	for attempt := 1; ; attempt++ {
		words, typed, err := askSecret(cmd, prompt)
		if err != nil {
			return words, err
		}
		err = open(words)
		if err == nil || !typed || attempt == maxAttempts || !errors.Is(err, keystore.ErrPassphrase) {
			return words, err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s Try again.\n", whyWrong(words))
	}
}

// whyWrong tells a person what to look at before she types again.
func whyWrong(words keystore.Secret) string {
	if n := keystore.Mistyped(words); n > 0 {
		return fmt.Sprintf("Word %d is not one of the words that passphrases are made of.", n)
	}
	return "This is not the passphrase of this keystore."
}

// askSecret reads a passphrase or password from the file named, else from the
// terminal without echo, and reports whether it was typed.
func askSecret(cmd *cobra.Command, prompt string) (secret keystore.Secret, typed bool, err error) {
	file, _ := cmd.Flags().GetString("passphrase-file")
	if file == "" {
		file = besideKeys(cmd)
	}
	if file != "" {
		secret, err = passphraseFrom(file)
		return secret, false, err
	}
	secret, err = askTerminal(cmd.Context(), prompt)
	return secret, true, err
}

// askTerminal reads a line that is not shown. An interruption ends it, but not in a
// session: whoever reads on there would take the next line typed.
func askTerminal(ctx context.Context, prompt string) (keystore.Secret, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return keystore.Secret{}, cli.Hint(errors.New("there is no terminal to ask for the passphrase"), "name a file with --passphrase-file")
	}
	defer silence(fd)()
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	interrupted := ctx.Done()
	if _, session := ctx.Value(heldKey{}).(*held); session {
		interrupted = nil
	}
	typed := make(chan keystore.Secret, 1)
	failed := make(chan error, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		if err != nil {
			failed <- err
			return
		}
		typed <- keystore.Typed(string(text))
	}()
	select {
	case secret := <-typed:
		return secret, nil
	case err := <-failed:
		return keystore.Secret{}, err
	case <-interrupted:
		return keystore.Secret{}, context.Canceled
	}
}

// sameKeys wants what is in memory to be what was read back.
func sameKeys(want, got *keystore.Keystore) error {
	broken := errors.New("the new keystore lacks keys that it ought to have")
	if !want.Signer().Public().Equal(got.Signer().Public()) || want.Recipient() != got.Recipient() || !slices.Equal(want.Desks(), got.Desks()) {
		return broken
	}
	for _, desk := range want.Desks() {
		if !slices.Equal(want.DeskEpochs(desk), got.DeskEpochs(desk)) {
			return broken
		}
		for _, e := range want.DeskEpochs(desk) {
			a, _ := want.DeskIdentity(desk, e)
			b, _ := got.DeskIdentity(desk, e)
			if a.Recipient().String() != b.Recipient().String() {
				return broken
			}
		}
	}
	return nil
}
