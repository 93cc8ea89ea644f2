package consent

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// shape checks what needs neither a pack nor a record: every member is an
// identifier, a code, a hash, a number in range or a set of such.
func (s *Statement) shape() error {
	if err := s.Head.Check(statement.Consent); err != nil {
		return err
	}
	if s.Case == "" {
		return errors.New("case: a consent belongs to a case")
	}
	if s.Ver < 1 || s.Ver > maxVer || s.Prev != s.Ver-1 {
		return errors.New("ver: a version follows the one before, from 1")
	}
	if s.NB <= 0 || s.NA <= s.NB {
		return errors.New("na: validity ends after it begins")
	}
	if err := s.shapePersons(); err != nil {
		return err
	}
	if err := s.shapeCodes(); err != nil {
		return err
	}
	return s.shapeScope()
}

func (s *Statement) shapePersons() error {
	if err := statement.CheckID("subj", s.Subj, statement.Person); err != nil {
		return err
	}
	if err := statement.CheckID("grantor.h", s.Grantor.H, statement.Person, statement.OtherPerson); err != nil {
		return err
	}
	if err := statement.CheckCode("grantor.rel", s.Grantor.Rel); err != nil {
		return err
	}
	if (s.Grantor.Rel == Self) != (s.Grantor.H == s.Subj) {
		return errors.New("grantor: only the person is self")
	}
	return nil
}

func (s *Statement) shapeCodes() error {
	required := []struct{ member, code string }{
		{"age", s.Age}, {"channel", s.Channel}, {"interp", s.Interp}, {"lang", s.Lang},
	}
	answer := []struct{ member, code string }{
		{"form", s.Form}, {"method", s.Method}, {"opinion", s.Opinion},
	}
	for _, c := range answer {
		// A request has no answer yet, so it need not claim how one was given.
		if c.code != "" || s.Act() != Requested {
			required = append(required, c)
		}
	}
	for _, c := range required {
		if err := statement.CheckCode(c.member, c.code); err != nil {
			return err
		}
	}
	if s.Text.Ver < 1 || s.Text.Ver > maxVer || !statement.IsHash(s.Text.SHA256) {
		return errors.New("text: a version from 1 and the SHA-256 of the explanation")
	}
	if s.Doc != "" && !statement.IsHash(s.Doc) {
		return errors.New("doc: not the hex SHA-256 of a document")
	}
	return nil
}

func (s *Statement) shapeScope() error {
	inst := func(v string) bool { return statement.IsID(v, statement.Institution) }
	party := func(v string) bool { return statement.IsID(v, statement.Institution, statement.Desk) }
	arrays := []struct {
		member string
		values []string
		max    int
		needed bool
		ok     func(string) bool
	}{
		{"from", s.From, MaxParties, true, inst},
		{"to", s.To, MaxParties, true, party},
		{"purposes", s.Purposes, MaxPurposes, true, statement.IsCode},
		{"cats", s.Cats, MaxCats, true, statement.IsCode},
		{"onward", s.Onward, MaxParties, false, party},
		{"told", s.Told, MaxTold, false, statement.IsCode},
	}
	mustName := s.Act() == Requested || s.Act().Permits()
	for _, a := range arrays {
		if err := checkSet(a.member, a.values, a.max, a.ok); err != nil {
			return err
		}
		if a.needed && mustName && len(a.values) == 0 {
			return fmt.Errorf("%s: names nothing", a.member)
		}
	}
	return nil
}

// checkSet bounds an array and refuses a malformed or repeated member.
func checkSet(member string, values []string, max int, ok func(string) bool) error {
	if values == nil {
		return fmt.Errorf("%s: absent; it is always present, possibly empty", member)
	}
	if len(values) > max {
		return fmt.Errorf("%s: %d values, at most %d", member, len(values), max)
	}
	seen := make(map[string]bool, len(values))
	for i, v := range values {
		if !ok(v) {
			return fmt.Errorf("%s: value %d is malformed", member, i)
		}
		if seen[v] {
			return fmt.Errorf("%s: value %d is repeated", member, i)
		}
		seen[v] = true
	}
	return nil
}
