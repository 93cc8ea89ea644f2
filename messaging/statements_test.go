package messaging

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// aStatement returns a well-formed statement of every event.
func aStatement(ev string) Statement {
	switch ev {
	case EvRetrieved:
		return &Retrieved{Head: aHead(ev), Desk: deskB, Env: hashA, Msg: msgA}
	case EvDecrypted:
		return &Decrypted{Head: aHead(ev), Desk: deskB, Msg: msgA, Secret: make([]byte, 32)}
	case EvDecryptFailed:
		return &DecryptFailed{Head: aHead(ev), Code: FailKey, Desk: deskB, Msg: msgA}
	case EvFactMismatch:
		return &FactMismatch{Head: aHead(ev), Desk: deskB, Facts: []string{"complainant"}, Msg: msgA, Rules: []string{}}
	case EvCaseLink:
		return &CaseLink{Head: aHead(ev), Cases: many("c", 2)}
	case EvAttested:
		return anAttested()
	}
	return nil
}

// anAttested is a notice served by post on a person nobody represents.
func anAttested() *Attested {
	h := aHead(EvAttested)
	h.Case, h.Occurred = id("c", 'c'), h.At-1
	return &Attested{
		Head: h, Channel: "post", Doc: hashA, Facts: map[string]string{}, Kind: "outcome-notice",
		Obl:     []Act{{Op: OpFulfil, ID: obligationA, Value: "known"}},
		Outcome: OutcomeServed, Subj: many("p", 1), To: many("p", 1)[0], What: WhatSent,
	}
}

var allEvents = []string{EvRetrieved, EvDecrypted, EvDecryptFailed, EvFactMismatch, EvAttested, EvCaseLink}

func TestParseStatement(t *testing.T) {
	for _, ev := range allEvents {
		want := aStatement(ev)
		d := sign(t, statement.TypeOfEvent(ev), want, keyB)
		got, err := ParseStatement(d)
		if err != nil {
			t.Errorf("%s: %v", ev, err)
			continue
		}
		if !reflect.DeepEqual(got, want) || got.Header().Ev != ev {
			t.Errorf("%s: got %+v, want %+v", ev, got, want)
		}
		if err := VerifyStatement(d, got, keyB.Public()); err != nil {
			t.Errorf("%s: %v", ev, err)
		}
		if err := VerifyStatement(d, got, keyA.Public()); !errors.Is(err, statement.ErrSignature) {
			t.Errorf("%s under another key: %v", ev, err)
		}
	}
}

// TestParseStatementRefuses tries what every statement must refuse.
func TestParseStatementRefuses(t *testing.T) {
	for _, ev := range allEvents {
		typ := statement.TypeOfEvent(ev)
		payload := string(encode(t, aStatement(ev)))
		edited := func(old, new string) *statement.DSSE {
			if !strings.Contains(payload, old) {
				t.Fatalf("%s: %q is not in the payload", ev, old)
			}
			return signBytes(t, typ, []byte(strings.Replace(payload, old, new, 1)), keyB)
		}
		large := signBytes(t, typ, make([]byte, statement.MaxSize+1), keyB)
		for name, d := range map[string]*statement.DSSE{
			"no statement":   nil,
			"another event":  edited(`"ev":"`+ev, `"ev":"x`+ev),
			"another type":   signBytes(t, statement.TypeNotice, []byte(payload), keyB),
			"unknown event":  signBytes(t, statement.TypeOfEvent("message.lost"), []byte(payload), keyB),
			"unsigned":       signBytes(t, typ, []byte(payload)),
			"two signatures": signBytes(t, typ, []byte(payload), keyB, keyA),
			"another signer": signBytes(t, typ, []byte(payload), keyA),
			"version":        edited(`"v":1`, `"v":2`),
			"statement id":   edited(`"id":"x_`, `"id":"m_`),
			"space":          edited(`"ev":`, `"ev": `),
			"unknown member": edited(`"ev":`, `"eu":1,"ev":`),
			"null":           edited(`"pack":"rs-a@1"`, `"pack":null`),
			"over 32 KiB":    large,
		} {
			if _, err := ParseStatement(d); err == nil {
				t.Errorf("%s, %s: accepted", ev, name)
			}
		}
	}
}

func TestStatementMembers(t *testing.T) {
	retrieved := func(change func(*Retrieved)) Statement {
		s := aStatement(EvRetrieved).(*Retrieved)
		change(s)
		return s
	}
	failed := func(code string) Statement {
		s := aStatement(EvDecryptFailed).(*DecryptFailed)
		s.Code = code
		return s
	}
	decrypted := func(n int) Statement {
		s := aStatement(EvDecrypted).(*Decrypted)
		s.Secret = make([]byte, n)
		return s
	}
	mismatch := func(facts, rules []string) Statement {
		s := aStatement(EvFactMismatch).(*FactMismatch)
		s.Facts, s.Rules = facts, rules
		return s
	}
	link := func(cases ...string) Statement {
		s := aStatement(EvCaseLink).(*CaseLink)
		s.Cases = cases
		return s
	}
	for name, tt := range map[string]struct {
		s  Statement
		ok bool
	}{
		"retrieved for another desk": {retrieved(func(s *Retrieved) { s.Desk = deskA }), false},
		"retrieved env":              {retrieved(func(s *Retrieved) { s.Env = "" }), false},
		"retrieved message":          {retrieved(func(s *Retrieved) { s.Msg = setA }), false},
		"retrieved in the future":    {retrieved(func(s *Retrieved) { s.Occurred = s.At + 1 }), false},
		"secret of 31":               {decrypted(31), false},
		"secret of 32":               {decrypted(32), true},
		"secret of 33":               {decrypted(33), false},
		"failure code":               {failed("unhappy"), false},
		"failure code absent":        {failed(""), false},
		"mismatch of nothing":        {mismatch([]string{}, []string{}), false},
		"mismatch of a rule":         {mismatch([]string{}, []string{"report-to-center"}), true},
		"mismatch of 8 facts":        {mismatch(codes(MaxFacts), []string{}), true},
		"mismatch of 9 facts":        {mismatch(codes(MaxFacts+1), []string{}), false},
		"mismatch of 32 rules":       {mismatch([]string{}, codes(MaxActs)), true},
		"mismatch of 33 rules":       {mismatch([]string{}, codes(MaxActs+1)), false},
		"mismatch twice":             {mismatch([]string{"a", "a"}, []string{}), false},
		"mismatch rule twice":        {mismatch([]string{}, []string{"a", "a"}), false},
		"mismatch not a code":        {mismatch([]string{"A"}, []string{}), false},
		"link of one":                {link(many("c", 1)...), false},
		"link of 16":                 {link(many("c", MaxCases)...), true},
		"link of 17":                 {link(many("c", MaxCases+1)...), false},
		"link to itself":             {link(many("c", 1)[0], many("c", 1)[0]), false},
		"link of messages":           {link(many("m", 2)...), false},
	} {
		if err := tt.s.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, code := range []string{FailDigest, FailHeader, FailStanzas, FailKey, FailPayload, FailManifest, FailCore, FailAck, FailAttachment} {
		if err := failed(code).Check(); err != nil {
			t.Errorf("code %s: %v", code, err)
		}
	}
}

func TestAttested(t *testing.T) {
	self := func(s *Attested) []Act {
		return []Act{{Op: OpFulfil, Of: s.ID, Rule: "outcome-notice", Value: "known"}}
	}
	for name, tt := range map[string]struct {
		change func(*Attested)
		ok     bool
	}{
		"as it is":                {func(s *Attested) {}, true},
		"no own time":             {func(s *Attested) { s.Occurred = 0 }, false},
		"no channel":              {func(s *Attested) { s.Channel = "" }, false},
		"no proof":                {func(s *Attested) { s.Doc = "" }, true},
		"proof malformed":         {func(s *Attested) { s.Doc = "proof" }, false},
		"amounts to a kind":       {func(s *Attested) { s.Obl = []Act{} }, true},
		"delivers a message":      {func(s *Attested) { s.Kind, s.Obl, s.Msg = "", []Act{}, msgA }, true},
		"only acts":               {func(s *Attested) { s.Kind = "" }, true},
		"amounts to nothing":      {func(s *Attested) { s.Kind, s.Obl = "", []Act{} }, false},
		"kind malformed":          {func(s *Attested) { s.Kind = "N_1" }, false},
		"message malformed":       {func(s *Attested) { s.Msg = deskA }, false},
		"persons without a case":  {func(s *Attested) { s.Case = "" }, false},
		"no persons and no case":  {func(s *Attested) { s.Case, s.Subj, s.To = "", []string{}, deskA }, true},
		"16 persons":              {func(s *Attested) { s.Subj = many("p", MaxSubjects) }, true},
		"17 persons":              {func(s *Attested) { s.Subj = many("p", MaxSubjects+1) }, false},
		"8 facts":                 {func(s *Attested) { s.Facts = facts(MaxFacts) }, true},
		"9 facts":                 {func(s *Attested) { s.Facts = facts(MaxFacts + 1) }, false},
		"served on a desk":        {func(s *Attested) { s.To = deskA }, true},
		"served on an officer":    {func(s *Attested) { s.To = id("u", 'u') }, false},
		"served on nobody":        {func(s *Attested) { s.To = "" }, false},
		"both ways":               {func(s *Attested) { s.From = deskA }, false},
		"received":                {func(s *Attested) { s.What, s.From, s.To = WhatReceived, deskA, "" }, true},
		"received from nobody":    {func(s *Attested) { s.What, s.To = WhatReceived, "" }, false},
		"received, not yet here":  {func(s *Attested) { s.What, s.From, s.To, s.Outcome = WhatReceived, deskA, "", OutcomeConsigned }, false},
		"received from a case":    {func(s *Attested) { s.What, s.From, s.To = WhatReceived, id("c", 'c'), "" }, false},
		"neither way":             {func(s *Attested) { s.What = "" }, false},
		"consigned":               {func(s *Attested) { s.Outcome = OutcomeConsigned }, true},
		"attempted":               {func(s *Attested) { s.Outcome, s.Obl = OutcomeAttempted, []Act{} }, true},
		"attempted yet fulfilled": {func(s *Attested) { s.Outcome = OutcomeAttempted }, false},
		"outcome unknown":         {func(s *Attested) { s.Outcome = "lost" }, false},
		"duty of itself":          {func(s *Attested) { s.Obl = self(s) }, true},
		"duty of another":         {func(s *Attested) { s.Obl = self(s); s.ID = id("x", 'y') }, false},
		"duty of a message":       {func(s *Attested) { s.Obl = self(s); s.Obl[0].Of = msgA }, false},
		"act malformed":           {func(s *Attested) { s.Obl[0].Value = "" }, false},
	} {
		s := anAttested()
		tt.change(s)
		if err := s.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
