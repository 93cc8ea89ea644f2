package interop

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

func publicDER(t *testing.T, k statement.SigningKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k.Public()))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A leaf commits to META and PRIV by keyed hashes that openssl computes, and
// its hash in the tree is that of RFC 6962.
func TestOpenSSLChecksLeaf(t *testing.T) {
	meta := &evidence.Meta{
		At: 1777886400000, By: evidence.System, Dec: evidence.Allow, DirN: 431, Ev: evidence.NoticeConsentChange, Idx: 2207,
		Obj: statement.NewID(statement.Consent), Obl: []evidence.Obligation{}, Prev: 2206, To: []string{"nes"}, V: 1,
	}
	priv := &evidence.Priv{Case: statement.NewID(statement.Case), To: []evidence.Delivery{}, V: 1}
	leaf, o, err := evidence.Commit(meta, priv)
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	b.put("leaf.json", leaf)
	b.put("meta.json", o.Meta)
	b.put("priv.json", o.Priv)
	check := `
		mac() { openssl dgst -sha256 -mac HMAC -macopt hexkey:$1 -binary $2 | base64; }
		test "$(mac $R_M meta.json)" = "$(jq -r .m leaf.json)"
		test "$(mac $R_P priv.json)" = "$(jq -r .p leaf.json)"
		{ printf '\0'; cat leaf.json; } | openssl dgst -sha256 -r | cut -d' ' -f1`
	keys := []string{"R_M=" + hex.EncodeToString(o.RM), "R_P=" + hex.EncodeToString(o.RP)}
	hash := tlog.RecordHash(leaf)
	if got := b.must(check, keys...); got != hex.EncodeToString(hash[:]) {
		t.Errorf("leaf hash %s, want %x", got, hash)
	}
	b.put("meta.json", bytes.Replace(o.Meta, []byte("nes"), []byte("ngo"), 1))
	if _, err := b.run(check, keys...); err == nil {
		t.Error("a changed META still matches the leaf")
	}
	if got := b.must(`stat -c %s leaf.json; jq -cS . leaf.json | tr -d '\n' | cmp - leaf.json && echo same`); got != "109\nsame" {
		t.Errorf("leaf: %s", strings.ReplaceAll(got, "\n", ", "))
	}
}
