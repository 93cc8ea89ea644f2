package main

import (
	"fmt"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
)

// renewals say what the keys of one's own desks ask for, on every command that
// opens them but those that see to it.
func (s *session) renewals() []warning {
	if s.cmd.Annotations[ownKeys] != "" {
		return nil
	}
	me, err := s.Me()
	if err != nil {
		return nil
	}
	list := []warning{}
	for _, r := range s.Renewals(s.Directory().DesksOf(me.U)...) {
		text, hint := s.renewal(&r)
		list = append(list, warning{"key-" + r.What, text, hint})
	}
	return list
}

// renewal says one of them, and the command to run.
func (s *session) renewal(r *office.Renewal) (text, hint string) {
	desk := s.called(r.Desk)
	switch r.What {
	case office.RenewNow:
		return fmt.Sprintf("the key of desk %s must be renewed: %s; %s", desk, s.staleWords(r), s.waitWords(r)),
			fmt.Sprintf("run: odziv directory rotate --desk %s; then a colleague: odziv directory acknowledge", r.Desk)
	case office.RenewSoon:
		return fmt.Sprintf("the key of desk %s will be a year old on %s", desk, s.when(r.By)),
			"make a new one in the next days: odziv directory rotate --desk " + r.Desk
	case office.RenewConfirm:
		return fmt.Sprintf("key %d of desk %s waits for you to confirm it", r.Epoch, desk) + s.meanwhile(r),
			fmt.Sprintf("if a colleague told you that she made it, run: odziv directory acknowledge --desk %s; if nobody did, call her first", r.Desk)
	case office.RenewWaits:
		who := "a colleague runs: odziv directory acknowledge"
		if r.Alone {
			who = "read its fingerprint (odziv directory rotate shows it again today) to a registrar, who runs: odziv directory acknowledge --desk " + r.Desk
		}
		return fmt.Sprintf("your key %d of desk %s is not confirmed yet, so nobody uses it", r.Epoch, desk) + s.meanwhile(r), who
	}
	return fmt.Sprintf("desk %s has no key that somebody confirmed: nothing can be sealed to it", desk),
		"run: odziv directory rotate --desk " + r.Desk
}

// meanwhile says how pressing it is.
func (s *session) meanwhile(r *office.Renewal) string {
	if r.By == 0 {
		return ""
	}
	return "; " + s.waitWords(r)
}

func (s *session) waitWords(r *office.Renewal) string {
	if r.By <= s.Now() {
		return "since " + s.when(r.By) + " others wait with everything that is not immediate"
	}
	return "from " + s.when(r.By) + " on others wait with everything that is not immediate"
}

func (s *session) staleWords(r *office.Renewal) string {
	since := s.when(r.Since)
	switch r.Why {
	case directory.StaleRevoked:
		return fmt.Sprintf("the signing key of officer %s, who has it, was revoked on %s", r.Officer, since)
	case directory.StaleLeft:
		return fmt.Sprintf("officer %s, who has it, left the desk on %s", r.Officer, since)
	case directory.StaleTerm:
		return fmt.Sprintf("the term of officer %s, who has it, ended on %s", r.Officer, since)
	}
	return "it was a year old on " + since
}
