package api

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/exchange"
)

// handler lets a request in, in this order: query, signature, bound of the
// body, a place among those being received. Nothing of the body is read before.
func (s *server) handler(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(routeKey, r.path)
		in := &call{server: s, route: &r, echo: c}
		var err error
		in.public = r.public && !claimsSignature(c.Request())
		if !r.open && !in.public {
			if in.caller, err = s.authenticate(c.Request()); err != nil {
				return err
			}
		}
		if in.query, err = readQuery(c.Request().URL.RawQuery, r.query); err != nil {
			return err
		}
		ctx, cancel := s.bound(c, &r)
		defer cancel()
		in.ctx = ctx
		if err := s.admitBody(ctx, c, &r); err != nil {
			return err
		}
		defer s.release(&r)
		if in.public {
			return in.shown(r.handle)
		}
		return r.handle(in)
	}
}

// authenticate verifies the signature of a request under the directory as it is
// on record now, whichever server recorded it. From then on its body ends with
// io.EOF only if it is the one that was signed.
func (s *server) authenticate(r *http.Request) (exchange.Caller, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.AnswerTime)
	defer cancel()
	var behind error
	v, err := request.Verify(r, s.opts.Authority, s.x.Clock.Now(), func(keyID string) (ed25519.PublicKey, bool) {
		if behind = s.x.Follow(ctx); behind != nil {
			return nil, false
		}
		return s.x.Key(keyID)
	})
	if err = cmp.Or(behind, err); err != nil {
		return exchange.Caller{}, err
	}
	return exchange.Caller{Key: v.KeyID, Nonce: v.Nonce}, nil
}

// bound limits the time to receive the body and to answer.
func (s *server) bound(c echo.Context, r *route) (context.Context, context.CancelFunc) {
	receive := s.opts.BodyTime
	if r.chunk {
		receive = s.opts.ChunkTime
	}
	now := time.Now()
	out := http.NewResponseController(c.Response().Writer)
	// A writer that knows no deadlines is a test's; the server's own bounds hold.
	_ = out.SetReadDeadline(now.Add(receive))
	_ = out.SetWriteDeadline(now.Add(receive + s.opts.AnswerTime + writeTime))
	return context.WithTimeout(c.Request().Context(), receive+s.opts.AnswerTime)
}

// admitBody refuses a body that says it is too large at once, and bounds what
// any other can bring. A chunk waits for its place with nothing read, so that
// the sender is held back and not the memory filled.
func (s *server) admitBody(ctx context.Context, c echo.Context, r *route) error {
	req := c.Request()
	if req.ContentLength > r.limit {
		c.Response().Header().Set("Connection", "close") // instead of reading it to the end
		return &http.MaxBytesError{Limit: r.limit}
	}
	req.Body = &body{http.MaxBytesReader(c.Response().Writer, req.Body, r.limit)}
	if r.limit == 0 {
		_, err := io.Copy(io.Discard, req.Body) // to io.EOF, where its digest is known to hold
		return err
	}
	if r.chunk {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// body marks the errors of reading a request, so that they are not taken for
// those of the store.
type body struct{ io.ReadCloser }

type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = bodyError{err}
	}
	return n, err
}

func (s *server) release(r *route) {
	if r.chunk {
		<-s.slots
	}
}
