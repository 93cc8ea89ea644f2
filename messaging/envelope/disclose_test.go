package envelope

import (
	"bytes"
	"context"
	"crypto/hpke"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// TestDisclosure: a court gets the file key, not the desk key, and opens body
// and attachments with it.
func TestDisclosure(t *testing.T) {
	o, l := opened(t, []byte("content"))
	key, err := NewFileKey(o.FileKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	shown, err := OpenDisclosed(context.Background(), l.Notice.DSSE, publicOf(signerA), key, bytes.NewReader(l.Body))
	if err != nil {
		t.Fatal(err)
	}
	if shown.Text.Body != o.Text.Body || shown.Text.Subject != o.Text.Subject {
		t.Error("the disclosed text differs")
	}
	if got, err := read(shown, 0, l.parts[0]); err != nil || string(got) != "content" {
		t.Errorf("attachment: %q, %v", got, err)
	}
	if shown.AckSecret() != [32]byte{} {
		t.Error("a third party holds a desk's acknowledgement")
	}
}

func TestDisclosureRefuses(t *testing.T) {
	o, l := opened(t)
	wrong, err := NewFileKey(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	disclosed := func(l letter, key FileKey) error {
		_, err := OpenDisclosed(context.Background(), l.Notice.DSSE, publicOf(signerA), key, bytes.NewReader(l.Body))
		return err
	}
	if err := disclosed(l, wrong); FailureCode(err) != messaging.FailHeader {
		t.Errorf("another key: %v", err)
	}
	if err := disclosed(l, FileKey{}); err == nil || (FileKey{}).Bytes() != nil {
		t.Errorf("no key: %v", err)
	}
	if err := disclosed(letter{Sealed: &Sealed{Notice: l.Notice, Body: l.Body[1:]}}, o.FileKey()); FailureCode(err) != messaging.FailDigest {
		t.Errorf("another body: %v", err)
	}
	_, err = OpenDisclosed(context.Background(), l.Notice.DSSE, publicOf(signerB), o.FileKey(), bytes.NewReader(l.Body))
	if !errors.Is(err, statement.ErrSignature) {
		t.Errorf("another sender: %v", err)
	}
	hidden := forge(t, forgery{recipients: func(r []age.Recipient) []age.Recipient { return append(r, identC.Recipient()) }})
	_, key, err := decryptBody(hidden.Body, 3, identB)
	if err != nil {
		t.Fatal(err)
	}
	if err := disclosed(hidden, key); FailureCode(err) != messaging.FailStanzas {
		t.Errorf("a hidden recipient: %v", err)
	}
	for _, n := range []int{0, 15, 17} {
		if _, err := NewFileKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
}

// TestExitRoute opens a stanza with the standard library's HPKE (RFC 9180)
// alone: the format does not depend on one library.
func TestExitRoute(t *testing.T) {
	o, l := opened(t)
	seed := bech32Payload(t, identB.String())
	private, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(l.Body[:introSize+stanzaSize]), "\n")
	enc, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(lines[1], "-> "+stanzaType+" "))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := base64.RawStdEncoding.DecodeString(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	r, err := hpke.NewRecipient(enc, private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte("age-encryption.org/mlkem768x25519"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.Open(nil, wrapped)
	if err != nil || !bytes.Equal(key, o.FileKey().Bytes()) {
		t.Errorf("file key %x, %v", key, err)
	}
}

// bech32Payload decodes the data part of a Bech32 string (BIP 173), without its
// six characters of checksum.
func bech32Payload(t *testing.T, s string) []byte {
	t.Helper()
	s = strings.ToLower(s)
	s = s[strings.LastIndex(s, "1")+1:]
	var out []byte
	acc, bits := 0, 0
	for _, c := range s[:len(s)-6] {
		v := strings.IndexRune("qpzry9x8gf2tvdw0s3jn54khce6mua7l", c)
		if v < 0 {
			t.Fatalf("%q is not Bech32", c)
		}
		acc, bits = acc<<5|v, bits+5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	return slices.Clip(out)
}
