package server

import (
	"log/slog"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// A server that nobody asks anything signs under the policy that is in force,
// not the one it began with.
func TestSignerFollows(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	idle := w.Another(api.Options{})
	w.Revoke(w.A, 1)
	log := slog.New(slog.DiscardHandler)
	cfg := &Config{Exchange: idle.X, Log: log}
	watch := newWatching(idle.X, log)
	p := ledger.NewPublisher(w.Store, ledger.Ev, w.Signer(ledger.Ev), storagetest.NewAnchor(), watch)
	if err := p.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.publish(t.Context(), ledger.Ev, p, watch); err != nil {
		t.Fatal(err)
	}
	if got, want := idle.X.Directory().N(), w.X.Directory().N(); got != want {
		t.Errorf("the idle server knows %d entries of %d", got, want)
	}
}
