package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/odziv/odziv/internal/api"
)

// issue makes a certificate that signs itself, and its key, both PEM.
func issue(t *testing.T, serial int64, from, until time.Time) (cert, key []byte) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: from, NotAfter: until, DNSNames: []string{"exchange.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// replace puts a file in the place of another, as a program that renews does.
func replace(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(name+".new", data, 0o600), os.Rename(name+".new", name)); err != nil {
		t.Fatal(err)
	}
}

// listenTLS serves settings until the test ends.
func listenTLS(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	srv := api.Server("127.0.0.1:0", http.NotFoundHandler(), nil, nil)
	srv.TLSConfig = config
	l, err := api.Listen(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, srv, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// shown is the serial number of the certificate that a client is shown.
func shown(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "exchange.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A certificate that is replaced is shown to the next client, by the server that
// runs. What makes no pair is not taken, whatever order it arrives in.
func TestCertificateIsReplaced(t *testing.T) {
	dir, log := t.TempDir(), &bytes.Buffer{}
	certFile, keyFile := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	now := time.Now()
	cert, key := issue(t, 1, now.Add(-time.Hour), now.AddDate(1, 0, 0))
	replace(t, certFile, cert)
	replace(t, keyFile, key)
	c, err := (&tlsFlags{cert: certFile, key: keyFile}).open(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := listenTLS(t, c.config())
	want := func(serial int64, when string) {
		t.Helper()
		if got := shown(t, address); got != serial {
			t.Errorf("%s: certificate %d, want %d", when, got, serial)
		}
	}
	want(1, "at first")

	cert, key = issue(t, 2, now.AddDate(-1, 0, 0), now.AddDate(0, 0, 10))
	replace(t, certFile, cert[:len(cert)/2])
	want(1, "half a certificate")
	replace(t, certFile, cert)
	want(1, "a certificate without its key")
	want(1, "and again")
	replace(t, keyFile, key)
	want(2, "both")
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	want(2, "the file is away")
	cert, key = issue(t, 3, now.Add(-time.Hour), now.Add(-time.Minute))
	replace(t, keyFile, key)
	replace(t, certFile, cert)
	want(3, "an expired one is the administrator's will")

	said := log.String()
	for _, line := range []string{"expires soon", "no client accepts the certificate", "it has expired"} {
		if strings.Count(said, line) != 1 {
			t.Errorf("%q is not told once:\n%s", line, said)
		}
	}
	// Half a certificate, and a whole one beside the old key: each is told once,
	// however many clients come.
	if n := strings.Count(said, "not taken"); n != 2 && n != 3 {
		t.Errorf("refusals are told %d times:\n%s", n, said)
	}
	if strings.Contains(said, "PRIVATE") {
		t.Errorf("the log holds a key:\n%s", said)
	}
}

func TestExpiry(t *testing.T) {
	at := func(days float64) time.Time {
		return time.Unix(1_800_000_000, 0).Add(time.Duration(days * 24 * float64(time.Hour)))
	}
	for name, c := range map[string]struct {
		from, until, now float64
		want             error
	}{
		"fresh":               {0, 90, 1, nil},
		"fifteen days left":   {0, 90, 75, nil},
		"thirteen days left":  {0, 90, 77, errExpires},
		"short lived":         {0, 6, 4, nil},
		"short lived, at end": {0, 6, 5, errExpires},
		"expired":             {0, 90, 90.1, errExpired},
		"too new":             {1, 90, 0, errTooNew},
	} {
		if err := expiry(at(c.now), &x509.Certificate{NotBefore: at(c.from), NotAfter: at(c.until)}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTLSFlagsRefuse(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	good := acmeFlags{hosts: []string{"exchange.example.rs"}, dir: filepath.Join(dir, "acme"), url: "https://acme.example/dir"}
	with := func(change func(*acmeFlags)) tlsFlags {
		f := good
		change(&f)
		return tlsFlags{acme: f}
	}
	for name, f := range map[string]tlsFlags{
		"no key":          {cert: "chain.pem"},
		"no certificate":  {key: "key.pem"},
		"both":            {cert: "chain.pem", key: "key.pem", acme: good},
		"no such file":    {cert: filepath.Join(dir, "chain.pem"), key: filepath.Join(dir, "key.pem")},
		"no folder":       with(func(f *acmeFlags) { f.dir = "" }),
		"no name":         with(func(f *acmeFlags) { f.hosts = nil }),
		"an address":      with(func(f *acmeFlags) { f.hosts = []string{"192.0.2.1"} }),
		"a wildcard":      with(func(f *acmeFlags) { f.hosts = []string{"*.example.rs"} }),
		"upper case":      with(func(f *acmeFlags) { f.hosts = []string{"Exchange.example.rs"} }),
		"a short name":    with(func(f *acmeFlags) { f.hosts = []string{"localhost"} }),
		"a port":          with(func(f *acmeFlags) { f.hosts = []string{"exchange.example.rs:443"} }),
		"a plain address": with(func(f *acmeFlags) { f.url = "http://acme.example/dir" }),
		"no roots":        with(func(f *acmeFlags) { f.roots = filepath.Join(dir, "roots.pem") }),
		"an open folder":  with(func(f *acmeFlags) { f.dir = open }),
	} {
		if _, err := f.open(slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := (&tlsFlags{acme: good}).open(slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(good.dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder of keys: %v %v", st.Mode(), err)
	}
	if c, err := (&tlsFlags{}).open(nil); c != nil || err != nil {
		t.Errorf("plain: %v %v", c, err)
	}
}

// A handshake never makes the server ask the authority: what strangers knock for
// must not use up the failures that the authority allows. Only watch does.
func TestHandshakesDoNotAskTheAuthority(t *testing.T) {
	asked := make(chan struct{}, 100)
	authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer authority.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	replace(t, roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}))
	log := &bytes.Buffer{}
	f := acmeFlags{hosts: []string{"exchange.example"}, dir: filepath.Join(t.TempDir(), "acme"), url: authority.URL, roots: roots}
	a, err := f.open(slog.New(slog.NewTextHandler(log, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	address := listenTLS(t, a.config())
	for _, hello := range []*tls.Config{
		{ServerName: "exchange.example"}, {ServerName: "other.example"}, {},
		{ServerName: "exchange.example", NextProtos: []string{acme.ALPNProto}},
		{ServerName: "other.example", NextProtos: []string{acme.ALPNProto}},
	} {
		hello.InsecureSkipVerify = true
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := tls.Client(raw, hello).Handshake(); err == nil {
			t.Errorf("%q %v is answered", hello.ServerName, hello.NextProtos)
		}
		raw.Close()
	}
	if len(asked) != 0 {
		t.Error("a handshake asked the authority")
	}
	if a.look() || len(asked) == 0 || !strings.Contains(log.String(), "no certificate") {
		t.Errorf("asked %d times: %s", len(asked), log)
	}
}

func TestReasonOfAnAuthority(t *testing.T) {
	err := error(&acme.Error{Detail: "rate limited", StatusCode: 429})
	if got := acmeReason(err); got != "rate limited" {
		t.Error(got)
	}
	if got := acmeReason(errors.New("a\nb")); got != "a b" {
		t.Error(got)
	}
}

// Doctor reads what the listener would show, a chain or what ACME keeps, and says
// when it ends.
func TestDoctorLooksAtCertificates(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		from, until time.Time
		level       string
	}{
		"good":    {now.AddDate(0, 0, -1), now.AddDate(0, 3, 0), "ok"},
		"soon":    {now.AddDate(-1, 0, 0), now.AddDate(0, 0, 3), "warn"},
		"expired": {now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1), "fail"},
	} {
		dir := t.TempDir()
		cert, key := issue(t, 1, c.from, c.until)
		chain := filepath.Join(dir, "chain.pem")
		replace(t, chain, cert)
		acmeDir := filepath.Join(dir, "acme")
		if err := os.Mkdir(acmeDir, 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, filepath.Join(acmeDir, "exchange.example.rs"), append(key, cert...))
		replace(t, filepath.Join(acmeDir, "acme_account+key"), key)
		d := &doctor{}
		d.certificates(chain, acmeDir)
		if len(d.lines) != 2 || d.lines[0].Level != c.level || d.lines[1].Level != c.level || d.failed != (c.level == "fail") {
			t.Errorf("%s: %+v", name, d.lines)
		}
	}
	d := &doctor{}
	d.certificates(filepath.Join(t.TempDir(), "none.pem"), t.TempDir())
	if len(d.lines) == 0 || !d.failed {
		t.Errorf("no certificate at all: %+v", d.lines)
	}
	d = &doctor{}
	if d.certificates("", ""); len(d.lines) != 0 {
		t.Errorf("behind a proxy: %+v", d.lines)
	}
}
