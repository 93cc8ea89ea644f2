package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// claimsSignature reports whether a request is to be judged as a signed one. A
// bad signature is never answered as none.
func claimsSignature(r *http.Request) bool {
	return r.Header.Values("Signature") != nil || r.Header.Values("Signature-Input") != nil
}

// shown answers a request that nobody signed. Whatever anyone may not see, or
// that there is not, gets the one answer of a path that there is not.
func (c *call) shown(handle func(*call) error) error {
	leave, err := c.gate.enter(c.ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = handle(c)
	if r, ok := exchange.AsRefusal(err); ok && (r.Class == exchange.Missing || r.Class == exchange.Malformed) {
		return echo.ErrNotFound
	}
	return err
}

// tile is the tile that the path names, in its one spelling.
func (c *call) tile() (tlog.Tile, error) {
	path := c.echo.Request().URL.EscapedPath()[len("/"+c.log().String()+"/"):]
	t, err := ledger.ParseTilePath(path)
	if err != nil {
		return t, malformed("the path names no tile")
	}
	return t, nil
}

// maxWaiting bounds the requests without a signature that wait at the gate.
const maxWaiting = 256

// A gate lets a bounded number of requests through at once, and a bounded number
// wait: those who sign are not to wait for those who do not.
type gate struct{ waiting, inside chan struct{} }

func newGate(width int) gate {
	return gate{waiting: make(chan struct{}, maxWaiting), inside: make(chan struct{}, width)}
}

// enter waits for a place. Who was let in calls leave.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.waiting <- struct{}{}:
	default:
		return nil, busy()
	}
	defer func() { <-g.waiting }()
	select {
	case g.inside <- struct{}{}:
		return func() { <-g.inside }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func busy() error {
	return &exchange.Refusal{Class: exchange.Unavailable, Code: "busy", Hint: "send the same request again"}
}
