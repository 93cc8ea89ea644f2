package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func officerDeskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "desk", Short: "open desks, put officers at them and take them away",
		Long: `desk is how registrars staff an institution. A desk receives and owes; its members read
its mail. One registrar opens a desk and takes a member away; two put somebody at it,
since whoever is put there becomes a reader.`,
		Example: "  odziv officer desk open --fn case --name vranje.case\n  odziv officer desk put vranje.case \"case manager 1\" \"case manager 2\"\n  odziv officer desk remove vranje.case \"case manager 1\"",
	}
	cmd.AddCommand(openDeskCommand(), staffCommand(true), staffCommand(false), closeDeskCommand())
	return cmd
}

func openDeskCommand() *cobra.Command {
	var f forward
	var a *asker
	var fn, name, from, until string
	cmd := &cobra.Command{
		Use: "open", Short: "open a desk; one registrar", Args: cobra.NoArgs,
		Long: "open opens a desk of this institution with a function, which is how the rules of\nother institutions find it: " + strings.Join(directory.Functions, ", ") +
			".\nA representative's desk (rep) needs two registrars.",
		Example: "  odziv officer desk open --fn intake --name vranje.intake",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			if !slices.Contains(directory.Functions, fn) {
				return cli.UsageError("--fn %.20q is none of %s", fn, strings.Join(directory.Functions, ", "))
			}
			b := &directory.DeskProfile{D: statement.NewID(statement.Desk), Fn: fn, I: s.keys.Inst}
			if b.NB, err = s.day(from, s.Now()); err != nil {
				return err
			}
			if b.NA, err = s.day(until, time.UnixMilli(s.Now()).AddDate(5, 0, 0).UnixMilli()); err != nil {
				return err
			}
			if err := s.remember(name, b.D); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringVar(&fn, "fn", "", "its function")
	cmd.Flags().StringVar(&name, "name", "", "what you call it, on this computer only")
	cmd.Flags().StringVar(&from, "from", "", "first day (default: now)")
	cmd.Flags().StringVar(&until, "until", "", "day on which it closes (default: in five years)")
	cmd.MarkFlagRequired("fn")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func closeDeskCommand() *cobra.Command {
	var f forward
	var a *asker
	var on string
	cmd := &cobra.Command{
		Use: "close DESK", Short: "let a desk end on a day; one registrar", Args: cobra.ExactArgs(1),
		Long:    "close lets a desk end: from that day it takes nothing new. Its members keep reading what\nit received. What it owes stays owed.",
		Example: "  odziv officer desk close vranje.case --on 2027-01-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			desk, err := s.deskThere(args[0])
			if err != nil {
				return err
			}
			b := &directory.DeskProfile{D: desk.D, Fn: desk.Fn, I: desk.Inst, NB: desk.NB}
			if b.NA, err = s.day(on, 0); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringVar(&on, "on", "", "day from which it takes nothing new")
	cmd.MarkFlagRequired("on")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// deskThere is a desk of the directory by what people call it.
func (s *session) deskThere(name string) (directory.Desk, error) {
	id, err := s.desk(name)
	if err != nil {
		return directory.Desk{}, err
	}
	desk, ok := s.Directory().Desk(id)
	if !ok {
		return desk, cli.Hint(fmt.Errorf("the directory has no desk %s", id), "open it first: odziv officer desk open; another registrar's may still wait: odziv pending")
	}
	return desk, nil
}

// staffCommand puts officers at a desk or takes them away.
func staffCommand(come bool) *cobra.Command {
	var f forward
	var a *asker
	use, short, long := "put DESK OFFICER…", "put officers at a desk; two registrars", `put makes officers members of a desk. They become readers of its mail from its next key
on, and of what came before where a member grants it: the second registrar is warned of
that too. Then a member makes a new key: odziv directory rotate.`
	example := "  odziv officer desk put vranje.case \"case manager 1\" \"case manager 2\""
	if !come {
		use, short, long = "remove DESK OFFICER…", "take officers from a desk; one registrar", `remove takes officers from a desk. They hold its present key still: a member makes a new
one at once (odziv directory rotate). Who leaves the house is revoked as well: odziv
officer leave.`
		example = "  odziv officer desk remove vranje.case \"case manager 1\""
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			desk, err := s.deskThere(args[0])
			if err != nil {
				return err
			}
			members, err := s.staffed(desk, args[1:], come)
			if err != nil {
				return err
			}
			return s.put(a, &directory.DeskMembers{D: desk.D, Members: members}, f)
		},
	}
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// staffed are the members of a desk with some more, or some fewer.
func (s *session) staffed(desk directory.Desk, names []string, come bool) ([]string, error) {
	members := desk.Members
	for _, name := range names {
		o, err := s.officerNamed(name)
		if err != nil {
			return nil, err
		}
		at := slices.Index(members, o.U)
		switch {
		case come && at >= 0:
			return nil, cli.Hint(fmt.Errorf("%s is at this desk already", name), "leave that name out")
		case !come && at < 0:
			return nil, cli.Hint(fmt.Errorf("%s is not at this desk", name), "odziv officer list shows who is where")
		case come:
			members = append(members, o.U)
		default:
			members = slices.Delete(members, at, at+1)
		}
	}
	return orNone(members), nil
}

func rotaCommand() *cobra.Command {
	var f forward
	var a *asker
	var from, until string
	cmd := &cobra.Command{
		Use: "rota DESK OFFICER…", Short: "say who of a desk can be reached, in which order; its head or duty officer", Args: cobra.MinimumNArgs(2),
		Long:    "rota names officers who can be reached for a desk, in fail-over order, for some days. An\nofficer of the desk with role head or duty signs it.",
		Example: "  odziv officer rota vranje.duty u_ba3dyotlldwfr5y26pnml3inyi --until 2026-03-09",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			desk, err := s.deskThere(args[0])
			if err != nil {
				return err
			}
			b := &directory.DeskRota{D: desk.D}
			for _, name := range args[1:] {
				o, err := s.officerNamed(name)
				if err != nil {
					return err
				}
				c := directory.Contact{U: o.U}
				if card, ok := s.Directory().CardOf(o.U); ok {
					c.Card = card
				}
				b.Contacts = append(b.Contacts, c)
			}
			if b.From, err = s.day(from, s.Now()); err != nil {
				return err
			}
			if b.To, err = s.day(until, time.UnixMilli(s.Now()).AddDate(0, 0, 7).UnixMilli()); err != nil {
				return err
			}
			return s.put(a, b, f)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day (default: now)")
	cmd.Flags().StringVar(&until, "until", "", "day on which it ends (default: in a week)")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}
