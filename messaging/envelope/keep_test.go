package envelope

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// A message goes on after its program ended, also under another id, and opens
// as if nothing had happened.
func TestKeep(t *testing.T) {
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	var part bytes.Buffer
	f := File{Name: "a.pdf", Type: "application/pdf", Size: 5, Content: strings.NewReader("bytes")}
	if _, err := s.Attach(context.Background(), f, &part); err != nil {
		t.Fatal(err)
	}
	data, err := s.Keep()
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %s", resumed, resumed, resumed); strings.Contains(got, "SECRET") || !strings.Contains(got, "redacted") {
		t.Errorf("prints as %s", got)
	}
	other := statement.NewID(statement.Message)
	if err := resumed.Move(other); err != nil {
		t.Fatal(err)
	}
	sealed, err := resumed.Seal(context.Background(), draft(), signerA)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Notice.Core.Msg != other || resumed.Msg() != other || len(resumed.Parts()) != 1 {
		t.Errorf("message %s", sealed.Notice.Core.Msg)
	}
	o, err := open(letter{Sealed: sealed})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := read(o, 0, part.Bytes()); err != nil || string(content) != "bytes" {
		t.Errorf("%q %v", content, err)
	}
}

// What Keep did not write is refused, and the refusal quotes nothing of it.
func TestResumeRefuses(t *testing.T) {
	s, _ := NewSealer(idMsg)
	var part bytes.Buffer
	f := File{Name: "telling.pdf", Type: "application/pdf", Size: 5, Content: strings.NewReader("bytes")}
	if _, err := s.Attach(context.Background(), f, &part); err != nil {
		t.Fatal(err)
	}
	good, err := s.Keep()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"cut":          func(s string) string { return s[:len(s)-1] },
		"version":      func(s string) string { return strings.Replace(s, `"v":1`, `"v":2`, 1) },
		"id":           func(s string) string { return strings.Replace(s, `"msg":"m_`, `"msg":"c_`, 1) },
		"identity":     func(s string) string { return strings.Replace(s, "AGE-SECRET-KEY-PQ-1", "AGE-SECRET-KEY-PQ-2", 1) },
		"size":         func(s string) string { return strings.Replace(s, `"size":5`, `"size":5000`, 1) },
		"name":         func(s string) string { return strings.Replace(s, "telling.pdf", "../telling.pdf", 1) },
		"part missing": func(s string) string { return s[:strings.Index(s, `"parts":[`)] + `"parts":[],"v":1}` },
		"empty":        func(string) string { return "" },
	} {
		bad := change(string(good))
		if bad == string(good) {
			t.Fatalf("%s: nothing changed", name)
		}
		_, err := Resume([]byte(bad))
		if err == nil || strings.Contains(err.Error(), "telling") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Move("c_" + idMsg[2:]); err == nil {
		t.Error("moved to an id that is no message's")
	}
}
