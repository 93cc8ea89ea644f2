package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/ledger"
)

// forever is how long a cache may keep what never changes, in seconds.
const forever = 31536000

// getCheckpoint answers members with the latest, which no cache may keep, and
// anyone with the one that moves on every quarter of an hour.
func getCheckpoint(c *call) error {
	read := c.x.Checkpoint
	if c.public {
		read = c.x.PublicCheckpoint
	}
	note, err := read(c.ctx, c.log())
	if err != nil {
		return err
	}
	c.cache(0)
	return c.blob(wire.Text, note)
}

// getTile answers with a hash tile or an entry bundle (C2SP tlog-tiles).
func getTile(c *call) error {
	t, err := c.tile()
	if err != nil {
		return err
	}
	read := c.x.Tile
	if c.public {
		read = c.x.PublicTile
	}
	data, err := read(c.ctx, c.log(), t)
	if err != nil {
		return err
	}
	c.cache(forever)
	if t.L == ledger.EntryLevel {
		data = c.compressed(data)
	}
	return c.blob(wire.Bytes, data)
}

// getProof answers members with a proof that is the same for ever or, before a
// quorum was met, with a provisional one; anyone with one under the public
// checkpoint.
func getProof(c *call) error {
	idx, err := c.number("idx", 0, maxNumber)
	if err != nil {
		return err
	}
	var proof []byte
	frozen := false
	if c.public {
		proof, err = c.x.PublicProof(c.ctx, c.log(), idx)
	} else {
		proof, frozen, err = c.x.Proof(c.ctx, c.log(), idx)
	}
	if err != nil {
		return err
	}
	if frozen {
		c.cache(forever)
	} else {
		c.cache(0)
	}
	return c.blob(wire.Text, proof)
}

// cache says for how long an answer may be kept, in seconds: by anyone's cache
// if anyone may see it. What moves on is kept from members' caches altogether,
// and from others' for a minute.
func (c *call) cache(seconds int) {
	field := "private, max-age=" + strconv.Itoa(seconds) + ", immutable"
	switch {
	case seconds == 0 && !c.public:
		field = "no-store"
	case seconds == 0:
		field = "public, max-age=60"
	case c.public:
		field = "public, max-age=" + strconv.Itoa(seconds) + ", immutable"
	}
	h := c.echo.Response().Header()
	h.Set("Cache-Control", field)
	h.Set("Vary", "Signature") // a member is never given what a cache keeps for the public
}

// compressed is data as the caller accepts it: entries repeat themselves.
func (c *call) compressed(data []byte) []byte {
	h := c.echo.Response().Header()
	h.Set("Vary", "Signature, Accept-Encoding")
	if !acceptsGzip(c.echo.Request().Header) {
		return data
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // fails for an unknown level alone
	_, _ = z.Write(data)                            // a buffer takes everything
	if z.Close() != nil || b.Len() >= len(data) {
		return data
	}
	h.Set("Content-Encoding", "gzip")
	return b.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3). Only gzip by its name
// counts, without a weight of zero.
func acceptsGzip(h http.Header) bool {
	accepted := strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",")
	return slices.ContainsFunc(accepted, func(coding string) bool {
		name, weight, weighted := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return false
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(weight)), "q="), 64)
		return !weighted || err == nil && q > 0
	})
}
