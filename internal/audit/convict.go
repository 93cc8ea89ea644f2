package audit

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// A Conviction is what two entries under one log's key say of one obligation,
// and cannot both be true.
type Conviction struct {
	Obligation string `json:"obligation"`
	Silence    int64  `json:"silence"`        // index of the entry that says how it stood
	Said       string `json:"said"`           // the state it says
	Answer     int64  `json:"answer"`         // index of the entry before it
	Left       string `json:"left,omitempty"` // the state that one left the obligation in; "" if a signed act alone answers it
}

// Convict holds a silence statement against the evidence file of an entry with a
// smaller index. Both are verified as [VerifyEvidence] does. It convicts the
// operator if the entry brought the obligation into a final state that the
// silence denies, or holds a signed act that answers it where the silence says
// that nothing was answered. Otherwise the error wraps [ErrVerify] and says what
// is missing.
func Convict(silence, answer []byte, trust Trust) (Report, error) {
	report := Report{Kind: KindConvict}
	said, s, err := verifyEvidence(silence, trust)
	if err != nil {
		return report, fmt.Errorf("the silence file: %w", err)
	}
	did, a, err := verifyEvidence(answer, trust)
	if err != nil {
		return report, fmt.Errorf("the evidence file: %w", err)
	}
	report.Genesis, report.Pinned, report.Name, report.Host, report.Demo = said.Genesis, said.Pinned, said.Name, said.Host, said.Demo
	if said.Genesis != did.Genesis || said.Host != did.Host {
		return report, wrong("the two files are of different exchanges: %s and %s", said.Host, did.Host)
	}
	report.Items = append(said.Items, did.Items...)
	c, err := contradiction(s, a)
	if err != nil {
		return report, err
	}
	report.Convict = c
	report.say(FactSilent, c.Silence, c.Obligation, c.Said)
	if c.Left != "" {
		report.say(FactMoved, c.Answer, a.meta.Ev, a.meta.Obj, c.Left)
	} else {
		report.say(FactActed, c.Answer, a.meta.Ev, a.meta.Obj)
	}
	report.say(FactConvicted, c.Obligation)
	report.conclude(lesser(said.Items[0].Standing, did.Items[0].Standing))
	return report, nil
}

func contradiction(s, a *verified) (*Conviction, error) {
	duty, ok := s.said.body.(*evidence.DutyData)
	switch {
	case !ok || s.meta.Ev != evidence.Silence:
		return nil, wrong("entry %d is %s: name the file of a silence first, then the evidence file", s.meta.Idx, s.meta.Ev)
	case duty.State == "":
		return nil, wrong("the silence does not say how the obligation stood")
	case a.meta.Idx >= duty.Size:
		return nil, wrong("entry %d does not come before the silence, which speaks of the entries below %d", a.meta.Idx, duty.Size)
	}
	c := &Conviction{Obligation: duty.O, Silence: s.meta.Idx, Said: duty.State, Answer: a.meta.Idx}
	touched, denied := c.left(a.priv.Moves), false
	acted := fulfils(a.said.body, duty.O)
	switch {
	case touched:
		denied = obligation.State(c.Left).Final() && c.Left != c.Said
	case acted:
		denied = slices.Contains([]obligation.State{obligation.Open, obligation.Acknowledged}, obligation.State(c.Said))
	default:
		return nil, wrong("entry %d does nothing to obligation %s", c.Answer, c.Obligation)
	}
	if !denied {
		return nil, wrong("entry %d (%s) and the silence (%s) can both be true", c.Answer, orDash(c.Left), c.Said)
	}
	return c, nil
}

// left notes the state that moves leave the obligation in, if they touch it.
func (c *Conviction) left(moves []evidence.Move) bool {
	for _, m := range moves {
		if m.O == c.Obligation { // the last counts
			c.Left = m.State
		}
	}
	return c.Left != ""
}

// fulfils reports whether a signed act of a message or an attestation names the
// obligation as fulfilled.
func fulfils(body any, o string) bool {
	return slices.ContainsFunc(actsOf(body), func(act messaging.Act) bool { return act.ID == o && act.Op == messaging.OpFulfil })
}

// actsOf are the signed acts of a message or an attestation.
func actsOf(body any) []messaging.Act {
	switch b := body.(type) {
	case *messaging.Notice:
		return b.Core.Obl
	case *messaging.Attested:
		return b.Obl
	}
	return nil
}
