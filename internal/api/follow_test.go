package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// TestTwoServers: what one server records counts at the next request to the
// other: a key revoked, a key enrolled, a member taken off a desk.
func TestTwoServers(t *testing.T) { onEngines(t, twoServers) }

func twoServers(one *site) {
	t := one.t
	other := &site{one.Another(api.Options{}), t, one.doc, ""}
	other.at = other.Authority
	feed := wire.PathFeed + "?desk=" + one.A.Desk

	one.want(one.do(one.signed(http.MethodGet, feed, nil, one.A.Officers[1])), http.StatusOK, "")
	one.want(other.do(other.signed(http.MethodGet, feed, nil, one.A.Officers[1])), http.StatusOK, "")
	one.Revoke(one.A, 1)
	for _, target := range []string{feed, wire.PathDirCheckpoint, "/ev/tile/0/000", wire.PathHoles} {
		a := other.do(other.signed(http.MethodGet, target, nil, one.A.Officers[1]))
		other.want(a, http.StatusUnauthorized, "signature")
	}
	write := other.signed(http.MethodPut, wire.Path(wire.PathKey, one.A.RK), []byte(one.A.Key.Recipient().String()), one.A.Officers[1])
	other.want(other.do(write), http.StatusUnauthorized, "signature")

	again := statement.NewSigningKey(make([]byte, 32))
	sealing, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	other.want(other.do(other.signed(http.MethodGet, feed, nil, again)), http.StatusUnauthorized, "signature")
	one.Enter(&directory.OfficerEnrol{U: one.A.Users[1], I: one.A.Inst, Key: statement.KeyID(again.Public()), Ed: again.Public(),
		Rcp: sealing.Recipient().String(), Roles: []string{"member"}, NB: one.Clock.Now(), NA: one.Clock.Now() + 3600_000}, one.A.Registrars[:]...)
	other.want(other.do(other.signed(http.MethodGet, feed, nil, again)), http.StatusOK, "")
	one.Enter(&directory.DeskMembers{D: one.A.Desk, Members: one.A.Users[:1]}, one.A.Registrars[0])
	other.want(other.do(other.signed(http.MethodGet, feed, nil, again)), http.StatusForbidden, "desk")
	other.want(other.do(other.signed(http.MethodGet, feed, nil, one.A.Officers[0])), http.StatusOK, "")
}

// TestRevokedUnderLoad: while many ask, each request is judged by a directory
// that is not older than the request.
func TestRevokedUnderLoad(t *testing.T) {
	one := open(t, api.Options{})
	other := one.Another(api.Options{})
	key := statement.KeyID(one.A.Officers[1].Public())
	revoked := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				var after bool
				select {
				case <-revoked:
					after = true
				default:
				}
				if err := other.X.Follow(context.Background()); err != nil {
					t.Error(err)
					return
				}
				_, ok := other.X.Key(key)
				if after && ok {
					t.Error("let in after the revocation")
				}
				if after {
					return
				}
			}
		})
	}
	one.Revoke(one.A, 1)
	close(revoked)
	all.Wait()
}

// TestFollowFails closed: without an answer of the store nobody is let in. A
// directory that lost entries, or has others, is not taken for the truth, and
// nothing is written to it.
func TestFollowFails(t *testing.T) {
	s := open(t, api.Options{})
	broken := &alteredReads{Store: s.Store}
	cfg := s.Config
	cfg.Store = broken
	x, err := exchange.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := &site{s.World, t, s.doc, ""}
	other.at = s.Serve(func(authority string, log logger) http.Handler {
		return api.New(x, api.Options{Authority: authority, Log: log})
	})
	get := func() answer { return other.do(other.signed(http.MethodGet, wire.PathFeed+"?desk="+s.A.Desk, nil)) }
	other.want(get(), http.StatusOK, "")
	broken.err = errFailing
	other.want(get(), http.StatusInternalServerError, "internal")
	broken.err = context.DeadlineExceeded
	other.want(get(), http.StatusServiceUnavailable, "busy")
	broken.err = nil
	other.want(get(), http.StatusOK, "")
	broken.head = func(ledger.Head) ledger.Head { panic("no head") }
	other.want(get(), http.StatusInternalServerError, "internal")
	broken.head = nil
	other.want(get(), http.StatusOK, "")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Follow(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that went away: %v", err)
	}
	other.want(get(), http.StatusOK, "") // after that caller's look has ended
	if x.HaltCause() != nil {
		t.Error("halted by what passes")
	}
	broken.head = func(h ledger.Head) ledger.Head { h.Size--; return h }
	other.want(get(), http.StatusInternalServerError, "internal")
	health := other.do(other.make(http.MethodGet, wire.PathHealth, nil))
	other.want(health, http.StatusServiceUnavailable, "store")
	if err := x.Follow(t.Context()); !errors.Is(err, ledger.ErrRollback) || !errors.Is(x.HaltCause(), ledger.ErrRollback) {
		t.Errorf("a shorter directory: %v, halted by %v", err, x.HaltCause())
	}
}

// TestFollowSeesAnotherHistory of the same length as the one it wrote.
func TestFollowSeesAnotherHistory(t *testing.T) {
	s := open(t, api.Options{})
	altered := &alteredReads{Store: s.Store}
	cfg := s.Config
	cfg.Store = altered
	x, err := exchange.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = x.Run(running) })
	defer ended.Wait()
	defer stop()
	digest, d := s.Prepare(revocation(s), s.Council)
	if _, err := x.SubmitDirectory(t.Context(), exchange.Caller{Key: statement.KeyID(s.Council.Public()), Nonce: "n"}, digest, encode(t, d)); err != nil {
		t.Fatal(err)
	}
	if err := x.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	altered.head = func(h ledger.Head) ledger.Head { h.Root[0] ^= 1; return h }
	if err := x.Follow(t.Context()); !errors.Is(err, ledger.ErrRollback) || !errors.Is(x.HaltCause(), ledger.ErrRollback) {
		t.Errorf("another root: %v, halted by %v", err, x.HaltCause())
	}
}

// alteredReads fails the reads of the ledger, or shows another head.
type alteredReads struct {
	exchange.Store
	err  error
	head func(ledger.Head) ledger.Head
}

func (a *alteredReads) View(ctx context.Context, f func(ledger.Reader) error) error {
	if a.err != nil {
		return a.err
	}
	return a.Store.View(ctx, func(r ledger.Reader) error { return f(alteredHead{r, a.head}) })
}

type alteredHead struct {
	ledger.Reader
	head func(ledger.Head) ledger.Head
}

func (a alteredHead) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	h, err := a.Reader.Head(ctx, log)
	if a.head != nil && err == nil {
		h = a.head(h)
	}
	return h, err
}

// BenchmarkFollow is what a signed request pays to know of other servers: alone,
// and while many ask. The rest of the request is beside it.
func BenchmarkFollow(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkFollow(b, apitest.Start(b, api.Options{})) })
	b.Run("postgres", func(b *testing.B) {
		benchmarkFollow(b, apitest.StartOn(b, pgtest.Shared(b).Database(b), api.Options{}))
	})
}

func benchmarkFollow(b *testing.B, w *apitest.World) {
	follow := func(b *testing.B) {
		if err := w.X.Follow(context.Background()); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			follow(b)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				follow(b)
			}
		})
	})
	b.Run("request", func(b *testing.B) {
		h := api.New(w.X, api.Options{Authority: w.Authority})
		req := httptest.NewRequest(http.MethodGet, wire.PathDirCheckpoint, nil)
		req.Host = w.Authority
		if err := request.Sign(context.Background(), req, nil, w.A.Officers[0], w.Clock.Now(), request.NewNonce()); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			rec := httptest.NewRecorder()
			if h.ServeHTTP(rec, req.Clone(context.Background())); rec.Code != http.StatusOK {
				b.Fatal(rec.Code, rec.Body)
			}
		}
	})
}
