package consent

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/rules"
)

// Opinions that the rules themselves speak of; a pack lists these and others.
const (
	OpinionAgrees    = "agrees"    // what an agreement means
	OpinionDisagrees = "disagrees" // nothing is given over it
	OpinionNotAsked  = "not-asked" // not enough where an opinion is mandatory
)

// CheckError says which member breaks which rule. Reason is one of the Fault
// constants; Detail is for the officer who wrote the statement.
type CheckError struct {
	Member string
	Reason string
	Detail string
}

// Reasons of a [CheckError].
const (
	FaultUnknown    = "unknown"    // a code the pack does not know
	FaultGrantor    = "grantor"    // this relation does not decide for this age
	FaultOpinion    = "opinion"    // the person's opinion is missing or contrary
	FaultTold       = "told"       // the exceptions were not told before asking
	FaultUnderstood = "understood" // not understood, so not given
	FaultValidity   = "validity"   // begins too early or ends too late
	FaultExcluded   = "excluded"   // a conflict of interest
	FaultRecorder   = "recorder"   // not theirs to record
	FaultCosigner   = "cosigner"   // the second signature is not from elsewhere
)

func (e *CheckError) Error() string {
	return fmt.Sprintf("consent: %s: %s: %s", e.Member, e.Reason, e.Detail)
}

// Check holds a parsed statement against the rule pack in force. Steps towards
// less pass without a look at the pack, so that no change of a pack can delay a
// withdrawal. It returns a [*CheckError], or another error for a broken pack.
func (s *Statement) Check(pack *rules.Pack) error {
	act := s.Act()
	if act.Ends() {
		return nil
	}
	if act.Permits() && !s.Understood {
		return &CheckError{"understood", FaultUnderstood, "what was not understood is not given; invalidate it, or ask again"}
	}
	if act == Narrowed {
		return nil // a subset of what was checked when given; Record.Next compares
	}
	if err := s.checkCodes(&pack.Consent, pack); err != nil {
		return err
	}
	if !act.asks() {
		return nil
	}
	if err := s.checkTold(pack); err != nil {
		return err
	}
	if err := s.checkGrantor(pack); err != nil {
		return err
	}
	return s.checkValidity(pack)
}

func (s *Statement) checkCodes(c *rules.Consent, pack *rules.Pack) error {
	if !knows(c.Ages, s.Age) {
		return unknown("age", s.Age)
	}
	single := []struct {
		member, code string
		list         []rules.Named
	}{
		{"opinion", s.Opinion, c.Opinions}, {"form", s.Form, c.Forms}, {"method", s.Method, c.Methods},
		{"channel", s.Channel, c.Channels}, {"interp", s.Interp, c.Interps},
	}
	for _, v := range single {
		if v.code != "" && !knows(v.list, v.code) {
			return unknown(v.member, v.code)
		}
	}
	if !knows(c.Relations, s.Grantor.Rel) {
		return unknown("grantor.rel", s.Grantor.Rel)
	}
	for _, code := range s.Purposes {
		if _, ok := pack.Purpose(code); !ok {
			return unknown("purposes", code)
		}
	}
	for _, code := range s.Told {
		if !knows(c.Told, code) {
			return unknown("told", code)
		}
	}
	for _, code := range s.Cats {
		if _, ok := pack.Category(code); !ok {
			return unknown("cats", code)
		}
	}
	return nil
}

func (s *Statement) checkTold(pack *rules.Pack) error {
	for _, must := range pack.Consent.Told {
		if !slices.Contains(s.Told, must.Code) {
			return &CheckError{"told", FaultTold, fmt.Sprintf("%q must be told before asking", must.Code)}
		}
	}
	return nil
}

// checkGrantor asks who may decide at this age, and what the person must have
// said. A request needs the right person to ask, not yet an opinion.
func (s *Statement) checkGrantor(pack *rules.Pack) error {
	g, ok := grantorRule(pack, s.Age, s.Grantor.Rel)
	if !ok {
		return &CheckError{"grantor", FaultGrantor, fmt.Sprintf("%q does not decide for age %q", s.Grantor.Rel, s.Age)}
	}
	if s.Act() == Requested {
		return nil
	}
	switch {
	case g.Agreement && s.Opinion != OpinionAgrees:
		return &CheckError{"opinion", FaultOpinion, "the person's own agreement is required"}
	case g.Opinion && s.Opinion == OpinionNotAsked:
		return &CheckError{"opinion", FaultOpinion, "the person's opinion is mandatory"}
	case s.Opinion == OpinionDisagrees:
		return &CheckError{"opinion", FaultOpinion, "the person disagrees; leave out what they object to, or wait for the supervisor"}
	}
	return nil
}

func (s *Statement) checkValidity(pack *rules.Pack) error {
	moment := s.Moment()
	if s.Act() == Given && s.NB < dayOf(moment, pack.Location()) {
		return &CheckError{"nb", FaultValidity, "a consent does not reach back before the day it was given"}
	}
	latest, err := latestEnd(pack, s.Age, s.Grantor.Rel, moment)
	if err != nil {
		return err
	}
	if s.NA > latest {
		return &CheckError{"na", FaultValidity, fmt.Sprintf("ends at %d at the latest", latest)}
	}
	return nil
}

// grantorRule finds the first rule for this age and relation. A person whose
// age nobody knows is a child.
func grantorRule(pack *rules.Pack, age, rel string) (rules.Grantor, bool) {
	if age == rules.AgeUnknown {
		age = pack.Consent.ChildBand
	}
	for _, g := range pack.Consent.Grantors {
		if slices.Contains(g.Age, age) && slices.Contains(g.Relations, rel) {
			return g, true
		}
	}
	return rules.Grantor{}, false
}

func knows(list []rules.Named, code string) bool {
	return slices.ContainsFunc(list, func(n rules.Named) bool { return n.Code == code })
}

func unknown(member, code string) error {
	return &CheckError{member, FaultUnknown, fmt.Sprintf("the pack does not know %q", code)}
}
