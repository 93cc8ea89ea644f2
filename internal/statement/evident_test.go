package statement

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What the walk calls evident, the second reader calls canonical.
func TestEvidentIsCanonical(t *testing.T) {
	v := loadCanonical(t)
	seen := 0
	for _, c := range append(v.Accept, v.Refuse...) {
		data := bytesOf(t, c.Text, c.Bytes)
		if evident(data) {
			seen++
			if !canonical(data) {
				t.Errorf("%s: evident, and not canonical", c.Name)
			}
		}
	}
	if seen == 0 {
		t.Error("no vector is evident: this test tests nothing")
	}
}

// Both ways of writing give the same, and both ways of reading judge the same
// and read the same, whatever is done to the text.
func TestShortWayIsTheLongWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(3).Draw(t, "value")
		long, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if short, ok := marshalEvident(v); ok && string(short) != string(long) {
			t.Fatalf("the short way writes %s, the long way %s", short, long)
		}
		sameJudgement[any](t, mutated(t, long))
	})
}

// The same for a struct, whose members may be missing, unknown or in other
// letters.
func TestShortWayTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"due", "facts", "list", "msg", "Msg", "x"}), 0, 6).Draw(t, "names") {
			value := rapid.SampledFrom([]string{`0`, `1`, `-0`, `"a"`, `"<"`, `"č"`, `[]`, `["b"]`, `{}`, `{"a":"b"}`, `null`, `true`}).Draw(t, "member")
			parts = append(parts, `"`+name+`":`+value)
		}
		sameJudgement[shape](t, []byte("{"+strings.Join(parts, ",")+"}"))
	})
}

// The order of members in Go is not that of their names here: the short way may
// never answer, and the long way must not see what the short way left behind.
func TestShortWayUnsorted(t *testing.T) {
	type unsorted struct {
		B []shape           `json:"b"`
		A map[string]string `json:"a"`
		C any               `json:"c"`
	}
	data := []byte(`{"a":{"k":"v"},"b":[{"facts":{"f":"1"},"list":["l"],"msg":"m"}],"c":{"d":[1]}}`)
	var got unsorted
	if err := Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	var want unsorted
	if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, want %+v, %v", got, want, err)
	}
	text, err := Marshal(got)
	if err != nil || string(text) != string(data) {
		t.Fatalf("%s, %v", text, err)
	}
}

// sameJudgement reads data both ways.
func sameJudgement[T any](t *rapid.T, data []byte) {
	var short, long T
	shortErr, longErr := Unmarshal(data, &short), unmarshal(data, &long)
	if (shortErr == nil) != (longErr == nil) {
		t.Fatalf("%q: the short way says %v, the long way %v", data, shortErr, longErr)
	}
	if shortErr == nil && !reflect.DeepEqual(short, long) {
		t.Fatalf("%q: the short way reads %+v, the long way %+v", data, short, long)
	}
	if evident(data) && !canonical(data) {
		t.Fatalf("%q is evident, and not canonical", data)
	}
}

// mutated changes at most one byte.
func mutated(t *rapid.T, data []byte) []byte {
	data = append([]byte{}, data...)
	at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		data[at] = rapid.SampledFrom([]byte(`{}[],:"\ 0-1n`)).Draw(t, "byte")
	case 1:
		data = append(data[:at], data[at+1:]...)
	case 2:
		data = append(data[:at], append([]byte(rapid.SampledFrom([]string{" ", "0", ",", `\n`, "null", "č"}).Draw(t, "text")), data[at:]...)...)
	}
	return data
}

func BenchmarkUnmarshal(b *testing.B) {
	data, err := Marshal(DSSE{Payload: []byte(strings.Repeat("p", 2000)), PayloadType: TypeNotice,
		Signatures: []Signature{{KeyID: "ed25519:" + strings.Repeat("0", 64), Sig: make([]byte, 64)}}})
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func([]byte, any) error{"short": Unmarshal, "long": unmarshal} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(data, new(DSSE)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
