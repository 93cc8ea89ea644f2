package envelope

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
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

// TestOpenEnvironment: faults around the message are no fault of its sender.
func TestOpenEnvironment(t *testing.T) {
	l := seal(t, draft())
	broken := errors.New("broken")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	malformed := *l.Notice.DSSE
	malformed.Payload = append(bytes.Clone(malformed.Payload), ' ')
	for name, tt := range map[string]struct {
		ctx  context.Context
		dsse *statement.DSSE
		body io.Reader
		want error
	}{
		"read error":  {context.Background(), l.Notice.DSSE, io.MultiReader(bytes.NewReader(l.Body[:50]), iotest.ErrReader(broken)), broken},
		"cancelled":   {cancelled, l.Notice.DSSE, bytes.NewReader(l.Body), context.Canceled},
		"malformed":   {context.Background(), &malformed, bytes.NewReader(l.Body), statement.ErrNotCanonical},
		"no envelope": {context.Background(), nil, bytes.NewReader(l.Body), nil},
	} {
		_, err := Open(tt.ctx, tt.dsse, publicOf(signerA), identB, idDeskB, tt.body)
		if err == nil || FailureCode(err) != "" || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v and no failure code", name, err, tt.want)
		}
	}
}

// TestOpenBounded: a server that never stops sending is cut off.
func TestOpenBounded(t *testing.T) {
	l := seal(t, draft())
	endless := &watched{watch: &heapWatch{}}
	_, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identB, idDeskB, io.TeeReader(zeros{}, endless))
	if FailureCode(err) != messaging.FailDigest {
		t.Error(err)
	}
	if endless.n > l.Notice.Payload.Body.Len+1 {
		t.Errorf("%d bytes were read of a body of %d", endless.n, l.Notice.Payload.Body.Len)
	}
}
