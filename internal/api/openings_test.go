package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

func (s *site) holes(query string) []int64 {
	s.t.Helper()
	a := s.do(s.signed(http.MethodGet, wire.PathHoles+query, nil))
	var h wire.Holes
	if err := json.Unmarshal(a.body, &h); err != nil || h.V != wire.V || h.Holes == nil {
		s.t.Fatalf("%d %s, %v", a.status, a.body, err)
	}
	return h.Holes
}

func spell(t *testing.T, item evidence.Item) []byte {
	t.Helper()
	body, err := wire.Encode(item)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestOpenings: a restored ledger says what it lacks, takes it back from whoever
// has it, and nothing else in its place.
func TestOpenings(t *testing.T) {
	s := open(t, api.Options{})
	if got := s.holes(""); len(got) != 0 {
		t.Errorf("holes %v in a whole ledger", got)
	}
	items := []evidence.Item{s.Lose("a"), s.Lose("<&>\u2028"), s.Lose("c")}
	for query, want := range map[string][]int64{"": {0, 1, 2}, "?after=-1": {0, 1, 2}, "?after=0": {1, 2}, "?after=2": {}, "?limit=2": {0, 1}, "?after=1&limit=1": {2}} {
		if got := s.holes(query); !slices.Equal(got, want) {
			t.Errorf("holes%s %v, want %v", query, got, want)
		}
	}
	put := func(idx int64, body []byte, by ...statement.SigningKey) answer {
		return s.do(s.signed(http.MethodPut, wire.Path(wire.PathOpening, fmt.Sprint(idx)), body, by...))
	}
	body := spell(t, items[1])
	for name, wrong := range map[string][]byte{
		"empty": {}, "null": []byte("null"), "no JSON": []byte("x"), "another member": append([]byte(`{"a":1,`), body[1:]...),
		"trailing": append(bytes.Clone(body), ' '), "a member twice": append([]byte(`{"idx":1,`), body[1:]...),
		"upper case": bytes.Replace(body, []byte(`"meta"`), []byte(`"Meta"`), 1), "escaped": bytes.Replace(body, []byte("<"), []byte(`\u003c`), 1),
		"another entry's": spell(t, items[2]), "another meta": bytes.Replace(body, []byte(`"prev":-1`), []byte(`"prev":-2`), 1),
		"held":      spell(t, evidence.Item{Idx: 1, Held: &evidence.Held{Reason: "r"}, N: 1}),
		"no key":    spell(t, evidence.Item{Idx: 1, Meta: items[1].Meta, Priv: items[1].Priv, RP: items[1].RP}),
		"other key": spell(t, evidence.Item{Idx: 1, Meta: items[1].Meta, Priv: items[1].Priv, RM: items[2].RM, RP: items[1].RP}),
	} {
		if a := put(1, wrong); a.status != http.StatusBadRequest || a.code() != "malformed" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	beyond := items[2]
	beyond.Idx = 3
	s.want(put(3, spell(t, beyond)), http.StatusNotFound, "not_found")
	s.want(put(1, body, statement.NewSigningKey(make([]byte, 32))), http.StatusUnauthorized, "signature")
	unsigned := s.do(s.make(http.MethodPut, wire.Path(wire.PathOpening, "1"), body))
	s.want(unsigned, http.StatusUnauthorized, "signature")
	if got := s.holes(""); len(got) != 3 {
		t.Fatalf("holes %v after refusals", got)
	}

	s.want(put(1, body, s.B.Officers[1]), http.StatusNoContent, "") // the leaf, not the bearer, says what it is
	s.want(put(1, body), http.StatusNoContent, "")
	if got := s.holes(""); !slices.Equal(got, []int64{0, 2}) {
		t.Errorf("holes %v", got)
	}
	s.want(put(2, spell(t, items[2])), http.StatusNoContent, "")
	s.want(put(0, spell(t, items[0]), s.Delegates[0]), http.StatusNoContent, "")
	if got := s.holes(""); len(got) != 0 {
		t.Errorf("holes %v", got)
	}
	if strings.Contains(s.Log(), "prev") || strings.Contains(s.Log(), "openings/1") {
		t.Error("the log tells of openings")
	}
}
