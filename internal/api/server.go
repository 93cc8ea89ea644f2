package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Bounds of a connection. Those of a body are in [Options].
const (
	headerTime = 10 * time.Second
	readTime   = time.Minute // where no handler sets its own
	writeTime  = 2 * time.Minute
	idleTime   = 2 * time.Minute
	stopTime   = 20 * time.Second
	maxHeader  = 16 << 10 // bytes
)

// ErrPlain refuses to serve plain HTTP where others can listen.
var ErrPlain = errors.New("plain HTTP is served on loopback only")

// Server returns the HTTP server of a handler at addr ("127.0.0.1:8080"). With
// a certificate it speaks TLS 1.3 alone, with the hybrid
// X25519MLKEM768 alone; cert nil is for loopback, see [Listen].
func Server(addr string, h http.Handler, cert *tls.Certificate, logger *slog.Logger) *http.Server {
	srv := &http.Server{
		Addr: addr, Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: log.New(connectionLog{logger}, "", 0),
	}
	if cert != nil {
		srv.TLSConfig = TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil })
	}
	return srv
}

// TLS returns the settings of every TLS listener of ours, for a certificate that
// may change: get is asked in each handshake, from many goroutines. A server
// takes them as its TLSConfig.
func TLS(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: get,
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}, // the hybrid alone: an old client must not weaken it
	}
}

// Listen opens the socket of srv. Without a certificate the address must be a
// loopback one, else the error wraps [ErrPlain].
func Listen(ctx context.Context, srv *http.Server) (net.Listener, error) {
	if srv.TLSConfig == nil && !loopback(srv.Addr) {
		return nil, fmt.Errorf("api: listen on %s: %w: give a certificate, or 127.0.0.1", srv.Addr, ErrPlain)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", srv.Addr)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return ln, nil
}

// loopback reports whether addr is an address, not a name, on this machine
// alone. A name could lead elsewhere.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Serve answers on ln until ctx ends, then lets requests under way finish for
// at most 20 s. It returns nil after a stop that was asked for.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener) error {
	if srv.TLSConfig == nil && !loopback(ln.Addr().String()) {
		return fmt.Errorf("api: serve on %s: %w", ln.Addr(), ErrPlain)
	}
	failed := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			failed <- srv.ServeTLS(ln, "", "")
			return
		}
		failed <- srv.Serve(ln)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("api: serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("api: stop: %w", err), srv.Close())
	}
	return nil
}

// connectionLog takes what net/http says of connections, without whose they
// were.
type connectionLog struct{ log *slog.Logger }

func (l connectionLog) Write(p []byte) (int, error) {
	if l.log != nil {
		l.log.Debug("connection", "error", withoutPeer(strings.TrimSpace(string(p))))
	}
	return len(p), nil
}

// withoutPeer cuts " from 192.0.2.1:443" out of a line of net/http.
func withoutPeer(line string) string {
	before, rest, found := strings.Cut(line, " from ")
	if !found {
		return line
	}
	_, after, _ := strings.Cut(rest, ": ")
	return before + ": " + after
}
