package vault_test

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/odziv/odziv/internal/vaulttest"
)

// BenchmarkBeside compares with a bare loop over Vault's own client library in
// the same run: what checking costs, and what a request costs at all.
func BenchmarkBeside(b *testing.B) {
	w := newWorld(b, vaulttest.Dev(b))
	c := w.root()
	keys, err := c.PublicKeys(b.Context(), "sig")
	if err != nil {
		b.Fatal(err)
	}
	bare, err := api.NewClient(&api.Config{Address: w.Address, HttpClient: &http.Client{Timeout: time.Minute}})
	if err != nil {
		b.Fatal(err)
	}
	bare.SetToken(w.RootToken)
	message := []byte("ledger.example/ev\n1000000\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	text := base64.StdEncoding.EncodeToString(message)
	for _, run := range []struct {
		name string
		once func() error
	}{
		{"sign/ours", func() error { return second(c.Sign(b.Context(), "sig", 1, keys[1], message)) }},
		{"sign/bare", func() error {
			return second(bare.Logical().WriteWithContext(b.Context(), "transit/sign/sig", map[string]any{"input": text, "key_version": 1}))
		}},
		{"encrypt/ours", func() error { return second(c.Encrypt(b.Context(), "enc", 0, message, nil)) }},
		{"encrypt/bare", func() error {
			return second(bare.Logical().WriteWithContext(b.Context(), "transit/encrypt/enc", map[string]any{"plaintext": text}))
		}},
	} {
		b.Run(run.name, func(b *testing.B) {
			for b.Loop() {
				if err := run.once(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(run.name+"/parallel", func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := run.once(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
