package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/cli"
)

// certificates is where the certificate of a listener comes from.
type certificates interface {
	// config returns the settings of the listener.
	config() *tls.Config
	// watch takes up and renews certificates, and tells the log of those that
	// expire, until ctx ends.
	watch(ctx context.Context)
}

// tlsFlags are the flags of serve that say so.
type tlsFlags struct {
	cert, key string
	acme      acmeFlags
}

func (f *tlsFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cert, "tls-cert", "", "certificate chain, PEM; read again when the file changes")
	cmd.Flags().StringVar(&f.key, "tls-key", "", "its private key, PEM")
	f.acme.add(cmd)
}

// open returns nil where the listener speaks plain HTTP.
func (f *tlsFlags) open(log *slog.Logger) (certificates, error) {
	switch {
	case (f.cert == "") != (f.key == ""):
		return nil, cli.UsageError("--tls-cert and --tls-key belong together")
	case f.cert != "" && f.acme.given():
		return nil, cli.UsageError("give a certificate (--tls-cert, --tls-key) or --acme, not both")
	case f.cert != "":
		return openCertificateFiles(f.cert, f.key, log, time.Now)
	case f.acme.given():
		return f.acme.open(log, time.Now)
	}
	return nil, nil
}

// certificateFiles is a certificate and its key in two files. What replaces them
// is taken at the next handshake; what replaces them and makes no pair, such as a
// half-written one, is told once and not taken.
type certificateFiles struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	loaded  *tls.Certificate
	taken   stamps // of the files that loaded is made of
	refused stamps // of the files that made no pair
}

// stamps tell whether one of two files is another than it was.
type stamps [2]struct {
	inode, size int64
	changed     syscall.Timespec
}

func stampsOf(names ...string) (s stamps, err error) {
	for i, name := range names {
		var st syscall.Stat_t
		if err := syscall.Stat(name, &st); err != nil {
			return s, &os.PathError{Op: "stat", Path: name, Err: err}
		}
		s[i].inode, s[i].size, s[i].changed = int64(st.Ino), st.Size, st.Ctim
	}
	return s, nil
}

func openCertificateFiles(cert, key string, log *slog.Logger, now func() time.Time) (*certificateFiles, error) {
	c := &certificateFiles{certFile: cert, keyFile: key, log: log, now: now}
	stamps, err := stampsOf(cert, key)
	if err != nil {
		return nil, err
	}
	if err := c.load(stamps); err != nil {
		return nil, err
	}
	return c, nil
}

// load takes the pair in the files. The stamps were taken before it reads: what is
// written in between differs from them, and is read at the next handshake.
func (c *certificateFiles) load(of stamps) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%s: %w", c.certFile, err)
	}
	c.loaded, c.taken = &pair, of
	c.tell()
	return nil
}

func (c *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps, err := stampsOf(c.certFile, c.keyFile)
	if err != nil || stamps == c.taken || stamps == c.refused {
		return c.loaded, nil // a file that is just being replaced may be missing
	}
	if err := c.load(stamps); err != nil {
		c.refused = stamps
		c.log.Error("the new certificate is not taken, the old one stays", "error", err)
	}
	return c.loaded, nil
}

func (c *certificateFiles) config() *tls.Config { return api.TLS(c.get) }

// watchEvery is how often a certificate that no client asks for is looked at.
const watchEvery = 12 * time.Hour

func (c *certificateFiles) watch(ctx context.Context) {
	every(ctx, watchEvery, func() {
		before := c.current()
		if after, _ := c.get(nil); after == before {
			c.tell()
		}
	})
}

func (c *certificateFiles) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loaded
}

// tell says until when the certificate is valid.
func (c *certificateFiles) tell() { tellExpiry(c.log, c.now(), c.loaded.Leaf) }

// every calls f after each period until ctx ends.
func every(ctx context.Context, period time.Duration, f func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

func tellExpiry(log *slog.Logger, now time.Time, leaf *x509.Certificate) {
	until := slog.String("until", leaf.NotAfter.UTC().Format(time.DateTime))
	switch err := expiry(now, leaf); {
	case errors.Is(err, errExpires):
		log.Warn("the certificate expires soon", until)
	case err != nil:
		log.Error("no client accepts the certificate", "error", err, until)
	default:
		log.Info("certificate", until)
	}
}

// expiresSoon is when whoever renews certificates by hand must be told. Programs
// that renew begin at 30 days, or at a third of a shorter life.
const expiresSoon = 14 * 24 * time.Hour

var (
	errExpires = errors.New("it expires soon")
	errExpired = errors.New("it has expired")
	errTooNew  = errors.New("it is not valid yet")
)

// expiry returns nil for a certificate with time left: more than 14 days, or a
// fifth of its life if that is shorter.
func expiry(now time.Time, leaf *x509.Certificate) error {
	left := leaf.NotAfter.Sub(now)
	switch {
	case left < 0:
		return errExpired
	case now.Before(leaf.NotBefore):
		return errTooNew
	case left < min(expiresSoon, leaf.NotAfter.Sub(leaf.NotBefore)/5):
		return errExpires
	}
	return nil
}

// certificates looks at what the listener shows, as far as files tell: a chain, or
// the folder of ACME.
func (d *doctor) certificates(chain, acmeDir string) {
	files := []string{}
	if chain != "" {
		files = append(files, chain)
	}
	if acmeDir != "" {
		names, err := os.ReadDir(acmeDir)
		if err != nil {
			d.fail("certificate", err, "")
		}
		for _, name := range names {
			if acmeHost(name.Name()) {
				files = append(files, filepath.Join(acmeDir, name.Name()))
			}
		}
	}
	for _, file := range files {
		d.certificate(file)
	}
	if acmeDir != "" && len(files) == 0 {
		d.fail("certificate", errNoCertificate, "the log of odzivd serve says why; the authority must reach port 443 of the name")
	}
}

func (d *doctor) certificate(file string) {
	leaf, err := readLeaf(file)
	if err != nil {
		d.fail("certificate", err, "")
		return
	}
	said := fmt.Sprintf("%s: until %s", file, leaf.NotAfter.UTC().Format(time.DateTime))
	switch err := expiry(time.Now(), leaf); {
	case errors.Is(err, errExpires):
		d.warn("certificate", said, "get a new one and put it in the place of this one; the server takes it by itself")
	case err != nil:
		d.fail("certificate", fmt.Errorf("%s: %w", said, err), "no client connects: put a valid one in its place")
	default:
		d.ok("certificate", "%s", said)
	}
}

// readLeaf returns the first certificate of a file, which may hold a key before it.
func readLeaf(file string) (*x509.Certificate, error) {
	data, err := cli.ReadFile(file, 1<<20)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("%s: there is no certificate in it", file)
}
