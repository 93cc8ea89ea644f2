package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		values  []string
		want    string
	}{
		{wire.PathStatus, nil, "/v1/status"},
		{wire.PathMessage, []string{"m_a"}, "/v1/messages/m_a"},
		{wire.PathPart, []string{"m_a", "0"}, "/v1/messages/m_a/parts/0"},
		{wire.PathParts, []string{"m_a"}, "/v1/messages/m_a/parts"},
		{wire.PathSilence, []string{"o_a", "x_b"}, "/v1/obligations/o_a/silence/x_b"},
		{wire.PathConsent, []string{"k_a", "3"}, "/v1/consents/k_a/3"},
		{wire.PathConsent, []string{"k_a"}, "/v1/consents/k_a/"},
		{wire.PathConsent, []string{"k_a", "3", "4"}, "/v1/consents/k_a/3"},
		{wire.PathMessage, []string{"{x}"}, "/v1/messages/{x}"},
	} {
		if got := wire.Path(tt.pattern, tt.values...); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.pattern, tt.values, got, tt.want)
		}
	}
}

func TestCodes(t *testing.T) {
	names := []string{}
	for _, c := range wire.Codes {
		names = append(names, c.Name)
		if !regexp.MustCompile(`^[a-z][a-z_-]*\*?$`).MatchString(c.Name) || !strings.HasSuffix(c.Title, ".") || len(c.Status) == 0 {
			t.Errorf("%+v", c)
		}
		if wire.Title(strings.Replace(c.Name, "*", "x", 1)) != c.Title {
			t.Errorf("%s has the title %q", c.Name, wire.Title(c.Name))
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(wire.Codes) {
		t.Errorf("not sorted, or one twice: %v", names)
	}
	if got := wire.Title("unheard-of"); got != "" {
		t.Errorf("title of nothing: %q", got)
	}
}

func TestProblem(t *testing.T) {
	p := wire.NewProblem(403, "consent_recipient", "d", "h")
	got, err := json.Marshal(p)
	want := `{"type":"urn:odziv:problem:consent_recipient","title":"No consent on record covers the message for every recipient.","status":403,"detail":"d","code":"consent_recipient","hint":"h"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	for err, want := range map[error]string{
		p: "consent_recipient: d", wire.NewProblem(405, "method", "", ""): "method: The path does not know this method.",
		&wire.Problem{Code: "c"}: "c",
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if code := wire.CodeOf(fmt.Errorf("client: %w", p)); code != p.Code {
		t.Errorf("code %q", code)
	}
	if code := wire.CodeOf(errors.New("else")); code != "" {
		t.Errorf("code %q", code)
	}
}

// TestBounds: what passes the door must fit what is behind it, and the other
// way round.
func TestBounds(t *testing.T) {
	for name, pair := range map[string][2]int64{
		"set": {wire.MaxSet, messaging.MaxSetSize}, "chunk": {wire.MaxChunk, exchange.MaxChunk}, "step": {wire.ChunkSize, exchange.ChunkSize},
		"part": {wire.MaxPart, exchange.MaxPart}, "page": {wire.MaxPage, exchange.MaxPage}, "statement": {wire.MaxStatement, 2 * statement.MaxSize},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d here, %d there", name, pair[0], pair[1])
		}
	}
	if wire.MaxStatement < directory.MaxLeaf {
		t.Error("a directory leaf does not fit")
	}
}
