package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/odziv/odziv/internal/office"
)

// checkOne says how a message would be sealed, and sends nothing.
func (s *session) checkOne(desk string, f *draftFlags) error {
	d, err := s.draft(f, desk)
	if err != nil {
		return err
	}
	c, err := s.Check(s.cmd.Context(), d)
	if err != nil {
		return err
	}
	s.cautions(c.Cautions)
	return s.out(c, func(w io.Writer) {
		fmt.Fprintln(w, "the rules allow it; nothing was sent")
		for _, r := range c.To {
			s.printRecipient(w, r)
		}
	})
}

// printRecipient says whose key a desk is sealed to, and what is new about it.
func (s *session) printRecipient(w io.Writer, r office.Recipient) {
	ack := ""
	if r.Ack != nil {
		ack = ", acknowledged by " + s.signedBy(r.Ack.By)
	}
	fmt.Fprintf(w, "%s: key %d since %s, %d readers\n", s.called(r.Desk), r.Epoch, s.when(r.Since), len(r.Holds))
	switch {
	case r.New():
		for _, part := range wrapped(fmt.Sprintf("new: you last sealed to key %d, on %s. Made by %s%s.", r.Last, s.when(r.LastAt), s.signedBy(r.Made.By), ack), 76) {
			fmt.Fprintf(w, "  %s\n", part)
		}
		printOfficers(w, "joined", r.Joined)
		printOfficers(w, "left", r.Left)
	case r.Last > 0:
		fmt.Fprintln(w, "  the same as the last time you sealed to it")
	}
}

func printOfficers(w io.Writer, name string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(w, "  %s: %s\n", name, strings.Join(list, ", "))
	}
}
