package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func directoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "directory", Short: "who may act and read for which desk", Args: cobra.NoArgs,
		Long: `directory lists institutions and desks as this program verified them: every entry
was replayed and the whole compared with the signed checkpoint. Names are those of
names.json; the directory itself holds none.`,
		Example: "  odziv directory\n  odziv directory propose enrol-request.json\n  odziv directory rotate\n  odziv directory acknowledge",
		RunE:    listDirectory,
	}
	cmd.AddCommand(proposeCommand(), rotateCommand(), acknowledgeCommand(), genesisCommand())
	return cmd
}

// deskLine is a line of the directory.
type deskLine struct {
	Inst    string `json:"inst"`
	Type    string `json:"type"`
	Desk    string `json:"desk"`
	Fn      string `json:"fn"`
	Name    string `json:"name,omitempty"`
	Members int    `json:"members"`
	Epoch   int64  `json:"epoch"` // 0: nothing can be sealed to it yet
	Stale   bool   `json:"stale"`
}

func listDirectory(cmd *cobra.Command, _ []string) error {
	s, err := synced(cmd)
	if err != nil {
		return err
	}
	dir := s.Directory()
	lines := []deskLine{}
	for _, i := range dir.Institutions() {
		for _, d := range dir.DesksOfInst(i) {
			desk, _ := dir.Desk(d)
			e, _ := dir.ActiveEpoch(d)
			_, stale := dir.Stale(d, s.Now())
			name := s.called(d)
			if name == d {
				name = ""
			}
			lines = append(lines, deskLine{Inst: i, Type: dir.TypeOfDesk(d), Desk: d, Fn: desk.Fn, Name: name,
				Members: len(desk.Members), Epoch: e.E, Stale: stale})
		}
	}
	return cli.Out(cmd, lines, func(w io.Writer) {
		for _, l := range lines {
			fmt.Fprintf(w, "%-28s %-14s %-11s %d members  key %d  %s\n", l.Name, l.Type, l.Fn, l.Members, l.Epoch, l.Desk)
		}
	})
}

// maxStatementFile bounds a statement read from a file, in bytes.
const maxStatementFile = 64 << 10

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStatementFile+1))
	if err == nil && len(data) > maxStatementFile {
		return nil, errors.New("the file is larger than any statement")
	}
	return data, err
}

func proposeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "propose FILE", Short: "sign a directory statement and submit it", Args: cobra.ExactArgs(1),
		Long: `propose reads a statement as JSON (keys/directory/FORMAT.md; at, dirn, prev and v are
filled in), signs it with this keystore and submits it. One that needs more
signatures waits for them: the others run odziv pending.`,
		Example: "  odziv directory propose enrol-request.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			data, err := readFile(args[0])
			if err != nil {
				return err
			}
			body, err := bodyOf(data)
			if err != nil {
				return cli.Hint(err, "see keys/directory/FORMAT.md")
			}
			if err := s.Propose(cmd.Context(), body); err != nil {
				return err
			}
			return s.sayDirectory("submitted; if it needs more signatures, the others find it with: odziv pending")
		},
	}
}

func (s *session) sayDirectory(text string) error {
	return cli.Out(s.cmd, map[string]bool{"submitted": true}, func(w io.Writer) { fmt.Fprintln(w, text) })
}

func rotateCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "rotate", Short: "make a new key for the desk", Args: cobra.NoArgs,
		Long: `rotate makes a new key for the desk and wraps it for each member. Senders use it
once another member ran odziv directory acknowledge.`,
		Example: "  odziv directory rotate --why member-left",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			epoch, err := s.Rotate(cmd.Context(), desk, why)
			if err != nil {
				return err
			}
			if err := s.save(); err != nil {
				return err
			}
			return cli.Out(cmd, map[string]int64{"epoch": epoch}, func(w io.Writer) {
				fmt.Fprintf(w, "key %d made; a colleague runs: odziv directory acknowledge\n", epoch)
			})
		},
	}
	cmd.Flags().StringVar(&why, "why", "yearly", "reason code")
	return cmd
}

func acknowledgeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "acknowledge", Short: "check your package of the desk's new key, and confirm it", Args: cobra.NoArgs,
		Long:    `acknowledge opens your package, compares the key with the directory, keeps it and says so.`,
		Example: "  odziv directory acknowledge",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if err := s.Acknowledge(cmd.Context(), desk); err != nil {
				return err
			}
			if err := s.save(); err != nil {
				return err
			}
			return s.sayDirectory("confirmed: senders use the new key from now on")
		},
	}
}

// genesisCommand works without an exchange: there is none yet.
func genesisCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "genesis FILE", Short: "sign a genesis as a council member", Args: cobra.ExactArgs(1),
		Long: `genesis reads the genesis as JSON (keys/directory/FORMAT.md), or one that other
council members signed already, adds this keystore's signature and writes the
result. With every council key on it, odzivd init --genesis accepts it.`,
		Example: "  odziv directory genesis genesis-body.json --out genesis.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s := &session{cmd: cmd}
			var err error
			if s.home, err = homeOf(cmd); err != nil {
				return err
			}
			if err := s.unlock(); err != nil {
				return err
			}
			return s.signGenesis(args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "genesis.json", "file to write")
	return cmd
}

func (s *session) signGenesis(in, out string) error {
	data, err := readFile(in)
	if err != nil {
		return err
	}
	d, err := statement.ParseDSSE(trimNewline(data))
	if err != nil { // not signed by anybody yet
		body, err := bodyOf(data)
		if err != nil {
			return err
		}
		payload, err := directory.New().Prepare(body, time.Now().UnixMilli())
		if err != nil {
			return err
		}
		d = &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	}
	if err := d.AddSignature(s.cmd.Context(), s.keys.Signer()); err != nil {
		return err
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		return err
	}
	complete, err := directory.New().Complete(d)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, leaf, 0o600); err != nil {
		return err
	}
	hash := directory.LeafHash(leaf)
	return cli.Out(s.cmd, map[string]any{"complete": complete, "genesis": hash}, func(w io.Writer) {
		fmt.Fprintf(w, "signed: %s\n", out)
		if complete {
			fmt.Fprintf(w, "complete. genesis hash, for the annex:\n  %s\n", grouped(hash))
		} else {
			fmt.Fprintln(w, "the other council members sign it next")
		}
	})
}

func trimNewline(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
	}
	return data
}
