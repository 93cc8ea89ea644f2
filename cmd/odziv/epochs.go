package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// ownKeys marks commands that look after a desk's keys themselves: they are not
// told beforehand what they are about to do.
const ownKeys = "own-keys"

var lookAfterKeys = map[string]string{ownKeys: "yes"}

// rotated is a new key of the desk, which waits for somebody else.
type rotated struct {
	Epoch       int64           `json:"epoch"`
	Why         string          `json:"why"`
	Fingerprint string          `json:"fingerprint"` // of the key, 16 groups of 4 hex digits
	Alone       bool            `json:"alone"`       // a registrar confirms it, there being no colleague
	Custodians  int             `json:"custodians"`  // who can recover it together, of the institution
	Standing    ledger.Standing `json:"standing"`
}

func rotateCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "rotate", Short: "make a new key for the desk", Args: cobra.NoArgs, Annotations: lookAfterKeys,
		Long: `rotate makes a new key for the desk, wraps it for each member of today and for the
custodians of the institution. Whoever left opens nothing that is sealed to it.
Senders use it once another member ran odziv directory acknowledge, or, at a desk
with one member, a registrar to whom she reads the fingerprint.

Rotate when somebody left, when a computer was lost, on any suspicion, and each
year; odziv status says when. What was interrupted is run again.`,
		Example: "  odziv directory rotate\n  odziv directory rotate --why suspicion",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if stale, ok := s.Directory().Staleness(desk, s.Now()); why == "" && ok {
				why = stale.Why
			} else if why == "" {
				why = directory.StaleAge
			}
			epoch, err := s.Rotate(cmd.Context(), desk, why)
			if err != nil {
				return err
			}
			s.save()
			return s.outRotated(desk, epoch)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "reason code (default: what odziv status says, else yearly)")
	return cmd
}

func (s *session) outRotated(desk string, epoch int64) error {
	dir := s.Directory()
	e, _ := dir.Epoch(desk, epoch)
	inst, _ := dir.Institution(dir.InstOfDesk(desk))
	a := rotated{Epoch: epoch, Why: e.Why, Fingerprint: ceremony.Fingerprint(e.RK), Alone: len(e.Pkg) == 1,
		Custodians: len(inst.Custodians.Rcps), Standing: s.DirectoryStanding(e.DirN)}
	return s.out(a, func(w io.Writer) {
		fmt.Fprintf(w, "key %d made — %s\n", epoch, inWords(office.Vouched{Standing: a.Standing}))
		if a.Custodians == 0 {
			fmt.Fprintln(w, "nobody can recover it if all members lose it: your institution has named no custodians")
		}
		if !a.Alone {
			fmt.Fprintln(w, "a colleague runs: odziv directory acknowledge")
			return
		}
		fmt.Fprintf(w, "call a registrar of your institution and read this to her, group by group:\n\n    %s\n    %s\n\nshe runs: odziv directory acknowledge --desk %s\n",
			a.Fingerprint[:39], a.Fingerprint[40:], desk)
	})
}

// acknowledged says that the desk's new key was confirmed by its second member,
// and how far others vouch for that.
type acknowledged struct {
	Acknowledged bool            `json:"acknowledged"`
	Standing     ledger.Standing `json:"standing"`
}

func acknowledgeCommand() *cobra.Command {
	var a *asker
	cmd := &cobra.Command{
		Use: "acknowledge", Short: "confirm the desk's new key", Args: cobra.NoArgs, Annotations: lookAfterKeys,
		Long: `acknowledge opens your package of the desk's new key, compares the key with the
directory, keeps it and says so. Senders use it from then on.

At a desk with one member a registrar confirms the key, naming the desk. She cannot
open the package. She lets the officer read the fingerprint from odziv directory
rotate out to her, in person or by a telephone she called herself, and compares it
here, so that nobody makes a key in that officer's name.`,
		Example: `  odziv directory acknowledge
  odziv directory acknowledge --desk d_yd6yi4zynuhlcjn4cpgvxb4mma
  odziv directory acknowledge --desk d_yd6yi4zynuhlcjn4cpgvxb4mma --compared "1a2b 3c4d 5e6f 7a8b 9c0d 1e2f 3a4b 5c6d 7e8f 9a0b 1c2d 3e4f 5a6b 7c8d 9e0f 1a2b"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := checking(cmd)
			if err != nil {
				return err
			}
			if err := s.acknowledge(a, desk); err != nil {
				return err
			}
			s.save()
			a := acknowledged{true, s.DeskStanding(desk)}
			return s.out(a, func(w io.Writer) {
				if a.Standing == ledger.Provisional {
					fmt.Fprintln(w, "acknowledged; senders use the new key once witnesses have confirmed it")
					return
				}
				fmt.Fprintf(w, "acknowledged — %s; senders use the new key from now on\n", inWords(office.Vouched{Standing: a.Standing}))
			})
		},
	}
	a = asking(cmd)
	return cmd
}

// acknowledge is for a member with a package, or, of a key for one member alone,
// for a registrar.
func (s *session) acknowledge(a *asker, desk string) error {
	ctx := s.cmd.Context()
	me, _ := s.Me()
	e, ok := s.Directory().LatestEpoch(desk)
	if !ok || len(e.Pkg) != 1 || e.ByOfficer == me.U {
		return s.Acknowledge(ctx, desk)
	}
	a.begin()
	err := a.compare(fmt.Sprintf("key %d of desk %s, made by officer %s", e.E, s.called(desk), e.ByOfficer), e.RK,
		"confirm nothing: somebody else made this key; the officer runs odziv directory rotate again, and you odziv directory dispute --desk "+desk)
	if err != nil {
		return err
	}
	_, err = s.Countersign(ctx, desk, e.RK)
	return err
}

// checking is acting for a member; a registrar names the desk of her institution
// that she checks.
func checking(cmd *cobra.Command) (*session, string, error) {
	s, err := synced(cmd)
	if err != nil {
		return nil, "", err
	}
	named, _ := cmd.Flags().GetString("desk")
	if named == "" {
		desk, err := s.acts()
		if errors.Is(err, office.ErrNotEnrolled) {
			err = cli.Hint(err, "a registrar names the desk: --desk d_…; odziv directory lists them")
		}
		return s, desk, err
	}
	desk, err := s.desk(named)
	if err == nil && s.Directory().InstOfDesk(desk) == "" {
		err = cli.Hint(fmt.Errorf("the directory has no desk %s", desk), "odziv directory lists them")
	}
	return s, desk, err
}

// disputed says that nobody seals to a key any more.
type disputed struct {
	Disputed bool  `json:"disputed"`
	Epoch    int64 `json:"epoch"`
	Active   int64 `json:"active"` // key that senders use now, 0 if there is none
}

func disputeCommand() *cobra.Command {
	var epoch int64
	var why string
	cmd := &cobra.Command{
		Use: "dispute", Short: "say that a key of the desk is wrong", Args: cobra.NoArgs, Annotations: lookAfterKeys,
		Long: `dispute says that a key is wrong: your package does not open, it holds another key
than the directory names, or nobody at the desk made it. Nobody seals to it from
then on, whoever confirmed it before; senders use the key before it until the desk
has rotated again. At a desk with one member a registrar disputes, naming the desk.
It cannot be taken back: what was sealed to the key meanwhile stays readable.`,
		Example: "  odziv directory dispute\n  odziv directory dispute --epoch 7 --why nobody-made-it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := checking(cmd)
			if err != nil {
				return err
			}
			e, err := s.Dispute(cmd.Context(), desk, epoch, why)
			if err != nil {
				return err
			}
			active, _ := s.Directory().ActiveEpoch(desk)
			return s.out(disputed{true, e, active.E}, func(w io.Writer) {
				fmt.Fprintf(w, "key %d is disputed; nobody seals to it any more\n", e)
				if active.E == 0 {
					fmt.Fprintln(w, "nothing can be sealed to the desk until a new key is made and confirmed")
				} else {
					fmt.Fprintf(w, "senders use key %d meanwhile\n", active.E)
				}
				fmt.Fprintln(w, "call whoever made it, then one of you runs: odziv directory rotate --why disputed")
			})
		},
	}
	cmd.Flags().Int64Var(&epoch, "epoch", 0, "number of the key (default: the latest)")
	cmd.Flags().StringVar(&why, "why", "wrong-package", "reason code")
	return cmd
}
