package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// maxStatementFile bounds a statement read from a file, in bytes.
const maxStatementFile = 64 << 10

// readStatement reads a file that holds a statement somebody signed already, or
// else the members of one that nobody signed.
func readStatement(name string) (*statement.DSSE, directory.Body, error) {
	data, err := cli.ReadFile(name, maxStatementFile)
	if err != nil {
		return nil, nil, err
	}
	var signed struct {
		PayloadType string `json:"payloadType"`
	}
	if json.Unmarshal(data, &signed) == nil && signed.PayloadType != "" {
		d, err := statement.ParseDSSE(bytes.TrimRight(data, "\n"))
		if err != nil {
			return nil, nil, cli.Hint(fmt.Errorf("%s: %w", name, err), "the file was changed after it was signed: ask for it again")
		}
		return d, nil, nil
	}
	body, err := bodyOf(name)
	if err != nil {
		return nil, nil, cli.Hint(err, "see keys/directory/FORMAT.md for the members of each statement")
	}
	return nil, body, nil
}

// bodyOf reads a directory statement that may lack its head: at, dirn, prev and
// v are filled in when it is signed.
func bodyOf(name string) (directory.Body, error) {
	var members map[string]json.RawMessage
	if err := cli.ReadJSON(name, maxStatementFile, &members); err != nil {
		return nil, err
	}
	dirn := "1"
	if string(members["t"]) == `"genesis"` {
		dirn = "0"
	}
	for member, value := range map[string]string{"at": "1", "dirn": dirn, "prev": `""`, "v": "1"} {
		if _, ok := members[member]; !ok {
			members[member] = json.RawMessage(value)
		}
	}
	payload, err := statement.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	body, err := directory.DecodePayload(payload)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return body, nil
}

func proposeCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "propose FILE", Short: "sign a directory statement and submit it", Args: cobra.ExactArgs(1),
		Long: `propose reads a statement as JSON (keys/directory/FORMAT.md; at, dirn, prev and v are
filled in), signs it with this keystore and submits it. One that needs more
signatures waits for them: the others find it with odziv pending.

Somebody whose key the directory does not know yet, such as the root of an
institution that joins, signs a file instead: write it with --out, let them run
odziv directory sign, and propose the file they give back.`,
		Example: `  odziv directory propose enrol-request.json
  odziv directory propose join.json --out join.signed.json
  odziv directory propose join.signed.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			d, err := s.drawn(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if out != "" {
				return s.outSigned(d, out)
			}
			what, err := s.SubmitDirectory(cmd.Context(), d)
			if err != nil {
				return err
			}
			return s.outProposed(what)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the signed statement to this new file instead of submitting it")
	return cmd
}

// drawn is the statement of a file with this keystore's signature on it.
func (s *session) drawn(ctx context.Context, file string) (*statement.DSSE, error) {
	d, body, err := readStatement(file)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return s.Draw(ctx, body)
	}
	if d.PayloadType != statement.TypeDirectory {
		return nil, fmt.Errorf("%s: a %s, not a directory statement", file, d.PayloadType)
	}
	return d, s.addSignature(ctx, d)
}

// addSignature signs unless this key has signed already.
func (s *session) addSignature(ctx context.Context, d *statement.DSSE) error {
	if s.hasSigned(d) {
		return nil
	}
	return d.AddSignature(ctx, s.keys.Signer())
}

func (s *session) hasSigned(d *statement.DSSE) bool {
	mine := statement.KeyID(s.keys.Signer().Public())
	return slices.ContainsFunc(d.Signatures, func(sig statement.Signature) bool { return sig.KeyID == mine })
}

func (s *session) outSigned(d *statement.DSSE, out string) error {
	raw, err := d.Encode()
	if err != nil {
		return err
	}
	if err := writeNew(out, raw); err != nil {
		return cli.Hint(err, "name another file with --out")
	}
	return s.out(map[string]any{"file": out, "signed": len(d.Signatures)}, func(w io.Writer) {
		fmt.Fprintf(w, "written: %s, signed by %d; the others sign it with: odziv directory sign\n", out, len(d.Signatures))
	})
}

// proposedAnswer says what became of a directory statement.
type proposedAnswer struct {
	Recorded bool   `json:"recorded"`
	Idx      int64  `json:"idx"`               // in the directory, -1 while it waits
	Pending  string `json:"pending,omitempty"` // by which others find it

	Standing ledger.Standing `json:"standing,omitempty"`
}

func (s *session) outProposed(p office.Proposed) error {
	a := proposedAnswer{Recorded: p.Complete, Idx: -1}
	if !p.Complete {
		a.Pending = p.Digest
		return s.out(a, func(w io.Writer) {
			fmt.Fprintf(w, "waits for more signatures: the others find it with odziv pending, or\n  odziv pending sign %s\n", a.Pending)
		})
	}
	a.Idx = p.Idx
	var err error
	if a.Standing, err = s.Await(s.cmd.Context(), p.Idx); err != nil {
		return err
	}
	return s.out(a, func(w io.Writer) {
		fmt.Fprintf(w, "recorded, entry %d of the directory — %s\n", a.Idx, inWords(office.Vouched{Standing: a.Standing}))
	})
}

// signCommand works without an exchange: whoever runs it may not be known there.
func signCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "sign FILE", Short: "add your signature to a directory statement in a file", Args: cobra.ExactArgs(1),
		Long: `sign shows a statement that others have signed, adds this keystore's signature and
writes it to a new file. It asks no exchange. Read what it shows: your signature
says the same as the first.`,
		Example: "  odziv directory sign join.signed.json --out join.both.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			d, _, err := readStatement(args[0])
			if err != nil {
				return err
			}
			if d == nil {
				return cli.Hint(fmt.Errorf("%s: nobody has signed this yet", args[0]), "whoever knows the exchange begins: odziv directory propose FILE --out …")
			}
			if err := s.addSignature(cmd.Context(), d); err != nil {
				return err
			}
			if !cli.JSON(cmd) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", d.Payload)
			}
			return s.outSigned(d, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "signed.json", "new file to write")
	return cmd
}

// offline is a session with keys alone.
func offline(cmd *cobra.Command) (*session, error) {
	s := &session{cmd: cmd}
	var err error
	if s.home, err = homeOf(cmd); err != nil {
		return nil, err
	}
	return s, s.unlock()
}

// genesisCommand works without an exchange: there is none yet.
func genesisCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "genesis FILE", Short: "sign a genesis as a council member", Args: cobra.ExactArgs(1),
		Long: `genesis reads the genesis as JSON (keys/directory/FORMAT.md), or one that other
council members signed already, adds this keystore's signature and writes the
result; FILE itself may be replaced, no other file is. With every council key on
it, odzivd init --genesis accepts it.`,
		Example: "  odziv directory genesis genesis-body.json --out genesis.json\n  odziv directory genesis genesis.json --out genesis.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			return s.signGenesis(args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "genesis.json", "file to write")
	return cmd
}

func (s *session) signGenesis(in, out string) error {
	d, body, err := readStatement(in)
	if err != nil {
		return err
	}
	if d == nil {
		payload, err := directory.New().Prepare(body, time.Now().UnixMilli())
		if err != nil {
			return err
		}
		d = &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	}
	if err := s.addSignature(s.cmd.Context(), d); err != nil {
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
	if err := replaceOwn(in, out, leaf); err != nil {
		return err
	}
	a := genesisAnswer{Complete: complete, File: out}
	if complete {
		a.Genesis = directory.LeafHash(leaf)
	}
	return s.out(a, a.print)
}

// genesisAnswer says how far a genesis is. Its hash is known with the last
// signature.
type genesisAnswer struct {
	File     string `json:"file"`
	Complete bool   `json:"complete"`
	Genesis  string `json:"genesis,omitempty"`
}

func (a genesisAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "signed: %s\n", a.File)
	if a.Complete {
		fmt.Fprintf(w, "complete. genesis hash, for the annex:\n  %s\n", grouped(a.Genesis))
	} else {
		fmt.Fprintln(w, "the other council members sign it next")
	}
}

// replaceOwn writes a new file, or replaces the one that was read.
func replaceOwn(in, out string, data []byte) error {
	if filepath.Clean(in) != filepath.Clean(out) {
		err := writeNew(out, data)
		if errors.Is(err, fs.ErrExist) {
			return cli.Hint(err, "name another file with --out")
		}
		return err
	}
	temporary := out + ".new"
	if err := writeNew(temporary, data); err != nil {
		return err
	}
	return os.Rename(temporary, out)
}
