package messaging

import (
	"cmp"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Attested is an officer's word for an act off the system: a letter, a call, a
// visit, a paper filed before go-live. It triggers and fulfils obligations as a
// message would, and is shown as attested wherever it counts. The act's own
// time is Head.Occurred, which it must carry.
type Attested struct {
	statement.Head
	Channel string            `json:"channel"`        // code of the pack: post, phone, courier, in-person
	Doc     string            `json:"doc,omitempty"`  // hex SHA-256 of the proof of service or paper
	Facts   map[string]string `json:"facts"`          // as in Core, for the rules of Kind
	From    string            `json:"from,omitempty"` // who a received act came from: d_ or p_
	Kind    string            `json:"kind,omitempty"` // the notice it amounts to
	Msg     string            `json:"msg,omitempty"`  // the message it delivers on paper
	Obl     []Act             `json:"obl"`            // an of names this statement itself
	Outcome string            `json:"outcome"`
	Subj    []string          `json:"subj"`
	To      string            `json:"to,omitempty"` // who was served or sought: d_ or p_
	What    string            `json:"what"`
}

// What an attested act was.
const (
	WhatSent     = "sent"     // by the signer's desk, to Attested.To
	WhatReceived = "received" // by the signer's desk, from Attested.From
)

// Outcomes of an attested act. Only a served one hands over; only it may meet a
// duty that counts from handing over.
const (
	OutcomeServed    = "served"    // reached its addressee
	OutcomeConsigned = "consigned" // given to post or courier, no proof of service yet
	OutcomeAttempted = "attempted" // tried, and not reached
)

// Check implements [Statement].
func (s *Attested) Check() error {
	if s.Occurred == 0 {
		return fmt.Errorf("occurred: an attested act needs its own time")
	}
	if s.Kind == "" && s.Msg == "" && len(s.Obl) == 0 {
		return fmt.Errorf("kind, msg, obl: the act amounts to nothing")
	}
	if s.Doc != "" && !statement.IsHash(s.Doc) {
		return fmt.Errorf("doc: not the hex of 32 bytes")
	}
	if len(s.Subj) > MaxSubjects || s.Case == "" && len(s.Subj) > 0 {
		return fmt.Errorf("subj: more than %d, or without a case", MaxSubjects)
	}
	return cmp.Or(
		statement.CheckCode("channel", s.Channel),
		optionalCode("kind", s.Kind),
		optionalID("msg", s.Msg, statement.Message),
		distinctIDs("subj", s.Subj, statement.Person),
		checkFacts("facts", s.Facts),
		s.checkWay(),
		s.checkActs(),
		checkHead(&s.Head, EvAttested),
	)
}

// checkWay ties direction, other side and outcome together: what was received
// has been served, and an attempt fulfils nothing.
func (s *Attested) checkWay() error {
	switch {
	case s.What == WhatSent && s.To != "" && s.From == "":
	case s.What == WhatReceived && s.From != "" && s.To == "" && s.Outcome == OutcomeServed:
	default:
		return fmt.Errorf("what, to, from, outcome: do not fit together")
	}
	if s.Outcome != OutcomeServed && s.Outcome != OutcomeConsigned && s.Outcome != OutcomeAttempted {
		return fmt.Errorf("outcome: unknown")
	}
	if s.Outcome == OutcomeAttempted && len(s.Obl) > 0 {
		return fmt.Errorf("obl: an attempt performs no act on a duty")
	}
	return cmp.Or(
		optionalID("to", s.To, statement.Desk, statement.Person),
		optionalID("from", s.From, statement.Desk, statement.Person),
	)
}

func (s *Attested) checkActs() error {
	if err := checkActs("obl", s.Obl, statement.Other); err != nil {
		return err
	}
	for i, a := range s.Obl {
		if a.Of != "" && a.Of != s.ID {
			return fmt.Errorf("obl[%d].of: not this statement itself", i)
		}
	}
	return nil
}
