package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

func consentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "consent", Short: "consent records: who may know what, and since when",
		Long: `A consent is one person's, for one family of purposes, for recipients named one by
one. Its versions never change: narrowing and withdrawing add a version and take
effect when they are recorded; widening is a new request.`,
		Example: `  odziv consent list
  odziv consent record --act given --file consent.json
  odziv consent narrow k_z4vmatgqcwohptmwdrs3s7ijc4 --remove nes-nis.case
  odziv consent withdraw k_z4vmatgqcwohptmwdrs3s7ijc4`,
	}
	cmd.AddCommand(consentList(), consentShow(), consentRecord(), consentNarrow(), consentWithdraw(), consentReceipt())
	return cmd
}

// consentLine is a line of the list.
type consentLine struct {
	ID     string   `json:"id"`
	Ver    int      `json:"ver"`
	Status string   `json:"status"`
	Subj   string   `json:"subj"`
	Case   string   `json:"case"`
	To     []string `json:"to"`
	Until  int64    `json:"until"`

	Standing ledger.Standing `json:"standing"` // of the present version
}

func consentList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the records this desk may see", Args: cobra.NoArgs,
		Long:    "list shows each record with its present version and what this moment makes of it: in force, withdrawn, expired.",
		Example: "  odziv consent list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			records, err := s.Records(cmd.Context(), desk)
			if err != nil {
				return err
			}
			lines := []consentLine{}
			for _, r := range records {
				v := r.Current()
				lines = append(lines, consentLine{ID: r.ID, Ver: v.S.Ver, Status: string(r.Status(s.Now())), Subj: v.S.Subj,
					Case: v.S.Case, To: v.S.To, Until: v.S.NA, Standing: s.StandingOf(v.Idx)})
			}
			return s.out(lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%s v%d  %-10s until %s  to %s  %s\n", l.ID, l.Ver, l.Status, s.when(l.Until), s.calledAll(l.To), inWord(l.Standing))
				}
			})
		},
	}
}

func (s *session) calledAll(ids []string) string {
	var names []string
	for _, id := range ids {
		names = append(names, s.called(id))
	}
	return strings.Join(names, ", ")
}

func consentShow() *cobra.Command {
	return &cobra.Command{
		Use: "show CONSENT", Short: "show every version of a record", Args: cobra.ExactArgs(1),
		Long:    "show prints who may receive what, for which purposes and until when, version by version, and who recorded each.",
		Example: "  odziv consent show k_z4vmatgqcwohptmwdrs3s7ijc4",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, _, r, err := findRecord(cmd, args[0])
			if err != nil {
				return err
			}
			return s.out(r.Versions, func(w io.Writer) {
				for _, v := range r.Versions {
					fmt.Fprintf(w, "v%d %-10s recorded %s by %s, entry %d, %s\n", v.S.Ver, v.Act, s.when(v.At), s.called(v.By.Desk), v.Idx, inWord(s.StandingOf(v.Idx)))
					fmt.Fprintf(w, "   language %s, interpreter %s, understood %v\n", v.S.Lang, v.S.Interp, v.S.Understood)
					fmt.Fprintf(w, "   may receive: %s\n   purposes: %s   categories: %s\n   from %s until %s\n", s.calledAll(v.S.To),
						strings.Join(v.S.Purposes, ", "), strings.Join(v.S.Cats, ", "), s.when(v.S.NB), s.when(v.S.NA))
				}
			})
		},
	}
}

func findRecord(cmd *cobra.Command, id string) (*session, string, *consent.Record, error) {
	s, desk, err := acting(cmd)
	if err != nil {
		return nil, "", nil, err
	}
	records, err := s.Records(cmd.Context(), desk)
	if err != nil {
		return nil, "", nil, err
	}
	for _, r := range records {
		if r.ID == id {
			return s, desk, r, nil
		}
	}
	return nil, "", nil, cli.Hint(errors.New("this desk sees no such record"), "list them with: odziv consent list")
}

func consentRecord() *cobra.Command {
	var act, file string
	cmd := &cobra.Command{
		Use: "record", Short: "record an act of consent: given, refused, renewed, …", Args: cobra.NoArgs,
		Long: `record signs one version of a consent from a JSON file with the members that
consent/FORMAT.md describes (save at, by, dirn, ev, id of a new record, pack, v).
Where the recorder is also a recipient, a second person from another unit signs
before it counts: odziv pending.`,
		Example: "  odziv consent record --act given --file consent.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(consent.Acts(), consent.Act(act)) {
				return cli.UsageError("--act: %.40q is no act of consent", act)
			}
			st, err := readConsent(file)
			if err != nil {
				return err
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			return s.recordConsent(desk, consent.Act(act), st)
		},
	}
	cmd.Flags().StringVar(&act, "act", "", "requested, given, refused, deferred, narrowed, renewed, withdrawn, revoked or invalidated")
	cmd.Flags().StringVar(&file, "file", "", "JSON file")
	cmd.MarkFlagRequired("act")
	cmd.MarkFlagRequired("file")
	return cmd
}

// maxConsentFile bounds a consent written down in a file, in bytes.
const maxConsentFile = 64 << 10

func readConsent(file string) (st consent.Statement, err error) {
	err = cli.ReadJSON(file, maxConsentFile, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return st, err
	}
	return st, cli.Hint(err, "see consent/FORMAT.md for the members")
}

func (s *session) recordConsent(desk string, act consent.Act, st consent.Statement) error {
	what, err := s.RecordConsent(s.cmd.Context(), desk, s.family, act, st)
	if err != nil {
		return err
	}
	return s.outWaiting(what)
}

func consentNarrow() *cobra.Command {
	var remove []string
	cmd := &cobra.Command{
		Use: "narrow CONSENT", Short: "take recipients out", Args: cobra.ExactArgs(1),
		Long: `narrow records a new version without the recipients named. What was sent to them
before stays lawful; nothing more may be sent, what they have not fetched is no
longer released, and each must confirm.`,
		Example: "  odziv consent narrow k_z4vmatgqcwohptmwdrs3s7ijc4 --remove nes-nis.case",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, r, err := findRecord(cmd, args[0])
			if err != nil {
				return err
			}
			out, err := s.parties(remove)
			if err != nil {
				return err
			}
			st := nextVersion(r)
			before := len(st.To)
			st.To = slices.DeleteFunc(st.To, func(p string) bool { return slices.Contains(out, p) })
			if len(st.To) == before {
				return cli.Hint(errors.New("none of these is a recipient of the record"), "see odziv consent show %s", r.ID)
			}
			return s.recordConsent(desk, consent.Narrowed, st)
		},
	}
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "institutions (i_…) or desks to take out")
	cmd.MarkFlagRequired("remove")
	return cmd
}

// parties resolves institutions and desks.
func (s *session) parties(names []string) ([]string, error) {
	var ids []string
	for _, n := range names {
		if id, ok := s.names[n]; ok {
			n = id
		}
		if statement.IsID(n, statement.Institution) {
			ids = append(ids, n)
			continue
		}
		id, err := s.desk(n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id, s.Directory().InstOfDesk(id))
	}
	return ids, nil
}

func consentWithdraw() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw CONSENT", Short: "end a consent, in one step", Args: cobra.ExactArgs(1),
		Long: `withdraw takes effect when it is recorded. It stops nothing that rests on another
basis, and no help depends on it.`,
		Example: "  odziv consent withdraw k_z4vmatgqcwohptmwdrs3s7ijc4",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, r, err := findRecord(cmd, args[0])
			if err != nil {
				return err
			}
			return s.recordConsent(desk, consent.Withdrawn, nextVersion(r))
		},
	}
}

// nextVersion is the present version as the start of the next.
func nextVersion(r *consent.Record) consent.Statement {
	st := r.Current().S
	st.Prev, st.Ver = st.Ver, st.Ver+1
	st.Occurred = 0
	return st
}

func consentReceipt() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "receipt CONSENT", Short: "write the consent receipt: every version with its proof", Args: cobra.ExactArgs(1),
		Long: `receipt writes a file that verifies offline with odziv-verify and stays valid after a
grant ends. Before you hand it over ask whether it is safe for the person to have it.`,
		Example: "  odziv consent receipt k_z4vmatgqcwohptmwdrs3s7ijc4 --out receipt.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, _, err := findRecord(cmd, args[0])
			if err != nil {
				return err
			}
			file, v, err := s.Receipt(cmd.Context(), desk, args[0])
			if err != nil {
				return err
			}
			if out == "" {
				out = args[0] + ".receipt.json"
			}
			return s.writeOut(out, file, v)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: CONSENT.receipt.json)")
	return cmd
}
