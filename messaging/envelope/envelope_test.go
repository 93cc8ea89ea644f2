package envelope

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 70000)
	l := seal(t, draft(), content, nil)
	o, err := open(l)
	if err != nil {
		t.Fatal(err)
	}
	if o.Text.Body != draft().Text.Body || o.Text.Subject != draft().Text.Subject || o.Text.Fields["stage"] != "registered" {
		t.Errorf("text differs: %q", o.Text.Body)
	}
	for n, want := range [][]byte{content, nil} {
		got, err := read(o, n, l.parts[n])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("part %d: %d bytes, %v; want %d", n, len(got), err, len(want))
		}
	}
	secret := o.AckSecret()
	if err := l.Notice.Core.CheckAck(idDeskB, secret[:]); err != nil {
		t.Error(err)
	}
}
