package observe

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// A Source is the exchange as an observer sees it. Nothing it says is believed.
type Source interface {
	// Checkpoint returns the latest published checkpoint of a tree.
	Checkpoint(ctx context.Context, log ledger.Log) ([]byte, error)
	// Tiles are those of a tree, up to what was recorded last.
	Tiles(log ledger.Log) ledger.TileSource
}

// FromClient is the exchange behind a client whose key the directory names.
func FromClient(c *client.Client) Source { return clientSource{c} }

type clientSource struct{ *client.Client }

func wireLog(log ledger.Log) wire.Log {
	if log == ledger.Dir {
		return wire.Dir
	}
	return wire.Ev
}

func (s clientSource) Checkpoint(ctx context.Context, log ledger.Log) ([]byte, error) {
	return s.Client.Checkpoint(ctx, wireLog(log))
}

func (s clientSource) Tiles(log ledger.Log) ledger.TileSource { return s.Client.Tiles(wireLog(log)) }

// A Feeder reads the feeds of the desks of one officer, and gives back openings
// that the exchange lost. A *[client.Client] is one.
type Feeder interface {
	Feed(ctx context.Context, desk string, after int64, limit int) (wire.Feed, error)
	Holes(ctx context.Context, after int64) ([]int64, error)
	PutOpening(ctx context.Context, item evidence.Item) error
}

var _ Feeder = (*client.Client)(nil)

// logOf tells of which tree an origin is.
func logOf(origin string) (ledger.Log, error) {
	_, name, found := cutLast(origin, "/")
	if !found {
		return 0, fmt.Errorf("observe: %.80q is no origin of this exchange", origin)
	}
	return ledger.ParseLog(name)
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

// bundleOfOne names the bundle that holds the first entry alone.
func bundleOfOne() tlog.Tile { return ledger.Bundle(0, 1) }
