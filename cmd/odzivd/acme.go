package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/cli"
)

// acmeFlags are the flags of serve for a certificate that an authority gives by
// itself (RFC 8555), proven by TLS-ALPN-01 (RFC 8737) on the listener's own port.
type acmeFlags struct {
	hosts           []string
	dir, url, roots string
}

func (f *acmeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.hosts, "acme", nil, "names to get a certificate for by ACME, which accepts the authority's terms")
	cmd.Flags().StringVar(&f.dir, "acme-dir", "", "folder for the account's and the certificates' keys, mode 700; servers on one name share it")
	cmd.Flags().StringVar(&f.url, "acme-url", autocert.DefaultACMEDirectory, "the authority's directory")
	cmd.Flags().StringVar(&f.roots, "acme-ca", "", "whom to believe that it is the authority, PEM (default: the machine's roots)")
}

func (f *acmeFlags) given() bool { return len(f.hosts) > 0 || f.dir != "" || f.roots != "" }

func (f *acmeFlags) open(log *slog.Logger, now func() time.Time) (*acmeCertificates, error) {
	if len(f.hosts) == 0 || f.dir == "" {
		return nil, cli.UsageError("--acme and --acme-dir belong together")
	}
	for _, host := range f.hosts {
		if !acmeHost(host) {
			return nil, cli.UsageError("--acme: %.40q is no name that an authority certifies, such as exchange.example.rs", host)
		}
	}
	if u, err := url.Parse(f.url); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, cli.UsageError("--acme-url: give an address that begins with https://")
	}
	if err := acmeFolder(f.dir); err != nil {
		return nil, err
	}
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	return &acmeCertificates{log: log, now: now, hosts: f.hosts, had: map[string]bool{}, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(f.dir), HostPolicy: autocert.HostWhitelist(f.hosts...), Client: client,
	}}, nil
}

// acmeHost wants a name of at least two parts in lower case, neither an address
// nor a wildcard, which TLS-ALPN-01 cannot prove.
func acmeHost(host string) bool {
	parts := strings.Split(host, ".")
	top := parts[len(parts)-1]
	return len(parts) > 1 && len(host) <= 253 && !slices.Contains(parts, "") &&
		strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && strings.Trim(top, "0123456789") != ""
}

// acmeFolder makes the folder, or refuses one that others can look into: it holds
// private keys.
func acmeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return cli.Hint(fmt.Errorf("%s can be read by others", dir), "it holds private keys: chmod 700 %s", dir)
	}
	return nil
}

func (f *acmeFlags) client() (*acme.Client, error) {
	client := &acme.Client{DirectoryURL: f.url, UserAgent: "odzivd"}
	if f.roots == "" {
		return client, nil
	}
	pem, err := cli.ReadFile(f.roots, 1<<20)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: there is no certificate in it", f.roots)
	}
	client.HTTPClient = &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	return client, nil
}

// acmeCertificates gets and renews certificates while it serves.
type acmeCertificates struct {
	manager *autocert.Manager
	hosts   []string
	log     *slog.Logger
	now     func() time.Time

	mu  sync.Mutex
	had map[string]bool // names with a certificate
}

func (a *acmeCertificates) config() *tls.Config {
	c := api.TLS(a.get)
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
			return nil, nil // the listener's own
		}
		// The authority's question. No request is ever read from this connection, so
		// that it may speak the curves that the authority knows.
		return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{acme.ALPNProto}, GetCertificate: a.manager.GetCertificate,
			SessionTicketsDisabled: true}, nil
	}
	return c
}

// errNoCertificate is what a client meets before the first certificate is there.
var errNoCertificate = errors.New("there is no certificate for this name")

// get answers handshakes, and never asks the authority: clients that knock again
// and again would use up the failures it allows.
func (a *acmeCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	had := a.had[hello.ServerName]
	a.mu.Unlock()
	if !had {
		return nil, errNoCertificate
	}
	return a.obtain(hello.ServerName)
}

// obtain returns the certificate of a name, from the authority if there is none.
// It is of ECDSA, which every client with TLS 1.3 can check, whatever the client
// says of itself: the manager takes a hello with neither P-256 nor an old suite
// for one that needs RSA, and would get a second certificate for it.
func (a *acmeCertificates) obtain(host string) (*tls.Certificate, error) {
	return a.manager.GetCertificate(&tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
}

// How long until a certificate that was not to be had is asked for again. Let's
// Encrypt allows five failures per name and hour.
const (
	acmeRetry = 15 * time.Minute
	acmeSoon  = 2 * time.Second // until the listener answers
)

// watch gets what is missing, and tells twice a day of certificates that were not renewed.
func (a *acmeCertificates) watch(ctx context.Context) {
	wait := acmeSoon
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if wait = watchEvery; !a.look() {
			wait = acmeRetry
		}
	}
}

// look reports whether every name has a certificate.
func (a *acmeCertificates) look() bool {
	all := true
	for _, host := range a.hosts {
		cert, err := a.obtain(host)
		if err != nil {
			a.log.Error("no certificate", "host", host, "error", acmeReason(err))
			all = false
			continue
		}
		a.mu.Lock()
		a.had[host] = true
		a.mu.Unlock()
		tellExpiry(a.log, a.now(), cert.Leaf)
	}
	return all
}

// acmeReason says which problem the authority has in a line, its detail first.
func acmeReason(err error) string {
	if problem := (*acme.Error)(nil); errors.As(err, &problem) && problem.Detail != "" {
		return problem.Detail
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
