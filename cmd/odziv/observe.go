package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/keystore"
)

func observeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "observe", Short: "watch the ledger for your institution: witness, mirror and monitor",
		Long: `observe keeps a copy of the whole ledger for your institution, confirms to all others
that everybody is shown the same one, and raises an alarm when the exchange shows
what an honest one cannot. It needs a computer that is always on, and no officer's
key. docs/observer.md says what each alarm means and what to do.`,
		Example: `  odziv observe init --home /var/lib/odziv-observer --url https://exchange.example.rs --inst i_rooefvdqc76v4aa4ktvk2uhrku \
      --genesis 1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa --name observer.csr.example.rs
  odziv observe run --home /var/lib/odziv-observer --listen 127.0.0.1:8444
  odziv observe status --home /var/lib/odziv-observer`,
	}
	cmd.AddCommand(observeInitCommand(), observeRunCommand(), observeOnceCommand(), observeStatusCommand(), observeAlarmsCommand(),
		observeAcceptCommand(), observeCompareCommand(), observeExportCommand(), observeRepostCommand(), observeAnnounceCommand())
	return cmd
}

// observerFile says who the observer of a home is; its work lies in the folder
// beside it.
const (
	observerFile   = "observer.json"
	observerFolder = "observer"
)

// observer is what observer.json holds.
type observer struct {
	Inst string `json:"inst"`
	Name string `json:"name"`
}

// observerMade is the answer of init: what the council and the root are told.
type observerMade struct {
	Keystore  string `json:"keystore"`
	Statement string `json:"statement"` // file, for the institution's root
	Witness   string `json:"witness"`   // line of a policy, for the council
	VKey      string `json:"vkey"`
	Key       string `json:"key"`
}

func observeInitCommand() *cobra.Command {
	var url, genesis, inst, name, address, passphraseFile string
	cmd := &cobra.Command{
		Use: "init", Short: "make the observer's key, and what others need to know of it", Args: cobra.NoArgs,
		Long: `init makes a keystore for the observer of your institution and two things for others:
the statement by which your institution's root names its key (odziv directory
propose), and the line by which the council may adopt it as a witness. Without the
line it can mirror and check, but nobody counts its word.

--name is the witness's name for all time; take one that is yours, such as a host
name. --witness-url is where the exchange reaches odziv observe run --listen.`,
		Example: `  odziv observe init --home /var/lib/odziv-observer --url https://exchange.example.rs --inst i_rooefvdqc76v4aa4ktvk2uhrku \
      --genesis 1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa --name observer.csr.example.rs \
      --witness-url https://observer.csr.example.rs`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			made, err := makeObserver(cmd, office.Pin{URL: url, Genesis: genesis}, observer{inst, name}, address, passphraseFile)
			if err != nil {
				return err
			}
			return cli.Out(cmd, made, made.print)
		},
	}
	f := cmd.Flags()
	f.StringVar(&url, "url", "", "address of the exchange")
	f.StringVar(&genesis, "genesis", "", "hash of its genesis, from the annex")
	f.StringVar(&inst, "inst", "", "your institution (i_…)")
	f.StringVar(&name, "name", "", "name of the witness, for ever")
	f.StringVar(&address, "witness-url", "", "address at which the exchange asks it; empty: it is not asked")
	f.StringVar(&passphraseFile, "new-passphrase-file", "", "write the passphrase to this new file instead of the screen")
	for _, required := range []string{"url", "genesis", "inst", "name"} {
		cmd.MarkFlagRequired(required)
	}
	return cmd
}

// makeObserver makes everything or nothing.
func makeObserver(cmd *cobra.Command, pin office.Pin, who observer, address, passphraseFile string) (made observerMade, err error) {
	home, err := homeOf(cmd)
	if err != nil {
		return made, err
	}
	demo, _ := cmd.Flags().GetBool("demo")
	if pin.Genesis, err = readGenesisHash(pin.Genesis); err != nil {
		return made, err
	}
	if err := checkObserver(cmd, home, pin, who, demo); err != nil {
		return made, err
	}
	files := []string{filepath.Join(home, keystoreFile), filepath.Join(home, "observer-statement.json"), filepath.Join(home, observerFile), filepath.Join(home, "exchange.json")}
	defer func() {
		if err != nil {
			for _, name := range append(files, passphraseFile) {
				os.Remove(name)
			}
		}
	}()
	if err := os.MkdirAll(home, 0o700); err != nil {
		return made, err
	}
	words := keystore.GeneratePassphrase()
	if passphraseFile != "" {
		if err := writeNew(passphraseFile, []byte(words.Reveal()+"\n")); err != nil {
			passphraseFile = "" // it is somebody else's
			return made, cli.Hint(err, "name a file that does not exist yet")
		}
	}
	keys, err := keystore.Create(files[0], words, keystore.Owner{Role: keystore.Observer, Inst: who.Inst}, time.Now().UnixMilli(), keystore.Options{Demo: demo})
	if err != nil {
		return made, err
	}
	if made, err = describeObserver(keys, who, address, files[0], files[1]); err != nil {
		return made, err
	}
	if err := writeJSONNew(files[2], who); err != nil {
		return made, err
	}
	if _, err := office.CreateNotebook(home, pin); err != nil {
		return made, err
	}
	if passphraseFile == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "The passphrase of the observer, shown only now. Write it on paper:\n\n    %s\n\n", words.Reveal())
	}
	return made, nil
}

// checkObserver refuses, before anything is made, what would not work.
func checkObserver(cmd *cobra.Command, home string, pin office.Pin, who observer, demo bool) error {
	if !statement.IsID(who.Inst, statement.Institution) {
		return cli.UsageError("--inst: %.40q is no institution's id: it begins with i_ and is on the sheet of your institution", who.Inst)
	}
	if _, err := witness.NewKey(who.Name, statement.NewSigningKey(make([]byte, 32))); err != nil {
		return cli.UsageError("--name: %v", err)
	}
	for _, name := range []string{keystoreFile, "exchange.json", observerFile} {
		if _, err := os.Lstat(filepath.Join(home, name)); !errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(fmt.Errorf("%s holds keys or an exchange already (%s)", home, name), "nothing was changed; name another folder with --home")
		}
	}
	return askWhich(cmd, pin.URL, pin.Genesis, demo)
}

// describeObserver writes the statement for the root and spells the line for the
// council.
func describeObserver(keys *keystore.Keystore, who observer, address, keystore, file string) (observerMade, error) {
	key, err := witness.NewKey(who.Name, keys.Signer())
	if err != nil {
		return observerMade{}, err
	}
	public := keys.Signer().Public()
	made := observerMade{Keystore: keystore, Statement: file, VKey: key.VerifierKey(), Key: statement.KeyID(public),
		Witness: strings.TrimSpace(fmt.Sprintf("witness %s %s %s", strings.ReplaceAll(who.Name, "/", "-"), key.VerifierKey(), address))}
	return made, writeJSONNew(file, map[string]any{"t": "inst.observer", "i": who.Inst, "key": []byte(public)})
}

func (m observerMade) print(w io.Writer) {
	fmt.Fprintf(w, "keystore     %s\nfingerprint  %s\nstatement    %s\nwitness      %s\n\n", m.Keystore, grouped(strings.TrimPrefix(m.Key, "ed25519:")), m.Statement, m.Witness)
	fmt.Fprintf(w, "next: your institution's root signs the statement (odziv directory propose), the council may put the witness line into\nits policy; then: odziv observe run\n")
}

// writeJSONNew writes a file that does not exist yet.
func writeJSONNew(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeNew(name, append(data, '\n'))
}

// observerHint says what to do about errors of the observer.
func observerHint(err error) error {
	for _, known := range []struct {
		is   error
		hint string
		code int
	}{
		{observe.ErrDemo, "add --demo if you mean to look at a demonstration", cli.Refused},
		{witness.ErrBusy, "odziv observe run is at work on it; status, alarms, accept, compare and export work beside it", cli.Failed},
		{witness.ErrMemory, "do not delete it: make a new observer with odziv observe init, let root and council name it, and keep this folder as evidence", cli.Failed},
		{witness.ErrPlain, "give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a reverse proxy", cli.Usage},
		{observe.ErrDamaged, "the disk may be failing; move dir and ev away and start again: they are fetched anew, and cosigned stays where it is", cli.Failed},
		{observe.ErrNoChange, "odziv observe accept lists what waits", cli.Failed},
		{observe.ErrNoAlarm, "odziv observe alarms lists them", cli.Failed},
		{observe.ErrForeign, "compare checkpoints and .tlog-proof files of your own exchange, after odziv observe run or once has mirrored it", cli.Failed},
	} {
		if errors.Is(err, known.is) {
			return &cli.Error{Err: err, Hint: known.hint, Code: known.code}
		}
	}
	if wire.CodeOf(err) == "signature" {
		return cli.Hint(err, "the exchange does not know the observer's key: your institution's root names it, odziv directory propose observer-statement.json")
	}
	return err
}
