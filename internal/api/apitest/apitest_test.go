package apitest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
)

// TestWholeWay sends one message with an attachment from desk to desk.
func TestWholeWay(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	ctx := context.Background()
	attachment := make([]byte, 9<<20)
	rand.Read(attachment)
	sealed := w.Seal(nil, attachment)
	sender, receiver := w.Client(w.A.Officers[0], client.Options{}), w.Client(w.B.Officers[0], client.Options{})
	for n, part := range sealed.Parts {
		if err := sender.UploadPart(ctx, sealed.Msg(), n, bytes.NewReader(part), int64(len(part)), nil); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := sealed.Notice.DSSE.Encode()
	if err != nil {
		t.Fatal(err)
	}
	item, err := sender.PutMessage(ctx, sealed.Msg(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := item.Opening(); err != nil {
		t.Error(err)
	}
	id, receipt := w.Retrieved(sealed)
	if raw, err = receipt.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := receiver.PutStatement(ctx, id, raw); err != nil {
		t.Fatal(err)
	}
	for n, part := range sealed.Parts {
		r, size, err := receiver.OpenPart(ctx, w.B.Desk, sealed.Msg(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, part) || size != int64(len(part)) {
			t.Errorf("part %d: %d bytes of %d, %v", n, len(got), len(part), err)
		}
		r.Close()
	}
}
