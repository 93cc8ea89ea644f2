package observe_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// site is a server's folder, served again at the address that everybody knows.
type site struct {
	x     *exchange.Exchange
	home  *server.Home
	stop  context.CancelFunc
	ended chan error
}

// How a server publishes.
type publishing int

const (
	honestly publishing = iota
	alone               // asking no witness
	never
)

// serve starts a server on a folder.
func serve(t *testing.T, w *demo.World, folder string, how publishing) (*site, error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	home, log := openHome(t, folder), discard
	x, err := home.OpenExchange(ctx, w.Clock, w.Packs, log)
	check(t, err)
	signers, err := home.Signers(x)
	check(t, err)
	anchor, err := home.Anchor()
	check(t, err)
	address := strings.TrimPrefix(w.URL, "http://")
	srv := api.Server(address, api.New(x, api.Options{Authority: address, Log: log}), nil, log)
	listener, err := api.Listen(ctx, srv)
	check(t, err)
	s := &site{x: x, home: home, stop: stop, ended: make(chan error, 1)}
	run := func() error {
		return server.Run(ctx, server.Config{Exchange: x, Signers: signers, Anchor: anchor, HTTP: srv, Listener: listener, Log: log, SignEvery: 10 * time.Millisecond})
	}
	if how == never {
		signers = nil
	}
	if how != honestly {
		run = func() error { return s.runAlone(ctx, srv, listener, signers, anchor) }
	}
	go func() { s.ended <- errors.Join(run(), x.Store.Close()) }()
	for range 500 {
		select {
		case err := <-s.ended:
			s.ended <- nil
			return s, err
		default:
		}
		if err := status(w.URL); err == nil {
			w.Exchange = x
			return s, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the server does not answer")
	return nil, nil
}

var discard = slog.New(slog.DiscardHandler)

func openHome(t *testing.T, folder string) *server.Home {
	t.Helper()
	home, err := server.OpenHome(folder)
	check(t, err)
	return home
}

func status(url string) error {
	resp, err := http.Get(url + "/v1/status")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// runAlone is server.Run by an operator who wants nobody to know.
func (s *site) runAlone(ctx context.Context, srv *http.Server, l net.Listener, signers map[ledger.Log]ledger.Signer, anchor ledger.Anchor) error {
	go s.x.Run(ctx)
	for log, signer := range signers {
		p := ledger.NewPublisher(s.x.Store, log, signer, anchor, ledger.Unwatched{})
		go func() {
			for ctx.Err() == nil {
				_, _, _ = p.Step(ctx, s.x.Clock.Now())
				time.Sleep(10 * time.Millisecond)
			}
		}()
	}
	return api.Serve(ctx, srv, l)
}

func (s *site) end(t *testing.T) {
	t.Helper()
	s.stop()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := <-s.ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// card is a statement that one registrar signs.
func card(t *testing.T, w *demo.World, m *demo.Member, b byte) {
	t.Helper()
	c := make([]byte, 32)
	c[0] = b
	check(t, w.Propose(context.Background(), &directory.Card{C: c, Of: m.Desks[0].ID}, m.Registrars()[0].Signer()))
}

// A database from an old backup, anchor and all, does not start while a quorum
// of institutions remembers more; served by an operator who asks nobody, and
// grown into another history, it is a fork that each institution can prove.
func TestForkedDatabase(t *testing.T) {
	ctx := context.Background()
	w, list := worldIn(t, filepath.Join(t.TempDir(), "world"), 3, 2, "ngo-a")
	m, _ := w.Member("ngo-a")
	check(t, w.Confirmed(ctx))
	check(t, w.Close())
	folder, backup := filepath.Join(w.Dir, "server"), filepath.Join(w.Dir, "backup")
	if out, err := exec.Command("cp", "-a", folder, backup).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}

	s, err := serve(t, w, folder, honestly)
	check(t, err)
	for i := range byte(5) {
		card(t, w, m, i)
	}
	check(t, w.Confirmed(ctx))
	for _, o := range list {
		check(t, o.Round(ctx, false))
	}
	s.end(t)

	if _, err := serve(t, w, backup, honestly); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("the old backup started: %v", err)
	}

	s, err = serve(t, w, backup, alone)
	check(t, err)
	check(t, list[0].Round(ctx, false))
	wantKinds(t, list[0], observe.Rollback)
	for i := range byte(9) {
		card(t, w, m, 100+i)
	}
	check(t, w.Published(ctx))
	for _, o := range list {
		if err := o.Round(ctx, false); !errors.Is(err, ledger.ErrContradicted) {
			t.Errorf("%v", err)
		}
		wantKinds(t, o, observe.Fork)
		askToCosign(t, w, s, o)
	}
	s.end(t)
}

// askToCosign brings the fork's checkpoint to an observer, with its own proofs.
func askToCosign(t *testing.T, w *demo.World, s *site, o *demo.Observer) {
	t.Helper()
	if err := s.ask(t, o); !errors.Is(err, ledger.ErrContradicted) {
		t.Errorf("%s cosigned a fork: %v", o.Member.Code, err)
	}
}

// ask brings a checkpoint of the directory as it stands to an observer.
func (s *site) ask(t *testing.T, o *demo.Observer) error {
	t.Helper()
	ctx := context.Background()
	signer, err := s.home.Signer(ledger.Dir)
	check(t, err)
	var head ledger.Head
	check(t, s.x.Store.View(ctx, func(r ledger.Reader) error {
		head, err = r.Head(ctx, ledger.Dir)
		return err
	}))
	c := ledger.Checkpoint{Origin: ledger.Dir.Origin(s.home.Host), Size: head.Size, Root: head.Root}
	signed, err := ledger.SignCheckpoint(ctx, signer, c)
	check(t, err)
	to := ledger.Witness{Name: o.Member.Code, Verifier: o.Key.Verifier(), VKey: o.Key.VerifierKey(), URL: o.URL}
	_, err = witness.NewClient(nil).Ask(ctx, to, c, signed, func(ctx context.Context, old int64) (proof tlog.TreeProof, err error) {
		err = s.x.Store.View(ctx, func(r ledger.Reader) error {
			proof, err = ledger.ProveConsistency(ctx, r, ledger.Dir, old, c.Size)
			return err
		})
		return proof, err
	})
	return err
}

// A server that died after the witnesses cosigned and before it published starts
// again: they are ahead of what was published, and not of the ledger.
func TestDiedBeforePublishing(t *testing.T) {
	ctx := context.Background()
	w, list := worldIn(t, filepath.Join(t.TempDir(), "world"), 3, 3, "ngo-a")
	m, _ := w.Member("ngo-a")
	check(t, w.Confirmed(ctx))
	check(t, w.Close())
	s, err := serve(t, w, filepath.Join(w.Dir, "server"), never)
	check(t, err)
	card(t, w, m, 1)
	for _, o := range list {
		check(t, s.ask(t, o))
	}
	s.end(t)
	s, err = serve(t, w, filepath.Join(w.Dir, "server"), honestly)
	check(t, err)
	check(t, w.Confirmed(ctx))
	s.end(t)
}

// wantKinds wants an alarm of a kind among those that are open.
func wantKinds(t *testing.T, o *demo.Observer, kind observe.Kind) {
	t.Helper()
	list, err := o.Alarms.List(false)
	check(t, err)
	for _, a := range list {
		if a.Kind == kind {
			return
		}
	}
	t.Errorf("%s: no alarm of kind %s among %+v", o.Member.Code, kind, list)
}
