package audit

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/script"
	"github.com/odziv/odziv/messaging"
)

// Every code of words.go has a sentence, with the same places for arguments in
// both languages.
func TestSentences(t *testing.T) {
	source, err := os.ReadFile("words.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\tFact\w+ += "([a-z-]+)"`).FindAllSubmatch(source, -1)
	if len(codes) != len(sentences) || len(codes) < 30 {
		t.Errorf("%d codes, %d sentences", len(codes), len(sentences))
	}
	places := regexp.MustCompile(`%\[\d+\]s`)
	for _, c := range codes {
		s, ok := sentences[string(c[1])]
		if !ok {
			t.Errorf("%s has no sentence", c[1])
			continue
		}
		in := func(text string) []string {
			return slices.Compact(slices.Sorted(slices.Values(places.FindAllString(text, -1))))
		}
		if !slices.Equal(in(s.en), in(s.sr)) || strings.Contains(places.ReplaceAllString(s.en+s.sr, ""), "%") {
			t.Errorf("%s: places %v and %v", c[1], in(s.en), in(s.sr))
		}
		if latin := script.Latin(s.sr); strings.ContainsFunc(latin, script.IsCyrillic) || latin == s.sr {
			t.Errorf("%s: not Serbian Cyrillic: %s", c[1], s.sr)
		}
	}
	if got := (Fact{Code: "unheard-of"}).Text(Serbian); got != "unheard-of" {
		t.Error(got)
	}
	if got := fact(FactReceived, instant(0)).Text(English); !strings.Contains(got, "1970-01-01 00:00:00 UTC") {
		t.Error(got)
	}
}

// decode relies on it: plain encoding of these types is canonical.
func TestDecodedTypesAreSorted(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(typ reflect.Type, raw bool)
	walk = func(typ reflect.Type, raw bool) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			if typ.String() == "json.RawMessage" && !raw {
				t.Error("raw JSON")
			}
			walk(typ.Elem(), raw)
		case reflect.Map:
			walk(typ.Elem(), raw)
		case reflect.Interface, reflect.Float32, reflect.Float64:
			t.Errorf("%s has no one spelling", typ)
		case reflect.Struct:
			if seen[typ] {
				return
			}
			seen[typ] = true
			last := ""
			for i := range typ.NumField() {
				f := typ.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if f.Anonymous || name == "" || name <= last {
					t.Errorf("%s.%s: %q after %q", typ, f.Name, name, last)
				}
				last = name
				walk(f.Type, typ == reflect.TypeFor[evidence.Priv]() && f.Name == "Data") // checkOpening takes the slow way
			}
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[evidence.Meta](), reflect.TypeFor[evidence.Priv](), reflect.TypeFor[messaging.Payload]()} {
		walk(typ, false)
	}
	if len(seen) < 12 {
		t.Error(fmt.Sprint("only ", len(seen), " types looked at"))
	}
}
