package main

import (
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

func officerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "officer", Short: "what registrars do: enrol, renew, revoke, open desks and staff them",
		Long: `officer is for the registrars of an institution. Two of them enrol an officer and put
her at a desk; one alone revokes a key and takes somebody from a desk, which works at
the next request. The first runs the command, the second finds it with odziv pending.`,
		Example: "  odziv officer enrol enrol-request.json --label \"case manager 1\"\n  odziv officer desk put vranje.case \"case manager 1\"\n  odziv officer leave \"case manager 1\"",
	}
	cmd.AddCommand(enrolCommand(), renewCommand(), revokeCommand(), leaveCommand(), listOfficersCommand(), officerDeskCommand(), rotaCommand())
	return cmd
}

// officerNamed resolves what a person calls an officer: an id, a label of
// names.json, or her key.json.
func (s *session) officerNamed(name string) (directory.Officer, error) {
	id := name
	if !statement.IsID(id, statement.Officer) {
		id = s.names[name]
	}
	if id == "" {
		if data, err := cli.ReadFile(name, ceremony.MaxFile); err == nil {
			if k, err := ceremony.ParseKey(data); err == nil {
				id = k.Officer
			}
		}
	}
	o, ok := s.Directory().Officer(id)
	if !ok {
		return o, cli.Hint(fmt.Errorf("no officer is called %q here", name), "odziv officer list shows them; name an id (u_…), a label or a key.json")
	}
	return o, nil
}

func enrolCommand() *cobra.Command {
	var f forward
	var a *asker
	var roles []string
	var until, label string
	cmd := &cobra.Command{
		Use: "enrol REQUEST", Short: "see an officer, compare her key on paper, and sign her enrolment", Args: cobra.ExactArgs(1),
		Long: `enrol reads the request that odziv enroll wrote. The officer stands before you, with
her ID card and the sheet of her key: hold the fingerprint on the screen against the
sheet, group by group. The second registrar does the same with odziv pending sign.
Answer no and nothing is signed. The label is yours: it stays on this computer.`,
		Example: "  odziv officer enrol enrol-request.json --label \"case manager 1\" --until 2027-03-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			b, err := readEnrolment(args[0])
			if err != nil {
				return err
			}
			if b.I != s.keys.Inst {
				return &cli.Error{Err: fmt.Errorf("%s asks to be enrolled in %s, you are a registrar of %s", b.U, b.I, s.keys.Inst), Hint: "she makes her keys with the invite of the right institution: odziv enroll --invite", Code: cli.Refused}
			}
			if len(roles) > 0 {
				b.Roles = roles
			}
			if b.NA, err = s.day(until, b.NA); err != nil {
				return err
			}
			if err := s.remember(label, b.U); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "her roles, instead of those that she asked for")
	cmd.Flags().StringVar(&until, "until", "", "day on which her term ends (default: as she asked, one year)")
	cmd.Flags().StringVar(&label, "label", "", "what you call her, on this computer only")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// readEnrolment reads what odziv enroll wrote.
func readEnrolment(file string) (*directory.OfficerEnrol, error) {
	d, body, err := readStatement(file)
	if err != nil {
		return nil, err
	}
	if d != nil {
		return nil, cli.Hint(fmt.Errorf("%s was signed by a registrar already", file), "add your signature with: odziv directory sign, or find it with odziv pending")
	}
	b, ok := body.(*directory.OfficerEnrol)
	if !ok {
		return nil, cli.Hint(fmt.Errorf("%s is no request of an officer but %s", file, ceremony.HeadOf(body).T), "she finds enrol-request.json in the folder of her keys")
	}
	return b, nil
}

func renewCommand() *cobra.Command {
	var f forward
	var a *asker
	var roles []string
	var until string
	cmd := &cobra.Command{
		Use: "renew OFFICER", Short: "give an officer another term or other roles; her keys stay", Args: cobra.ExactArgs(1),
		Long:    "renew gives an officer a new term, or other roles, with the keys she has. Two registrars\nsign it. It is due before her term ends: after it she can do nothing.",
		Example: "  odziv officer renew \"case manager 1\" --until 2028-03-01\n  odziv officer renew \"case manager 1\" --role member,head",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			o, err := s.officerNamed(args[0])
			if err != nil {
				return err
			}
			if o.Revoked() {
				return &cli.Error{Err: fmt.Errorf("the key of %s was revoked and stays so", o.U), Hint: "she makes new keys (odziv enroll) and is enrolled with them: odziv officer enrol", Code: cli.Refused}
			}
			b := &directory.OfficerEnrol{Ed: o.Key, I: o.Inst, Key: o.KeyID, NB: o.NB, Rcp: o.Rcp, Roles: o.Roles, U: o.U}
			if len(roles) > 0 {
				b.Roles = roles
			}
			if b.NA, err = s.day(until, time.UnixMilli(s.Now()).AddDate(1, 0, 0).UnixMilli()); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "her roles (default: as now)")
	cmd.Flags().StringVar(&until, "until", "", "day on which her term ends (default: in one year)")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func revokeCommand() *cobra.Command {
	var f forward
	var a *asker
	var reason, from string
	cmd := &cobra.Command{
		Use: "revoke OFFICER", Short: "end an officer's key at once; one registrar", Args: cobra.ExactArgs(1),
		Long: `revoke ends the key of an officer, at once and for ever: the exchange refuses her next
request. Do it first and ask later: with new keys she can be enrolled again within
minutes. --from says since when what the key signed deserves a second look.`,
		Example: "  odziv officer revoke \"case manager 1\" --reason device-lost --from \"2026-03-02 17:00\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			o, err := s.officerNamed(args[0])
			if err != nil {
				return err
			}
			d, err := s.revoke(a, o, reason, from, f)
			if err != nil {
				return err
			}
			if err := s.out(d.answer, d.text); err != nil {
				return err
			}
			s.afterRevocation(a, o)
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "left", "reason code: left, device-lost, key-lost, suspected, replaced")
	cmd.Flags().StringVar(&from, "from", "", "since when the key is not to be trusted (default: now)")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func (s *session) revoke(a *asker, o directory.Officer, reason, from string, f forward) (done, error) {
	since, err := s.day(from, s.Now())
	if err != nil {
		return done{}, err
	}
	if since > s.Now() {
		return done{}, cli.UsageError("--from is in the future: a key ends at once, or with its term (odziv officer renew --until)")
	}
	return s.make(a, &directory.OfficerRevoke{From: since, Key: o.KeyID, Reason: reason, U: o.U}, f)
}

// afterRevocation says what a revocation leaves to do.
func (s *session) afterRevocation(a *asker, o directory.Officer) {
	for _, d := range s.Directory().DesksOf(o.U) {
		a.say("next: a member of %s makes a new key, a colleague confirms it: odziv directory rotate --desk %s\n", s.teller().Called(d), d)
	}
}

func leaveCommand() *cobra.Command {
	var a *asker
	var reason string
	cmd := &cobra.Command{
		Use: "leave OFFICER", Short: "an officer leaves: end her key and take her from every desk; one registrar", Args: cobra.ExactArgs(1),
		Long: `leave does all that one registrar can do when an officer leaves: it revokes her key and
takes her from each of her desks. Interrupted, the same command goes on where it was.
Then each of these desks needs a new key: it says which.`,
		Example: "  odziv officer leave \"case manager 1\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			return s.leave(a, args[0], reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "left", "reason code: left, transferred, device-lost")
	a = asking(cmd)
	return cmd
}

// leave revokes first: that alone stops her, whatever happens to the rest.
func (s *session) leave(a *asker, name, reason string) error {
	o, err := s.officerNamed(name)
	if err != nil {
		return err
	}
	desks := s.Directory().DesksOf(o.U)
	var list []done
	if !o.Revoked() {
		d, err := s.revoke(a, o, reason, "", forward{})
		if err != nil {
			return err
		}
		list = append(list, d)
	} else if len(desks) == 0 {
		return cli.Hint(fmt.Errorf("%s has left already: her key is revoked and she is at no desk", s.teller().Called(o.U)), "nothing is left to do")
	}
	for _, d := range desks {
		desk, _ := s.Directory().Desk(d)
		rest := slices.DeleteFunc(desk.Members, func(u string) bool { return u == o.U })
		put, err := s.make(a, &directory.DeskMembers{D: d, Members: orNone(rest)}, forward{})
		if err != nil {
			return cli.Hint(err, "her key is revoked already; run the same command again for the desks")
		}
		list = append(list, put)
	}
	if err := s.outAll(list); err != nil {
		return err
	}
	for _, d := range desks {
		desk, _ := s.Directory().Desk(d)
		switch {
		case len(desk.Members) == 0:
			a.say("next: nobody is left at %s: put somebody there: odziv officer desk put %s OFFICER\n", s.teller().Called(d), d)
		default:
			a.say("next: a member of %s makes a new key, a colleague confirms it: odziv directory rotate --desk %s\n", s.teller().Called(d), d)
		}
	}
	return nil
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// officerLine is a line of the list of officers.
type officerLine struct {
	Officer string   `json:"officer"`
	Label   string   `json:"label"`
	Roles   []string `json:"roles"`
	From    int64    `json:"from"`
	Until   int64    `json:"until"`
	Desks   []string `json:"desks"`
	Key     string   `json:"key"`
	Revoked int64    `json:"revoked"` // 0 if not
	Reason  string   `json:"reason"`
	Next    string   `json:"next"`
}

// soon is when a term is about to end, in ms: thirty days.
const soon = 30 * 24 * 3600 * 1000

func listOfficersCommand() *cobra.Command {
	var inst string
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "officers of an institution, their roles, terms and desks", Args: cobra.NoArgs,
		Long:    "list shows the officers of an institution, and whose term is about to end. Labels are\nthose of this computer: the directory holds no names.",
		Example: "  odziv officer list\n  odziv officer list --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			if inst == "" {
				inst = s.keys.Inst
			}
			id, err := s.inst(inst)
			if err != nil {
				return err
			}
			lines := []officerLine{}
			for _, u := range s.Directory().OfficersOf(id) {
				if l := s.officerLine(u); all || l.Revoked == 0 {
					lines = append(lines, l)
				}
			}
			slices.SortStableFunc(lines, func(a, b officerLine) int { return strings.Compare(a.Label, b.Label) })
			return s.out(lines, func(w io.Writer) {
				if len(lines) == 0 {
					fmt.Fprintln(w, "no officer is enrolled yet")
				}
				for _, l := range lines {
					l.print(w, s)
				}
			})
		},
	}
	cmd.Flags().StringVar(&inst, "inst", "", "institution (default: one's own)")
	cmd.Flags().BoolVar(&all, "all", false, "those whose keys were revoked too")
	return cmd
}

func (s *session) officerLine(u string) officerLine {
	dir := s.Directory()
	o, _ := dir.Officer(u)
	l := officerLine{Officer: u, Label: s.label(u), Roles: o.Roles, From: o.NB, Until: o.NA, Desks: orNone(dir.DesksOf(u)), Key: o.KeyID, Revoked: o.RevokedAt, Reason: o.Reason}
	switch {
	case o.Revoked() && len(l.Desks) > 0:
		l.Next = "her key is revoked, and she is still at a desk: odziv officer leave " + u
	case o.Revoked():
	case o.NA <= s.Now():
		l.Next = "her term is over, she can do nothing: odziv officer renew " + u
	case o.NA <= s.Now()+soon:
		l.Next = "her term ends within 30 days: odziv officer renew " + u
	case len(l.Desks) == 0:
		l.Next = "she is at no desk: odziv officer desk put DESK " + u
	}
	return l
}

func (l officerLine) print(w io.Writer, s *session) {
	state := "until " + s.when(l.Until)
	if l.Revoked > 0 {
		state = "revoked " + s.when(l.Revoked) + ", " + l.Reason
	}
	fmt.Fprintf(w, "%-24s %s  [%s]  %s  key %s\n", l.Label, l.Officer, strings.Join(l.Roles, " "), state, ceremony.Short(ceremony.DigestOf(l.Key)))
	for _, d := range l.Desks {
		fmt.Fprintf(w, "  at %s\n", s.teller().Called(d))
	}
	if l.Next != "" {
		fmt.Fprintf(w, "  next: %s\n", l.Next)
	}
}
