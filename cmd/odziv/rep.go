package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
)

func repCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rep", Short: "representatives and what they may see",
		Long: "A representative reads the openings of a case within a scope, never the bodies, while a grant is in force.",
		Example: `  odziv rep grant --to bar-sponsor.rep --case c_jt2ak6raipdtlc55gznuantxou --subj p_6swlsnx6xkwcllp2oux653v3zq --until 2027-01-01
  odziv rep list
  odziv rep end x_5c3hcovmnd2g4lnyjodtdrkpka --reason authority-revoked`}
	cmd.AddCommand(grantCommand(), listGrants(), endGrantCommand())
	return cmd
}

// grantLine is a line of the list.
type grantLine struct {
	ID    string   `json:"id"`
	State string   `json:"state"` // in-force, not-yet, over or ended
	Desk  string   `json:"desk"`
	Case  string   `json:"case"`
	Subj  []string `json:"subj"`
	Auth  string   `json:"auth"`
	Scope []string `json:"scope"`
	From  int64    `json:"from"`
	Until int64    `json:"until"`
	Ended int64    `json:"ended"` // 0 if it was not ended before its time

	Standing ledger.Standing `json:"standing"`
}

func listGrants() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the grants this desk made, hosts or holds", Args: cobra.NoArgs,
		Long:    "list shows each grant with its id, whose desk it lets read, and what this moment makes of it.",
		Example: "  odziv rep list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			grants, err := s.Grants(cmd.Context(), desk)
			if err != nil {
				return err
			}
			lines := []grantLine{}
			for _, g := range grants {
				lines = append(lines, grantLine{ID: g.ID, State: stateOf(g, s.Now()), Desk: g.Desk, Case: g.Case, Subj: g.Subj, Auth: g.Auth,
					Scope: g.Scope, From: g.NB, Until: g.NA, Ended: g.Ended, Standing: g.Standing})
			}
			return s.out(lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%s  %-8s  %s  case %s  until %s  %s  %s\n", l.ID, l.State, s.called(l.Desk), l.Case, s.when(l.Until), strings.Join(l.Scope, ", "), inWord(l.Standing))
				}
			})
		},
	}
}

func stateOf(g *office.GrantRecord, now int64) string {
	switch {
	case g.Ended != 0:
		return "ended"
	case now < g.NB:
		return "not-yet"
	case !g.InForce(now):
		return "over"
	}
	return "in-force"
}

func grantCommand() *cobra.Command {
	var g evidence.Grant
	var to, from, until string
	cmd := &cobra.Command{
		Use: "grant", Short: "let a representative's desk read a case", Args: cobra.NoArgs,
		Long: "grant waits for the second signature, of an officer of the representative's sponsor: odziv pending.",
		Example: `  odziv rep grant --to bar-sponsor.rep --case c_jt2ak6raipdtlc55gznuantxou --subj p_6swlsnx6xkwcllp2oux653v3zq \
      --auth power-of-attorney --until 2027-01-01`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if g.Desk, err = s.desk(to); err != nil {
				return err
			}
			if g.NB, err = s.moment(from); err != nil {
				return err
			}
			if g.NB == 0 {
				g.NB = s.Now()
			}
			if g.NA, err = s.moment(until); err != nil {
				return err
			}
			what, err := s.Grant(cmd.Context(), desk, s.family, g)
			if err != nil {
				return err
			}
			return s.outWaiting(what)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "the representative's desk")
	f.StringVar(&g.Case, "case", "", "case handle")
	f.StringSliceVar(&g.Subj, "subj", nil, "persons represented (p_…)")
	f.StringVar(&g.Auth, "auth", "power-of-attorney", "authority: power-of-attorney or decision")
	f.StringSliceVar(&g.Scope, "scope", []string{evidence.ScopeConsent, evidence.ScopeDisclosures, evidence.ScopeDuties}, "consent, disclosures, duties")
	f.StringVar(&from, "from", "", "from when (default: now)")
	f.StringVar(&until, "until", "", "until when, exclusive")
	for _, name := range []string{"to", "case", "subj", "until"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

func endGrantCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "end GRANT", Short: "end a grant before its time", Args: cobra.ExactArgs(1),
		Long:    "end takes effect when it is recorded: the representative's desk reads nothing more. Files already issued still verify.",
		Example: "  odziv rep end x_5c3hcovmnd2g4lnyjodtdrkpka --reason authority-revoked",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			return s.outItem(s.EndGrant(cmd.Context(), desk, s.family, args[0], reason))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "authority-revoked", "reason code")
	return cmd
}
