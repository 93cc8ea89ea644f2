// Package wire is what the exchange and its clients say to each other over
// HTTP: paths, bounds, answers and problems (RFC 9457). The OpenAPI 3.1
// document of package api describes the same; a test holds the two together.
//
// It does nothing. Statements, messages and sets travel as the bytes that were
// signed; the answers here are not signed, and a client believes of them only
// what a proof or the directory confirms.
package wire

// V is the version of every answer that carries one.
const V = 1

// Media types of bodies and answers.
const (
	JSON     = "application/json"
	Text     = "text/plain; charset=utf-8"
	Bytes    = "application/octet-stream"
	Problems = "application/problem+json"
)

// Bounds of request bodies, in bytes. A larger one is refused unread.
const (
	MaxStatement = 64 << 10 // a message, a statement, a directory statement
	MaxSet       = 16 * 48 << 10
	MaxChunk     = 8 << 20 // of a part
	MaxKey       = 4 << 10
	MaxPackage   = 64 << 10
	MaxOpening   = 257 << 10 // an opening, given back
	MaxPart      = 4 << 30   // all chunks of a part together
)

// ChunkSize is the step of a part's offsets, in bytes: every chunk but the last
// is a multiple of it.
const ChunkSize = 1 << 20

// MaxPage is the most items, obligations or entries of one answer.
const MaxPage = 500

// Log names one of the two trees in a path.
type Log string

// The two trees.
const (
	Dir Log = "dir"
	Ev  Log = "ev"
)
