package ledger_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

var (
	key  = storagetest.Key(ledger.Ev)
	root = "SFM123z+yWXxX/dF/GJcQdXqJkaTaTAWWCj3PdS2iFQ="
)

// signed signs any text with the key of the evidence log.
func signed(t testing.TB, text string) []byte {
	t.Helper()
	sig, err := key.Sign(context.Background(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v := key.Verifier()
	id := []byte{byte(v.KeyHash() >> 24), byte(v.KeyHash() >> 16), byte(v.KeyHash() >> 8), byte(v.KeyHash())}
	return fmt.Appendf(nil, "%s\n\u2014 %s %s\n", text, v.Name(), base64.StdEncoding.EncodeToString(append(id, sig...)))
}

func TestParseCheckpointText(t *testing.T) {
	const o = "ledger.example/ev\n"
	for text, ok := range map[string]bool{
		o + "600\n" + root + "\n":                               true,
		o + "1\n" + root + "\n":                                 true,
		o + "9007199254740991\n" + root + "\n":                  true,
		o + "0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n": true,
		o + "0\n" + root + "\n":                                 false, // not the empty root
		o + "9007199254740992\n" + root + "\n":                  false,
		o + "-1\n" + root + "\n":                                false,
		o + "+1\n" + root + "\n":                                false,
		o + "01\n" + root + "\n":                                false,
		o + "1 \n" + root + "\n":                                false,
		o + "\n" + root + "\n":                                  false,
		o + "1\n" + root[:40] + "\n":                            false,
		o + "1\n" + root[:43] + "\n":                            false,
		o + "1\n" + root + "\nextension\n":                      false,
		o + "1\n" + root + "\n\n":                               false,
		o + "1\n":                                               false,
		o:                                                       false,
		"\n1\n" + root + "\n":                                   false,
		"ledger.example/dir\n1\n" + root + "\n":                 false,
		"ledger.example/ev \n1\n" + root + "\n":                 false,
		" ledger.example/ev\n1\n" + root + "\n":                 false,
		o + "1\nSFM123z+yWXxX/dF/GJcQdXqJkaTaTAWWCj3PdS2iFR=\n": false, // second base64 spelling
		o + "1\nSFM123z-yWXxX_dF_GJcQdXqJkaTaTAWWCj3PdS2iFQ=\n": false,
		o + "1\n" + strings.Repeat("A", 44) + "\n":              false, // 33 bytes
		"LEDGER.example/ev\n1\n" + root + "\n":                  false,
		"ledger.example/ev\x00\n1\n" + root + "\n":              false,
	} {
		c, err := ledger.ParseCheckpoint(signed(t, text), key.Verifier())
		if ok != (err == nil) || err != nil && !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("%q: %v", text, err)
		}
		if ok && c.Text() != text {
			t.Errorf("%q: comes back as %q", text, c.Text())
		}
	}
}

func TestParseCheckpointNote(t *testing.T) {
	good := signed(t, "ledger.example/ev\n1\n"+root+"\n")
	if _, err := ledger.ParseCheckpoint(good, key.Verifier()); err != nil {
		t.Fatal(err)
	}
	another := storagetest.Key(ledger.Dir)
	foreign := "\u2014 witness.example " + base64.StdEncoding.EncodeToString(make([]byte, 76)) + "\n"
	for what, c := range map[string]struct {
		msg []byte
		v   note.Verifier
		ok  bool
	}{
		"a witness signed too":           {append(bytes.Clone(good), foreign...), key.Verifier(), true},
		"many witnesses":                 {append(bytes.Clone(good), strings.Repeat(foreign, 99)...), key.Verifier(), true},
		"too many witnesses":             {append(bytes.Clone(good), strings.Repeat(foreign, 100)...), key.Verifier(), false},
		"signed twice":                   {append(bytes.Clone(good), good[bytes.Index(good, []byte("\u2014")):]...), key.Verifier(), false},
		"signed twice, once badly":       {append(bytes.Clone(good), "\u2014 ledger.example/ev GlSnHPWpGVQr\n"...), key.Verifier(), false},
		"no key":                         {good, nil, false},
		"another key":                    {good, another.Verifier(), false},
		"empty":                          {nil, key.Verifier(), false},
		"no signature":                   {bytes.SplitAfter(good, []byte("\n\n"))[0], key.Verifier(), false},
		"no newline at the end":          {good[:len(good)-1], key.Verifier(), false},
		"bytes after":                    {append(bytes.Clone(good), 'x'), key.Verifier(), false},
		"two spellings of a signature":   {respelled(t, good), key.Verifier(), false},
		"two spellings of a foreign one": {append(bytes.Clone(good), strings.Replace(foreign, "AA==", "AB==", 1)...), key.Verifier(), false},
		"carriage return":                {bytes.Replace(good, []byte("\n"), []byte("\r\n"), 1), key.Verifier(), false},
		"too long":                       {append(bytes.Clone(good), strings.Repeat(foreign, 2000)...), key.Verifier(), false},
	} {
		_, err := ledger.ParseCheckpoint(c.msg, c.v)
		if c.ok != (err == nil) || err != nil && !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// respelled changes the bits that padded base64 does not use: the same bytes to
// a lenient decoder.
func respelled(t testing.TB, msg []byte) []byte {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	msg = bytes.Clone(msg)
	i := bytes.LastIndexByte(msg, '=') - 1
	at := strings.IndexByte(alphabet, msg[i])
	if at%4 != 0 {
		t.Fatalf("the note does not end in padded base64: %q", msg)
	}
	msg[i] = alphabet[at+1]
	return msg
}

// TestCheckpointBytes changes every byte of a checkpoint; none may pass.
func TestCheckpointBytes(t *testing.T) {
	good := signed(t, "ledger.example/ev\n600\n"+root+"\n")
	for i := range good {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			if c, err := ledger.ParseCheckpoint(bad, key.Verifier()); err == nil {
				t.Errorf("byte %d changed to %q: accepted as %+v", i, bad[i], c)
			}
		}
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ledger.Checkpoint{Origin: "ledger.example/ev", Size: rapid.Int64Range(1, ledger.MaxSize).Draw(t, "size")}
		copy(c.Root[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root"))
		msg, err := ledger.SignCheckpoint(context.Background(), key, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ledger.ParseCheckpoint(msg, key.Verifier()); err != nil || got != c {
			t.Fatalf("%+v came back as %+v, %v", c, got, err)
		}
		opened, err := note.Open(msg, note.VerifierList(key.Verifier()))
		if err != nil || opened.Text != c.Text() {
			t.Fatalf("x/mod opens it as %+v, %v", opened, err)
		}
	})
}

// lyingSigner answers with something else than it was asked.
type lyingSigner struct {
	*ledger.SigningKey
	answer func(text []byte) ([]byte, error)
}

func (s lyingSigner) Sign(_ context.Context, text []byte) ([]byte, error) { return s.answer(text) }

func TestSignCheckpointRefuses(t *testing.T) {
	ctx := context.Background()
	c := ledger.Checkpoint{Origin: "ledger.example/ev", Size: 1, Root: tlog.Hash{1}}
	broken := errors.New("vault is sealed")
	for what, answer := range map[string]func(text []byte) ([]byte, error){
		"error":         func([]byte) ([]byte, error) { return nil, broken },
		"other key":     func(text []byte) ([]byte, error) { return storagetest.Key(ledger.Dir).Sign(ctx, text) },
		"other text":    func([]byte) ([]byte, error) { return key.Sign(ctx, []byte("something else\n")) },
		"nothing":       func([]byte) ([]byte, error) { return nil, nil },
		"a byte longer": func(text []byte) ([]byte, error) { s, err := key.Sign(ctx, text); return append(s, 0), err },
	} {
		if _, err := ledger.SignCheckpoint(ctx, lyingSigner{key, answer}, c); err == nil {
			t.Errorf("%s: signed", what)
		} else if what == "error" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, bad := range map[string]ledger.Checkpoint{
		"another origin":  {Origin: "ledger.example/dir", Size: 1},
		"no origin":       {Size: 1},
		"size below 0":    {Origin: c.Origin, Size: -1},
		"size too large":  {Origin: c.Origin, Size: ledger.MaxSize + 1},
		"empty, bad root": {Origin: c.Origin, Size: 0, Root: tlog.Hash{1}},
	} {
		if _, err := ledger.SignCheckpoint(ctx, key, bad); err == nil {
			t.Errorf("%s: signed", what)
		}
	}
}

func TestVerifierKeys(t *testing.T) {
	vkey := key.VerifierKey()
	if v, err := ledger.ParseVerifierKey(vkey); err != nil || v.Name() != "ledger.example/ev" || v.KeyHash() != key.Verifier().KeyHash() {
		t.Fatalf("%s: %v", vkey, err)
	}
	parts := strings.SplitN(vkey, "+", 3)
	for what, bad := range map[string]string{
		"empty":         "",
		"two parts":     parts[0] + "+" + parts[1],
		"other name":    "ledger.example/dir+" + parts[1] + "+" + parts[2],
		"other id":      parts[0] + "+00000000+" + parts[2],
		"upper case id": parts[0] + "+" + strings.ToUpper(parts[1]) + "+" + parts[2],
		"newline":       vkey + "\n",
		"space":         " " + vkey,
		"algorithm":     parts[0] + "+" + parts[1] + "+AgNvx9MLh0HeoQW/+fP13T60Dwjfcgz2w+ztG2/UkJg0",
		"short key":     parts[0] + "+" + parts[1] + "+" + parts[2][:40],
		"private key":   "PRIVATE+KEY+" + vkey,
		"too long":      strings.Repeat("a", 400) + vkey,
	} {
		if _, err := ledger.ParseVerifierKey(bad); err == nil {
			t.Errorf("%s: accepted %q", what, bad)
		}
	}
	pub := make(ed25519.PublicKey, 32)
	for name, ok := range map[string]bool{
		"h/ev": true, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
		"": false, "a b": false, "a+b": false, "a\nb": false, "ž/ev": false, "a\x7f": false,
	} {
		if _, err := ledger.VerifierKey(name, pub); ok != (err == nil) {
			t.Errorf("origin %q: %v", name, err)
		}
		if _, err := ledger.NewSigningKey(name, make([]byte, 32)); ok != (err == nil) {
			t.Errorf("origin %q: %v", name, err)
		}
	}
	if _, err := ledger.VerifierKey("h/ev", pub[:31]); err == nil {
		t.Error("a key of 31 bytes: accepted")
	}
	for _, size := range []int{0, 31, 33, 64} {
		if _, err := ledger.NewSigningKey("h/ev", make([]byte, size)); err == nil {
			t.Errorf("a seed of %d bytes: accepted", size)
		}
	}
}

func TestSigningKeyStaysSecret(t *testing.T) {
	seed := bytes.Repeat([]byte{0xA7}, 32)
	k, err := ledger.NewSigningKey("h/ev", seed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.MarshalText()
	if err != nil || string(text) != "redacted" {
		t.Errorf("marshals as %q, %v", text, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "wrapped", struct{ K *ledger.SigningKey }{k})
	holder := struct{ k ledger.SigningKey }{*k}
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, k) + fmt.Sprintf(verb, holder)
	}
	for _, secret := range []string{"167", "a7a7", "A7A7", "p6en", "0xa7"} {
		if strings.Contains(out, secret) {
			t.Errorf("the key shows as %q in %s", secret, out)
		}
	}
}
