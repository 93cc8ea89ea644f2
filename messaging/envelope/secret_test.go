package envelope

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestNothingPrints puts everything that holds content or keys through every
// way of printing.
func TestNothingPrints(t *testing.T) {
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	attach(t, s, []byte("content"))
	m, err := s.Seal(context.Background(), draft(), signerA)
	if err != nil {
		t.Fatal(err)
	}
	o, err := open(letter{Sealed: m})
	if err != nil {
		t.Fatal(err)
	}
	secret := o.AckSecret()
	canaries := []string{
		draft().Text.Subject, "дописа", "a.pdf", "AGE-SECRET-KEY", s.mk().String()[20:60],
		fmt.Sprint(secret[:8])[1:20], fmt.Sprintf("%x", secret[:8]), fmt.Sprint(o.FileKey().Bytes())[1:20], fmt.Sprintf("%x", o.FileKey().Bytes()),
	}
	for _, v := range []any{*s, s, *o, o, o.Text, &o.Text, o.Att, o.Att[0], draft(), o.FileKey(), struct{ K FileKey }{o.FileKey()}, struct{ O *Opened }{o}, struct{ k FileKey }{o.FileKey()}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		out := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			out += fmt.Sprintf(verb, v)
		}
		for _, c := range canaries {
			if strings.Contains(out, c) {
				t.Errorf("%T prints %q:\n%s", v, c, out)
			}
		}
	}
	key, err := json.Marshal(o.FileKey())
	if err != nil || string(key) != `"redacted"` {
		t.Errorf("FileKey marshals to %s, %v", key, err)
	}
	for _, v := range []any{s, o} {
		data, err := json.Marshal(v)
		if err == nil && (bytes.Contains(data, []byte("AGE-SECRET")) || bytes.Contains(data, []byte(fmt.Sprintf("%x", secret)))) {
			t.Errorf("%T marshals a key", v)
		}
	}
}

// TestSealedIsOpaque searches what goes to the server for what was sealed.
func TestSealedIsOpaque(t *testing.T) {
	l := seal(t, draft(), bytes.Repeat([]byte("needle"), 1000))
	o, err := open(l)
	if err != nil {
		t.Fatal(err)
	}
	secret := o.AckSecret()
	visible := append(bytes.Clone(l.Body), l.parts[0]...)
	visible = append(visible, l.Notice.DSSE.Payload...)
	for _, c := range [][]byte{
		[]byte("needle"), []byte("Предмет"), []byte("registered"), []byte("прилог"), []byte("AGE-SECRET"), secret[:], o.FileKey().Bytes(),
	} {
		if bytes.Contains(visible, c) {
			t.Errorf("what leaves the desk holds %q", c)
		}
	}
}
