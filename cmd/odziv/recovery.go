package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func recoveryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "recovery", Short: "get a desk's keys back from custodians, and rehearse it", Args: cobra.NoArgs,
		Long: `recovery is for the day on which all members of a desk lost their keys. Custodians of
the institution, any two of three unless its root says otherwise, open together what
was sealed to them when the key was made; no fewer can, and the exchange cannot.

  setup     the root names the custodians
  status    which desks could be recovered, and when that was last proven
  request   a custodian asks for it; with enough of them it is released
  refuse    a custodian says that she takes no part
  open      a custodian takes off her layer, and passes the rest on
  accept    the officer takes the keys

Every request and the release are on record before a byte is given out: the desk and
the head of the institution see them. A rehearsal goes the same way with the same
files and gives nothing away; hold one each year. What a recovery gives back is the
reading of old messages. Keys that sign are never recovered: officers get new ones.

Without a command it does what status does. docs/recovery.md explains it step by step.`,
		Example: "  odziv recovery\n  odziv recovery request ppo-nis.registry --officer u_5m7wq3rtu6u5hf7v2zkgqxk3ja --purpose rehearsal",
		RunE:    recoveryStatus,
	}
	cmd.AddCommand(recoverySetupCommand(), recoveryStatusCommand(), recoveryRequestCommand(), recoveryRefuseCommand(), recoveryOpenCommand(), recoveryAcceptCommand())
	return cmd
}

func recoverySetupCommand() *cobra.Command {
	var s *session
	var inst string
	cmd := namingCustodians(&cobra.Command{
		Use: "setup", Short: "name the custodians: k of the root",
		Long: `setup names those who together can recover a desk that lost all its keys. Choose three
people of different units who will be there in a year, and two of them to recover.
Each makes her keys on a computer of her own (odziv enroll --as custodian), keeps the
keystore offline in a place of her own, and brings key.json and the printed sheet. The
fingerprints are compared on paper, here and by every root that signs.

The list replaces the one before. It counts for keys that desks make from then on: let
every desk rotate afterwards.`,
		Example: "  odziv recovery setup --key c1/key.json --key c2/key.json --key c3/key.json --k 2",
	}, func(at *session, i directory.Institution) { s, inst = at, i.I })
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil || cli.JSON(cmd) {
			return err
		}
		return s.afterSetup(cmd.ErrOrStderr(), inst)
	}
	return cmd
}

// afterSetup says what is to be done once the root has named custodians, and where.
func (s *session) afterSetup(w io.Writer, inst string) error {
	fmt.Fprint(w, `
when all who must have signed:
  1. at EVERY desk each member looks at the new custodians and accepts them:
     odziv directory watch, odziv directory accept ENTRY
     then one runs: odziv directory rotate; another: odziv directory acknowledge
  2. hold a rehearsal for each desk within a week:
     odziv recovery request DESK --officer u_… --purpose rehearsal
`)
	r, err := s.RecoveryOf(s.cmd.Context(), inst)
	if err != nil {
		return err
	}
	for _, d := range r.Desks {
		if d.Escrow != office.EscrowNow {
			fmt.Fprintf(w, "  no escrow for these custodians yet: %s\n", s.called(d.Desk))
		}
	}
	return nil
}

// custodianNames names custodians as people can compare them.
type custodianNames map[string]string

func (s *session) custodianNames(inst string) custodianNames {
	i, _ := s.Directory().Institution(inst)
	names := custodianNames{}
	for n, k := range i.Custodians.Keys {
		names[statement.KeyID(k)] = fmt.Sprintf("custodian %d (%s)", n+1, ceremony.Short(ceremony.Digest(k)))
	}
	return names
}

func (n custodianNames) of(keyID string) string {
	if name, ok := n[keyID]; ok {
		return name
	}
	if keyID == "" {
		return "a custodian of another time"
	}
	return "a former custodian (" + ceremony.Short(ceremony.DigestOf(keyID)) + ")"
}

func recoveryStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "which desks could be recovered, and when that was last proven", Args: cobra.NoArgs,
		Long: `status says of each desk of your institution whether the custodians of today could
recover its present key, what custodians ask for now and who is next, and when an
escrow was last opened. What was not opened for a year proves nothing any more.`,
		Example: "  odziv recovery status\n  odziv recovery status --json",
		RunE:    recoveryStatus,
	}
}

func recoveryStatus(cmd *cobra.Command, _ []string) error {
	s, err := synced(cmd)
	if err != nil {
		return err
	}
	all := []office.InstRecovery{}
	for _, inst := range s.Houses() {
		one, err := s.RecoveryOf(cmd.Context(), inst)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return s.out(all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "your keys belong to no institution that the directory knows")
		}
		for _, one := range all {
			s.printRecovery(w, one)
		}
	})
}

func (s *session) printRecovery(w io.Writer, r office.InstRecovery) {
	fmt.Fprintf(w, "institution %s\n", s.called(r.Inst))
	if r.K == 0 {
		fmt.Fprintln(w, "  ! no custodians: a desk that loses all its keys loses what it got\n\nnext: the root of the institution runs: odziv recovery setup")
		return
	}
	fmt.Fprintf(w, "  any %d of %d custodians recover a desk\n", r.K, len(r.Custodians))
	names := s.custodianNames(r.Inst)
	for _, c := range r.Custodians {
		s.printCustodian(w, c, names)
	}
	var rotate, rehearse []string
	for _, d := range r.Desks {
		s.printDesk(w, d, names)
		switch {
		case d.Escrow == office.EscrowNone || d.Escrow == office.EscrowOlder:
			rotate = append(rotate, s.called(d.Desk))
		case d.Rehearse && !d.Hidden:
			rehearse = append(rehearse, s.called(d.Desk))
		}
	}
	fmt.Fprintln(w)
	for _, d := range rotate {
		fmt.Fprintf(w, "next: a member of %s runs: odziv directory rotate, and a colleague: odziv directory acknowledge\n", d)
	}
	for _, d := range rehearse {
		fmt.Fprintf(w, "next: two custodians run: odziv recovery request %s --officer u_… --purpose rehearsal\n", d)
	}
	if len(rotate)+len(rehearse) == 0 {
		fmt.Fprintln(w, "nothing to do")
	}
}

func (s *session) printCustodian(w io.Writer, c office.CustodianRecord, names custodianNames) {
	name := names.of(c.Key)
	if c.Key == "" {
		name = fmt.Sprintf("custodian %d", c.Seat+1)
	}
	if c.Me {
		name += ", you"
	}
	switch {
	case c.Key == "":
		fmt.Fprintf(w, "  ! %s has no key to ask for a release with: the root names it (odziv recovery setup)\n", name)
	case c.Last == 0:
		fmt.Fprintf(w, "  ! %s never took part\n", name)
	case c.Stale:
		fmt.Fprintf(w, "  ! %s last took part on %s: more than a year ago\n", name, s.when(c.Last))
	default:
		fmt.Fprintf(w, "    %s last took part on %s\n", name, s.when(c.Last))
	}
}

// escrowWords says in words how a present key could be recovered.
var escrowWords = map[string]string{
	office.EscrowNow:   "can be recovered",
	office.EscrowOlder: "! not by the custodians of today: it must be renewed",
	office.EscrowNone:  "! has no escrow: it must be renewed",
	office.EscrowKeyed: "! the custodians cannot ask for it: the root names what they sign with",
}

func (s *session) printDesk(w io.Writer, d office.DeskRecovery, names custodianNames) {
	fmt.Fprintf(w, "\n  desk %s  key %d  %s\n", s.called(d.Desk), d.Epoch, escrowWords[d.Escrow])
	if d.Hidden {
		fmt.Fprintln(w, "    what custodians did there is shown to its members, heads, registrars and custodians")
		return
	}
	if d.Closed > 0 {
		fmt.Fprintf(w, "    %d older keys of it cannot be recovered: only members hold them\n", d.Closed)
	}
	switch {
	case d.Failed > 0:
		fmt.Fprintf(w, "    ! opening it FAILED on %s: rotate the desk and rehearse again at once\n", s.when(d.Failed))
	case d.Proven == 0:
		fmt.Fprintln(w, "    ! never rehearsed: nobody knows whether it works")
	case d.Rehearse:
		fmt.Fprintf(w, "    ! last proven on %s: more than a year ago\n", s.when(d.Proven))
	default:
		fmt.Fprintf(w, "    last proven on %s; due again by %s\n", s.when(d.Proven), s.when(d.Proven+office.RehearsalTerm))
	}
	for _, r := range d.Recoveries {
		s.printProgress(w, r, names)
	}
}

// printProgress says who has done what, and who is next.
func (s *session) printProgress(w io.Writer, r office.Recovery, names custodianNames) {
	fmt.Fprintf(w, "    %s of keys %s for officer %s\n", r.Purpose, epochList(r.Epochs), r.Officer)
	for _, key := range r.Asked {
		fmt.Fprintf(w, "      asked by %s\n", names.of(key))
	}
	for _, d := range r.Refused {
		fmt.Fprintf(w, "      REFUSED by %s on %s: %s\n", names.of(d.Key), s.when(d.At), d.Reason)
	}
	if r.Release.InForce(s.Now()) {
		s.printRelease(w, r, names)
	}
	if missing := r.Need - len(r.Asked); len(r.Asked) > 0 {
		fmt.Fprintf(w, "      next: %d more of the custodians asks for the same, within a week of the first:\n        odziv recovery request %s --officer %s --purpose %s\n",
			max(missing, 1), s.called(r.Desk), r.Officer, r.Purpose)
	}
}

func (s *session) printRelease(w io.Writer, r office.Recovery, names custodianNames) {
	fmt.Fprintf(w, "      RELEASED in entry %d on %s — %s; until %s to:\n", r.Release.Idx, s.when(r.Release.At), inWord(r.Release.Standing), s.when(r.Release.Until))
	for _, key := range r.Release.By {
		fmt.Fprintf(w, "        %s\n", names.of(key))
	}
	switch r.Release.Outcome {
	case evidence.OutcomeMatched:
		fmt.Fprintf(w, "      opened on %s: it held the right keys\n", s.when(r.Release.Opened))
		if r.Purpose == evidence.PurposeRecovery {
			fmt.Fprintf(w, "      next: officer %s runs: odziv recovery accept FILE\n", r.Officer)
		}
	case evidence.OutcomeFailed:
		fmt.Fprintf(w, "      ! opening it FAILED on %s\n", s.when(r.Release.Opened))
	default:
		fmt.Fprintf(w, "      next: each of them in turn runs: odziv recovery open %s\n", s.called(r.Desk))
	}
}

func epochList(list []int64) string {
	text := ""
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if text != "" {
			text += ","
		}
		if text += fmt.Sprint(list[i]); j > i {
			text += fmt.Sprintf("-%d", list[j])
		}
		i = j + 1
	}
	return text
}

// errManyAsked wants to know which of several is meant.
var errManyAsked = errors.New("custodians ask for several things about this desk")

// askedOf finds what is meant: by the flags, else the only thing that custodians ask
// for or that is released.
func (s *session) askedOf(desk string, f recoveryFlags, fits func(office.Recovery) bool) (evidence.EscrowAsk, error) {
	trail, err := s.EscrowTrail(s.cmd.Context(), desk)
	if err != nil {
		return evidence.EscrowAsk{}, err
	}
	var found []evidence.EscrowAsk
	for _, r := range s.Recoveries(trail) {
		if fits(r) && (f.officer == "" || r.Officer == f.officer) && (f.purpose == "" || r.Purpose == f.purpose) && (f.epochs == nil || slices.Equal(r.Epochs, f.epochs)) {
			found = append(found, r.EscrowAsk)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return evidence.EscrowAsk{}, fmt.Errorf("desk %s: %w", s.called(desk), office.ErrNoRelease)
	}
	return evidence.EscrowAsk{}, cli.Hint(errManyAsked, "say which with --officer, --purpose and --epochs; odziv recovery status lists them")
}
