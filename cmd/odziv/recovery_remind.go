package main

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// recoveryDue is what somebody ought to know, or do, about recovering a desk.
type recoveryDue struct {
	Desk string `json:"desk,omitempty"` // "" if it is of the institution
	What string `json:"what"`
}

// What there may be to know.
const (
	dueCustodians = "no-custodians"   // the root named none
	dueEscrow     = "no-escrow"       // custodians of today cannot recover the desk's present key
	dueFirst      = "never-rehearsed" // nobody knows whether it works
	dueAgain      = "rehearse"        // it was last proven a year ago
	dueFailed     = "failed"          // opening it failed
	dueAsked      = "asked"           // a custodian asks for it
	dueReleased   = "released"        // it is released to custodians now
)

// recoveriesDue is for members about their desks, and for registrars, custodians and
// root about all desks of the institution.
func (s *session) recoveriesDue() ([]recoveryDue, error) {
	list := []recoveryDue{}
	dir := s.Directory()
	for _, inst := range s.Houses() {
		mine, all := s.looksAfter(inst)
		if !all && len(mine) == 0 {
			continue
		}
		r, err := s.RecoveryOf(s.cmd.Context(), inst, mine...)
		if err != nil {
			return nil, err
		}
		if r.K == 0 {
			if all {
				list = append(list, recoveryDue{What: dueCustodians})
			}
			continue
		}
		for _, d := range r.Desks {
			if _, ok := dir.ActiveEpoch(d.Desk); ok {
				list = append(list, deskDue(&d, s.Now())...)
			}
		}
	}
	return list, nil
}

// looksAfter is for which desks these keys act, or whether for all of an institution:
// then it names none.
func (s *session) looksAfter(inst string) (desks []string, all bool) {
	dir := s.Directory()
	me, err := s.Me()
	if err != nil {
		actor, _ := dir.Actor(statement.KeyID(s.keys.Signer().Public()))
		return nil, actor.Kind == directory.KindRegistrar || actor.Kind == directory.KindRoot || actor.Kind == directory.KindCustodian
	}
	head := slices.ContainsFunc(dir.DesksOf(me.U), func(d string) bool { desk, _ := dir.Desk(d); return desk.Fn == "head" })
	registrar := slices.ContainsFunc(dir.Registrars(inst), func(k ed25519.PublicKey) bool { return k.Equal(me.Key) })
	if head || registrar {
		return nil, true
	}
	return dir.DesksOf(me.U), false
}

func deskDue(d *office.DeskRecovery, now int64) []recoveryDue {
	var list []recoveryDue
	for _, r := range d.Recoveries {
		switch {
		case r.Release.InForce(now) && r.Release.Outcome == "":
			list = append(list, recoveryDue{d.Desk, dueReleased})
		case len(r.Asked) > 0:
			list = append(list, recoveryDue{d.Desk, dueAsked})
		}
	}
	switch {
	case d.Escrow != office.EscrowNow:
		list = append(list, recoveryDue{d.Desk, dueEscrow})
	case d.Hidden:
	case d.Failed > 0:
		list = append(list, recoveryDue{d.Desk, dueFailed})
	case d.Proven == 0:
		list = append(list, recoveryDue{d.Desk, dueFirst})
	case d.Rehearse:
		list = append(list, recoveryDue{d.Desk, dueAgain})
	}
	return list
}

// dueWords are what status says, with the desk.
var dueWords = map[string]string{
	dueCustodians: "no custodians%s: a desk that loses all its keys loses what it got; the root runs odziv recovery setup",
	dueEscrow:     "%s: the custodians of today cannot recover its key; odziv directory rotate makes one that they can",
	dueFirst:      "%s: never rehearsed, nobody knows whether it works; two custodians run odziv recovery request",
	dueAgain:      "%s: last proven more than a year ago; two custodians rehearse it: odziv recovery request",
	dueFailed:     "%s: opening its escrow FAILED; rotate, and rehearse at once",
	dueAsked:      "%s: CUSTODIANS ASK FOR ITS KEYS; if you do not know why, call the head of your institution; odziv recovery status",
	dueReleased:   "%s: ITS KEYS ARE RELEASED TO CUSTODIANS; if you do not know why, call the head of your institution, and rotate; odziv recovery status",
}

func (s *session) printDue(w io.Writer, list []recoveryDue) {
	for _, d := range list {
		desk := d.Desk
		if desk != "" {
			desk = s.called(desk)
		}
		fmt.Fprintf(w, "recovery   "+dueWords[d.What]+"\n", desk)
	}
}
