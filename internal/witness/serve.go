package witness

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxAtOnce bounds the requests in work; more are told to come again.
const maxAtOnce = 16

// Handler serves POST /add-checkpoint with the statuses of C2SP tlog-witness,
// and besides them 503 with Retry-After for what may succeed later, and 403 for
// a checkpoint whose entries break rules that the witness enforces.
func (w *Witness) Handler(log *slog.Logger) http.Handler {
	slots := make(chan struct{}, maxAtOnce)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, func(rw http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			w.serve(rw, r, log)
		default:
			answer(rw, refuse(http.StatusServiceUnavailable, "too much to do"))
		}
	})
	return mux
}

func (w *Witness) serve(rw http.ResponseWriter, r *http.Request, log *slog.Logger) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, MaxRequest))
	if err != nil {
		answer(rw, refuse(http.StatusBadRequest, "the request cannot be read"))
		return
	}
	line, err := w.Add(r.Context(), body)
	var refusal *Refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(line) // whoever went away asks again
	case errors.As(err, &refusal):
		log.Info("a checkpoint was not cosigned", "status", refusal.Status, "why", refusal.Why)
		answer(rw, refusal)
	default:
		log.Error("a checkpoint could not be cosigned", "error", err)
		answer(rw, refuse(http.StatusInternalServerError, "the witness failed"))
	}
}

func answer(rw http.ResponseWriter, r *Refusal) {
	switch r.Status {
	case http.StatusConflict:
		rw.Header().Set("Content-Type", sizeMedia)
		rw.WriteHeader(r.Status)
		fmt.Fprintf(rw, "%d\n", r.Size)
		return
	case http.StatusServiceUnavailable:
		rw.Header().Set("Retry-After", "10")
	}
	http.Error(rw, r.Why, r.Status)
}

// ErrPlain says that plain HTTP was to be served beyond this machine.
var ErrPlain = errors.New("plain HTTP is served on loopback alone: give a certificate")

// Listen opens an address: plain on loopback, TLS 1.3 with a certificate.
func Listen(ctx context.Context, address string, cert *tls.Certificate) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	if cert == nil && !Loopback(host) {
		return nil, fmt.Errorf("witness: %s: %w", address, ErrPlain)
	}
	var plain net.ListenConfig
	l, err := plain.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	if cert == nil {
		return l, nil
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}), nil
}

// Serve answers until ctx ends; what was begun then has five seconds to end.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 15 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		return srv.Close()
	}
	return err
}
