package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/exchange"
)

// Route is what a test holds against the OpenAPI document.
type Route struct {
	Method, Path string
	Query        []string
	Limit        int64
	Open, Chunk  bool
	Public       bool
}

func Routes() []Route {
	var out []Route
	for _, r := range routes {
		out = append(out, Route{r.method, r.path, r.query, r.limit, r.open, r.chunk, r.public})
	}
	return out
}

// Registered lists what the router answers, as "METHOD /path/:param".
func Registered(h http.Handler) []string {
	var out []string
	for _, r := range h.(*echo.Echo).Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}

// NewFull is New with every place for a chunk taken.
func NewFull(x *exchange.Exchange, opts Options) http.Handler {
	s := newServer(x, opts)
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	return s.echo()
}

// NewBroken is New with one more route, whose handler fails as given.
func NewBroken(x *exchange.Exchange, opts Options, fail func() error) http.Handler {
	s := newServer(x, opts)
	e := s.echo()
	e.GET("/broken", s.handler(route{path: "/broken", open: true, handle: func(*call) error { return fail() }}))
	return e
}

// MaxWaiting is how many may wait at the gate.
const MaxWaiting = maxWaiting

var (
	EchoPath    = echoPath
	StatusOf    = statusOf
	WithoutPeer = withoutPeer
	ReadQuery   = readQuery
	ReadNumber  = readNumber
	OpenAPI     = openAPI
)
