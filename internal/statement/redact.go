package statement

import "regexp"

// naming is what names a person, a case, a message or a key in a text: an
// identifier of any kind, a digest in hex.
var naming = regexp.MustCompile(`\b[a-z]_[a-z2-7]{26}\b|\b[0-9a-f]{64}\b`)

// Redact takes identifiers and digests out of a text that is going into a log:
// a log is kept longer than what it speaks of, and read by others.
func Redact(text string) string { return naming.ReplaceAllString(text, "…") }
