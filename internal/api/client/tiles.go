package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/ledger"
)

// Public returns a client without a key, of the exchange at base: for auditors
// and everyone else. It reads the checkpoints, the tiles of the evidence tree
// and its proofs as they stood at the last quarter of an hour, and Status.
func Public(base string, opts Options) (*Client, error) {
	return New(base, nil, func() int64 { return 0 }, opts)
}

// maxBundle bounds an entry bundle, in bytes.
const maxBundle = ledger.TileWidth * (2 + ledger.MaxEntry)

// Tile returns a hash tile or an entry bundle of a tree. A hash tile has the
// length of its width; nothing else of it is checked. One that is not there, or
// not to be seen, is an error that wraps [ledger.ErrMissing].
func (c *Client) Tile(ctx context.Context, log wire.Log, t tlog.Tile) ([]byte, error) {
	path := ledger.TilePath(t)
	if _, err := ledger.ParseTilePath(path); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	pattern, limit := wire.PathEvTile, int64(maxBundle)
	if log == wire.Dir {
		pattern = wire.PathDirTile
	}
	if t.L != ledger.EntryLevel {
		limit = int64(t.W) * tlog.HashSize
	}
	a := ask{method: http.MethodGet, path: wire.Path(pattern, strings.TrimPrefix(path, "tile/")), accept: wire.Bytes}
	data, err := c.read(ctx, a, limit)
	if err == nil && t.L != ledger.EntryLevel && int64(len(data)) != limit {
		return nil, fmt.Errorf("client: %s: %d bytes, want %d: %w", path, len(data), limit, errAnswer)
	}
	return data, missing(err)
}

// Tiles are the tiles of one tree, for [ledger.AuditTree] and others that read
// whole trees. ctx of its calls bounds them.
func (c *Client) Tiles(log wire.Log) ledger.TileSource { return tiles{c, log} }

type tiles struct {
	client *Client
	log    wire.Log
}

func (s tiles) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return s.client.Tile(ctx, s.log, t)
}

// missing marks the answer that something is not there.
func missing(err error) error {
	if wire.CodeOf(err) == "not_found" {
		return fmt.Errorf("%w: %w", err, ledger.ErrMissing)
	}
	return err
}
