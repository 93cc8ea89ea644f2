package consent

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
)

// MayRecord reports whether who, with these roles, may record s, and whether a
// second signature from elsewhere is needed first ([CheckCosigner]). isParty
// says whether the institution of who is party to the case; instOf (which may
// be nil) finds the institution of a desk that s names as recipient.
//
// Any party to the case may record a withdrawal, whatever the pack says, and
// being a recipient never holds one up: a second signature guards against a
// consent that serves its recorder, and a withdrawal serves nobody else.
func MayRecord(pack *rules.Pack, s *Statement, who Party, roles []string, isParty bool, instOf func(desk string) string) (cosign bool, err error) {
	act := s.Act()
	for _, r := range pack.Consent.Recorders {
		if !recorderFits(r, act, who.Type, roles, isParty) {
			continue
		}
		switch r.Cosign {
		case rules.CosignNever:
			return false, nil
		case rules.CosignOwnRecipient:
			return act != Withdrawn && isRecipient(s, who, instOf), nil
		case rules.CosignAlways:
			return true, nil
		}
		return false, fmt.Errorf("consent: the pack's recorder rule has cosign %q", r.Cosign)
	}
	if act == Withdrawn && isParty {
		return alwaysCosigned(pack, act, who.Type), nil
	}
	return false, &CheckError{"by", FaultRecorder, fmt.Sprintf("%q with these roles does not record %q here", who.Type, act)}
}

func recorderFits(r rules.Recorder, act Act, typ string, roles []string, isParty bool) bool {
	return slices.Contains(r.Acts, string(act)) &&
		slices.Contains(r.Types, typ) &&
		(len(r.Roles) == 0 || overlap(r.Roles, roles)) &&
		(isParty || !r.Party)
}

// alwaysCosigned reports whether the pack wants a second signature whenever
// this type records act, whatever the recorder's role.
func alwaysCosigned(pack *rules.Pack, act Act, typ string) bool {
	return slices.ContainsFunc(pack.Consent.Recorders, func(r rules.Recorder) bool {
		return recorderFits(r, act, typ, r.Roles, true) && r.Cosign == rules.CosignAlways
	})
}

// isRecipient reports whether the recorder's desk or institution receives
// under s.
func isRecipient(s *Statement, who Party, instOf func(string) string) bool {
	return slices.ContainsFunc(s.To, func(to string) bool {
		return to == who.Desk || to == who.Inst || instOf != nil && instOf(to) == who.Inst
	})
}

// CheckCosigner accepts a second signature only from elsewhere: another key, of
// an officer who is a member of some desk but not of the recording one.
func CheckCosigner(by statement.By, key string, desks []string) error {
	switch {
	case key == by.Key:
		return &CheckError{"by", FaultCosigner, "the same officer cannot sign twice"}
	case len(desks) == 0:
		return &CheckError{"by", FaultCosigner, "the second officer belongs to no desk"}
	case slices.Contains(desks, by.Desk):
		return &CheckError{"by", FaultCosigner, "the second officer belongs to the recording unit"}
	}
	return nil
}
