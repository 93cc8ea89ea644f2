package witness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/odziv/odziv/ledger"
)

// With a certificate a witness is asked over TLS 1.3 and nothing older.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)

	w := open(t, t.TempDir())
	l, err := Listen(t.Context(), "127.0.0.1:0", &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, w.Handler(slog.New(slog.DiscardHandler))) }()
	defer func() {
		stop()
		check(t, <-ended)
	}()
	b := &branch{}
	b.grow(t, "a", 7)
	own := logKey(t, 1)
	to := ledger.Witness{Name: "w", Verifier: w.Key.Verifier(), VKey: w.Key.VerifierKey(), URL: "https://" + l.Addr().String()}
	ask := func(max uint16, pool *x509.CertPool) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: max}}
		defer transport.CloseIdleConnections()
		_, err := NewClient(transport).Ask(t.Context(), to, b.at(t, 7), sign(t, own, b.at(t, 7)), b.prove(t, 7))
		return err
	}
	if err := ask(tls.VersionTLS13, roots); err != nil {
		t.Error(err)
	}
	if err := ask(tls.VersionTLS12, roots); err == nil {
		t.Error("answered over TLS 1.2")
	}
	if err := ask(tls.VersionTLS13, x509.NewCertPool()); err == nil {
		t.Error("asked a witness whose certificate nobody signed")
	}
}
