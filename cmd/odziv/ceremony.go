package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func ceremonyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ceremony", Short: "what the council and its delegates do: genesis, policy, packs, sheets",
		Long: `ceremony is for the council and its delegates. The genesis is made once, by people
in one room, with paper (docs/ceremony.md is the order of the day; rehearse it
with --demo before). Every command says what it is about to sign in words, asks
for the comparison of fingerprints with paper, and says what comes next.`,
		Example: "  odziv ceremony genesis --dir ceremony\n  odziv ceremony sign ceremony/genesis.json\n  odziv ceremony annex ceremony/genesis.json --out annex.html",
	}
	cmd.AddCommand(planGenesisCommand(), signGenesisCommand(), annexCommand(), sheetCommand(), policyCommand(), revokeDelegateCommand(),
		packCommand(), dayCommand(), auditCommand())
	return cmd
}

func revokeDelegateCommand() *cobra.Command {
	var f forward
	var a *asker
	var reason string
	cmd := &cobra.Command{
		Use: "revoke-delegate KEY", Short: "end a delegate's key at once", Args: cobra.ExactArgs(1),
		Long: `revoke-delegate ends the key of a delegate, at once and for ever. Any one delegate or
council member does it. KEY is its key.json, or the first groups of its
fingerprint. New delegates are named with odziv ceremony policy.`,
		Example: "  odziv ceremony revoke-delegate 1a2b3c4d --reason left",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			var ids []string
			for _, d := range s.Directory().Delegates() {
				ids = append(ids, statement.KeyID(d.Key))
			}
			id, err := pick(args[0], ids, "delegate's key")
			if err != nil {
				return err
			}
			return s.put(a, &directory.DelegateRevoke{Key: id, Reason: reason}, f)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "left", "reason code: left, lost, suspected")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// pick finds the one key id among some that a key file, a key id or the
// beginning of a fingerprint names.
func pick(typed string, ids []string, what string) (string, error) {
	named := typed
	if data, err := cli.ReadFile(named, ceremony.MaxFile); err == nil {
		k, err := ceremony.ParseKey(data)
		if err != nil {
			return "", fmt.Errorf("%s: %w", named, err)
		}
		named = k.KeyID()
	}
	digits := strings.ToLower(strings.ReplaceAll(ceremony.DigestOf(named), " ", ""))
	var found []string
	for _, id := range ids {
		if len(digits) >= 8 && strings.HasPrefix(ceremony.DigestOf(id), digits) {
			found = append(found, id)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	known := make([]string, len(ids))
	for i, id := range ids {
		known[i] = ceremony.Short(ceremony.DigestOf(id))
	}
	return "", cli.Hint(fmt.Errorf("%.40q is no %s", typed, what), "name a key.json or at least the first two groups of a fingerprint; there are: %s", strings.Join(known, ", "))
}

func packCommand() *cobra.Command {
	var f forward
	var a *asker
	var from string
	cmd := &cobra.Command{
		Use: "pack ID", Short: "put a rule pack in force; two delegates", Args: cobra.ExactArgs(1),
		Long: `pack puts a rule pack that this program ships in force from a day on. Read its text
first (odzivd rules print), then compare the hash on screen with the one that
odzivd rules list shows.`,
		Example: "  odziv ceremony pack rs-a@1 --from 2026-03-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			packs, err := embeddedPacks()
			if err != nil {
				return err
			}
			p, ok := packs.Get(args[0])
			if !ok {
				return cli.Hint(fmt.Errorf("this program ships no rule pack %.40q", args[0]), "odzivd rules list shows those there are")
			}
			ms, err := s.day(from, s.Now())
			if err != nil {
				return err
			}
			return s.put(a, &directory.PackAdopt{From: ms, Hash: p.Hash(), ID: args[0]}, f)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day (2026-03-01), default: now")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// day reads a date or a time, the beginning of the day where only a date is
// given, in the zone of the rules.
func (s *session) day(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	zone := s.teller().Zone
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil && at.UnixMilli() > 0 {
			return at.UnixMilli(), nil
		}
	}
	return 0, cli.UsageError("%.40q is no day: write 2026-03-01, or \"2026-03-01 14:30\"", text)
}

func dayCommand() *cobra.Command {
	var f forward
	var a *asker
	var zone, ref string
	var working bool
	cmd := &cobra.Command{
		Use: "day DATE", Short: "declare a day off, or take that back; two delegates", Args: cobra.ExactArgs(1),
		Long:    "day declares a day off in the calendar of the rules, as a decree says. --working takes it back.",
		Example: `  odziv ceremony day 2026-02-17 --ref "decree 5/2026"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			return s.put(a, &directory.CalendarDay{Date: args[0], Off: !working, Ref: ref, Zone: zone}, f)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "Europe/Belgrade", "zone of the calendar")
	cmd.Flags().StringVar(&ref, "ref", "", "where it is decreed")
	cmd.Flags().BoolVar(&working, "working", false, "it is a working day after all")
	cmd.MarkFlagRequired("ref")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func auditCommand() *cobra.Command {
	var f forward
	var a *asker
	var from, until string
	cmd := &cobra.Command{
		Use: "audit DESK", Short: "let a desk look over openings; two delegates", Args: cobra.ExactArgs(1),
		Long:    "audit lets a desk read openings for oversight: who wrote to whom, when, what is owed; never\ncontent.",
		Example: "  odziv ceremony audit ombudsman.audit --until 2027-01-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			b := &directory.AuditGrant{Scope: "meta"}
			if b.D, err = s.desk(args[0]); err != nil {
				return err
			}
			if b.From, err = s.day(from, s.Now()); err != nil {
				return err
			}
			if b.To, err = s.day(until, 0); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day, default: now")
	cmd.Flags().StringVar(&until, "until", "", "day on which it ends")
	cmd.MarkFlagRequired("until")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// signGenesisCommand works without an exchange: there is none yet.
func signGenesisCommand() *cobra.Command {
	return genesisSigner("sign FILE", `sign says in words what a genesis lays down, down to the last member of it, and adds
the signature of a council member. FILE itself is replaced, or --out names another;
with the last signature the genesis hash is printed, for the annex. It works
without a network: carry the file from one offline computer to the next.`,
		"  odziv ceremony sign genesis.json\n  odziv ceremony sign usb/genesis.json --home ~/council", "")
}

// genesisCommand is the same for a genesis that was written by hand.
func genesisCommand() *cobra.Command {
	return genesisSigner("genesis FILE", `genesis reads the genesis as JSON (keys/directory/FORMAT.md), or one that other
council members signed already, adds this keystore's signature and writes the
result; FILE itself may be replaced, no other file is. With every council key on
it, odzivd init --genesis accepts it. odziv ceremony guides you through the same.`,
		"  odziv directory genesis genesis-body.json --out genesis.json\n  odziv directory genesis genesis.json --out genesis.json", "genesis.json")
}

func genesisSigner(use, long, example, out string) *cobra.Command {
	var a *asker
	cmd := &cobra.Command{
		Use: use, Short: "sign a genesis as a council member", Args: cobra.ExactArgs(1), Long: long, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			if out == "" {
				return s.signGenesis(a, args[0], args[0])
			}
			return s.signGenesis(a, args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", out, "file to write; without it FILE is replaced")
	a = asking(cmd)
	return cmd
}

func (s *session) signGenesis(a *asker, in, out string) error {
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
	} else if body, err = directory.DecodePayload(d.Payload); err != nil {
		return err
	}
	g, ok := body.(*directory.Genesis)
	if !ok {
		return cli.Hint(fmt.Errorf("%s is no genesis but %s", in, ceremony.HeadOf(body).T), "other statements are signed with: odziv directory sign FILE")
	}
	if err := s.readGenesis(a, d, g); err != nil {
		return err
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
	answer := genesisAnswer{Complete: complete, File: out, signed: len(d.Signatures), of: len(g.Council.Keys)}
	if complete {
		answer.Genesis = directory.LeafHash(leaf)
	}
	return s.out(answer, answer.print)
}

// readGenesis shows a genesis to a council member before she signs it.
func (s *session) readGenesis(a *asker, d *statement.DSSE, g *directory.Genesis) error {
	mine := s.keys.Signer().Public()
	seat := slices.IndexFunc(g.Council.Keys, func(k ed25519.PublicKey) bool { return slices.Equal(k, mine) })
	t, err := s.tell(d)
	if err != nil {
		return err
	}
	switch {
	case seat < 0:
		return &cli.Error{Err: fmt.Errorf("your key %s is none of the %d council keys of this genesis", ceremony.Short(ceremony.Digest(mine)), len(g.Council.Keys)),
			Hint: "take the keystore of the council member, with --home; or your key.json was not the one collected", Code: cli.Refused}
	case t.Mine:
		return cli.Hint(errors.New("you signed this already"), "the next signature is another council member's")
	case g.Demo && !s.demo():
		return errNoDemoGenesis
	}
	a.words(t.Words)
	if !cli.JSON(s.cmd) {
		text := ceremony.Fingerprint(t.Digest)
		a.say("  %-24s council key %d\n  %-24s %s\n  %-24s %s\n\n", "your seat", seat+1, "fingerprint of the text", text[:39], "", text[40:])
	}
	if err := a.confirm("Read the text's fingerprint aloud: all members must see the same. Do they, and is every word right?", "say so in the room: the genesis is written anew"); err != nil {
		return err
	}
	return a.confirm("Sign the genesis?", "nothing is lost; sign it later with the same command")
}

// errNoDemoGenesis refuses to found a demonstration by accident.
var errNoDemoGenesis = &cli.Error{Err: errors.New("this genesis founds a demonstration"), Hint: "add --demo if that is what you mean", Code: cli.Refused}

// genesisAnswer says how far a genesis is. Its hash is known with the last
// signature.
type genesisAnswer struct {
	File     string `json:"file"`
	Complete bool   `json:"complete"`
	Genesis  string `json:"genesis,omitempty"`

	signed, of int
}

func (a genesisAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "signed: %s, by %d of %d\n", a.File, a.signed, a.of)
	if !a.Complete {
		fmt.Fprintf(w, "next: carry the file to the other council members; each runs odziv ceremony sign %s\n", a.File)
		return
	}
	fmt.Fprintf(w, "complete. genesis hash, for the annex:\n\n    %s\n    %s\n\n", grouped(a.Genesis)[:39], grouped(a.Genesis)[40:])
	fmt.Fprintf(w, "next: print the annex and sign it by hand: odziv ceremony annex %s --out annex.html\n      then the operator runs: odzivd init --dir FOLDER --genesis %s\n", a.File, a.File)
}
