package office_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/keys/directory"
)

// counting counts the bytes of requests' bodies.
type counting struct {
	base http.RoundTripper
	sent *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent.Add(max(0, r.ContentLength))
	return c.base.RoundTrip(r)
}

// largeDesk is a desk of twelve with three custodians, two of whom recover it.
func largeDesk(b *testing.B) (*demo.World, *demo.Desk) {
	b.Helper()
	w, err := demo.Open(b.Context(), demo.Options{Dir: b.TempDir(), Clock: demo.NewClock(start), Codes: []string{"hppo-kraljevo"}})
	ok(b, err)
	b.Cleanup(func() { w.Close() })
	m, _ := w.Member("hppo-kraljevo")
	d, _ := m.Desk("registry")
	for len(d.Officers) < 12 {
		_, err := d.Enrol(b.Context(), "member")
		ok(b, err)
	}
	body := &directory.InstCustodians{I: m.ID, K: 2}
	for range 3 {
		id, err := age.GenerateHybridIdentity()
		ok(b, err)
		body.Rcps = append(body.Rcps, id.Recipient().String())
	}
	ok(b, w.Propose(b.Context(), body, m.Root().Signer()))
	ok(b, w.Published(b.Context()))
	return w, d
}

func ok(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// counted opens the program of an officer who accepts what changed, and counts what it
// sends.
func counted(b *testing.B, w *demo.World, o *demo.Officer, sent *atomic.Int64) *office.Office {
	b.Helper()
	c, err := client.New(w.URL, o.Keys.Signer(), w.Clock.Now, client.Options{Transport: counting{http.DefaultTransport, sent}})
	ok(b, err)
	p, err := office.Open(office.Config{Client: c, Keys: o.Keys, Notebook: office.MemoryNotebook(w.Pin()), Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
	ok(b, err)
	ok(b, p.Sync(b.Context()))
	for _, c := range p.Unexpected("") {
		_, _ = p.Accept(c.Idx) // one may settle another
	}
	return p
}

// BenchmarkRotate makes a key for twelve members and three custodians, on record
// and under a checkpoint, and acknowledges it.
func BenchmarkRotate(b *testing.B) {
	w, d := largeDesk(b)
	var sent atomic.Int64
	maker, second := counted(b, w, d.Officers[0], &sent), counted(b, w, d.Officers[1], new(atomic.Int64))
	sent.Store(0)
	for b.Loop() {
		_, err := maker.Rotate(b.Context(), d.ID, "yearly")
		ok(b, err)
		b.StopTimer()
		ok(b, second.Acknowledge(b.Context(), d.ID))
		b.StartTimer()
	}
	b.ReportMetric(float64(sent.Load())/float64(b.N), "B-sent/op")
}

// BenchmarkShare gives thirty keys to a new member, and lets her take them.
func BenchmarkShare(b *testing.B) {
	w, d := largeDesk(b)
	var sent atomic.Int64
	maker, second := counted(b, w, d.Officers[0], &sent), counted(b, w, d.Officers[1], new(atomic.Int64))
	for range 29 {
		_, err := maker.Rotate(b.Context(), d.ID, "yearly")
		ok(b, err)
		ok(b, second.Acknowledge(b.Context(), d.ID))
	}
	o, err := d.Enrol(b.Context(), "member")
	ok(b, err)
	maker = counted(b, w, d.Officers[0], &sent)
	taker := counted(b, w, o, new(atomic.Int64))
	sent.Store(0)
	for b.Loop() {
		given, err := maker.ShareEpochs(b.Context(), d.ID, "rs-a", o.ID, nil)
		ok(b, err)
		if len(given.Epochs) != 30 {
			b.Fatalf("%+v", given)
		}
	}
	b.ReportMetric(float64(sent.Load())/float64(b.N), "B-sent/op")
	ok(b, taker.Sync(b.Context()))
	began := time.Now()
	taken, err := taker.TakeShares(b.Context(), d.ID)
	ok(b, err)
	if len(taken) != 30 {
		b.Fatalf("%v", taken)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-taking")
}
