package transparency

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Log is a directory as replayed: its entries from 0, and the view after all of
// them. The entries are those that the view was made of; a Log is a value and may
// be read by any number of goroutines.
type Log struct {
	Leaves [][]byte
	View   directory.View
}

// Act is an entry of the directory: what was done, when as it claims, and who
// signed.
type Act struct {
	Idx  int64    `json:"idx"`
	Hash string   `json:"sha256"` // hex, of the leaf
	At   int64    `json:"at"`     // as claimed, ms
	What string   `json:"what"`   // kind of statement, such as desk.members
	By   []Signer `json:"by"`
}

// Signer is one signature.
type Signer struct {
	Key     string `json:"key"`               // key id
	As      string `json:"as"`                // officer, registrar, root, delegate, …
	Officer string `json:"officer,omitempty"` // where the key is an officer's
}

// Signers as what they signed, beside those of [directory.ActorKind].
const (
	AsOfficer   = string(directory.KindOfficer)
	AsRegistrar = string(directory.KindRegistrar)
	AsRoot      = string(directory.KindRoot)
	AsDelegate  = string(directory.KindDelegate)
)

// entry is an act with what it says.
type entry struct {
	Act
	about string
	body  directory.Body
}

// maxPayload bounds what is decoded of a leaf to see whether it matters, bytes.
const maxPayload = directory.MaxLeaf

// about decodes the entries from an index on that say something about an
// institution, its officers, or one of some desks. What is about others is told
// apart without decoding it whole.
func (l Log) about(from int64, inst string, desks ...string) []entry {
	words := [][]byte{[]byte(`"officer.revoke"`)}
	for _, w := range append([]string{inst}, desks...) {
		if w != "" {
			words = append(words, []byte(w))
		}
	}
	var list []entry
	payload := make([]byte, 0, maxPayload)
	end := min(l.View.N(), int64(len(l.Leaves)))
	for idx := max(from, 0); idx < end; idx++ {
		payload = payloadOf(payload[:0], l.Leaves[idx])
		if !slices.ContainsFunc(words, func(w []byte) bool { return bytes.Contains(payload, w) }) {
			continue
		}
		signed, err := directory.Decode(l.Leaves[idx])
		if err != nil || !l.concerns(signed, inst, desks) {
			continue // it was applied, so it decodes
		}
		list = append(list, l.entry(idx, signed))
	}
	return list
}

// payloadOf appends the payload of a leaf, nothing if there is none.
func payloadOf(to, leaf []byte) []byte {
	_, rest, _ := bytes.Cut(leaf, []byte(`"payload":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	out, err := base64.StdEncoding.AppendDecode(to, text)
	if err != nil {
		return nil
	}
	return out
}

func (l Log) concerns(s *directory.Signed, inst string, desks []string) bool {
	switch b := s.Body.(type) {
	case *directory.OfficerEnrol:
		return b.I == inst
	case *directory.OfficerRevoke:
		o, _ := l.View.OfficerByKey(b.Key)
		return o.Inst == inst
	case *directory.DeskProfile:
		return b.I == inst
	}
	return s.Subject == inst || slices.Contains(desks, s.Subject)
}

func (l Log) entry(idx int64, s *directory.Signed) entry {
	e := entry{Act: Act{Idx: idx, Hash: s.Hash, At: s.Head.At, What: s.Type, By: []Signer{}}, about: s.Subject, body: s.Body}
	for _, sig := range s.DSSE.Signatures {
		e.By = append(e.By, l.signer(idx, s.Body, sig.KeyID))
	}
	slices.SortFunc(e.By, func(a, b Signer) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	return e
}

// signer says as what a key signed an entry. Whoever may sign a kind of statement
// is fixed by its kind, but for those that two sorts of people sign.
func (l Log) signer(idx int64, body directory.Body, key string) Signer {
	s := Signer{Key: key, As: AsRegistrar}
	v := l.View.At(idx)
	if o, ok := v.OfficerByKey(key); ok {
		s.Officer = o.U
	}
	switch b := body.(type) {
	case *directory.DeskEpoch, *directory.DeskRota:
		s.As = AsOfficer
	case *directory.DeskEpochAck:
		s.As = l.checker(v, b.D, b.E)
	case *directory.DeskEpochDispute:
		s.As = l.checker(v, b.D, b.E)
	case *directory.InstRegistrars, *directory.InstCustodians, *directory.InstObserver, *directory.InstRoot:
		s.As = AsRoot
	case *directory.InstProfile, *directory.AuditGrant:
		s.As = AsDelegate
	case *directory.InstJoin:
		s.As = AsRoot
		if slices.ContainsFunc(v.Delegates(), func(d directory.Delegate) bool { return statement.KeyID(d.Key) == key }) {
			s.As = AsDelegate
		}
	}
	return s
}

// checker says who acknowledges or disputes an epoch: members, or of one with a
// single package the registrars.
func (l Log) checker(v directory.View, d string, e int64) string {
	if epoch, ok := v.Epoch(d, e); ok && len(epoch.Pkg) > 1 {
		return AsOfficer
	}
	return AsRegistrar
}
