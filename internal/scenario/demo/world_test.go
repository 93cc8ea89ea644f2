package demo_test

import (
	"context"
	"testing"

	"github.com/odziv/odziv/internal/scenario/demo"
)

const start = 1767868200000 // 2026-01-08 10:30 UTC

func open(t testing.TB, codes ...string) *demo.World {
	t.Helper()
	w, err := demo.Open(context.Background(), demo.Options{Clock: demo.NewClock(start), Codes: codes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestWorldOpensDesks(t *testing.T) {
	w := open(t, "swc-nis", "hppo-nis")
	m, ok := w.Member("swc-nis")
	if !ok {
		t.Fatal("no such member")
	}
	d, _ := m.Desk("legal")
	at, err := d.Office(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := at.Desk(""); err != nil || got != d.ID {
		t.Errorf("desk %s, %v", got, err)
	}
}

func TestAll(t *testing.T) {
	w := open(t)
	t.Log(w.Exchange.Directory().N())
}
