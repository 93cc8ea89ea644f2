package proving

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// TestWithdrawalRace lets a withdrawal run against sends that rely on the same
// consent. Whatever wins, no send may stand in the ledger after the withdrawal,
// and every send is either accepted before it or refused by name.
//
// On PostgreSQL every other send goes through a second server. There are fewer
// rounds: what decides is the same code under another lock.
func TestWithdrawalRace(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		n := rounds(10_000)
		if e.name == "postgres" {
			n = rounds(500)
		}
		testWithdrawalRace(t, e, n)
	})
}

func testWithdrawalRace(t *testing.T, e engine, n int) {
	f := openField(t, e.place(t))
	ngo := f.sender("ngo-a", "case")
	swc := f.sender("swc-kraljevo", "intake")
	servers := []*exchange.Exchange{f.Exchange}
	if e.name == "postgres" {
		servers = append(servers, f.second(t))
	}
	const sends = 3
	var before, after int
	for range n {
		b, a := raceOnce(t, servers, ngo, swc, sends)
		before, after = before+b, after+a
		if t.Failed() {
			return
		}
	}
	t.Logf("accepted before a withdrawal: %d, refused after it: %d", before, after)
	if before == 0 || after == 0 {
		t.Error("the race never went one of its two ways: it is no race")
	}
	sound(t, f.Exchange.Store, f.World)
}

// second is another server of the same exchange, with connections of its own.
func (f *field) second(t *testing.T) *exchange.Exchange {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), f.Home.DSN())
	f.must(err)
	t.Cleanup(func() { f.must(store.Close()) })
	config := f.Exchange.Config
	config.Store = store
	return f.serving(t, config)
}

// serving opens an exchange beside the world's and runs it until the test ends.
func (f *field) serving(t *testing.T, config exchange.Config) *exchange.Exchange {
	t.Helper()
	x, err := exchange.Open(t.Context(), config)
	f.must(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		f.must(<-ended)
	})
	return x
}

// raceOnce gives a consent, then lets sends and the withdrawal loose at once.
func raceOnce(t *testing.T, servers []*exchange.Exchange, ngo, swc *sender, sends int) (accepted, refused int) {
	ctx := t.Context()
	cas, subj := statement.NewID(statement.Case), statement.NewID(statement.Person)
	given := ngo.consentTo(cas, subj, swc.desk)
	if _, err := ngo.record(ctx, consent.Given, given); err != nil {
		t.Fatal(err)
	}
	raws, ids := make([][]byte, sends), make([]string, sends)
	for i := range raws {
		core := ngo.core("referral", messaging.Basis{Code: "consent", Purpose: "assistance", Consents: []messaging.ConsentRef{{ID: given.ID, Ver: 1}}})
		core.Case, core.Subj = cas, []string{subj}
		_, raw, err := ngo.seal(ctx, core, swc.desk, map[string]string{"needs": "n"})
		if err != nil {
			t.Fatal(err)
		}
		raws[i], ids[i] = raw, core.Msg
	}
	results := make([]int64, sends) // index in the ledger, -1 when refused
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range raws {
		wg.Go(func() {
			<-gate
			results[i] = sendOnce(ctx, t, servers[i%len(servers)], ngo, ids[i], raws[i])
		})
	}
	var withdrawnAt int64
	wg.Go(func() {
		<-gate
		next := given
		next.Ver, next.Prev = 2, 1
		item, err := ngo.record(ctx, consent.Withdrawn, next)
		if err != nil {
			t.Error(err)
		}
		withdrawnAt = item.Idx
	})
	close(gate)
	wg.Wait()
	for _, idx := range results {
		switch {
		case idx < 0:
			refused++
		case idx > withdrawnAt:
			t.Errorf("a send stands at %d, after the withdrawal at %d", idx, withdrawnAt)
		default:
			accepted++
		}
	}
	return accepted, refused
}

func sendOnce(ctx context.Context, t *testing.T, x *exchange.Exchange, ngo *sender, id string, raw []byte) int64 {
	item, err := x.SubmitMessage(ctx, ngo.caller(), id, raw)
	if err == nil {
		return item.Idx
	}
	r, ok := exchange.AsRefusal(err)
	if !ok || !strings.HasPrefix(r.Code, "consent_") {
		t.Errorf("refused for another reason: %v", err)
	}
	return -1
}
