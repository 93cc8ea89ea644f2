package statement

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func seeded(b byte) SigningKey { return NewSigningKey(bytes.Repeat([]byte{b}, 32)) }

// dsseVectors is testdata/dsse.json.
type dsseVectors struct {
	PAE []struct {
		Name, Type, Payload, PAE string // PAE in hex where it is not text
		Hex                      bool
	}
	Signed []struct {
		Name, Seeds, Type, Payload, DSSE, Digest string // Seeds in hex, one byte a signer
		KeyIDs                                   []string
	}
}

func loadDSSE(t testing.TB) (v dsseVectors) {
	t.Helper()
	readVectors(t, "dsse.json", &v)
	if len(v.PAE) < 4 || len(v.Signed) < 2 {
		t.Fatal("vectors are gone")
	}
	return v
}

func TestPAE(t *testing.T) {
	for _, c := range loadDSSE(t).PAE {
		want := []byte(c.PAE)
		if c.Hex {
			want = bytesOf(t, "", c.PAE)
		}
		if got := PAE(c.Type, []byte(c.Payload)); !bytes.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.Name, got, want)
		}
	}
}

// Two statements never share the bytes that are signed: the encoding can be
// taken apart again.
func TestPAEIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[ 0-9a-z]{0,12}`), rapid.String())
		t1, p1 := text.Draw(t, "type"), text.Draw(t, "payload")
		t2, p2 := text.Draw(t, "other type"), text.Draw(t, "other payload")
		same := bytes.Equal(PAE(t1, []byte(p1)), PAE(t2, []byte(p2)))
		if same != (t1 == t2 && p1 == p2) {
			t.Fatalf("%q %q and %q %q", t1, p1, t2, p2)
		}
	})
}

func TestSigned(t *testing.T) {
	for _, c := range loadDSSE(t).Signed {
		var signers []Signer
		var keys []ed25519.PublicKey
		for _, seed := range bytesOf(t, "", c.Seeds) {
			signers = append(signers, seeded(seed))
			keys = append(keys, seeded(seed).Public())
		}
		d, err := Sign(context.Background(), c.Type, []byte(c.Payload), signers...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Encode()
		if err != nil || string(got) != c.DSSE {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", c.Name, got, c.DSSE, err)
		}
		for i, k := range keys {
			if KeyID(k) != c.KeyIDs[i] || !IsKeyID(c.KeyIDs[i]) {
				t.Errorf("%s: key id %s, want %s", c.Name, KeyID(k), c.KeyIDs[i])
			}
		}
		if digest := d.Digest(); hex.EncodeToString(digest[:]) != c.Digest {
			t.Errorf("%s: digest %x, want %s", c.Name, digest, c.Digest)
		}
		back, err := ParseDSSE([]byte(c.DSSE))
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Verify(keys...); (err == nil) != (len(keys) > 0) {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func two(t *testing.T) *DSSE {
	t.Helper()
	d, err := Sign(context.Background(), TypeNotice, []byte(`{"v":1}`), seeded(1), seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Exactly the keys asked for, each once: signatures are themselves unsigned, so
// whoever adds, drops or doubles one must be noticed.
func TestVerify(t *testing.T) {
	one, other, third := seeded(1).Public(), seeded(2).Public(), seeded(3).Public()
	for name, tt := range map[string]struct {
		keys   []ed25519.PublicKey
		change func(*DSSE)
		ok     bool
	}{
		"both":                    {[]ed25519.PublicKey{one, other}, func(*DSSE) {}, true},
		"in the other order":      {[]ed25519.PublicKey{other, one}, func(*DSSE) {}, true},
		"no key":                  {nil, func(d *DSSE) {}, false},
		"no key, no signature":    {nil, func(d *DSSE) { d.Signatures = nil }, false},
		"one of two":              {[]ed25519.PublicKey{one}, func(*DSSE) {}, false},
		"one more":                {[]ed25519.PublicKey{one, other, third}, func(*DSSE) {}, false},
		"a stranger":              {[]ed25519.PublicKey{one, third}, func(*DSSE) {}, false},
		"the same key twice":      {[]ed25519.PublicKey{one, one}, func(*DSSE) {}, false},
		"the same signature":      {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Signatures[1] = d.Signatures[0] }, false},
		"key ids exchanged":       {[]ed25519.PublicKey{one, other}, swapKeyIDs, false},
		"short key":               {[]ed25519.PublicKey{one, other[:31]}, func(*DSSE) {}, false},
		"no bytes for a key":      {[]ed25519.PublicKey{one, nil}, func(*DSSE) {}, false},
		"other payload":           {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Payload = []byte(`{"v":2}`) }, false},
		"other type":              {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.PayloadType = TypeDirectory }, false},
		"changed signature":       {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Signatures[1].Sig[10] ^= 1 }, false},
		"cut signature":           {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Signatures[1].Sig = d.Signatures[1].Sig[:63] }, false},
		"longer signature":        {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Signatures[1].Sig = append(d.Signatures[1].Sig, 0) }, false},
		"no signature bytes":      {[]ed25519.PublicKey{one, other}, func(d *DSSE) { d.Signatures[1].Sig = nil }, false},
		"second spelling of S":    {[]ed25519.PublicKey{one, other}, func(d *DSSE) { addOrder(d.Signatures[1].Sig[32:]) }, false},
		"signed without encoding": {[]ed25519.PublicKey{one, other}, signRaw, false},
	} {
		d := two(t)
		tt.change(d)
		err := d.Verify(tt.keys...)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := two(t).Verify(one, third); !errors.Is(err, ErrSignature) {
		t.Errorf("%v is not ErrSignature", err)
	}
}

func swapKeyIDs(d *DSSE) {
	s := d.Signatures
	s[0].KeyID, s[1].KeyID = s[1].KeyID, s[0].KeyID
}

// signRaw signs the payload alone, as a signature made for something else would.
func signRaw(d *DSSE) {
	sig, _ := seeded(2).Sign(context.Background(), d.Payload)
	d.Signatures[1].Sig = sig
}

// addOrder adds the order of the group to S, little endian: the same signature
// in the spelling that RFC 8032 section 5.1.7 has verifiers refuse.
func addOrder(s []byte) {
	order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	carry := 0
	for i := range s {
		sum := int(s[i]) + int(order[i]) + carry
		s[i], carry = byte(sum), sum>>8
	}
}

func TestAddSignatureTwice(t *testing.T) {
	d := two(t)
	if err := d.AddSignature(context.Background(), seeded(2)); err == nil || len(d.Signatures) != 2 {
		t.Errorf("%v, %d signatures", err, len(d.Signatures))
	}
}

// away is a signer that cannot be reached.
type away struct{ SigningKey }

var errAway = errors.New("away")

func (away) Sign(context.Context, []byte) ([]byte, error) { return nil, errAway }

func TestSignFails(t *testing.T) {
	if d, err := Sign(context.Background(), TypeNotice, []byte(`{}`), away{seeded(1)}); !errors.Is(err, errAway) || d != nil {
		t.Errorf("%v, %v", d, err)
	}
}

func TestParseDSSERefuses(t *testing.T) {
	whole, err := two(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	payload := base64.StdEncoding.EncodeToString([]byte(`{"v":1}`))
	replaced := func(old, new string) string { return strings.Replace(string(whole), old, new, 1) }
	signatures := func(n int) string {
		d := DSSE{Payload: []byte("x"), PayloadType: TypeNotice, Signatures: make([]Signature, n)}
		for i := range d.Signatures {
			d.Signatures[i].Sig = []byte{}
		}
		text, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	sized := func(n int) string {
		d := DSSE{Payload: make([]byte, n), PayloadType: TypeNotice, Signatures: []Signature{}}
		text, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, text := range map[string]string{
		"nothing":                  "",
		"unknown member":           replaced(`{"payload"`, `{"a":1,"payload"`),
		"no signatures member":     `{"payload":"","payloadType":"t"}`,
		"unpadded base64":          replaced(payload, strings.TrimRight(payload, "=")),
		"URL base64":               replaced(payload, "_w=="),
		"unused bits":              replaced(payload, "eB=="),
		"newline in base64":        replaced(payload, `eyJ2\nIjoxfQ==`),
		"trailing bytes":           string(whole) + "\n",
		"unknown signature member": replaced(`{"keyid"`, `{"cert":"","keyid"`),
		"21 signatures":            signatures(MaxSignatures + 1),
		"payload too long":         sized(MaxSize + 1),
		"text too long":            sized(2 * MaxSize),
	} {
		if text == string(whole) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if d, err := ParseDSSE([]byte(text)); err == nil || d != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	for name, text := range map[string]string{
		"whole": string(whole), "20 signatures": signatures(MaxSignatures), "longest payload": sized(MaxSize),
		"empty payload": `{"payload":"","payloadType":"","signatures":[]}`,
	} {
		if _, err := ParseDSSE([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseDSSE: what is accepted is written back byte for byte, is within the
// limits, and verifies under nothing.
func FuzzParseDSSE(f *testing.F) {
	for _, c := range loadDSSE(f).Signed {
		f.Add([]byte(c.DSSE))
	}
	f.Add([]byte(`{"payload":"","payloadType":"","signatures":[]}`))
	stranger := seeded(99).Public()
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDSSE(data)
		if err != nil {
			return
		}
		again, err := d.Encode()
		if err != nil || !bytes.Equal(again, data) || !canonical(data) {
			t.Fatalf("%q spelled again is %q, %v", data, again, err)
		}
		if len(d.Payload) > MaxSize || len(d.Signatures) > MaxSignatures {
			t.Fatal("beyond the limits")
		}
		if d.Verify() == nil || d.Verify(stranger) == nil {
			t.Fatal("verifies under nobody's key")
		}
	})
}

// The examples of FORMAT.md are vectors.
func TestFormatExamples(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	c := loadDSSE(t).Signed[0]
	for _, example := range []string{c.DSSE, string(PAE(c.Type, []byte(c.Payload))), "k_aaaqeayeaudaocajbifqydiob4"} {
		if !strings.Contains(string(page), example) {
			t.Errorf("FORMAT.md does not show %s", example)
		}
	}
}
