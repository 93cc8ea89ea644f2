package audit_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/audit/second"
)

func bundleOf(t testing.TB, w *audittest.World, opt audit.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if opt.Packs == nil {
		opt.Packs = w.Packs
	}
	if err := audit.WriteBundle(context.Background(), &b, w.Source(), opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func verify(t testing.TB, bundle []byte, trust audit.Trust) (audit.Report, []audit.Finding, error) {
	t.Helper()
	r, found, err := audit.VerifyBundle(context.Background(), bytes.NewReader(bundle), int64(len(bundle)), trust, nil)
	if _, measured := t.(*testing.B); !measured && trust.Policy == nil {
		agree(t, second.Case{Data: bundle, Genesis: trust.Genesis}, r, found, err)
	}
	return r, found, err
}

func TestBundle(t *testing.T) {
	w := story(t)
	w.Fill(300)
	w.Publish()
	bundle := bundleOf(t, w, audit.Options{Made: w.At})
	r, found, err := verify(t, bundle, audit.Trust{Genesis: w.Genesis()})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	t.Logf("%d bytes\n%+v\n%s", len(bundle), *r.Bundle, text(r))
}
