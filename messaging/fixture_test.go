package messaging

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// Identifiers of the tests: one letter sixteen times.
func id(prefix string, letter byte) string {
	return statement.FormatID(prefix, bytes.Repeat([]byte{letter}, 16))
}

// many returns n distinct identifiers.
func many(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(prefix, byte(i+1))
	}
	return ids
}

var (
	deskA, deskB, deskC = id("d", 'a'), id("d", 'b'), id("d", 'c')
	msgA, msgB          = id("m", 'a'), id("m", 'b')
	setA                = id("n", 'a')
	obligationA         = id("o", 'a')
	hashA               = strings.Repeat("ab", 32)
	keyA                = statement.NewSigningKey(bytes.Repeat([]byte{'A'}, 32))
	keyB                = statement.NewSigningKey(bytes.Repeat([]byte{'B'}, 32))
)

// aCore is well formed, with every required member and a case.
func aCore() Core {
	return Core{
		Basis:   Basis{Code: "legal-obligation", Purpose: "procedure"},
		Case:    id("c", 'c'),
		Cats:    []string{"identity"},
		Created: 1772441999100,
		Dir:     DirHead{N: 412, Root: make([]byte, 32)},
		Facts:   map[string]string{"complainant": "institution"},
		From:    From{Desk: deskA, Inst: id("i", 'i'), Key: statement.KeyID(keyA.Public())},
		Kind:    "complaint",
		Msg:     msgA,
		Obl:     []Act{{Op: OpDeclare, Rule: "report-to-center"}},
		Pack:    "rs-a@1",
		Parts:   []Part{},
		Subj:    []string{id("p", 'p')},
		To:      []Recipient{recipient(deskB, RoleTo), recipient(deskA, RoleSelf)},
		Urg:     Regular,
		V:       1,
	}
}

func recipient(desk, role string) Recipient {
	ack := AckCommitment(AckSecret(make([]byte, 32), desk))
	return Recipient{Ack: ack[:], Desk: desk, Epoch: 3, RK: hashA, Role: role}
}

func aPayload(c Core) Payload { return Payload{Body: Part{Len: 7300, SHA256: hashA}, Core: c, V: 1} }

// sign signs v as the payload type says.
func sign(t testing.TB, payloadType string, v any, by ...statement.Signer) *statement.DSSE {
	t.Helper()
	payload, err := statement.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return signBytes(t, payloadType, payload, by...)
}

func signBytes(t testing.TB, payloadType string, payload []byte, by ...statement.Signer) *statement.DSSE {
	t.Helper()
	d, err := statement.Sign(context.Background(), payloadType, payload, by...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := statement.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// aHead is the head of a statement by desk B.
func aHead(ev string) statement.Head {
	return statement.Head{
		At:   1772445600000,
		By:   statement.By{Desk: deskB, Inst: id("i", 'j'), Key: statement.KeyID(keyB.Public())},
		DirN: 412, Ev: ev, ID: id("x", 'x'), Pack: "rs-a@1", V: 1,
	}
}
