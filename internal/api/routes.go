package api

import (
	"net/http"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
)

// A route is one operation. Its path and query members are those of the
// OpenAPI document, which a test holds against this table.
type route struct {
	method string
	path   string
	query  []string // the only members the query may have
	limit  int64    // of the body, in bytes
	open   bool     // answered without a signature
	public bool     // answered without one too, with what anyone may see
	chunk  bool     // the body is a chunk of a part
	handle func(c *call) error
}

var routes = []route{
	{method: http.MethodGet, path: wire.PathStatus, open: true, handle: getStatus},
	{method: http.MethodGet, path: wire.PathOpenAPI, open: true, handle: getOpenAPI},
	{method: http.MethodGet, path: wire.PathHealth, open: true, handle: getHealth},

	{method: http.MethodGet, path: wire.PathParts, handle: getParts},
	{method: http.MethodPut, path: wire.PathPart, query: []string{"off"}, limit: wire.MaxChunk, chunk: true, handle: putPart},
	{method: http.MethodGet, path: wire.PathPart, query: []string{"desk"}, handle: getPart},
	{method: http.MethodPut, path: wire.PathMessage, limit: wire.MaxStatement, handle: putMessage},
	{method: http.MethodPut, path: wire.PathSet, limit: wire.MaxSet, handle: putSet},

	{method: http.MethodPut, path: wire.PathStatement, limit: wire.MaxStatement, handle: putStatement},
	{method: http.MethodPut, path: wire.PathConsent, limit: wire.MaxStatement, handle: putConsent},
	{method: http.MethodGet, path: wire.PathPendings, query: []string{"desk"}, handle: getPendings},
	{method: http.MethodPut, path: wire.PathPending, limit: wire.MaxStatement, handle: putPending},
	{method: http.MethodPut, path: wire.PathDirectory, limit: wire.MaxStatement, handle: putDirectory},

	{method: http.MethodGet, path: wire.PathFeed, query: []string{"desk", "after", "limit", "grant"}, handle: getFeed},
	{method: http.MethodGet, path: wire.PathObligations, query: []string{"desk", "side", "closed", "missing", "after", "limit"}, handle: getObligations},
	{method: http.MethodGet, path: wire.PathObligation, handle: getObligation},
	{method: http.MethodPut, path: wire.PathSilence, handle: putSilence},

	{method: http.MethodGet, path: wire.PathHoles, query: []string{"after", "limit"}, handle: getHoles},
	{method: http.MethodPut, path: wire.PathOpening, limit: wire.MaxOpening, handle: putOpening},

	{method: http.MethodPut, path: wire.PathKey, limit: wire.MaxKey, handle: putKey},
	{method: http.MethodGet, path: wire.PathKey, handle: getKey},
	{method: http.MethodPut, path: wire.PathPackage, limit: wire.MaxPackage, handle: putPackage},
	{method: http.MethodGet, path: wire.PathPackage, handle: getPackage},

	{method: http.MethodGet, path: wire.PathEscrow, query: []string{"from"}, handle: getEscrow},
	{method: http.MethodGet, path: wire.PathEscrowFile, handle: getEscrowFile},

	{method: http.MethodGet, path: wire.PathDirCheckpoint, public: true, handle: getCheckpoint},
	{method: http.MethodGet, path: wire.PathDirTile, public: true, handle: getTile},
	{method: http.MethodGet, path: wire.PathDirEntries, query: []string{"from", "limit"}, handle: getEntries},
	{method: http.MethodGet, path: wire.PathDirProof, public: true, handle: getProof},
	{method: http.MethodGet, path: wire.PathDirConsistency, query: []string{"from", "to"}, handle: getConsistency},
	{method: http.MethodGet, path: wire.PathEvCheckpoint, public: true, handle: getCheckpoint},
	{method: http.MethodGet, path: wire.PathEvTile, public: true, handle: getTile},
	{method: http.MethodGet, path: wire.PathEvProof, public: true, handle: getProof},
	{method: http.MethodGet, path: wire.PathEvConsistency, query: []string{"from", "to"}, handle: getConsistency},
}

// echoPath spells {msg} as :msg, and {tile}, which has slashes, as *.
func echoPath(path string) string {
	return strings.NewReplacer("{tile}", "*", "{", ":", "}", "").Replace(path)
}
