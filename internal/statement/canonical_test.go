package statement

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// canonicalVectors is testdata/canonical.json.
type canonicalVectors struct {
	Accept, Refuse []struct{ Name, Text, Bytes string }
	Spell          []struct{ Name, In, Out string }
}

func readVectors(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func loadCanonical(t testing.TB) (v canonicalVectors) {
	t.Helper()
	readVectors(t, "canonical.json", &v)
	if len(v.Accept) < 20 || len(v.Refuse) < 50 || len(v.Spell) < 4 {
		t.Fatalf("vectors are gone: %d, %d, %d", len(v.Accept), len(v.Refuse), len(v.Spell))
	}
	return v
}

func bytesOf(t testing.TB, text, hexed string) []byte {
	t.Helper()
	if hexed == "" {
		return []byte(text)
	}
	raw, err := hex.DecodeString(hexed)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unmarshalAnyhow decodes data into a value of no particular shape, into a raw
// member, and into a raw value: what a payload, a PRIV and a feed item do. All
// must judge the same.
func unmarshalAnyhow(data []byte) (value, member error) {
	var v any
	var holder struct {
		A json.RawMessage `json:"a"`
	}
	value = Unmarshal(data, &v)
	member = Unmarshal([]byte(`{"a":`+string(data)+`}`), &holder)
	return value, member
}

func TestUnmarshalAccepts(t *testing.T) {
	for _, c := range loadCanonical(t).Accept {
		data := bytesOf(t, c.Text, c.Bytes)
		value, member := unmarshalAnyhow(data)
		if strings.HasPrefix(c.Name, "32 levels") {
			member = nil // one level more
		}
		if value != nil || member != nil {
			t.Errorf("%s: %v, as a member %v", c.Name, value, member)
		}
		if !canonical(data) {
			t.Errorf("%s: the second reader refuses", c.Name)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, c := range loadCanonical(t).Refuse {
		data := bytesOf(t, c.Text, c.Bytes)
		value, member := unmarshalAnyhow(data)
		if value == nil || member == nil {
			t.Errorf("%s: %v, as a member %v", c.Name, value, member)
		}
		if canonical(data) {
			t.Errorf("%s: the second reader accepts", c.Name)
		}
	}
}

func TestMarshalSpells(t *testing.T) {
	for _, c := range loadCanonical(t).Spell {
		var v any
		if err := json.Unmarshal([]byte(c.In), &v); err != nil {
			t.Fatal(err)
		}
		got, err := Marshal(v)
		if err != nil || string(got) != c.Out {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", c.Name, got, c.Out, err)
		}
	}
}

type shape struct {
	Due   int64             `json:"due,omitempty"`
	Facts map[string]string `json:"facts"`
	List  []string          `json:"list"`
	Msg   string            `json:"msg"`
}

// A typed value has one spelling too: what decoding into a Go struct forgives,
// Unmarshal does not.
func TestUnmarshalTyped(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"whole":                {`{"facts":{},"list":[],"msg":"a"}`, ""},
		"with an optional":     {`{"due":1,"facts":{},"list":[],"msg":"a"}`, ""},
		"case variant":         {`{"Msg":"a","facts":{},"list":[]}`, "not canonical"},
		"unknown member":       {`{"facts":{},"list":[],"msg":"a","x":1}`, "unknown field"},
		"missing array":        {`{"facts":{},"msg":"a"}`, "null"},
		"missing map":          {`{"list":[],"msg":"a"}`, "null"},
		"missing string":       {`{"facts":{},"list":[]}`, "not canonical"},
		"empty optional":       {`{"due":0,"facts":{},"list":[],"msg":"a"}`, "not canonical"},
		"null":                 {`{"facts":{},"list":null,"msg":"a"}`, "null"},
		"number for a string":  {`{"facts":{},"list":[],"msg":1}`, "cannot unmarshal"},
		"string for a number":  {`{"due":"1","facts":{},"list":[],"msg":"a"}`, "cannot unmarshal"},
		"duplicate in a map":   {`{"facts":{"a":"1","a":"1"},"list":[],"msg":"a"}`, "not canonical"},
		"duplicate and case":   {`{"MSG":"b","facts":{},"list":[],"msg":"a"}`, "not canonical"},
		"array for the object": {`[]`, "cannot unmarshal"},
	} {
		var v shape
		err := Unmarshal([]byte(tt.text), &v)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := Unmarshal([]byte(`{"facts":{},"list":[]}`), new(shape)); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("%v is not ErrNotCanonical", err)
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"nil":                 nil,
		"nil slice":           shape{Facts: map[string]string{}},
		"nil map":             shape{List: []string{}},
		"fraction":            1.5,
		"2^53":                int64(1 << 53),
		"-2^53":               int64(-1 << 53),
		"largest float":       math.MaxFloat64,
		"infinity":            math.Inf(1),
		"decomposed letter":   "c\u030c",
		"decomposed name":     map[string]int{"c\u030c": 1},
		"channel":             make(chan int),
		"33 levels":           nest(33),
		"raw, duplicate name": json.RawMessage(`{"a":1,"a":2}`),
		"raw, not JSON":       json.RawMessage(`{`),
	} {
		if got, err := Marshal(v); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := Marshal(nest(32)); err != nil {
		t.Error(err)
	}
	for _, n := range []int64{1<<53 - 1, -(1<<53 - 1)} {
		if got, err := Marshal(n); err != nil || len(got) < 16 {
			t.Errorf("%d: %s, %v", n, got, err)
		}
	}
}

func nest(levels int) any {
	v := any([]any{})
	for range levels - 1 {
		v = []any{v}
	}
	return v
}

// drawValue draws any value that the format can say.
func drawValue(levels int) *rapid.Generator[any] {
	text := rapid.Custom(func(t *rapid.T) any { return nfc(rapid.String().Draw(t, "text")) })
	leaf := rapid.OneOf(text, rapid.Just[any](true), rapid.Just[any](false),
		rapid.Custom(func(t *rapid.T) any { return rapid.Int64Range(-maxSafe, maxSafe).Draw(t, "n") }))
	if levels == 0 {
		return leaf
	}
	deeper := rapid.Deferred(func() *rapid.Generator[any] { return drawValue(levels - 1) })
	object := rapid.Custom(func(t *rapid.T) any {
		m := map[string]any{}
		for range rapid.IntRange(0, 5).Draw(t, "members") {
			m[nfc(rapid.String().Draw(t, "name"))] = deeper.Draw(t, "value")
		}
		return m
	})
	array := rapid.Custom(func(t *rapid.T) any { return append([]any{}, rapid.SliceOfN(deeper, 0, 5).Draw(t, "array")...) })
	return rapid.OneOf(leaf, object, array)
}

// What Marshal writes, Unmarshal and the second reader accept; a byte more or
// less they refuse.
func TestMarshalUnmarshal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, err := Marshal(drawValue(4).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := Unmarshal(data, &back); err != nil || !canonical(data) {
			t.Fatalf("%s: %v, second reader %v", data, err, canonical(data))
		}
		if err := Unmarshal(append(data, ' '), &back); err == nil {
			t.Fatalf("%s and a space is accepted", data)
		}
		at := rapid.IntRange(0, len(data)).Draw(t, "at")
		spaced := string(data[:at]) + " " + string(data[at:])
		if (Unmarshal([]byte(spaced), &back) == nil) != canonical([]byte(spaced)) {
			t.Fatalf("%q: the two readers differ", spaced)
		}
	})
}

// FuzzUnmarshal compares two readers that share no code: whatever one accepts,
// the other accepts, in every place where the formats put a value.
func FuzzUnmarshal(f *testing.F) {
	v := loadCanonical(f)
	for _, c := range append(v.Accept, v.Refuse...) {
		f.Add(bytesOf(f, c.Text, c.Bytes))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		var v any
		err := Unmarshal(data, &v)
		if (err == nil) != canonical(data) {
			t.Fatalf("%q: %v, second reader %v", data, err, canonical(data))
		}
		if evident(data) && !canonical(data) {
			t.Fatalf("%q: evident, and not canonical", data)
		}
		if err != nil {
			return
		}
		again, err := Marshal(v)
		if err != nil || string(again) != string(data) {
			t.Fatalf("%q spelled again is %q, %v", data, again, err)
		}
		var holder struct {
			A json.RawMessage `json:"a"`
		}
		inner := `{"a":` + string(data) + `}`
		if err := Unmarshal([]byte(inner), &holder); (err == nil) != canonical([]byte(inner)) {
			t.Fatalf("%q: %v, second reader %v", inner, err, canonical([]byte(inner)))
		}
	})
}
