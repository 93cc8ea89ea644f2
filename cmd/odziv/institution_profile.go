package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/keys/directory"
)

// profile is what the flags say of an institution; what they leave out stays as
// it is.
type profile struct {
	typ, level, above, from, until, pred string
	territory                            []string
	emergency                            bool
}

func profileCommand() *cobra.Command {
	var f forward
	var a *asker
	var p profile
	cmd := &cobra.Command{
		Use: "profile INSTITUTION", Short: "say what an institution is; two delegates", Args: cobra.ExactArgs(1),
		Long: `profile says what an institution is: its type, which decides what it may send and
receive, its level and territory, whom it escalates to, whether it shares in an
emergency, and for how long. What no flag names stays as it is. Before its first
profile an institution is closed.`,
		Example: "  odziv institution profile vranje --type swc --territory 70432 --emergency --until 2031-01-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			id, err := s.inst(args[0])
			if err != nil {
				return err
			}
			body, err := p.body(s, cmd, id)
			if err != nil {
				return err
			}
			return s.put(a, body, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&p.typ, "type", "", "type, such as swc, police, ppo-higher, court-higher, ngo")
	fl.StringVar(&p.level, "level", "local", "level, such as local, higher, national")
	fl.StringSliceVar(&p.territory, "territory", nil, "codes of its territory, separated by commas")
	fl.StringVar(&p.above, "escalates-to", "", "institution above it")
	fl.BoolVar(&p.emergency, "emergency", false, "it may share in an emergency")
	fl.StringVar(&p.from, "from", "", "first day (default: now)")
	fl.StringVar(&p.until, "until", "", "day on which it ends (default: in five years)")
	fl.StringVar(&p.pred, "pred", "", "institution that it succeeds; see odziv institution succeed")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func (p *profile) body(s *session, cmd *cobra.Command, id string) (*directory.InstProfile, error) {
	old, ok := s.Directory().Institution(id)
	if !ok {
		return nil, cli.Hint(fmt.Errorf("%s has not joined", id), "delegates admit it first: odziv institution admit REQUEST")
	}
	b := profileOf(old, s.Now())
	set := cmd.Flags().Changed
	if set("type") || old.Type == "" {
		b.Type = p.typ
	}
	if set("level") || old.Type == "" {
		b.Level = p.level
	}
	if set("territory") {
		b.Territory = p.territory
	}
	if set("emergency") {
		b.Emergency = p.emergency
	}
	if b.Type == "" {
		return nil, cli.UsageError("say its --type: it has none yet")
	}
	var err error
	for _, one := range []struct {
		named string
		into  *string
	}{{p.above, &b.EscalatesTo}, {p.pred, &b.Pred}} {
		if one.named != "" {
			if *one.into, err = s.inst(one.named); err != nil {
				return nil, err
			}
		}
	}
	if b.NB, err = s.day(p.from, b.NB); err != nil {
		return nil, err
	}
	b.NA, err = s.day(p.until, b.NA)
	return b, err
}

// profileOf is the profile in force, or, where there is none, an empty one for
// five years.
func profileOf(old directory.Institution, now int64) *directory.InstProfile {
	b := &directory.InstProfile{I: old.I, Type: old.Type, Level: old.Level, Territory: old.Territory, Emergency: old.Emergency,
		EscalatesTo: old.EscalatesTo, Pred: old.Pred, NB: old.NB, NA: old.NA}
	if b.Territory == nil {
		b.Territory = []string{}
	}
	if old.Type == "" {
		b.NB, b.NA = now, time.UnixMilli(now).AddDate(5, 0, 0).UnixMilli()
	}
	return b
}

func succeedCommand() *cobra.Command {
	var f forward
	var a *asker
	var on string
	cmd := &cobra.Command{
		Use: "succeed OLD NEW", Short: "let one institution take the place of another; two delegates", Args: cobra.ExactArgs(2),
		Long: `succeed ends institution OLD on a day and lets NEW, which has joined already, take its
place: two statements, which the second delegate finds with odziv pending. NEW gets the
profile of OLD, where it has none of its own.

Keys do not move by themselves, since nobody may read for anybody by a stroke of the
pen: until that day the members of OLD's desks grant their desks' keys to officers of
NEW (odziv directory grant), so that open matters can be read on. What others owe OLD,
and OLD owes others, stays on record; notices go to the desks of NEW from that day.`,
		Example: "  odziv institution succeed swc-old swc-new --on 2027-01-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			return s.succeed(a, args[0], args[1], on, f)
		},
	}
	cmd.Flags().StringVar(&on, "on", "", "first day of the successor")
	cmd.MarkFlagRequired("on")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func (s *session) succeed(a *asker, from, to, on string, f forward) error {
	if f.out != "" {
		return cli.UsageError("succeed makes two statements: sign them online")
	}
	var insts [2]directory.Institution
	for i, named := range []string{from, to} {
		id, err := s.inst(named)
		if err != nil {
			return err
		}
		var ok bool
		if insts[i], ok = s.Directory().Institution(id); !ok {
			return cli.Hint(fmt.Errorf("%s has not joined", id), "the successor joins first: odziv institution invite")
		}
	}
	day, err := s.day(on, 0)
	if err != nil {
		return err
	}
	last, first := insts[0], insts[1]
	if last.Type == "" {
		return cli.Hint(fmt.Errorf("%s never had a profile: there is nothing to succeed to", last.I), "odziv institution list shows what it lacks")
	}
	heir := profileOf(first, s.Now())
	if first.Type == "" {
		heir = profileOf(last, s.Now())
		heir.I, heir.NB, heir.NA = first.I, min(s.Now(), day), max(last.NA, day+5*366*24*3600*1000)
	}
	heir.Pred = last.I
	end := profileOf(last, s.Now())
	end.NA = day
	var list []done
	for _, one := range []struct {
		recorded bool // by an earlier run
		body     directory.Body
	}{{first.Pred == last.I, heir}, {last.NA == day, end}} {
		if one.recorded {
			continue
		}
		d, err := s.make(a, one.body, f)
		if err != nil {
			return cli.Hint(err, "run the same command again; of two statements that say the same, the second delegate signs one")
		}
		list = append(list, d)
	}
	if err := s.outAll(list); err != nil {
		return err
	}
	s.afterSuccession(a, last, first)
	return nil
}

// afterSuccession says what the statements do not do.
func (s *session) afterSuccession(a *asker, last, first directory.Institution) {
	a.say("\nnext, until that day:\n")
	a.say("  - registrars of %s enrol its officers and open its desks: odziv officer enrol, odziv officer desk open\n", first.I)
	for _, d := range s.Directory().DesksOfInst(last.I) {
		a.say("  - people of the successor who shall read on in desk %s become officers of %s and members of that desk;\n    a colleague hands them its keys: odziv directory grant --desk %s\n", d, last.I, d)
	}
	for _, i := range s.Directory().Institutions() {
		if inst, _ := s.Directory().Institution(i); inst.EscalatesTo == last.I {
			a.say("  - two delegates let %s escalate to the successor: odziv institution profile %s --escalates-to %s\n", i, i, first.I)
		}
	}
	a.say("  - every desk of %s signs for what waits for it: from that day on it can read again what it signed for, and do nothing else\n", last.I)
}
