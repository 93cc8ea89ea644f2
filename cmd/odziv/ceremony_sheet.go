package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/keys/directory"
)

// printing is where a sheet goes and in which script.
type printing struct{ script, out string }

func (p *printing) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.script, "script", string(ceremony.English), "en, sr-Cyrl or sr-Latn")
	cmd.Flags().StringVar(&p.out, "out", "", "new file: .html for printing, .txt for plain text (default: plain text here)")
}

func (p *printing) check() error {
	if !slices.Contains(ceremony.Scripts, ceremony.Script(p.script)) {
		return cli.UsageError("--script %.20q is none of en, sr-Cyrl and sr-Latn", p.script)
	}
	if ext := filepath.Ext(p.out); p.out != "" && ext != ".html" && ext != ".txt" {
		return cli.UsageError("--out %s: the name ends in .html or .txt", p.out)
	}
	return nil
}

// print writes the sheet.
func (p *printing) print(cmd *cobra.Command, sheet *ceremony.Sheet) error {
	if p.out == "" {
		return cli.Out(cmd, map[string]string{"sheet": sheet.Text()}, func(w io.Writer) { fmt.Fprint(w, sheet.Text()) })
	}
	text := sheet.Text()
	if filepath.Ext(p.out) == ".html" {
		text = sheet.HTML()
	}
	if err := writeNew(p.out, []byte(text)); err != nil {
		return cli.Hint(err, "name another file with --out")
	}
	return cli.Out(cmd, map[string]string{"file": p.out}, func(w io.Writer) {
		fmt.Fprintf(w, "written: %s\nnext: print it on paper; what is to be filled in is filled in by hand\n", p.out)
	})
}

func sheetCommand() *cobra.Command {
	var p printing
	cmd := &cobra.Command{
		Use: "sheet [FILE]", Short: "print the sheet on which a fingerprint is compared", Args: cobra.MaximumNArgs(1),
		Long: `sheet prints the paper for a key.json (by default the one of this home folder), an
enrolment request, a request to join or any other statement in a file: fingerprints
in large groups, boxes to tick, lines to fill in by hand. It needs neither
passphrase nor exchange. No sheet holds a name.`,
		Example: "  odziv ceremony sheet --home ~/council --script sr-Cyrl --out sheet.html\n  odziv ceremony sheet enrol-request.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			file := ""
			if len(args) > 0 {
				file = args[0]
			} else {
				home, err := homeOf(cmd)
				if err != nil {
					return err
				}
				file = filepath.Join(home, keyFile)
			}
			sheet, err := sheetOf(ceremony.Script(p.script), file, ceremony.Teller{Zone: zoneOf(family(cmd))})
			if err != nil {
				return err
			}
			return p.print(cmd, sheet)
		},
	}
	p.flags(cmd)
	return cmd
}

// sheetOf finds out what a file is.
func sheetOf(script ceremony.Script, file string, t ceremony.Teller) (*ceremony.Sheet, error) {
	data, err := cli.ReadFile(file, maxStatementFile)
	if err != nil {
		return nil, cli.Hint(err, "name a key.json, an enrol-request.json or a join request")
	}
	if k, err := ceremony.ParseKey(data); err == nil {
		return ceremony.KeySheet(script, k), nil
	}
	d, body, err := readStatement(file)
	if err != nil {
		return nil, err
	}
	if d != nil {
		if body, err = directory.DecodePayload(d.Payload); err != nil {
			return nil, err
		}
	}
	switch b := body.(type) {
	case *directory.OfficerEnrol:
		return ceremony.EnrolmentSheet(script, b), nil
	case *directory.InstJoin:
		return ceremony.JoinSheet(script, b), nil
	case *directory.Genesis:
		return nil, cli.Hint(errors.New("this is a genesis"), "print its annex: odziv ceremony annex %s", file)
	}
	if d == nil {
		return nil, cli.Hint(fmt.Errorf("%s: nobody has prepared this yet", file), "prepare it with --out, then print its sheet")
	}
	return ceremony.StatementSheet(script, t.Tell(body), fmt.Sprintf("%x", d.Digest())), nil
}

func annexCommand() *cobra.Command {
	var p printing
	cmd := &cobra.Command{
		Use: "annex FILE", Short: "print the annex of the agreement for a signed genesis", Args: cobra.ExactArgs(1),
		Long: `annex prints what a complete genesis lays down, with its hash: the annex of the
agreement, signed by hand, which hangs on the wall of every institution. It needs
neither passphrase nor exchange.`,
		Example: "  odziv ceremony annex genesis.json --script sr-Cyrl --out annex.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			g, hash, err := readSignedGenesis(args[0])
			if err != nil {
				return err
			}
			return p.print(cmd, ceremony.Annex(ceremony.Script(p.script), g, hash))
		},
	}
	p.flags(cmd)
	return cmd
}

// readSignedGenesis reads a genesis with every signature on it, and its hash.
func readSignedGenesis(file string) (*directory.Genesis, string, error) {
	data, err := cli.ReadFile(file, maxStatementFile)
	if err != nil {
		return nil, "", err
	}
	leaf := bytes.TrimRight(data, "\n")
	if !json.Valid(leaf) {
		return nil, "", cli.Hint(fmt.Errorf("%s is no genesis", file), "name the genesis.json that the council signed")
	}
	signed, err := directory.Decode(leaf)
	if err != nil {
		return nil, "", cli.Hint(fmt.Errorf("%s: %w", file, err), "name the genesis.json that the council signed")
	}
	g, ok := signed.Body.(*directory.Genesis)
	if !ok {
		return nil, "", cli.Hint(fmt.Errorf("%s is no genesis but %s", file, signed.Type), "name the genesis.json that the council signed")
	}
	if _, err := directory.New().ApplySigned(signed); err != nil {
		return nil, "", &cli.Error{Err: fmt.Errorf("%s: not all council members have signed: %w", file, err), Hint: "each of them runs: odziv ceremony sign " + file, Code: cli.Refused}
	}
	return g, directory.LeafHash(leaf), nil
}
