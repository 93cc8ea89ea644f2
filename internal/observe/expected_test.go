package observe_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

// What was accepted here is told to the officers: signed, of this institution
// alone, and never a change of the observer itself.
func TestExpectedList(t *testing.T) {
	w, list := world(t, 1, 0, "ngo-a")
	ctx := context.Background()
	o := list[0]
	o.Signer = o.Keys.Signer()
	m := o.Member
	_, err := m.AddDesk(ctx, "legal")
	check(t, err)
	check(t, w.Published(ctx))
	check(t, o.Round(ctx, false))
	server := httptest.NewServer(o.Handler())
	t.Cleanup(server.Close)
	read := func() transparency.ExpectedList {
		t.Helper()
		data, err := observe.Fetch(ctx, server.URL+"/expected")
		check(t, err)
		x, err := transparency.VerifyExpected(data, o.Keys.Signer().Public(), w.Genesis, m.ID)
		check(t, err)
		return x
	}
	if x := read(); len(x.Entries) != 0 {
		t.Errorf("before anybody looked: %+v", x)
	}
	waiting, err := o.Waiting()
	check(t, err)
	var all []int64
	observers := 0
	for _, c := range waiting {
		all = append(all, c.Idx)
		if c.Type == "inst.observer" {
			observers++
		}
	}
	check(t, o.Accept(all...))
	x := read()
	if len(x.Entries) != len(all)-observers || observers != 1 {
		t.Errorf("%d entries of %d accepted, %d about the observer", len(x.Entries), len(all), observers)
	}
	for _, e := range x.Entries {
		i := slices.IndexFunc(waiting, func(c observe.Change) bool { return c.Idx == e.Idx && c.Hash == e.SHA256 })
		if i < 0 {
			t.Errorf("%+v was not accepted", e)
		}
	}
	// What comes later is in no list until somebody looked.
	inst, _ := o.Directory().Institution(m.ID)
	check(t, w.Propose(ctx, &directory.InstRegistrars{I: m.ID, Keys: inst.Registrars}, m.Root().Signer()))
	check(t, w.Published(ctx))
	check(t, o.Round(ctx, false))
	if again := read(); len(again.Entries) != len(x.Entries) {
		t.Errorf("%d entries, %d before", len(again.Entries), len(x.Entries))
	}
	if _, err := o.Expected(ctx, nil); err == nil {
		t.Error("a list without a key")
	}
}
