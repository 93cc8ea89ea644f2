package main

import (
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

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "your own keys: what you hold, passphrase, copies, Vault", Args: cobra.NoArgs,
		Long: `keys looks after what makes you you: the key that signs for you, the identity that
mail is sealed to, and the keys of your desks. They are in the keystore of the home
folder, under your passphrase, or in your institution's Vault. docs/keys.md tells
the whole story.`,
		Example: "  odziv keys show\n  odziv keys passphrase\n  odziv keys copy --to /media/stick\n  odziv keys move --to vault --vault https://vault.example.rs:8200\n  odziv keys restore-previous",
	}
	cmd.AddCommand(showKeysCommand(), passphraseCommand(), copyKeysCommand(), moveKeysCommand(), restoreKeysCommand())
	return cmd
}

// keysAnswer is what somebody holds.
type keysAnswer struct {
	Where       string      `json:"where"` // file or vault
	Place       string      `json:"place"` // its name or address
	Previous    string      `json:"previous,omitempty"`
	Role        string      `json:"role"`
	Inst        string      `json:"inst,omitempty"`
	Officer     string      `json:"officer,omitempty"`
	Created     int64       `json:"created"` // ms
	Demo        bool        `json:"demo"`
	Public      []byte      `json:"public"`
	Key         string      `json:"key"`
	Fingerprint string      `json:"fingerprint"`
	Desks       []deskHolds `json:"desks"`
}

// deskHolds are the keys of one desk that somebody holds.
type deskHolds struct {
	Desk   string  `json:"desk"`
	Name   string  `json:"name,omitempty"`
	Epochs []int64 `json:"epochs"`
}

func showKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "which keys you hold, and where", Args: cobra.NoArgs,
		Long: `show opens your keys and says whose they are, where they are kept, the fingerprint
that registrars compare with you, and which keys of your desks you hold: with the
key of a number you can read what was sealed to the desk under that number. It asks
nobody on the network but your Vault.`,
		Example: "  odziv keys show\n  odziv keys show --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			a := s.keysAnswer()
			return cli.Out(cmd, a, a.print)
		},
	}
}

func (s *session) keysAnswer() keysAnswer {
	k := s.keys
	public := k.Signer().Public()
	a := keysAnswer{Where: "file", Place: filepath.Join(s.home, keystoreFile), Role: k.Role, Inst: k.Inst, Officer: k.Officer, Created: k.Created, Demo: k.Demo,
		Public: public, Key: statement.KeyID(public), Fingerprint: ceremony.FingerprintOf(public), Desks: []deskHolds{}}
	if v, ok := s.at.(*vaulted); ok {
		a.Where, a.Place = "vault", v.keys.Name()
		if where, err := readVaultFile(s.home); err == nil {
			a.Place = where.Address + " " + v.keys.Name()
		}
	}
	for _, name := range []string{a.Place + keystore.PreviousSuffix, filepath.Join(s.home, beforeVault)} {
		if isThere(name) {
			a.Previous = name
		}
	}
	for _, desk := range k.Desks() {
		name := s.called(desk)
		if name == desk {
			name = ""
		}
		a.Desks = append(a.Desks, deskHolds{desk, name, k.DeskEpochs(desk)})
	}
	return a
}

func (a keysAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "kept in      %s %s\n", a.Where, a.Place)
	switch {
	case a.Where == "vault" && a.Previous != "":
		fmt.Fprintf(w, "file before  %s: put it into the safe, or delete it\n", a.Previous)
	case a.Previous != "":
		fmt.Fprintf(w, "previous     %s, under the passphrase of its time\n", a.Previous)
	}
	fmt.Fprintf(w, "role         %s\ninstitution  %s\n", a.Role, a.Inst)
	if a.Officer != "" {
		fmt.Fprintf(w, "officer      %s\n", a.Officer)
	}
	if a.Demo {
		fmt.Fprintln(w, "             of a DEMONSTRATION: weakly locked")
	}
	fmt.Fprintf(w, "made         %s\npublic key   %s\nfingerprint  %s\n", time.UnixMilli(a.Created).Format("2006-01-02 15:04 MST"), encode64(a.Public), a.Fingerprint)
	for _, d := range a.Desks {
		fmt.Fprintf(w, "desk         %s  %s: keys %s\n", d.Desk, d.Name, ranges(d.Epochs))
	}
	if len(a.Desks) == 0 {
		fmt.Fprintln(w, "desk         no key of a desk yet: it comes with the first message, or with odziv directory acknowledge")
	}
}

// ranges spells ascending numbers: 1-3, 5.
func ranges(list []int64) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(list[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

func passphraseCommand() *cobra.Command {
	var own bool
	var file string
	cmd := &cobra.Command{
		Use: "passphrase", Short: "lock the keystore under another passphrase", Args: cobra.NoArgs,
		Long: `passphrase makes six new words, shows them and locks the keystore under them. Do it
at once when somebody may have seen the old ones, or their paper is gone. The new
file is opened and compared before anything that the old passphrase opens is
deleted: the previous version, and what an interruption left. Copies elsewhere, on a
stick or in a backup, keep the old passphrase until you make them anew.

--own takes a passphrase of your own choice instead, of at least 12 letters. People
choose badly; six random words are worth 72 bits.`,
		Example: "  odziv keys passphrase\n  odziv keys passphrase --own",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if own && file != "" {
				return cli.UsageError("--own is typed, --new-passphrase-file is written: choose one")
			}
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			if isThere(filepath.Join(home, vaultFile)) {
				return cli.Hint(errors.New("your keys are in Vault: there is no passphrase"), "change your password where you log in to Vault")
			}
			u, err := unlockFile(cmd, home)
			if err != nil {
				return err
			}
			defer u.forget()
			words, undo, err := newWords(cmd, file, own)
			if err != nil {
				return err
			}
			path := filepath.Join(home, keystoreFile)
			if err := u.keys.Rekey(path, words); err != nil {
				if _, opens := keystore.Open(path, words, keystore.Options{Demo: u.keys.Demo}); opens != nil {
					undo() // else the words in the file are the ones that count
				}
				return err
			}
			return cli.Out(cmd, map[string]string{"keystore": path}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is locked under the new passphrase; the old one opens nothing here any more\n\nnext: make copies anew (odziv keys copy --to FOLDER), and destroy the paper with the old words\n", path)
			})
		},
	}
	cmd.Flags().BoolVar(&own, "own", false, "type a passphrase of your own instead of taking six random words")
	cmd.Flags().StringVar(&file, "new-passphrase-file", "", "write the new words to this new file instead of the screen")
	return markChangesKeys(cmd)
}

func copyKeysCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "copy", Short: "carry your keys: copy them to a stick or another folder", Args: cobra.NoArgs,
		Long: `copy writes the keystore, the exchange that it belongs to and the names of desks to
a folder, which serves as --home from then on, on this computer or another. The copy
is opened before the command ends. Where an older copy of the same keys is there, it
gets what it lacks. The passphrase is the same; the copy is worth as much to a thief
as the keystore here.`,
		Example: "  odziv keys copy --to /media/stick/odziv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			f, ok := s.at.(*filed)
			if !ok {
				return cli.Hint(errors.New("your keys are in Vault: there is no file to copy"), "at another computer run odziv enroll with the same --vault: it takes the keys that are there")
			}
			if same(s.home, to) {
				return cli.UsageError("--to: %s is the folder that the keys are in", to)
			}
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			keys, err := keystore.Copy(f.path, filepath.Join(to, keystoreFile), f.passphrase, keystore.Options{Demo: s.demo()})
			if err != nil {
				return err
			}
			defer keys.Forget()
			copied, err := copyBeside(s.home, to)
			if err != nil {
				return err
			}
			return cli.Out(cmd, map[string]any{"keystore": filepath.Join(to, keystoreFile), "files": copied}, func(w io.Writer) {
				fmt.Fprintf(w, "copied to %s, and opened there: %s\n\nnext: odziv --home %s status\n", to, strings.Join(append([]string{keystoreFile}, copied...), ", "), quoted(to))
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "folder to copy to; it is made if it is not there")
	cmd.MarkFlagRequired("to")
	return cmd
}

// copyBeside copies what a keystore needs beside it. The exchange of a folder never
// changes: one that names another is left alone.
func copyBeside(from, to string) (copied []string, err error) {
	for _, name := range []string{"exchange.json", "names.json", keyFile} {
		data, err := cli.ReadFile(filepath.Join(from, name), maxNames)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return copied, err
		}
		there, err := cli.ReadFile(filepath.Join(to, name), maxNames)
		if name == "exchange.json" && err == nil && string(there) != string(data) {
			return copied, cli.Hint(fmt.Errorf("%s belongs to another exchange", to), "the keystore was copied; take another folder for this exchange")
		}
		if name == "names.json" && err == nil {
			if data, err = joinNames(there, data); err != nil {
				return copied, cli.Hint(fmt.Errorf("%s: %w", filepath.Join(to, name), err), "the keystore was copied; look at both files")
			}
		}
		if err := replaceDurably(filepath.Join(to, name), data); err != nil {
			return copied, err
		}
		copied = append(copied, name)
	}
	return copied, nil
}

// joinNames has all names of both files; ours count where they differ.
func joinNames(theirs, ours []byte) ([]byte, error) {
	var all map[string]string
	if err := json.Unmarshal(theirs, &all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(ours, &all); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(all, "", "  ")
	return append(data, '\n'), err
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func quoted(path string) string {
	if strings.ContainsAny(path, " '\"()") {
		return `"` + path + `"`
	}
	return path
}

func restoreKeysCommand() *cobra.Command {
	return markChangesKeys(&cobra.Command{
		Use: "restore-previous", Short: "put the previous version of the keystore in the place of a damaged one", Args: cobra.NoArgs,
		Long: `restore-previous takes the version of the keystore before the last change, where the
keystore does not open any more or is gone. The damaged file is kept beside it. The
keys of your desks that came since are fetched again by themselves, or granted again
by a colleague.`,
		Example: "  odziv keys restore-previous",
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			path := filepath.Join(home, keystoreFile)
			if !isThere(path + keystore.PreviousSuffix) {
				return cli.Hint(fmt.Errorf("there is no previous version beside %s", path), "look for a copy: on a stick, in the safe, in a backup; without one enroll again: odziv enroll --again")
			}
			demo, _ := cmd.Flags().GetBool("demo")
			var restored keystore.Restored
			_, err = tryPassphrase(cmd, "passphrase: ", func(words keystore.Secret) (err error) {
				restored, err = keystore.RestorePrevious(path, words, keystore.Options{Demo: demo})
				return err
			})
			if errors.Is(err, keystore.ErrHealthy) {
				return cli.Hint(err, "nothing was changed; there is nothing to restore")
			}
			if err != nil {
				return err
			}
			defer restored.Forget()
			return cli.Out(cmd, map[string]any{"keystore": path, "damaged": restored.Aside, "created": restored.Created}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is the previous version again\n", path)
				if restored.Aside != "" {
					fmt.Fprintf(w, "the damaged file is kept as %s\n", restored.Aside)
				}
				fmt.Fprintln(w, "\nnext: odziv status")
			})
		},
	})
}

// replaceDurably writes a file whole, or leaves the one that is there.
func replaceDurably(name string, data []byte) error {
	if there, err := os.ReadFile(name); err == nil && slices.Equal(there, data) {
		return nil
	}
	next := name + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(next, data); err != nil {
		return err
	}
	if err := os.Rename(next, name); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncFolder(filepath.Dir(name))
}
