package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
)

// session is one run of the program for one officer.
type session struct {
	*office.Office
	cmd    *cobra.Command
	home   string
	keys   *keystore.Keystore
	at     keeper            // where the keys are kept
	held   int               // desk keys when the keystore was opened
	names  map[string]string // of desks, by what people call them
	family string
}

// open unlocks the keystore and connects.
func open(cmd *cobra.Command) (*session, error) {
	s := &session{cmd: cmd}
	s.family, _ = cmd.Flags().GetString("family")
	var err error
	if s.home, err = homeOf(cmd); err != nil {
		return nil, err
	}
	notebook, err := office.OpenNotebook(s.home)
	if err != nil {
		return nil, err
	}
	if err := s.unlock(); err != nil {
		return nil, err
	}
	if s.names, err = readNames(s.home); err != nil {
		return nil, err
	}
	return s, s.connect(notebook)
}

func homeOf(cmd *cobra.Command) (string, error) {
	home, _ := cmd.Flags().GetString("home")
	if home != "" {
		return home, nil
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return "", cli.Hint(err, "say where with --home")
	}
	return filepath.Join(config, "odziv"), nil
}

func (s *session) keepProofs() bool { keep, _ := s.cmd.Flags().GetBool("keep-proofs"); return keep }

func (s *session) demo() bool { demo, _ := s.cmd.Flags().GetBool("demo"); return demo }

// connect makes the client and the office on it.
func (s *session) connect(notebook *office.Notebook) error {
	clock := func() int64 { return time.Now().UnixMilli() }
	c, err := client.New(notebook.Pin.URL, s.keys.Signer(), clock, client.Options{})
	if err != nil {
		return err
	}
	packs, err := embeddedPacks()
	if err != nil {
		return err
	}
	s.Office, err = office.Open(office.Config{Client: c, Keys: s.keys, Notebook: notebook, Packs: packs, Clock: clock,
		Progress: s.progress(), Demo: s.demo(), WeakKeys: s.keys.Demo, KeepProofs: s.keepProofs(), Keep: s.keep})
	return err
}

func embeddedPacks() (*rules.Set, error) {
	ids, err := rules.Embedded()
	if err != nil {
		return nil, err
	}
	var packs []*rules.Pack
	for _, id := range ids {
		p, err := rules.Load(id)
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return rules.NewSet(packs...), nil
}

// progress shows how far a large attachment is, on a terminal only.
func (s *session) progress() client.Progress {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return func(done, total int64) {
		fmt.Fprintf(os.Stderr, "\r%3d %%", 100*done/max(total, 1))
		if done == total {
			fmt.Fprint(os.Stderr, "\r     \r")
		}
	}
}

// synced is open and up to date with the directory.
func synced(cmd *cobra.Command) (*session, error) {
	s, err := open(cmd)
	if err != nil {
		return nil, err
	}
	if err := s.Sync(cmd.Context()); err != nil {
		return s, err
	}
	s.takeExpected()
	s.banner()
	s.warn()
	return s, nil
}

// acting is synced, with the desk to act for.
func acting(cmd *cobra.Command) (*session, string, error) {
	s, err := synced(cmd)
	if err != nil {
		return nil, "", err
	}
	desk, err := s.acts()
	return s, desk, err
}

// acts is the desk to act for.
func (s *session) acts() (desk string, err error) {
	named, _ := s.cmd.Flags().GetString("desk")
	if named != "" {
		if named, err = s.desk(named); err != nil {
			return "", err
		}
	}
	return s.Desk(named)
}

// keep stores the keys as they are, and what another program of the same officer
// added meanwhile, where they are kept: in the file or in Vault. An interruption
// does not stop it.
func (s *session) keep() error {
	if err := s.at.keep(context.WithoutCancel(s.cmd.Context())); err != nil {
		return err
	}
	s.held = s.epochsHeld()
	return nil
}

// save keeps desk keys that came in during this run. Where that fails nothing is
// lost: each was wrapped for this officer too and can be fetched again.
func (s *session) save() {
	if s.held == s.epochsHeld() {
		return
	}
	if err := s.keep(); err != nil {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "odziv: the desk's key could not be kept in the keystore (%v); it will be fetched again\n", err)
	}
}

// epochsHeld is how many desk keys the keystore holds: none is ever replaced.
func (s *session) epochsHeld() int {
	n := 0
	for _, desk := range s.keys.Desks() {
		n += len(s.keys.DeskEpochs(desk))
	}
	return n
}

// desk resolves what a person calls a desk.
func (s *session) desk(name string) (string, error) {
	if statement.IsID(name, statement.Desk) {
		return name, nil
	}
	id, ok := s.names[name]
	switch {
	case !ok:
		return "", cli.Hint(fmt.Errorf("no desk is called %q here", name), "list them with: odziv directory")
	case !statement.IsID(id, statement.Desk):
		return "", cli.Hint(fmt.Errorf("%q is an institution, not a desk", name), "name one of its desks: odziv directory lists them")
	}
	return id, nil
}

func (s *session) desks(names []string) ([]string, error) {
	var ids []string
	for _, n := range names {
		id, err := s.desk(n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// called is what a desk is called here, else its id.
func (s *session) called(desk string) string {
	for name, id := range s.names {
		if id == desk {
			return name
		}
	}
	return desk
}

func readNames(home string) (map[string]string, error) {
	names := map[string]string{}
	err := cli.ReadJSON(filepath.Join(home, "names.json"), maxNames, &names)
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	return names, cli.Hint(err, "the file is a JSON object of names, each with the id of a desk or an institution")
}

// maxNames bounds names.json, in bytes.
const maxNames = 4 << 20

// besideKeys is where a demonstration keeps the passphrase, "" elsewhere.
func besideKeys(cmd *cobra.Command) string {
	demo, _ := cmd.Flags().GetBool("demo")
	home, err := homeOf(cmd)
	if !demo || err != nil {
		return ""
	}
	name := filepath.Join(home, "passphrase")
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

func passphraseFrom(file string) (keystore.Secret, error) {
	f, err := os.Open(file)
	if err != nil {
		return keystore.Secret{}, err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return keystore.Secret{}, err
	}
	return keystore.Typed(strings.TrimRight(line, "\r\n")), nil
}

// when shows a time of the record in the zone of the rules.
func (s *session) when(ms int64) string {
	if ms == 0 {
		return "-"
	}
	zone := time.UTC
	if p, err := s.Pack(s.family); err == nil {
		zone = p.Location()
	}
	return time.UnixMilli(ms).In(zone).Format("2006-01-02 15:04")
}
