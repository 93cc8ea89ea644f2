package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
)

// A call is one request that was let in: its signature holds, or its route needs
// none, its query has only the members of the route, its body is bounded.
type call struct {
	*server
	ctx    context.Context
	route  *route
	echo   echo.Context
	query  url.Values
	caller exchange.Caller
	public bool // nobody signed: caller is empty, and only what anyone may see is shown
}

func malformed(format string, args ...any) *exchange.Refusal {
	return &exchange.Refusal{Class: exchange.Malformed, Code: "malformed", Detail: fmt.Sprintf(format, args...),
		Hint: "see " + wire.PathOpenAPI + " for what the path and the query may hold"}
}

// readQuery wants each member at most once, and none the route does not know:
// a misspelled one would silently be ignored.
func readQuery(raw string, known []string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, malformed("the query cannot be read")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, malformed("the query has a member that this path does not know")
		}
		if len(values) != 1 {
			return nil, malformed("%s occurs more than once in the query", name)
		}
	}
	return query, nil
}

// id returns a path parameter that is an identifier of kind prefix.
func (c *call) id(name, prefix string) (string, error) {
	v := c.echo.Param(name)
	if !statement.IsID(v, prefix) {
		return "", malformed("%s in the path is no identifier of kind %s_", name, prefix)
	}
	return v, nil
}

// hash returns a path parameter that is the hex of a SHA-256.
func (c *call) hash(name string) (string, error) {
	v := c.echo.Param(name)
	if !statement.IsHash(v) {
		return "", malformed("%s in the path is no SHA-256 in lower-case hex", name)
	}
	return v, nil
}

func (c *call) number(name string, low, high int64) (int64, error) {
	return readNumber(name, c.echo.Param(name), low, high)
}

// queryID returns a member of the query that is an identifier, and must be there.
func (c *call) queryID(name, prefix string) (string, error) {
	v := c.query.Get(name)
	if !statement.IsID(v, prefix) {
		return "", malformed("%s in the query is absent or no identifier of kind %s_", name, prefix)
	}
	return v, nil
}

// queryNumber returns a member of the query, or otherwise when it is absent.
func (c *call) queryNumber(name string, low, high, otherwise int64) (int64, error) {
	if !c.query.Has(name) {
		return otherwise, nil
	}
	return readNumber(name, c.query.Get(name), low, high)
}

// limit is how many rows the caller wants.
func (c *call) limit() (int, error) {
	n, err := c.queryNumber("limit", 1, wire.MaxPage, wire.MaxPage)
	return int(n), err
}

// flag reads a member that is true, false or absent.
func (c *call) flag(name string) (bool, error) {
	switch v := c.query.Get(name); {
	case v == "true":
		return true, nil
	case v == "false", !c.query.Has(name):
		return false, nil
	}
	return false, malformed("%s in the query is neither true nor false", name)
}

// readNumber admits one spelling of a number: no sign but a needed minus, no
// zero in front.
func readNumber(name, s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s || n < low || n > high {
		return 0, malformed("%s is no whole number from %d to %d", name, low, high)
	}
	return n, nil
}

// body returns the whole body, of which the digest is known to be the signed one.
func (c *call) body() ([]byte, error) {
	return io.ReadAll(c.echo.Request().Body)
}

// json answers with v.
func (c *call) json(v any) error {
	data, err := wire.Encode(v)
	if err != nil {
		return err
	}
	return c.blob(wire.JSON, data)
}

func (c *call) blob(mediaType string, data []byte) error {
	c.echo.Response().Header().Set("Content-Length", strconv.Itoa(len(data)))
	return c.echo.Blob(http.StatusOK, mediaType, data)
}

func (c *call) done() error { return c.echo.NoContent(http.StatusNoContent) }
