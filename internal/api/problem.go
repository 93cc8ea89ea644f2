package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
)

// statusOf says which status a class of refusal is.
var statusOf = map[exchange.Class]int{
	exchange.Malformed:     http.StatusBadRequest,
	exchange.Unauthentic:   http.StatusUnauthorized,
	exchange.Forbidden:     http.StatusForbidden,
	exchange.Missing:       http.StatusNotFound,
	exchange.Conflicting:   http.StatusConflict,
	exchange.TooLarge:      http.StatusRequestEntityTooLarge,
	exchange.Unprocessable: http.StatusUnprocessableEntity,
	exchange.Unavailable:   http.StatusServiceUnavailable,
}

// passing are the codes of 503 that a moment cures.
var passing = map[string]bool{"busy": true, "no_checkpoint": true, "stopping": true, "store": true}

// problemOf turns an error into what the caller may know of it, or nil when
// that is nothing.
func problemOf(err error) *wire.Problem {
	if r, ok := exchange.AsRefusal(err); ok {
		return wire.NewProblem(statusOf[r.Class], r.Code, r.Detail, r.Hint)
	}
	if p := signatureProblem(err); p != nil {
		return p
	}
	var tooLarge *http.MaxBytesError
	var route *echo.HTTPError
	var body bodyError
	switch {
	case errors.As(err, &tooLarge):
		return wire.NewProblem(http.StatusRequestEntityTooLarge, "too_large", "",
			"see "+wire.PathOpenAPI+" for the bound of this path; a part is sent in chunks")
	case errors.As(err, &route) && route.Code == http.StatusMethodNotAllowed:
		return wire.NewProblem(http.StatusMethodNotAllowed, "method", "", "see the Allow field")
	case errors.As(err, &route) && route.Code == http.StatusNotFound:
		return wire.NewProblem(http.StatusNotFound, "not_found", "", "see "+wire.PathOpenAPI+" for the paths there are")
	case errors.As(err, &body) && errors.Is(err, os.ErrDeadlineExceeded):
		return wire.NewProblem(http.StatusRequestTimeout, "timeout", "", "send the same request again; a part in smaller chunks")
	case errors.As(err, &body):
		return wire.NewProblem(http.StatusBadRequest, "malformed", "the body ended early", "send the same request again")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return wire.NewProblem(http.StatusServiceUnavailable, "busy", "", "send the same request again; it cannot be recorded twice")
	}
	return nil
}

// signatureProblem says what is wrong with a request's signature, or nil.
func signatureProblem(err error) *wire.Problem {
	for _, s := range []struct {
		is                 error
		code, detail, hint string
	}{
		{request.ErrClockSkew, "clock-skew", "", "sign again with the time of the Date field"},
		{request.ErrAuthority, "signature", "the request was signed for another host", "check the address of the exchange"},
		{request.ErrUnknownKey, "signature", "the key is not in the directory, or no longer", "ask a registrar of your institution"},
		{request.ErrDigest, "signature", "the body is not the one that was signed", "send the same request again"},
		{request.ErrSignature, "signature", "", "sign the request as docs/api.md describes"},
	} {
		if errors.Is(err, s.is) {
			return wire.NewProblem(http.StatusUnauthorized, s.code, s.detail, s.hint)
		}
	}
	return nil
}

// writeProblem answers with a problem. Nothing was sent before.
func writeProblem(c echo.Context, p *wire.Problem) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "odziv-req-v1")
	}
	if passing[p.Code] {
		h.Set("Retry-After", "1")
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.Blob(p.Status, wire.Problems, body)
}
