package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Scopes of a representative's grant.
const (
	ScopeConsent     = "consent"
	ScopeDisclosures = "disclosures"
	ScopeDuties      = "duties"
)

// Grant is the payload of rep.grant: a desk of type representative may read the
// openings of a case within a scope, from NB until NA (exclusive). It takes two
// signatures: an officer of a party to the case, and the sponsor's.
type Grant struct {
	statement.Head
	Auth  string   `json:"auth"` // code of the authority: power-of-attorney, decision
	Desk  string   `json:"desk"`
	NA    int64    `json:"na"`
	NB    int64    `json:"nb"`
	Scope []string `json:"scope"`
	Subj  []string `json:"subj"`
}

// GrantEnd is the payload of rep.end. One signature of the two suffices.
type GrantEnd struct {
	statement.Head
	Grant  string `json:"grant"`
	Reason string `json:"reason"`
}

// Document is the payload of document.issued: the digest of a document made
// from the record, so that a printed copy can be recognised.
type Document struct {
	statement.Head
	Kind   string `json:"kind"`
	SHA256 string `json:"sha256"`
}

// DeskShare is the payload of desk.grant: a member wrapped past epochs of the
// desk for another member.
type DeskShare struct {
	statement.Head
	Desk    string        `json:"desk"`
	Epochs  []int64       `json:"epochs"`
	Officer string        `json:"officer"`
	Pkg     []SharedEpoch `json:"pkg"`
}

// SharedEpoch names the package of one epoch by digest.
type SharedEpoch struct {
	E      int64  `json:"e"`
	SHA256 string `json:"sha256"`
}

// ParseGrant decodes and checks a rep.grant.
func ParseGrant(d *statement.DSSE) (*Grant, error) {
	var g Grant
	if err := parse(d, RepGrant, &g, &g.Head); err != nil {
		return nil, err
	}
	return &g, g.check()
}

func (g *Grant) check() error {
	if err := statement.CheckID("desk", g.Desk, statement.Desk); err != nil {
		return err
	}
	if err := statement.CheckCode("auth", g.Auth); err != nil {
		return err
	}
	if g.Case == "" {
		return errors.New("case: a grant is bound to a case")
	}
	if g.NB <= 0 || g.NA <= g.NB {
		return errors.New("nb, na: a grant ends after it begins")
	}
	if len(g.Scope) == 0 || len(g.Scope) > 3 {
		return errors.New("scope: name one to three of consent, disclosures, duties")
	}
	for _, s := range g.Scope {
		if s != ScopeConsent && s != ScopeDisclosures && s != ScopeDuties {
			return fmt.Errorf("scope: %.40q is none of consent, disclosures, duties", s)
		}
	}
	if repeats(g.Scope) || repeats(g.Subj) {
		return errors.New("scope, subj: each is named once")
	}
	if len(g.Subj) == 0 || len(g.Subj) > 16 {
		return errors.New("subj: name 1 to 16 persons concerned")
	}
	for _, p := range g.Subj {
		if err := statement.CheckID("subj", p, statement.Person); err != nil {
			return err
		}
	}
	return nil
}

// ParseGrantEnd decodes and checks a rep.end.
func ParseGrantEnd(d *statement.DSSE) (*GrantEnd, error) {
	var g GrantEnd
	if err := parse(d, RepEnd, &g, &g.Head); err != nil {
		return nil, err
	}
	if err := statement.CheckID("grant", g.Grant, statement.Other); err != nil {
		return nil, err
	}
	return &g, statement.CheckCode("reason", g.Reason)
}

// ParseDocument decodes and checks a document.issued.
func ParseDocument(d *statement.DSSE) (*Document, error) {
	var doc Document
	if err := parse(d, DocumentIssued, &doc, &doc.Head); err != nil {
		return nil, err
	}
	if !statement.IsHash(doc.SHA256) {
		return nil, errors.New("sha256: not the hex of 32 bytes")
	}
	return &doc, statement.CheckCode("kind", doc.Kind)
}

// ParseDeskShare decodes and checks a desk.grant.
func ParseDeskShare(d *statement.DSSE) (*DeskShare, error) {
	var s DeskShare
	if err := parse(d, DeskGrant, &s, &s.Head); err != nil {
		return nil, err
	}
	if err := statement.CheckID("desk", s.Desk, statement.Desk); err != nil {
		return nil, err
	}
	if err := statement.CheckID("officer", s.Officer, statement.Officer); err != nil {
		return nil, err
	}
	if len(s.Pkg) == 0 || len(s.Pkg) > 64 || len(s.Pkg) != len(s.Epochs) {
		return nil, errors.New("pkg: one package for each of 1 to 64 epochs")
	}
	for i, p := range s.Pkg {
		if p.E <= 0 || p.E != s.Epochs[i] || !statement.IsHash(p.SHA256) {
			return nil, fmt.Errorf("pkg: package %d does not name epoch %d by digest", i, s.Epochs[i])
		}
		if i > 0 && p.E <= s.Epochs[i-1] {
			return nil, errors.New("epochs: they ascend")
		}
	}
	return &s, nil
}

// repeats reports whether a short list names something twice.
func repeats(list []string) bool {
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			return true
		}
	}
	return false
}

// parse decodes the payload of an event strictly into body and checks its head,
// which body embeds.
func parse(d *statement.DSSE, event string, body any, head *statement.Head) error {
	if d.PayloadType != statement.TypeOfEvent(event) {
		return fmt.Errorf("payload type %q is not that of %s", d.PayloadType, event)
	}
	if err := statement.Unmarshal(d.Payload, body); err != nil {
		return err
	}
	if head.Ev != event {
		return fmt.Errorf("ev: %q is not %s", head.Ev, event)
	}
	return head.Check(statement.Other)
}
