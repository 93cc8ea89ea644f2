package statement

import "strings"

// Payload types. One type per statement kind, so that a signature made for one
// purpose verifies for no other.
const (
	TypeNotice    = "application/vnd.odziv.notice.v1+json"
	TypeDirectory = "application/vnd.odziv.dir.v1+json"
	TypeEvidence  = "application/vnd.odziv.evidence.v1+json"
	typeEvent     = "application/vnd.odziv.ev."
	typeSuffix    = ".v1+json"
)

// TypeOfEvent is the payload type of a signed evidence statement.
func TypeOfEvent(event string) string { return typeEvent + event + typeSuffix }

// EventOfType is the inverse of [TypeOfEvent].
func EventOfType(payloadType string) (event string, ok bool) {
	rest, ok := strings.CutPrefix(payloadType, typeEvent)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, typeSuffix)
}
