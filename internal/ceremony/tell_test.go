package ceremony

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/odziv/odziv/keys/directory"
)

// golden are the statements of the directory's own vectors, of every kind at
// least one, each with the directory before it.
func golden(t *testing.T) (bodies []directory.Body, before []*directory.State) {
	t.Helper()
	data, err := os.ReadFile("../../keys/directory/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	state := directory.New()
	for line := range bytes.Lines(data) {
		leaf := bytes.TrimRight(line, "\n")
		signed, err := directory.Decode(leaf)
		if err != nil {
			t.Fatal(err)
		}
		bodies, before = append(bodies, signed.Body), append(before, state)
		if state, err = state.Apply(leaf); err != nil {
			t.Fatal(err)
		}
	}
	return bodies, before
}

func text(w Words) string {
	var b strings.Builder
	w.Print(&b)
	return b.String()
}

// No member of any statement is hidden: whatever single value of a statement is
// another, the words are others. And none falls back to its raw JSON.
func TestWordsHideNothing(t *testing.T) {
	bodies, before := golden(t)
	kinds := map[string]bool{}
	for i, body := range bodies {
		kinds[HeadOf(body).T] = true
		teller := Teller{Dir: before[i], Zone: time.UTC}
		if i == 0 {
			teller.Dir = nil
		}
		was := text(teller.Tell(body))
		if strings.Contains(was, "also says") {
			t.Errorf("%s has members without words:\n%s", HeadOf(body).T, was)
		}
		changes := 0
		perturb(reflect.ValueOf(body).Elem(), func(path string) {
			changes++
			if text(teller.Tell(body)) == was {
				t.Errorf("%s: another %s, and the words stay:\n%s", HeadOf(body).T, path, was)
			}
		})
		if changes < 6 {
			t.Errorf("%s: only %d values were changed", HeadOf(body).T, changes)
		}
		if text(teller.Tell(body)) != was {
			t.Fatalf("%s: the test did not put a value back", HeadOf(body).T)
		}
	}
	if len(kinds) < 21 {
		t.Errorf("%d kinds of statements: the golden directory has too few", len(kinds))
	}
}

// perturb changes one value after the other, calls seen, and puts it back. Lists
// also lose and repeat an element.
func perturb(v reflect.Value, seen func(path string)) { perturbAt(v, "", seen) }

func perturbAt(v reflect.Value, path string, seen func(string)) {
	try := func(what string, x any) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		v.Set(reflect.ValueOf(x).Convert(v.Type()))
		seen(path + what)
		v.Set(old)
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			perturbAt(v.Field(i), path+"."+v.Type().Field(i).Name, seen)
		}
	case reflect.String:
		try("", "x"+v.String())
		try(" longer", v.String()+"x")
	case reflect.Bool:
		try("", !v.Bool())
	case reflect.Int, reflect.Int64:
		try("", v.Int()+90_000_000) // more than a day, for times
		try(" by one second", v.Int()+1000)
	case reflect.Slice:
		perturbList(v, path, seen)
	default:
		panic("no way to change " + path)
	}
}

func perturbList(v reflect.Value, path string, seen func(string)) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Len() == 0 {
			return
		}
		other := append([]byte(nil), v.Bytes()...)
		other[len(other)-1] ^= 1
		v.Set(reflect.ValueOf(other).Convert(v.Type()))
		seen(path)
		v.Set(old)
		return
	}
	if v.Len() == 0 {
		return
	}
	v.Set(old.Slice(0, old.Len()-1))
	seen(path + " without its last")
	grown := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, old.Len()+1), old)
	v.Set(reflect.Append(grown, old.Index(0)))
	seen(path + " with its first again")
	v.Set(old)
	for i := range v.Len() {
		perturbAt(v.Index(i), path+"[]", seen)
	}
}

// A member that a newer program adds is told as it stands, with its name.
func TestWordsOfAMemberUnknown(t *testing.T) {
	g := &telling{}
	type newer struct {
		directory.Head
		Known string   `json:"known"`
		New   []string `json:"new,omitempty"`
	}
	g.line("known", "x", "known", "at", "dirn", "prev", "t", "v")
	g.restOf(reflect.ValueOf(newer{Known: "x", New: []string{"secret reader"}}))
	if !strings.Contains(text(g.w), `new = ["secret reader"]`) {
		t.Errorf("hidden:\n%s", text(g.w))
	}
}

// Dangerous statements say so.
func TestWordsWarn(t *testing.T) {
	bodies, before := golden(t)
	for i, body := range bodies {
		dangerous := map[string]bool{"genesis": true, "inst.root": true, "inst.join": true, "inst.registrars": true, "inst.custodians": true,
			"policy": true, "audit.grant": true, "officer.revoke": true}
		w := Teller{Dir: before[i]}.Tell(body)
		if kind := HeadOf(body).T; dangerous[kind] && len(w.Warnings) == 0 {
			t.Errorf("%s: no warning", kind)
		}
		if w.Title == "" || strings.Contains(w.Title, "no words for") {
			t.Errorf("%s: title %q", HeadOf(body).T, w.Title)
		}
	}
}

// A statement cannot move the cursor, write backwards or hide a character, on the
// screen or on paper.
func TestWordsAreVisible(t *testing.T) {
	tricks := "none\x1b[2J\u202eevil\u200b\u00a0\r\x00\xff"
	b := &directory.Genesis{Name: tricks, Quorum: directory.Quorum{Dir: tricks, Ev: tricks}, Witnesses: []directory.Witness{{Operator: tricks, VKey: tricks}}}
	event, err := Teller{}.TellEvent("x", []byte(`{"a":"\u001b[2J\u202e"}`))
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("0", 64)
	for name, shown := range map[string]string{"words": text(Teller{}.Tell(b)), "event": text(event), "text": Annex(English, b, hash).Text(), "html": Annex(English, b, hash).HTML()} {
		for _, r := range shown {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s shows %U", name, r)
			}
		}
		if !utf8.ValidString(shown) || !strings.Contains(shown, `\u{202e}`) {
			t.Errorf("%s: %q", name, shown)
		}
	}
}

func FuzzTellEvent(f *testing.F) {
	f.Add([]byte(`{"ev":"consent.given","at":1771574400000,"to":["i_rooefvdqc76v4aa4ktvk2uhrku"],"x":{"y":[{"z":true}]}}`))
	f.Add([]byte(`{"a":[]}`))
	f.Add([]byte(`[1]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		w, err := Teller{}.TellEvent("x", payload)
		if err != nil {
			return
		}
		for _, r := range text(w) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U came through", r)
			}
		}
	})
}
