package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

func object(t *rapid.T, label string) []byte {
	text := rapid.StringMatching(`[a-z"\\{}šж]{0,12}`)
	v := map[string]any{"s": text.Draw(t, label+" text"), "list": []string{text.Draw(t, label+" a"), text.Draw(t, label+" b")}, "in": map[string]string{"k": text.Draw(t, label+" in")}}
	data, err := statement.Marshal(v)
	if err != nil {
		t.Skip("not canonical")
	}
	return data
}

func TestLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32)
		o := evidence.Opening{Meta: object(t, "meta"), Priv: object(t, "priv"), RM: key.Draw(t, "rm"), RP: key.Draw(t, "rp")}
		idx, metaOnly := rapid.Int64Range(0, 1<<53-1).Draw(t, "idx"), rapid.Bool().Draw(t, "meta only")
		line := appendLine(nil, idx, &o, metaOnly)
		body, ok := bytes.CutSuffix(line, []byte("\n"))
		if !ok || bytes.Contains(body, []byte("\n")) {
			t.Fatalf("%q is not one line", line)
		}
		s, err := parseLine(body)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		again := appendLine(nil, s.idx, &evidence.Opening{Meta: s.meta, Priv: s.priv, RM: s.rm, RP: s.rp}, s.priv == nil)
		if !bytes.Equal(again, line) || (s.priv == nil) != metaOnly {
			t.Fatalf("%s became %s", line, again)
		}
		var v struct{ Idx int64 }
		if err := json.Unmarshal(body, &v); err != nil || v.Idx != idx {
			t.Fatalf("%s is no JSON of it: %v", body, err)
		}
		var canonical any
		if err := json.Unmarshal(body, &canonical); err != nil {
			t.Fatal(err)
		}
		if spelled, err := statement.Marshal(canonical); idx < 1<<53 && (err != nil || !bytes.Equal(spelled, body)) {
			t.Fatalf("%s is not canonical: %s, %v", body, spelled, err)
		}
	})
}

func TestLinesRefused(t *testing.T) {
	k := base64.StdEncoding.EncodeToString(make([]byte, 32))
	good := `{"idx":7,"meta":{},"priv":{},"rm":"` + k + `","rp":"` + k + `"}`
	meta := `{"idx":7,"meta":{},"rm":"` + k + `"}`
	for _, line := range []string{good, meta} {
		if _, err := parseLine([]byte(line)); err != nil {
			t.Fatal(line, err)
		}
	}
	for _, line := range []string{
		"", "{}", good[1:], good + " ", good[:len(good)-1], " " + good,
		strings.Replace(good, `"idx":7`, `"idx":07`, 1), strings.Replace(good, `"idx":7`, `"idx":-7`, 1),
		strings.Replace(good, `"idx":7`, `"idx":7.0`, 1), strings.Replace(good, `"idx":7`, `"idx":9223372036854775808`, 1),
		strings.Replace(good, `"idx":7,`, ``, 1), strings.Replace(good, `"priv":{},`, ``, 1), strings.Replace(meta, `,"rm"`, `,"rp"`, 1),
		strings.Replace(good, `"meta":{}`, `"meta":[]`, 1), strings.Replace(good, `"meta":{}`, `"meta":{`, 1),
		strings.Replace(good, `"meta":{}`, `"meta":{"}`, 1), strings.Replace(good, k, k[:43]+"A", 1), strings.Replace(good, k, k+"A", 1),
		strings.Replace(good, k, k[:42]+"B=", 1), strings.Replace(good, `"n":0`, ``, 1)[:20], strings.Replace(good, `"rp"`, `"rq"`, 1),
	} {
		if _, err := parseLine([]byte(line)); err == nil {
			t.Errorf("%s was read", line)
		}
	}
	long := strings.Replace(good, `"meta":{}`, `"meta":{"a":"`+strings.Repeat("x", maxLine)+`"}`, 1)
	if _, err := parseLine([]byte(long)); err == nil {
		t.Error("a line beyond its bound was read")
	}
	at := strings.Replace(good, `"meta":{}`, `"meta":{"a":"`+strings.Repeat("x", maxLine-len(good)-len(`"a":""`))+`"}`, 1)
	if _, err := parseLine([]byte(at)); err != nil || len(at) != maxLine {
		t.Error("a line at its bound:", len(at), err)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		s, err := parseLine(line)
		if err != nil {
			return
		}
		again := appendLine(nil, s.idx, &evidence.Opening{Meta: s.meta, Priv: s.priv, RM: s.rm, RP: s.rp}, s.priv == nil)
		if !bytes.Equal(again, append(bytes.Clone(line), '\n')) {
			t.Errorf("%q became %q", line, again)
		}
	})
}

// What decode accepts, statement.Unmarshal accepts, with the same value.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		check[evidence.Meta](t, data)
		check[messaging.Payload](t, data)
		if !bytes.Contains(data, []byte(`"data":`)) {
			check[evidence.Priv](t, data)
		}
	})
}

func check[T any](t *testing.T, data []byte) {
	var fast, slow T
	errFast, errSlow := decode(data, &fast), statement.Unmarshal(data, &slow)
	if (errFast == nil) != (errSlow == nil) {
		t.Fatalf("%T: %q: %v and %v", fast, data, errFast, errSlow)
	}
	if errFast != nil {
		return
	}
	a, _ := json.Marshal(fast)
	b, _ := json.Marshal(slow)
	if !bytes.Equal(a, b) {
		t.Fatalf("%T: %q: %s and %s", fast, data, a, b)
	}
}

func TestDecodeSpellings(t *testing.T) {
	meta := `{"at":1,"by":"system","dec":"allow","dirn":1,"ev":"silence","idx":0,"obj":"x","obl":[],"prev":-1,"to":[],"v":1}`
	check[evidence.Meta](t, []byte(meta))
	for _, bad := range []string{
		strings.Replace(meta, `"obl":[]`, `"obl":null`, 1), strings.Replace(meta, `"at":1`, `"at":1.0`, 1), strings.Replace(meta, `"at":1`, `"at":1e0`, 1),
		strings.Replace(meta, `"at":1`, `"at":9007199254740993`, 1), strings.Replace(meta, `"at"`, `"At"`, 1), strings.Replace(meta, `"at":1`, `"at":1,"at":1`, 1),
		strings.Replace(meta, `"v":1`, `"v":1,"w":1`, 1), strings.Replace(meta, `"system"`, `"\u0073ystem"`, 1), strings.Replace(meta, `"system"`, `"sys\/tem"`, 1),
		strings.Replace(meta, `"system"`, "\"e\u0301\"", 1), meta + " ", meta + "{}", strings.Replace(meta, `"kind"`, ``, 1) + "x",
		strings.Replace(meta, `"idx":0,`, ``, 1), strings.Replace(meta, `"ev":"silence","idx":0`, `"ev":"silence","from":"","idx":0`, 1),
	} {
		if decode([]byte(bad), &evidence.Meta{}) == nil {
			t.Errorf("%s was read", bad)
		}
		check[evidence.Meta](t, []byte(bad))
	}
	for _, good := range []string{strings.Replace(meta, `"system"`, `"š"`, 1), strings.Replace(meta, `"system"`, `"<&>"`, 1),
		strings.Replace(meta, `"system"`, `"null"`, 1), strings.Replace(meta, `"at":1`, `"at":9007199254740991`, 1),
		strings.Replace(meta, `"system"`, `"\b\f\n\u0001"`, 1), strings.Replace(meta, `"system"`, "\"\u2028\"", 1)} {
		if err := decode([]byte(good), &evidence.Meta{}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
		check[evidence.Meta](t, []byte(good))
	}
}

func TestObjectKeys(t *testing.T) {
	id := statement.FormatID("m", bytes.Repeat([]byte{7}, 16))
	seen := map[objectKey]string{}
	for _, s := range []string{id, "k" + id[1:], id[:27] + "a", id + "a", id[:27], "erasure-1", "erasure-2", "", strings.ToUpper(id)} {
		k := keyOf(s)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have one key", s, other)
		}
		seen[k] = s
	}
}

func TestBits(t *testing.T) {
	b := newBits(65)
	for _, i := range []int64{0, 63, 64} {
		if b.has(i) {
			t.Error(i)
		}
		b.set(i)
		if !b.has(i) {
			t.Error(i)
		}
	}
	if b.count != 3 || b.has(1) || b.has(-1) || b.has(128) || b.has(1<<40) {
		t.Error(b)
	}
}

// Fuzz targets start from seeds that are checked in.
func TestSeeds(t *testing.T) {
	for _, target := range []string{"FuzzParseLine", "FuzzDecode", "FuzzVerifyFile", "FuzzVerifyBundle"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds: %v", target, err)
		}
	}
	if _, err := os.Stat(filepath.Join("testdata", "bundle.zip")); errors.Is(err, os.ErrNotExist) {
		t.Error("the worked example is missing")
	}
}
