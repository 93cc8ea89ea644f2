package messaging

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// ackContext separates this use of rs from every other.
const ackContext = "odziv/ack/v1\x00"

// ErrAck says that a secret is not the preimage of a desk's commitment.
var ErrAck = errors.New("messaging: not the secret this desk was given")

// AckSecret is s_d = HMAC-SHA-256(rs, "odziv/ack/v1" 0x00 desk): what only a
// desk that decrypted the body can show. rs is the 32 random bytes of the
// manifest. The secret stays with the desk until it signs [Decrypted].
func AckSecret(rs []byte, desk string) [32]byte {
	h := hmac.New(sha256.New, rs)
	h.Write([]byte(ackContext))
	h.Write([]byte(desk))
	return [32]byte(h.Sum(nil))
}

// AckCommitment is ack_d = SHA-256(s_d), which core.to carries for the desk.
func AckCommitment(secret [32]byte) [32]byte { return sha256.Sum256(secret[:]) }

// CheckAck compares a secret with the commitment of a desk in constant time.
// It returns [ErrAck] also for a desk that is no recipient.
func (c *Core) CheckAck(desk string, secret []byte) error {
	r, ok := c.Recipient(desk)
	if !ok || len(secret) != sha256.Size {
		return ErrAck
	}
	sum := AckCommitment([32]byte(secret))
	if subtle.ConstantTimeCompare(sum[:], r.Ack) != 1 {
		return ErrAck
	}
	return nil
}

// Recipient returns the entry of a desk in core.to.
func (c *Core) Recipient(desk string) (Recipient, bool) {
	for _, r := range c.To {
		if r.Desk == desk {
			return r, true
		}
	}
	return Recipient{}, false
}
