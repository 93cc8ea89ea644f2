package consent

import (
	"errors"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
)

func TestMayRecord(t *testing.T) {
	instOf := func(desk string) string {
		for _, p := range []Party{swcA, swcAL, ngo1, nesA, policA} {
			if p.Desk == desk {
				return p.Inst
			}
		}
		return ""
	}
	member := []string{"member"}
	for _, c := range []struct {
		name   string
		act    Act
		who    Party
		roles  []string
		party  bool
		to     []string
		cosign bool
		ok     bool
	}{
		{"a party records for others", Given, swcA, member, true, []string{ngo1.Inst}, false, true},
		{"a recipient records for itself", Given, swcA, member, true, []string{ngo1.Inst, swcA.Inst}, true, true},
		{"its own desk is a recipient", Given, swcA, member, true, []string{swcA.Desk}, true, true},
		{"another desk of its institution is", Given, swcA, member, true, []string{swcAL.Desk}, true, true},
		{"renewed for itself", Renewed, swcA, member, true, []string{swcA.Inst}, true, true},
		{"not a party", Given, swcA, member, false, []string{ngo1.Inst}, false, false},
		{"another role", Given, swcA, []string{"duty"}, true, []string{ngo1.Inst}, false, false},
		{"no role", Given, swcA, nil, true, []string{ngo1.Inst}, false, false},
		{"one of two roles", Given, swcA, []string{"duty", "member"}, true, []string{ngo1.Inst}, false, true},
		{"a type without a row", Given, policA, member, true, []string{ngo1.Inst}, false, false},

		{"withdrawal by a row, not a party", Withdrawn, swcA, member, false, []string{ngo1.Inst}, false, true},
		{"withdrawal by a recipient", Withdrawn, swcA, member, false, []string{swcA.Inst}, false, true},
		{"withdrawal by any party", Withdrawn, policA, nil, true, []string{policA.Inst}, false, true},
		{"withdrawal by a stranger", Withdrawn, policA, member, false, []string{ngo1.Inst}, false, false},
		{"withdrawal by a representative", Withdrawn, repOf1, member, false, []string{ngo1.Inst}, true, true},
		{"the same without the role", Withdrawn, repOf1, nil, true, []string{ngo1.Inst}, true, true},
		{"narrowing by a representative", Narrowed, repOf1, member, false, []string{nesA.Inst}, true, true},
		{"narrowing by any party", Narrowed, policA, member, true, []string{ngo1.Inst}, false, false},

		{"revoked by a supervisor", Revoked, swcA, []string{"supervisor"}, true, []string{swcA.Inst}, false, true},
		{"revoked by a member", Revoked, swcA, member, true, []string{swcA.Inst}, false, false},
	} {
		s := with(given(), func(s *Statement) { s.Ev, s.To = c.act.Event(), c.to })
		cosign, err := MayRecord(testPack(), s, c.who, c.roles, c.party, instOf)
		if !c.ok {
			checkFault(t, c.name, err, "by", FaultRecorder)
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if cosign != c.cosign {
			t.Errorf("%s: cosign %t", c.name, cosign)
		}
	}
	s := with(given(), func(s *Statement) { s.To = []string{swcAL.Desk} })
	if cosign, err := MayRecord(testPack(), s, swcA, member, true, nil); err != nil || cosign {
		t.Errorf("without instOf only desk and institution as written count: %t, %v", cosign, err)
	}
}

// A word that no pack can hold asks for nobody's signature and records nothing.
func TestMayRecordUnderABrokenPack(t *testing.T) {
	pack := *testPack()
	pack.Consent.Recorders = []rules.Recorder{{Acts: []string{"given"}, Types: []string{"swc"}, Cosign: "sometimes"}}
	cosign, err := MayRecord(&pack, given(), swcA, nil, true, nil)
	var fault *CheckError
	if err == nil || errors.As(err, &fault) || cosign {
		t.Errorf("%t, %v", cosign, err)
	}
}

func TestCheckCosigner(t *testing.T) {
	key := func(name string) string { return statement.KeyID(officer(name).Public()) }
	by := given().By
	for _, c := range []struct {
		name  string
		key   string
		desks []string
		ok    bool
	}{
		{"another unit", key("swc-a.legal"), []string{swcAL.Desk}, true},
		{"another body", key("ngo-1"), []string{ngo1.Desk}, true},
		{"the same key", by.Key, []string{swcAL.Desk}, false},
		{"the same unit", key("swc-a.case-2"), []string{swcA.Desk}, false},
		{"the same unit among others", key("swc-a.case-2"), []string{swcAL.Desk, swcA.Desk}, false},
		{"no unit", key("nobody"), nil, false},
	} {
		err := CheckCosigner(by, c.key, c.desks)
		if c.ok {
			checkFault(t, c.name, err, "", "")
		} else {
			checkFault(t, c.name, err, "by", FaultCosigner)
		}
	}
}
