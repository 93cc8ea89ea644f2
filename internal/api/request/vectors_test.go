package request

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// TestRFC9421B26 builds the base of the RFC's own example and compares base and
// signature byte for byte.
func TestRFC9421B26(t *testing.T) {
	var v struct {
		Seed, Public, Signature []byte
		Components              [][2]string
		Params, Base            string
	}
	readJSON(t, "testdata/rfc9421-b26.json", &v)
	var lines []line
	for _, c := range v.Components {
		lines = append(lines, line{c[0], c[1]})
	}
	got, err := base(lines, v.Params)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != v.Base {
		t.Errorf("base:\n%s\nwant:\n%s", got, v.Base)
	}
	key := statement.NewSigningKey(v.Seed)
	if !bytes.Equal(key.Public(), v.Public) {
		t.Errorf("public key %x, want %x", key.Public(), v.Public)
	}
	if sig, _ := key.Sign(context.Background(), got); !bytes.Equal(sig, v.Signature) {
		t.Errorf("signature %x, want %x", sig, v.Signature)
	}
}

type vector struct {
	Name, Method, URL string
	Body              []byte
	Now               int64
	Nonce, Authority  string
	Base              string
	Digest            string `json:"content_digest"`
	Input             string `json:"signature_input"`
	Signature         string
}

func readVectors(t testing.TB) (statement.SigningKey, []vector) {
	t.Helper()
	var file struct {
		Seed    []byte
		Vectors []vector
	}
	readJSON(t, "testdata/vectors.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return statement.NewSigningKey(file.Seed), file.Vectors
}

func TestVectors(t *testing.T) {
	key, vectors := readVectors(t)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			req, err := http.NewRequest(v.Method, v.URL, bytes.NewReader(v.Body))
			if err != nil {
				t.Fatal(err)
			}
			if err := Sign(context.Background(), req, v.Body, key, v.Now, v.Nonce); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"Content-Digest": v.Digest, "Signature-Input": v.Input, "Signature": v.Signature,
			} {
				if got := req.Header.Get(name); got != want {
					t.Errorf("%s: %s\nwant %s", name, got, want)
				}
			}
			got, err := profileBase(req, v.Authority, v.Digest, strings.TrimPrefix(v.Input, "sig1="))
			if err != nil || string(got) != v.Base {
				t.Errorf("base: %v\n%s\nwant:\n%s", err, got, v.Base)
			}
			seen, err := Verify(req, v.Authority, v.Now, only(key))
			if err != nil {
				t.Fatal(err)
			}
			if seen.Nonce != v.Nonce || seen.Created != v.Now/1000*1000 || seen.KeyID != statement.KeyID(key.Public()) {
				t.Errorf("verified %+v", seen)
			}
		})
	}
}

// TestFormatExample keeps the worked example of FORMAT.md equal to the first
// vector.
func TestFormatExample(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, vectors := readVectors(t)
	v := vectors[0]
	for _, want := range []string{
		v.Base, "Content-Digest: " + v.Digest, "Signature-Input: " + v.Input, "Signature: " + v.Signature, v.Method + " " + v.URL, string(v.Body),
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("FORMAT.md lacks\n%s", want)
		}
	}
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// only is a lookup that knows one key.
func only(key statement.Signer) func(string) (ed25519.PublicKey, bool) {
	return func(id string) (ed25519.PublicKey, bool) {
		return key.Public(), id == statement.KeyID(key.Public())
	}
}
