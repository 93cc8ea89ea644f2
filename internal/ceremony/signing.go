package ceremony

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Term is how long a statement may wait for its signatures, in ms: the exchange
// forgets one, and refuses one, that is older.
const Term = 7 * 24 * 3600 * 1000

// Signing says who signed a statement and who must yet.
type Signing struct {
	Signed   []string `json:"signed"`  // whose keys
	Missing  []string `json:"missing"` // one line for each group that lacks signatures
	Complete bool     `json:"complete"`
}

// Signing counts the signatures of a statement. An error says why no further
// signature can help, in words and with what to do ([Moved]).
func (t Teller) Signing(d *statement.DSSE) (Signing, error) {
	s := Signing{Missing: []string{}}
	have := map[string]bool{}
	s.Signed = t.Signers(d)
	for _, sig := range d.Signatures {
		have[sig.KeyID] = true
	}
	state := t.Dir
	if state == nil {
		state = directory.New()
	}
	groups, err := state.Requirement(d.Payload)
	if err != nil {
		return s, err
	}
	for _, g := range groups {
		count, open := 0, []string{}
		for _, k := range g.Keys {
			if id := statement.KeyID(k); have[id] {
				count++
			} else {
				open = append(open, Short(DigestOf(id)))
			}
		}
		if count < g.Need {
			s.Missing = append(s.Missing, fmt.Sprintf("%d more of the %d %s: %s", g.Need-count, len(g.Keys), g.Role, strings.Join(open, ", ")))
		}
	}
	s.Complete = len(s.Missing) == 0
	return s, nil
}

// Signers says whose signatures a statement bears.
func (t Teller) Signers(d *statement.DSSE) []string {
	list, named := []string{}, t.namedBy(d)
	for _, sig := range d.Signatures {
		who := t.Who(sig.KeyID)
		if as, ok := named[sig.KeyID]; ok {
			who = fmt.Sprintf("the %s of this statement (%s)", as, Short(DigestOf(sig.KeyID)))
		}
		list = append(list, who)
	}
	return list
}

// namedBy says as what a statement itself names keys that are new.
func (t Teller) namedBy(d *statement.DSSE) map[string]string {
	list := map[string]string{}
	body, err := directory.DecodePayload(d.Payload)
	if err != nil {
		return list
	}
	for _, k := range t.NewKeys(body) {
		if k.Key != nil {
			list[statement.KeyID(k.Key)] = k.Who
		}
	}
	return list
}

// May reports whether a key can add a signature that counts.
func (t Teller) May(d *statement.DSSE, keyID string) bool {
	state := t.Dir
	if state == nil {
		state = directory.New()
	}
	groups, err := state.Requirement(d.Payload)
	return err == nil && slices.ContainsFunc(groups, func(g directory.Group) bool {
		return slices.ContainsFunc(g.Keys, func(k ed25519.PublicKey) bool { return statement.KeyID(k) == keyID })
	})
}

// Moved puts into words why a statement can no longer be completed, "" if the
// error says something else.
func Moved(err error) string {
	switch {
	case errors.Is(err, directory.ErrPrev):
		return "another statement about the same subject was recorded first, so this one never takes effect"
	case errors.Is(err, directory.ErrConflict):
		return "it contradicts what the directory says by now: " + plain(err)
	case errors.Is(err, directory.ErrUnknown):
		return "it names what the directory does not hold: " + plain(err)
	}
	return ""
}

// plain is the last part of an error of the directory.
func plain(err error) string {
	text := err.Error()
	for _, rule := range []error{directory.ErrConflict, directory.ErrUnknown} {
		if _, rest, ok := strings.Cut(text, rule.Error()+": "); ok {
			return rest
		}
	}
	return text
}

// Redo is the command with which a statement of this kind is made anew.
func Redo(body directory.Body) string {
	switch b := body.(type) {
	case *directory.Policy:
		return "odziv ceremony policy"
	case *directory.DelegateRevoke:
		return "odziv ceremony revoke-delegate"
	case *directory.PackAdopt:
		return "odziv ceremony pack " + b.ID
	case *directory.CalendarDay:
		return "odziv ceremony day " + b.Date
	case *directory.AuditGrant:
		return "odziv ceremony audit " + b.D
	case *directory.InstJoin:
		return "odziv institution join"
	case *directory.InstProfile:
		return "odziv institution profile " + b.I
	case *directory.InstRoot:
		return "odziv institution root"
	case *directory.InstRegistrars:
		return "odziv institution registrars"
	case *directory.InstCustodians:
		return "odziv institution custodians"
	case *directory.InstObserver:
		return "odziv institution observer"
	case *directory.OfficerEnrol:
		return "odziv officer enrol, or odziv officer renew " + b.U
	case *directory.OfficerRevoke:
		return "odziv officer revoke " + b.U
	case *directory.DeskProfile:
		return "odziv officer desk open"
	case *directory.DeskMembers:
		return "odziv officer desk put " + b.D
	case *directory.DeskEpoch:
		return "odziv directory rotate"
	case *directory.DeskEpochAck, *directory.DeskEpochDispute:
		return "odziv directory acknowledge"
	}
	return "odziv directory propose"
}
