package directory

import (
	"crypto/ed25519"
	"slices"
)

// Custodians are the k of n who can recover a desk; K is 0 if there are none. Keys
// are what they sign with, in the order of Rcps, or none at all: then no release
// of an escrow can be asked for.
type Custodians struct {
	K    int                 `json:"k"`
	Keys []ed25519.PublicKey `json:"keys,omitempty"`
	Rcps []string            `json:"rcps"`
}

func (c Custodians) clone() Custodians {
	return Custodians{c.K, slices.Clone(c.Keys), slices.Clone(c.Rcps)}
}

// Recipient returns the age recipient of the custodian who signs with a key.
func (c Custodians) Recipient(keyID string) (rcp string, ok bool) {
	at := slices.Index(keyIDs(c.Keys), keyID)
	if at < 0 {
		return "", false
	}
	return c.Rcps[at], true
}

// KeyOf returns the signing key id of the custodian with a recipient, "" if she
// has none or is no custodian.
func (c Custodians) KeyOf(rcp string) string {
	at := slices.Index(c.Rcps, rcp)
	if at < 0 || at >= len(c.Keys) {
		return ""
	}
	return keyIDs(c.Keys)[at]
}

// EscrowOf returns the custodians to whom an epoch's escrow is sealed: those of
// the desk's institution when the epoch was made. Without escrow their K is 0.
func (v View) EscrowOf(epoch Epoch) Custodians {
	inst, _ := v.At(epoch.DirN).Institution(v.InstOfDesk(epoch.D))
	if len(epoch.Esc) == 0 {
		return Custodians{}
	}
	return inst.Custodians
}

// EscrowSeat returns which number the custodian who signs with a key has in the
// escrow of an epoch. She must be a custodian now, whose layer is in the files: one
// who was replaced recovers nothing more, and one who is new has no layer in what
// was sealed before her. Whoever signs now for a recipient of then counts as that
// custodian.
func (v View) EscrowSeat(epoch Epoch, keyID string) (seat int, ok bool) {
	inst, _ := v.Institution(v.InstOfDesk(epoch.D))
	rcp, ok := inst.Custodians.Recipient(keyID)
	if !ok {
		return 0, false
	}
	seat = slices.Index(v.EscrowOf(epoch).Rcps, rcp)
	return seat, seat >= 0
}

// EscrowCurrent reports whether an epoch can be recovered by the custodians that
// the desk's institution has now, every k of them: the recipients are the same.
func (v View) EscrowCurrent(epoch Epoch) bool {
	inst, _ := v.Institution(v.InstOfDesk(epoch.D))
	then := v.EscrowOf(epoch)
	return then.K > 0 && then.K == inst.Custodians.K && slices.Equal(then.Rcps, inst.Custodians.Rcps)
}

// EscrowFiles returns the escrow files of an epoch that are sealed only to some of
// the custodians who sign with these keys.
func (v View) EscrowFiles(epoch Epoch, signers []string) []Escrow {
	var seats []int
	for _, id := range signers {
		if seat, ok := v.EscrowSeat(epoch, id); ok {
			seats = append(seats, seat)
		}
	}
	return slices.DeleteFunc(slices.Clone(epoch.Esc), func(e Escrow) bool {
		return slices.ContainsFunc(e.Cust, func(c int) bool { return !slices.Contains(seats, c) })
	})
}
