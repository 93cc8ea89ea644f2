package wire

import (
	"bytes"
	"encoding/json"
)

// Encode is JSON that leaves signed bytes inside v as they are: nothing is
// escaped for HTML.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
