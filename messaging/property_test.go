package messaging

import (
	"context"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
)

// TestParseReturnsWhatWasSigned draws well-formed cores: each must parse to
// itself, and no single other byte of its payload may parse to it again.
func TestParseReturnsWhatWasSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := aPayload(drawCore(t))
		payload, err := statement.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Parse(signedBy(t, payload))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*n.Payload, p) {
			t.Fatalf("parsed %+v, signed %+v", *n.Payload, p)
		}
		i := rapid.IntRange(0, len(payload)-1).Draw(t, "at")
		payload[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		if n, err := Parse(signedBy(t, payload)); err == nil && reflect.DeepEqual(*n.Payload, p) {
			t.Fatalf("another byte at %d, the same meaning", i)
		}
	})
}

func signedBy(t *rapid.T, payload []byte) *statement.DSSE {
	d, err := statement.Sign(context.Background(), statement.TypeNotice, payload, keyA)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func drawCore(t *rapid.T) Core {
	c := aCore()
	upTo := func(name string, n int) int { return rapid.IntRange(0, n).Draw(t, name) }
	c.Created = rapid.Int64Range(1, 1<<53-2).Draw(t, "created")
	c.Occurred = rapid.Int64Range(0, c.Created).Draw(t, "occurred")
	c.Cats = codes(upTo("cats", MaxCategories))
	c.Facts = facts(upTo("facts", MaxFacts))
	c.Parts = parts(upTo("parts", MaxParts))
	c.Subj = many("p", upTo("subj", MaxSubjects))
	c.Obl = acts(upTo("obl", MaxActs))
	c.To = recipients(1 + upTo("to", MaxRecipients-1))
	c.Basis.Ref = rapid.StringMatching(`[ -~čћшђжчћ]{0,32}`).Draw(t, "ref")
	if n := upTo("consents", MaxConsents); n > 0 {
		c.Basis.Consents = consents(n)
	}
	if rapid.Bool().Draw(t, "held") {
		c.Hold = &Hold{Reason: "secrecy", Until: c.Created + 1}
	}
	return c
}
