package exchange

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// A write that fails may speak of a case or a person; the log does not.
func TestLogNamesNobody(t *testing.T) {
	var log bytes.Buffer
	x := &Exchange{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	cas, person := statement.NewID(statement.Case), statement.NewID(statement.Person)
	if err := x.unknown(fmt.Errorf("row of %s about %s refused", cas, person)); strings.Contains(err.Error(), cas) {
		t.Errorf("the caller hears %v", err)
	}
	if said := log.String(); strings.Contains(said, cas) || strings.Contains(said, person) || !strings.Contains(said, "refused") {
		t.Errorf("logged: %s", said)
	}
}
