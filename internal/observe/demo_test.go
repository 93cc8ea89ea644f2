package observe_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/ledger"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a demonstration with observers.
func world(t *testing.T, n, quorum int, codes ...string) (*demo.World, []*demo.Observer) {
	t.Helper()
	return worldIn(t, "", n, quorum, codes...)
}

// worldIn keeps it in a folder, "" for a temporary one.
func worldIn(t *testing.T, dir string, n, quorum int, codes ...string) (*demo.World, []*demo.Observer) {
	t.Helper()
	clock := demo.NewClock(time.Now().UnixMilli())
	clock.Run()
	w, err := demo.Open(context.Background(), demo.Options{Dir: dir, Clock: clock, Codes: codes})
	check(t, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	list, err := w.Observe(context.Background(), n, quorum)
	check(t, err)
	t.Cleanup(func() {
		for _, o := range list {
			if err := o.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return w, list
}

// Four institutions observe, three are enough: what they cosigned is what they
// mirrored and replayed, and one that stops is missed by nobody.
func TestQuorumOfObservers(t *testing.T) {
	w, list := world(t, 4, 3, "swc-novi-sad", "ngo-a")
	ctx := context.Background()
	check(t, w.Confirmed(ctx))
	check(t, list[3].Stop())
	m, _ := w.Member("ngo-a")
	_, err := m.AddDesk(ctx, "case")
	check(t, err)
	check(t, w.Confirmed(ctx))
	for _, o := range list[:3] {
		check(t, o.Round(ctx, true))
		if alarms, err := o.Alarms.List(false); err != nil || len(alarms) != 1 || alarms[0].Kind != "unexpected" {
			t.Errorf("%s: %+v, %v", o.Member.Code, alarms, err)
		}
	}
	p, err := w.Cosigned(ctx, ledger.Dir)
	check(t, err)
	at, held := list[0].Mirror(ledger.Dir).At()
	if at.Size != p.Size || list[0].Directory().N() != p.Size || at.Root != p.Root || len(held) == 0 {
		t.Errorf("mirrors %+v, published %d", at, p.Size)
	}
}

// Observers compare with each other and with what anybody is shown. A stranger
// in between is told nothing but a checkpoint.
func TestObserversCompare(t *testing.T) {
	w, list := world(t, 2, 2, "ngo-a")
	ctx := context.Background()
	check(t, w.Confirmed(ctx))
	for _, o := range list {
		check(t, o.Round(ctx, false))
	}
	public, err := client.Public(w.URL, client.Options{Attempts: 1})
	check(t, err)
	list[0].Others = []observe.Other{observe.Peer(list[1].URL + "/"), observe.Public(public), observe.Peer("http://127.0.0.1:1")}
	check(t, list[0].Round(ctx, false))
	for _, log := range []string{"dir", "ev"} {
		signed, err := observe.Fetch(ctx, list[1].URL+"/"+log+"/checkpoint")
		check(t, err)
		if v, err := list[0].Compare(ctx, signed); err != nil || v != observe.Same {
			t.Errorf("%s: %s %v", log, v, err)
		}
	}
	for _, address := range []string{list[1].URL + "/", list[1].URL + "/add-checkpoint", "http://observer.example/ev/checkpoint", "http://u:p@127.0.0.1/", "nowhere"} {
		if data, err := observe.Fetch(ctx, address); err == nil {
			t.Errorf("%s: %q", address, data)
		}
	}
	for _, shown := range []string{"", "x", "other.example/ev\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nx", w.Exchange.Host + "/ev\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 x AAAA\n"} {
		if v, err := list[0].Compare(ctx, []byte(shown)); !errors.Is(err, observe.ErrForeign) {
			t.Errorf("%q: %s %v", shown, v, err)
		}
	}
}
