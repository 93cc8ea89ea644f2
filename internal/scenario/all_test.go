package scenario

import (
	"strings"
	"testing"
)

func TestAllTogether(t *testing.T) {
	files, err := Shipped(packs(t))
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := play(t, Options{Bookkeeper: true}, files...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	Tell(&b, r, "en")
	t.Log("\n" + b.String())
	t.Logf("%+v", r.Missing)
	t.Log(r.Institutions, r.Desks, r.Directory, r.Evidence)
}
