package messaging

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

func TestAckVector(t *testing.T) {
	rs := make([]byte, 32)
	for i := range rs {
		rs[i] = byte(i)
	}
	desk := "d_3szd7marwgqlg6r4kjhjghzkoa"
	secret := AckSecret(rs, desk)
	h := hmac.New(sha256.New, rs)
	h.Write([]byte("odziv/ack/v1\x00" + desk))
	if !bytes.Equal(h.Sum(nil), secret[:]) {
		t.Error("AckSecret is not HMAC-SHA-256(rs, context, 0, desk)")
	}
	const (
		wantSecret     = "7c904205f9d938bd5bf6c75f2a8717ad433416385dc562c841de1bb828662c78"
		wantCommitment = "4b62accd31e5a1f09fae6fced66b55c4fec70703b7ed5c11f3fb8a22ff00535f"
	)
	commitment := AckCommitment(secret)
	if hex.EncodeToString(secret[:]) != wantSecret || hex.EncodeToString(commitment[:]) != wantCommitment {
		t.Errorf("secret %x, commitment %x", secret, commitment)
	}
}

func TestCheckAck(t *testing.T) {
	c := aCore()
	right := AckSecret(make([]byte, 32), deskB)
	if err := c.CheckAck(deskB, right[:]); err != nil {
		t.Error(err)
	}
	other := AckSecret(make([]byte, 32), deskA)
	altered := right
	altered[31] ^= 1
	for name, tt := range map[string]struct {
		desk   string
		secret []byte
	}{
		"another desk's secret": {deskB, other[:]},
		"own secret elsewhere":  {deskA, right[:]},
		"no recipient":          {deskC, right[:]},
		"one bit":               {deskB, altered[:]},
		"too short":             {deskB, right[:31]},
		"too long":              {deskB, append(right[:], 0)},
		"nothing":               {deskB, nil},
	} {
		if err := c.CheckAck(tt.desk, tt.secret); !errors.Is(err, ErrAck) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
