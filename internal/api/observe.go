package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
)

// routeKey is where a handler leaves its route, for the log.
const routeKey = "odziv.route"

// observe is around everything: it sets the fields every answer has, turns
// errors and panics into problems, and logs what may be logged.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started, id := time.Now(), requestID()
		s.setFields(c)
		err := s.run(next, c, id)
		if err != nil && !c.Response().Committed {
			err = s.decline(c, id, err)
		}
		s.log(c, id, time.Since(started))
		if err != nil {
			s.breakOff(c, id, err)
		}
		return nil
	}
}

func requestID() string {
	var r [8]byte
	rand.Read(r[:]) // never fails since Go 1.24
	return hex.EncodeToString(r[:])
}

// setFields sets what every answer carries. Date is the exchange's own time,
// from which a client corrects its clock.
func (s *server) setFields(c echo.Context) {
	h := c.Response().Header()
	h.Set("Date", time.UnixMilli(s.x.Clock.Now()).UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if c.Request().TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

// run calls the handler; a panic in it is an error like any other.
func (s *server) run(next echo.HandlerFunc, c echo.Context, id string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.opts.Log.Error("panic", "request", id, "stack", statement.Redact(string(debug.Stack())))
		}
	}()
	if c.Request().Method == http.MethodOptions && c.Get(echo.ContextKeyHeaderAllow) != nil {
		return echo.MethodNotAllowedHandler(c) // the router would answer by itself
	}
	return next(c)
}

// decline answers with the problem of err. What the caller may not know goes to
// the log, under the id that the answer names.
func (s *server) decline(c echo.Context, id string, err error) error {
	p := problemOf(err)
	var failure interface{ Hint() string } // the store's; what it is concerns the operator alone
	switch {
	case p != nil:
	case errors.As(err, &failure):
		s.opts.Log.Error("the store failed", "request", id, "error", statement.Redact(err.Error()), "hint", failure.Hint())
		p = wire.NewProblem(http.StatusServiceUnavailable, "store", "the exchange's database does not answer", "send the same request again; it cannot be recorded twice")
	default:
		s.opts.Log.Error("internal error", "request", id, "error", statement.Redact(err.Error()))
		p = wire.NewProblem(http.StatusInternalServerError, "internal", "", "send the same request again; if it fails again, tell the operator the instance")
		p.Instance = "urn:odziv:request:" + id
	}
	return writeProblem(c, p)
}

// breakOff ends the connection, which alone tells that an answer is not whole.
// Whether the caller went away first is no matter for the log.
func (s *server) breakOff(c echo.Context, id string, err error) {
	if c.Request().Context().Err() == nil {
		s.opts.Log.Error("answer broke off", "request", id, "error", statement.Redact(err.Error()))
	}
	panic(http.ErrAbortHandler)
}

// log writes one line without identifiers: the route as it is spelled in the
// document, never the path.
func (s *server) log(c echo.Context, id string, took time.Duration) {
	path, ok := c.Get(routeKey).(string)
	if !ok {
		path = "none"
	}
	level := slog.LevelInfo
	if c.Response().Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.opts.Log.LogAttrs(c.Request().Context(), level, "request",
		slog.String("method", method(c.Request().Method)), slog.String("route", path), slog.Int("status", c.Response().Status),
		slog.Duration("took", took), slog.String("request", id))
}

// method keeps what a stranger invents out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodPut, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}
