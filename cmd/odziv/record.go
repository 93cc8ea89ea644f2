package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

func attestCommand() *cobra.Command {
	var a messaging.Attested
	var occurred, proof string
	var acts []string
	cmd := &cobra.Command{
		Use: "attest", Short: "record an act off the system: a letter, a visit, a paper", Args: cobra.NoArgs,
		Long: `attest records what happened outside the exchange, such as a letter by post with
its proof of service. It triggers and fulfils obligations as a message would, and
is marked as attested wherever it counts. It is evidence, not service of process.`,
		Example: `  odziv attest --channel post --what sent --outcome served --kind dismissal --case c_jt2ak6raipdtlc55gznuantxou \
      --subj p_6swlsnx6xkwcllp2oux653v3zq --to p_6swlsnx6xkwcllp2oux653v3zq --occurred 2026-02-12 \
      --proof return-receipt.pdf --act fulfil=o_iyesbzvz7j4goqjtp6o74voom4:known`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.Kind == "" && a.Msg == "" && len(acts) == 0 {
				return cli.UsageError("the act amounts to nothing: say --kind, --msg or --act")
			}
			var err error
			if a.Obl, err = parseActs(acts); err != nil {
				return err
			}
			if a.Doc, err = digestOfFile(proof); err != nil {
				return err
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if a.Occurred, err = s.moment(occurred); err != nil {
				return err
			}
			return s.outItem(s.Attest(cmd.Context(), desk, s.family, a))
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Channel, "channel", "post", "channel of the rule pack: post, courier, phone, in-person")
	f.StringVar(&a.What, "what", messaging.WhatSent, "sent or received")
	f.StringVar(&a.Outcome, "outcome", messaging.OutcomeServed, "served, consigned or attempted")
	f.StringVar(&a.Kind, "kind", "", "kind of notice it amounts to")
	f.StringVar(&a.Case, "case", "", "case handle")
	f.StringVar(&a.Msg, "msg", "", "message it delivers on paper")
	f.StringVar(&a.To, "to", "", "who was served: a desk (d_…) or a person (p_…)")
	f.StringVar(&a.From, "from", "", "who a received act came from")
	f.StringSliceVar(&a.Subj, "subj", nil, "handles of the persons concerned")
	f.StringVar(&occurred, "occurred", "", "when it happened")
	f.StringVar(&proof, "proof", "", "file of the proof of service; only its digest is recorded")
	f.StringArrayVar(&acts, "act", nil, "acts on obligations, as in odziv send")
	cmd.MarkFlagRequired("occurred")
	return cmd
}

func digestOfFile(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, err := sha256Of(f)
	return hex.EncodeToString(sum), err
}

func caseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "case", Short: "case handles of this institution",
		Long:    "Each pair of institutions knows a matter by its own handle. Only this institution learns that several are one.",
		Example: "  odziv case link c_jt2ak6raipdtlc55gznuantxou c_fns2nlaj7l3w4qu32abs6lfloy"}
	cmd.AddCommand(&cobra.Command{
		Use: "link CASE CASE…", Short: "say that several handles are one matter", Args: cobra.MinimumNArgs(2),
		Long: `link makes the rules, and consents, of the case hold over all the handles named. Who
else is in one of them does not learn of the others.`,
		Example: "  odziv case link c_jt2ak6raipdtlc55gznuantxou c_fns2nlaj7l3w4qu32abs6lfloy",
		RunE: func(cmd *cobra.Command, cases []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			return s.outItem(s.Link(cmd.Context(), desk, s.family, cases))
		},
	})
	return cmd
}

func proveCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "prove INDEX", Short: "write an evidence file of an entry the desk may see", Args: cobra.ExactArgs(1),
		Long: `prove writes one file with the statement, its opening, the proof that it stands in
the ledger, and the chain of keys from the genesis to its signer. Anyone can check
it offline with odziv-verify.`,
		Example: "  odziv prove 1816 --out complaint.evidence.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			idx, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return cli.UsageError("%q is no index", args[0])
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			return s.prove(desk, idx, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: INDEX.evidence.json)")
	return cmd
}

func sha256Of(r io.Reader) ([]byte, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return h.Sum(nil), err
}

func (s *session) prove(desk string, idx int64, out string) error {
	item, err := s.ItemAt(s.cmd.Context(), desk, idx)
	if err != nil {
		return err
	}
	file, v, err := s.Evidence(s.cmd.Context(), item)
	if err != nil {
		return err
	}
	if out == "" {
		out = strconv.FormatInt(idx, 10) + ".evidence.json"
	}
	return s.writeOut(out, file, v)
}

// written is a file for others, and how far others vouch for what it proves.
type written struct {
	File string `json:"file"`
	office.Vouched
}

// writeOut writes a new file and says how to check it. It never replaces one.
func (s *session) writeOut(name string, data []byte, v office.Vouched) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return cli.Hint(err, "name another file with --out")
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.out(written{name, v}, func(w io.Writer) {
		fmt.Fprintf(w, "written: %s\n%s\n", name, inWords(v))
		if v.Standing == ledger.Provisional {
			fmt.Fprintln(w, "write it again once witnesses confirmed it: the file keeps what it shows now")
		}
		fmt.Fprintf(w, "check it anywhere: odziv-verify --genesis %s %s\n", s.Directory().Genesis(), name)
	})
}
