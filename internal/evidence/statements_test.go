package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

func headOf(event string) statement.Head {
	return statement.Head{
		At: 1772442000000, DirN: 412, Ev: event, ID: id(statement.Other), Pack: "rs-a@1", V: 1, Case: id(statement.Case),
		By: statement.By{Desk: id(statement.Desk), Inst: id(statement.Institution), Key: "ed25519:" + strings.Repeat("0a", 32)},
	}
}

func wholeGrant() Grant {
	return Grant{
		Head: headOf(RepGrant), Auth: "power-of-attorney", Desk: id(statement.Desk), NB: 1772442000000, NA: 1798758000000,
		Scope: []string{ScopeConsent, ScopeDisclosures, ScopeDuties}, Subj: []string{id(statement.Person)},
	}
}

func wholeShare() DeskShare {
	return DeskShare{
		Head: headOf(DeskGrant), Desk: id(statement.Desk), Officer: id(statement.Officer), Epochs: []int64{2, 5},
		Pkg: []SharedEpoch{{E: 2, SHA256: strings.Repeat("0a", 32)}, {E: 5, SHA256: strings.Repeat("0b", 32)}},
	}
}

// wrap is the statement around a payload, as yet unsigned.
func wrap(t *testing.T, event string, body any) *statement.DSSE {
	t.Helper()
	payload, err := statement.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return &statement.DSSE{Payload: payload, PayloadType: statement.TypeOfEvent(event), Signatures: []statement.Signature{}}
}

func TestParseGrant(t *testing.T) {
	person := func(n byte) string { return statement.FormatID(statement.Person, bytes.Repeat([]byte{n}, 16)) }
	people := func(n int) (list []string) {
		for i := range n {
			list = append(list, person(byte(i)))
		}
		return list
	}
	for name, tt := range map[string]struct {
		want   string
		change func(*Grant)
	}{
		"whole":                  {"", func(*Grant) {}},
		"one scope":              {"", func(g *Grant) { g.Scope = []string{ScopeDuties} }},
		"16 persons":             {"", func(g *Grant) { g.Subj = people(16) }},
		"shortest":               {"", func(g *Grant) { g.NA = g.NB + 1 }},
		"no case":                {"case: ", func(g *Grant) { g.Case = "" }},
		"no desk":                {"desk: ", func(g *Grant) { g.Desk = id(statement.Institution) }},
		"no authority":           {"auth: ", func(g *Grant) { g.Auth = "" }},
		"ends as it begins":      {"nb, na: ", func(g *Grant) { g.NA = g.NB }},
		"no beginning":           {"nb, na: ", func(g *Grant) { g.NB = 0 }},
		"no scope":               {"scope: ", func(g *Grant) { g.Scope = []string{} }},
		"unknown scope":          {"scope: ", func(g *Grant) { g.Scope = []string{"bodies"} }},
		"a scope twice":          {"scope, subj: ", func(g *Grant) { g.Scope = []string{ScopeDuties, ScopeDuties} }},
		"four scopes":            {"scope: ", func(g *Grant) { g.Scope = append(g.Scope, ScopeDuties) }},
		"nobody":                 {"subj: ", func(g *Grant) { g.Subj = []string{} }},
		"17 persons":             {"subj: ", func(g *Grant) { g.Subj = people(17) }},
		"a person twice":         {"scope, subj: ", func(g *Grant) { g.Subj = []string{person(1), person(1)} }},
		"a desk for a person":    {"subj: ", func(g *Grant) { g.Subj = []string{id(statement.Desk)} }},
		"the head is checked":    {"pack: ", func(g *Grant) { g.Pack = "" }},
		"the event is another's": {"ev: ", func(g *Grant) { g.Ev = RepEnd }},
		"a consent's identifier": {"id: ", func(g *Grant) { g.ID = id(statement.Consent) }},
	} {
		g := wholeGrant()
		tt.change(&g)
		_, err := ParseGrant(wrap(t, RepGrant, g))
		expect(t, name, err, tt.want)
	}
	_, err := ParseGrant(wrap(t, RepEnd, wholeGrant()))
	expect(t, "type of another event", err, "payload type")
	d := wrap(t, RepGrant, wholeGrant())
	d.Payload = append(d.Payload, '\n')
	_, err = ParseGrant(d)
	expect(t, "not canonical", err, "canonical")
}

func expect(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func TestParseGrantEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		want   string
		change func(*GrantEnd)
	}{
		"whole":     {"", func(*GrantEnd) {}},
		"no grant":  {"grant: ", func(g *GrantEnd) { g.Grant = "" }},
		"no reason": {"reason: ", func(g *GrantEnd) { g.Reason = "" }},
		"prose":     {"reason: ", func(g *GrantEnd) { g.Reason = "because she said so" }},
	} {
		g := GrantEnd{Head: headOf(RepEnd), Grant: id(statement.Other), Reason: "revoked"}
		tt.change(&g)
		_, err := ParseGrantEnd(wrap(t, RepEnd, g))
		expect(t, name, err, tt.want)
	}
}

func TestParseDocument(t *testing.T) {
	for name, tt := range map[string]struct {
		want   string
		change func(*Document)
	}{
		"whole":     {"", func(*Document) {}},
		"no digest": {"sha256: ", func(d *Document) { d.SHA256 = "" }},
		"capitals":  {"sha256: ", func(d *Document) { d.SHA256 = strings.ToUpper(d.SHA256) }},
		"no kind":   {"kind: ", func(d *Document) { d.Kind = "" }},
	} {
		doc := Document{Head: headOf(DocumentIssued), Kind: "consent-receipt", SHA256: strings.Repeat("0a", 32)}
		tt.change(&doc)
		_, err := ParseDocument(wrap(t, DocumentIssued, doc))
		expect(t, name, err, tt.want)
	}
}

func TestParseDeskShare(t *testing.T) {
	many := func(n int) func(*DeskShare) {
		return func(s *DeskShare) {
			s.Epochs, s.Pkg = []int64{}, []SharedEpoch{}
			for e := range int64(n) {
				s.Epochs = append(s.Epochs, e+1)
				s.Pkg = append(s.Pkg, SharedEpoch{E: e + 1, SHA256: strings.Repeat("0a", 32)})
			}
		}
	}
	for name, tt := range map[string]struct {
		want   string
		change func(*DeskShare)
	}{
		"whole":               {"", func(*DeskShare) {}},
		"64 epochs":           {"", many(64)},
		"65 epochs":           {"pkg: ", many(65)},
		"no epoch":            {"pkg: ", many(0)},
		"no desk":             {"desk: ", func(s *DeskShare) { s.Desk = "" }},
		"no officer":          {"officer: ", func(s *DeskShare) { s.Officer = id(statement.Desk) }},
		"a package too few":   {"pkg: ", func(s *DeskShare) { s.Pkg = s.Pkg[:1] }},
		"of another epoch":    {"pkg: ", func(s *DeskShare) { s.Pkg[0].E = 3 }},
		"without a digest":    {"pkg: ", func(s *DeskShare) { s.Pkg[0].SHA256 = "" }},
		"epoch 0":             {"pkg: ", func(s *DeskShare) { s.Epochs[0], s.Pkg[0].E = 0, 0 }},
		"epochs that descend": {"epochs: ", func(s *DeskShare) { s.Epochs[0], s.Pkg[0].E = 6, 6 }},
		"an epoch twice":      {"epochs: ", func(s *DeskShare) { s.Epochs[0], s.Pkg[0].E = 5, 5 }},
	} {
		s := wholeShare()
		tt.change(&s)
		_, err := ParseDeskShare(wrap(t, DeskGrant, s))
		expect(t, name, err, tt.want)
	}
}

// FuzzStatements: no payload makes a parser panic, and what one accepts is
// written back byte for byte.
func FuzzStatements(f *testing.F) {
	asked, ask := wholeAsk()
	opened := asked
	opened.Ev = EscrowOpened
	for _, body := range []any{
		wholeGrant(), wholeShare(), GrantEnd{Head: headOf(RepEnd), Grant: id(statement.Other), Reason: "revoked"},
		Document{Head: headOf(DocumentIssued), Kind: "consent-receipt", SHA256: strings.Repeat("0a", 32)},
		EscrowRequest{Head: asked, EscrowAsk: ask, Reason: "keys-lost"}, EscrowReport{Head: opened, EscrowAsk: ask, Outcome: OutcomeMatched},
	} {
		payload, err := statement.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		parsers := map[string]func(*statement.DSSE) (any, error){
			RepGrant:       func(d *statement.DSSE) (any, error) { return ParseGrant(d) },
			RepEnd:         func(d *statement.DSSE) (any, error) { return ParseGrantEnd(d) },
			DocumentIssued: func(d *statement.DSSE) (any, error) { return ParseDocument(d) },
			DeskGrant:      func(d *statement.DSSE) (any, error) { return ParseDeskShare(d) },

			EscrowRequested: func(d *statement.DSSE) (any, error) { return ParseEscrowRequest(d) },
			EscrowRefused:   func(d *statement.DSSE) (any, error) { return ParseEscrowRefusal(d) },
			EscrowOpened:    func(d *statement.DSSE) (any, error) { return ParseEscrowReport(d) },
		}
		for event, parse := range parsers {
			v, err := parse(&statement.DSSE{Payload: payload, PayloadType: statement.TypeOfEvent(event)})
			if err != nil {
				continue
			}
			if again, err := statement.Marshal(v); err != nil || !bytes.Equal(again, payload) {
				t.Fatalf("%q is written back as %q, %v", payload, again, err)
			}
		}
	})
}
