package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
)

// recoveryFlags say which keys are to be recovered, for whom and what for.
type recoveryFlags struct {
	officer, purpose, numbers, reason string
	epochs                            []int64 // nil: all that can be recovered
}

func (f *recoveryFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.officer, "officer", "", "member of the desk (u_…) who receives the keys; at a rehearsal, who would")
	cmd.Flags().StringVar(&f.purpose, "purpose", "", "recovery or rehearsal")
	cmd.Flags().StringVar(&f.numbers, "epochs", "all", "numbers of keys, such as 3-5,7, or all that can be recovered")
}

func (f *recoveryFlags) read() (err error) {
	if f.officer != "" && !statement.IsID(f.officer, statement.Officer) {
		return cli.UsageError("--officer: %.40q is no officer id: it begins with u_, and odziv status shows it to its owner", f.officer)
	}
	if f.purpose != "" && f.purpose != evidence.PurposeRecovery && f.purpose != evidence.PurposeRehearsal {
		return cli.UsageError("--purpose: %.20q is neither recovery nor rehearsal", f.purpose)
	}
	f.epochs, err = parseEpochs(f.numbers)
	return err
}

// progress is the answer of a custodian's command.
type progress struct {
	office.Recovery
	Next string `json:"next"` // what happens next, in words
}

func recoveryRequestCommand() *cobra.Command {
	var f recoveryFlags
	var a *asker
	cmd := &cobra.Command{
		Use: "request DESK", Short: "a custodian asks that a desk be recovered, or rehearses it", Args: cobra.ExactArgs(1),
		Long: `request puts on record that you ask for the escrow of a desk: the desk and the head of
your institution see it at once. When as many custodians as the institution wants have
asked for the same (the same desk, keys, officer and purpose) within a week, it is
released to them, which is on record too; then each runs odziv recovery open.

For a recovery the officer stands before you: you know her, you have seen her card, and
you compare the fingerprint on her new sheet. Ask for nothing on the telephone.`,
		Example: `  odziv recovery request ppo-nis.registry --officer u_5m7wq3rtu6u5hf7v2zkgqxk3ja --purpose recovery
  odziv recovery request ppo-nis.registry --officer u_5m7wq3rtu6u5hf7v2zkgqxk3ja --purpose rehearsal`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(); err != nil {
				return err
			}
			if f.officer == "" || f.purpose == "" {
				return cli.UsageError("say who receives the keys and what for: --officer and --purpose")
			}
			a.begin()
			s, desk, err := custodying(cmd, args[0])
			if err != nil {
				return err
			}
			return s.requestEscrow(a, desk, f)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "reason code (default: keys-lost, or yearly for a rehearsal)")
	a = asking(cmd)
	return cmd
}

// custodying is synced for a custodian, with the desk.
func custodying(cmd *cobra.Command, name string) (*session, string, error) {
	s, err := synced(cmd)
	if err != nil {
		return nil, "", err
	}
	desk, err := s.desk(name)
	if err != nil {
		return nil, "", err
	}
	_, err = s.Custodian(s.Directory().InstOfDesk(desk))
	return s, desk, err
}

func (s *session) requestEscrow(a *asker, desk string, f recoveryFlags) error {
	ask := evidence.EscrowAsk{Desk: desk, Epochs: f.epochs, Officer: f.officer, Purpose: f.purpose}
	reason := f.reason
	if reason == "" {
		reason = map[string]string{evidence.PurposeRecovery: "keys-lost", evidence.PurposeRehearsal: "yearly"}[f.purpose]
	}
	if o, ok := s.Directory().Officer(f.officer); ok && f.purpose == evidence.PurposeRecovery {
		a.say("The keys of desk %s will go to officer %s and to nobody else.\n", s.called(desk), f.officer)
		if err := a.compare("the officer "+f.officer, ceremony.Digest(o.Key), "ask for nothing: this is not the person whom the directory names"); err != nil {
			return err
		}
	}
	if err := a.confirm(fmt.Sprintf("Ask for the %s of desk %s? The desk and the head of your institution see it.", f.purpose, s.called(desk)), "nothing is on record"); err != nil {
		return err
	}
	ask, err := s.AskEscrow(s.cmd.Context(), s.family, ask, reason)
	if err != nil {
		return err
	}
	return s.outProgress(ask)
}

// outProgress says how far it came, out of the record.
func (s *session) outProgress(ask evidence.EscrowAsk) error {
	trail, err := s.EscrowTrail(s.cmd.Context(), ask.Desk)
	if err != nil {
		return err
	}
	for _, r := range s.Recoveries(trail) {
		if !r.EscrowAsk.Equal(&ask) {
			continue
		}
		a := progress{r, s.nextOf(r)}
		return s.out(a, func(w io.Writer) {
			s.printProgress(w, r, s.custodianNames(s.Directory().InstOfDesk(ask.Desk)))
		})
	}
	return fmt.Errorf("desk %s: %w", s.called(ask.Desk), office.ErrNoRelease)
}

func (s *session) nextOf(r office.Recovery) string {
	switch {
	case len(r.Asked) > 0:
		return "another custodian asks for the same"
	case r.Release.InForce(s.Now()) && r.Release.Outcome == "":
		return "each custodian of the release opens in turn"
	case r.Release.InForce(s.Now()) && r.Purpose == evidence.PurposeRecovery:
		return "the officer accepts"
	}
	return "nothing"
}

func recoveryRefuseCommand() *cobra.Command {
	var f recoveryFlags
	cmd := &cobra.Command{
		Use: "refuse DESK", Short: "a custodian says that she takes no part", Args: cobra.ExactArgs(1),
		Long: `refuse puts on record, for the desk and the head of your institution to see, that you
take no part in what another custodian asks for; a request of your own for the same is
withdrawn. It stops nobody else: with two of three, the two others can go on, and
everybody sees that you did not agree. Call the head of the institution as well.`,
		Example: "  odziv recovery refuse ppo-nis.registry --reason not-in-person",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(); err != nil {
				return err
			}
			s, desk, err := custodying(cmd, args[0])
			if err != nil {
				return err
			}
			ask, err := s.askedOf(desk, f, func(r office.Recovery) bool { return len(r.Asked) > 0 })
			if err != nil {
				return err
			}
			if err := s.RefuseEscrow(cmd.Context(), s.family, ask, f.reason); err != nil {
				return err
			}
			return s.outProgress(ask)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "reason code, such as not-in-person")
	cmd.MarkFlagRequired("reason")
	return cmd
}

// opening is the answer of a custodian's turn.
type opening struct {
	office.Recovery
	File    string  `json:"file,omitempty"`     // written: for the next custodian, or for the officer
	NextKey string  `json:"next_key,omitempty"` // key id of the next custodian
	Peeled  int     `json:"peeled"`             // layers taken off
	Proven  []int64 `json:"proven"`             // keys that came out and are the directory's
}

func recoveryOpenCommand() *cobra.Command {
	var f recoveryFlags
	var out string
	cmd := &cobra.Command{
		Use: "open DESK [FILE]", Short: "a custodian takes off her layer, and passes the rest on", Args: cobra.RangeArgs(1, 2),
		Long: `open takes off what is sealed to you. The custodian whose turn is first fetches the
released file; each after her names the FILE that she was given. What is written for
the next is sealed to her: a stick, a mail, any way will do.

The last one holds the keys in memory, compares them with the directory and, for a
recovery, seals them to the officer: hand her that file. At a rehearsal nothing is
written. Then it is on record that it worked, or that it did not. Whoever is
interrupted runs the same command again.`,
		Example: "  odziv recovery open ppo-nis.registry\n  odziv recovery open ppo-nis.registry recovery-1816-1.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(); err != nil {
				return err
			}
			var given *office.Handover
			if len(args) == 2 {
				data, err := cli.ReadFile(args[1], office.MaxHandover)
				if err != nil {
					return err
				}
				if given, err = office.ParseHandover(data); err != nil {
					return err
				}
			}
			s, desk, err := custodying(cmd, args[0])
			if err != nil {
				return err
			}
			return s.openEscrow(desk, f, given, out)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: recovery-ENTRY-LAYERS.json, or .age for the officer, here)")
	return cmd
}

func (s *session) openEscrow(desk string, f recoveryFlags, given *office.Handover, out string) error {
	var ask evidence.EscrowAsk
	var err error
	if given == nil {
		ask, err = s.askedOf(desk, f, func(r office.Recovery) bool { return r.Release.InForce(s.Now()) && r.Release.Outcome == "" })
	} else if given.Desk != desk {
		err = fmt.Errorf("%w: it is of desk %s", office.ErrHandover, s.called(given.Desk))
	}
	if err != nil {
		return err
	}
	var written string
	turn, err := s.OpenEscrow(s.cmd.Context(), s.family, ask, given, func(gift []byte) (err error) {
		written, err = writeTurn(out, fmt.Sprintf("recovery-%s.age", short(gift)), gift)
		return err
	})
	if err != nil {
		return err
	}
	if turn.Next != nil {
		data, err := turn.Next.Encode()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("recovery-%d-%d.json", turn.Release.Idx, turn.Next.Files[0].Peeled)
		if written, err = writeTurn(out, name, data); err != nil {
			return err
		}
	}
	a := opening{Recovery: turn.Recovery, File: written, NextKey: turn.NextKey, Peeled: turn.Peeled, Proven: turn.Proven}
	return s.out(a, func(w io.Writer) { s.printTurn(w, a, turn.Next != nil) })
}

// short tells one file from another.
func short(data []byte) string { return fmt.Sprintf("%x", data[max(0, len(data)-4):]) }

// writeTurn writes a file that does not exist yet.
func writeTurn(out, otherwise string, data []byte) (string, error) {
	if out == "" {
		out = otherwise
	}
	if err := writeNew(out, data); err != nil {
		return "", cli.Hint(err, "name another file with --out; one that was cut off may be deleted")
	}
	return out, nil
}

func (s *session) printTurn(w io.Writer, a opening, left bool) {
	names := s.custodianNames(s.Directory().InstOfDesk(a.Desk))
	switch {
	case left:
		fmt.Fprintf(w, "your layer is off; the rest is in %s, sealed to %s\n\nnext: give her that file, by any way; she runs: odziv recovery open %s %s\n",
			a.File, names.of(a.NextKey), s.called(a.Desk), a.File)
	case a.Purpose == evidence.PurposeRehearsal:
		fmt.Fprintf(w, "it works: keys %s came out and are those of the directory; they were thrown away\nthat it worked is on record, for the desk and the head of the institution\n\nnext: delete the files that were passed around; rehearse again in a year\n", epochList(a.Proven))
	default:
		fmt.Fprintf(w, "keys %s came out and are those of the directory; %s holds them, sealed to officer %s alone\n\nnext: hand her that file; she runs: odziv recovery accept %s\n", epochList(a.Proven), a.File, a.Officer, a.File)
	}
}

func recoveryAcceptCommand() *cobra.Command {
	return &cobra.Command{
		Use: "accept FILE", Short: "take the keys that custodians recovered for you", Args: cobra.ExactArgs(1),
		Long: `accept opens the file that the last custodian made for you, compares each key with the
directory and keeps them. Then you read what the desk got before. Give the keys to
your colleagues, and renew the desk's key: too many people met for the old one.`,
		Example: "  odziv recovery accept recovery-9c41be07.age",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := cli.ReadFile(args[0], office.MaxGift)
			if err != nil {
				return err
			}
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			got, err := s.AcceptRecovered(cmd.Context(), file)
			if err != nil {
				return err
			}
			return s.out(got, func(w io.Writer) {
				fmt.Fprintf(w, "keys %s of desk %s are in your keystore\n\nnext: 1. odziv inbox: what the desk got can be read again\n      2. for each colleague: odziv directory grant u_… (it takes the role desk-key)\n      3. odziv directory rotate, and a colleague: odziv directory acknowledge\n      4. delete %s: it is needed no more\n",
					epochList(got.Epochs), s.called(got.Desk), args[0])
			})
		},
	}
}
