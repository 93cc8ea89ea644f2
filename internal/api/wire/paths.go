package wire

import "strings"

// Paths of the API, spelled as in the OpenAPI document: parameters in braces.
// Fill them in with [Path]. {tile} alone stands for several segments.
const (
	PathStatus  = "/v1/status"
	PathOpenAPI = "/openapi.json"
	PathHealth  = "/healthz"

	PathParts   = "/v1/messages/{msg}/parts"
	PathPart    = "/v1/messages/{msg}/parts/{n}"
	PathMessage = "/v1/messages/{msg}"
	PathSet     = "/v1/sets/{n}"

	PathStatement = "/v1/statements/{x}"
	PathConsent   = "/v1/consents/{k}/{ver}"
	PathPendings  = "/v1/pending"
	PathPending   = "/v1/pending/{sha256}"
	PathDirectory = "/v1/directory/{sha256}"

	PathFeed        = "/v1/feed"
	PathObligations = "/v1/obligations"
	PathObligation  = "/v1/obligations/{o}"
	PathSilence     = "/v1/obligations/{o}/silence/{x}"

	PathHoles   = "/v1/openings/holes"
	PathOpening = "/v1/openings/{idx}"

	PathKey     = "/v1/keys/{rk}"
	PathPackage = "/v1/packages/{sha256}"

	PathEscrow     = "/v1/escrow/{d}"
	PathEscrowFile = "/v1/escrow/{d}/{e}/{sha256}"

	PathDirCheckpoint  = "/dir/checkpoint"
	PathDirEntries     = "/dir/entries"
	PathDirTile        = "/dir/tile/{tile}"
	PathDirProof       = "/dir/proof/{idx}"
	PathDirConsistency = "/dir/consistency"
	PathEvCheckpoint   = "/ev/checkpoint"
	PathEvTile         = "/ev/tile/{tile}"
	PathEvProof        = "/ev/proof/{idx}"
	PathEvConsistency  = "/ev/consistency"
)

// Path fills the parameters of a path in order. Every value it is meant for
// (identifier, digest, decimal number) needs no escape; a signed path has none.
func Path(pattern string, values ...string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, pattern, _ = strings.Cut(rest, "}")
		if len(values) > 0 {
			b.WriteString(values[0])
			values = values[1:]
		}
	}
}
