package office

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Change is an entry of the directory about the keys of an institution or of one
// of its desks.
type Change struct {
	Idx      int64           `json:"idx"`
	At       int64           `json:"at"`   // as claimed, ms
	What     string          `json:"what"` // kind of statement, such as desk.epoch
	About    string          `json:"about"`
	Epoch    int64           `json:"epoch,omitempty"`
	By       []string        `json:"by"` // officers, or key ids of who else signed
	Standing ledger.Standing `json:"standing"`
}

// Changes lists the last changes of the keys of an institution and of some of
// its desks, the newest first: what nobody there expects, a colleague or a
// registrar made, or somebody in their place.
func (o *Office) Changes(inst string, desks []string, limit int) []Change {
	o.mu.Lock()
	r := o.held
	o.mu.Unlock()
	var list []Change
	for idx := r.size() - 1; idx >= 0 && len(list) < limit; idx-- {
		if !mayConcern(r.leaves[idx], append([]string{inst, `"officer.revoke"`}, desks...)) {
			continue
		}
		signed, err := directory.Decode(r.leaves[idx])
		if err != nil {
			continue // it was applied, so it decodes
		}
		about, epoch := keysOf(signed.Body, r.state, inst, desks)
		if about == "" {
			continue
		}
		c := Change{Idx: idx, At: signed.Head.At, What: signed.Type, About: about, Epoch: epoch, By: []string{}, Standing: o.DirectoryStanding(idx)}
		for _, s := range signed.DSSE.Signatures {
			by := s.KeyID
			if officer, ok := r.state.OfficerByKey(by); ok {
				by = officer.U
			}
			c.By = append(c.By, by)
		}
		list = append(list, c)
	}
	return list
}

// mayConcern reports whether the payload of a leaf holds one of some words: a
// directory of many institutions is not decoded whole for it.
func mayConcern(leaf []byte, words []string) bool {
	_, rest, _ := bytes.Cut(leaf, []byte(`"payload":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	payload, err := base64.StdEncoding.AppendDecode(nil, text)
	return err == nil && slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(payload, []byte(w)) })
}

// keysOf is whose keys a statement changes, "" if none of those asked for.
func keysOf(body directory.Body, dir *directory.State, inst string, desks []string) (about string, epoch int64) {
	ours, about, epoch := false, body.Subject(), int64(0)
	switch b := body.(type) {
	case *directory.InstRoot:
		ours = b.I == inst
	case *directory.InstRegistrars:
		ours = b.I == inst
	case *directory.InstCustodians:
		ours = b.I == inst
	case *directory.InstObserver:
		ours = b.I == inst
	case *directory.OfficerEnrol:
		ours = b.I == inst
	case *directory.OfficerRevoke:
		officer, _ := dir.OfficerByKey(b.Key)
		ours = officer.Inst == inst
	case *directory.DeskMembers:
		ours = slices.Contains(desks, b.D)
	case *directory.DeskEpoch:
		ours, epoch = slices.Contains(desks, b.D), b.E
	case *directory.DeskEpochAck:
		ours, epoch = slices.Contains(desks, b.D), b.E
	case *directory.DeskEpochDispute:
		ours, epoch = slices.Contains(desks, b.D), b.E
	}
	if !ours {
		return "", 0
	}
	return about, epoch
}
