package statement

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// A key must not be readable through any verb, nor through a struct around it.
func TestSigningKeyPrintsRedacted(t *testing.T) {
	seed := []byte(strings.Repeat("k", 32))
	key := NewSigningKey(seed)
	holder := struct{ inner SigningKey }{key}
	js, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		for _, out := range []string{fmt.Sprintf(verb, key), fmt.Sprintf(verb, holder), string(js), log.String()} {
			if strings.Contains(out, "kkkk") || strings.Contains(out, "6b6b6b") || strings.Contains(out, "107 107") {
				t.Errorf("%s shows the key: %s", verb, out)
			}
		}
	}
}
