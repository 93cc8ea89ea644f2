package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/wire"
)

func TestPlainIsForLoopback(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "localhost:0", "192.0.2.1:0", "exchange.example:80", "127.0.0.1", ""} {
		ln, err := api.Listen(t.Context(), api.Server(addr, nil, nil, nil))
		if !errors.Is(err, api.ErrPlain) {
			t.Errorf("%q: %v, want %v", addr, err, api.ErrPlain)
		}
		if err == nil {
			ln.Close()
		}
	}
	ln, err := api.Listen(t.Context(), api.Server("127.0.0.1:0", nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	open := fakeListener{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}}
	if err := api.Serve(t.Context(), api.Server("127.0.0.1:0", nil, nil, nil), open); !errors.Is(err, api.ErrPlain) {
		t.Errorf("served on %s: %v", open.addr, err)
	}
}

// fakeListener says where it listens, and does not.
type fakeListener struct {
	net.Listener
	addr net.Addr
}

func (f fakeListener) Addr() net.Addr { return f.addr }

// certificate is one for 127.0.0.1 that nobody else signed.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serveTLS serves a world's API under TLS too.
func serveTLS(t *testing.T, w *apitest.World) (authority string, roots *x509.CertPool) {
	t.Helper()
	cert, roots := certificate(t)
	srv := api.Server("127.0.0.1:0", nil, &cert, nil)
	ln, err := api.Listen(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	srv.Handler = api.New(w.X, api.Options{Authority: ln.Addr().String()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, srv, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), roots
}

func TestTLS(t *testing.T) {
	authority, roots := serveTLS(t, apitest.Start(t, api.Options{}))
	conn, err := tls.Dial("tcp", authority, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	state := conn.ConnectionState()
	conn.Close()
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x, curve %s", state.Version, state.CurveID)
	}
	if conn, err := tls.Dial("tcp", authority, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12}); err == nil {
		conn.Close()
		t.Error("TLS 1.2 is spoken")
	}
	for _, http2 := range []bool{true, false} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + authority + wire.PathStatus)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoAtLeast(2, 0) != http2 || !strings.HasPrefix(resp.Header.Get("Strict-Transport-Security"), "max-age=") {
			t.Errorf("http2 %v: %s %s %v", http2, resp.Proto, resp.Status, resp.Header)
		}
	}
}

// Serve lets a request under way finish before it returns.
func TestServeFinishes(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	srv := api.Server("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		io.WriteString(w, "whole")
	}), nil, nil)
	ln, err := api.Listen(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, srv, ln) }()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-begun
	stop()
	select {
	case err := <-ended:
		t.Errorf("returned %v with a request under way", err)
	default:
	}
	close(finish)
	if got := <-answered; got != "whole" {
		t.Errorf("answered %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeFails(t *testing.T) {
	srv := api.Server("127.0.0.1:0", nil, nil, nil)
	ln, err := api.Listen(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := api.Serve(t.Context(), srv, ln); err == nil {
		t.Error("a closed socket is no error")
	}
	if _, err := api.Listen(t.Context(), api.Server("127.0.0.1:99999", nil, nil, nil)); err == nil {
		t.Error("a port that there is not is no error")
	}
}
