package proving

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// switchboard leads each signer's requests to one of several servers, as an
// operator who wants to show two histories would. It is a world's transport.
type switchboard struct {
	mu     sync.Mutex
	routes map[string]string // by key id: host and port
}

func newSwitchboard() *switchboard { return &switchboard{routes: map[string]string{}} }

// lead sends what a key signs to a server, "" meaning the one it asks for.
func (s *switchboard) lead(key statement.Signer, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[statement.KeyID(key.Public())] = address
}

var keyID = regexp.MustCompile(`keyid="([^"]+)"`)

// RoundTrip implements http.RoundTripper. What was signed, authority and all,
// arrives as it was.
func (s *switchboard) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	address := ""
	if m := keyID.FindStringSubmatch(req.Header.Get("Signature-Input")); m != nil {
		address = s.routes[m[1]]
	}
	s.mu.Unlock()
	if address != "" {
		req = req.Clone(req.Context())
		req.Host, req.URL.Host = req.URL.Host, address
	}
	return http.DefaultTransport.RoundTrip(req)
}

// twin is a second server of the same name: a copy of the first as it was, with
// its keys.
type twin struct {
	t    testing.TB
	Home *server.Home
	X    *exchange.Exchange
	addr string
	dir  string
	stop context.CancelFunc
	done sync.WaitGroup
}

// copyHome copies a server's folder while it works: settings, keys, anchor, and
// a snapshot of its database. What it tells is the new folder.
func copyHome(t *testing.T, h *server.Home) string {
	t.Helper()
	dir := filepath.Join(memoryDir(t), "server")
	for _, sub := range []string{"keys", "anchor"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, filepath.Join(h.Dir, "server.json"), filepath.Join(dir, "server.json"))
	for _, name := range []string{"dir.seed", "ev.seed", "period.key"} {
		copyFile(t, filepath.Join(h.Dir, "keys", name), filepath.Join(dir, "keys", name))
	}
	copyAnchor(t, h, dir)
	db, err := sql.Open("sqlite", strings.TrimPrefix(h.DSN(), "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("VACUUM INTO ?", filepath.Join(dir, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// colluding are the witnesses that an evil operator has on its side. Nobody else
// is asked.
type colluding struct {
	policy *ledger.Policy
	keys   map[string]*ledger.CosigningKey // by name in the policy
}

func (c colluding) Policy(ledger.Log) *ledger.Policy { return c.policy }

func (c colluding) Ask(_ context.Context, w ledger.Witness, cp ledger.Checkpoint, _ []byte, _ ledger.ProveFrom) ([]byte, error) {
	k, ok := c.keys[w.Name]
	if !ok {
		return nil, errors.New("not asked")
	}
	return k.Cosign(cp, time.Now().UnixMilli()), nil
}

// serveTwin runs a copied server beside the first, under its authority. It signs
// what it likes: others than the colluding are not asked.
func (f *field) serveTwin(dir string, keys map[string]*ledger.CosigningKey) *twin {
	f.t.Helper()
	tw := &twin{t: f.t, dir: dir}
	var err error
	tw.Home, err = server.OpenHome(dir)
	f.must(err)
	tw.X, err = tw.Home.OpenExchange(context.Background(), f.Clock, f.Packs, slog.New(slog.DiscardHandler))
	f.must(err)
	signers, err := tw.Home.Signers(tw.X)
	f.must(err)
	anchor, err := tw.Home.Anchor()
	f.must(err)
	policy, err := ledger.ParsePolicy(tw.X.Directory().Quorum().Ev)
	f.must(err)
	u, err := url.Parse(f.URL)
	f.must(err)
	web := httptest.NewServer(api.New(tw.X, api.Options{Authority: u.Host, Log: slog.New(slog.DiscardHandler)}))
	tw.addr = web.Listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	tw.stop = stop
	tw.done.Go(func() { _ = tw.X.Run(ctx) })
	for log, signer := range signers {
		p := ledger.NewPublisher(tw.X.Store, log, signer, anchor, colluding{policy, keys})
		tw.done.Go(func() { tw.sign(ctx, p) })
	}
	f.t.Cleanup(func() {
		stop()
		web.CloseClientConnections()
		web.Close()
		tw.done.Wait()
		tw.X.Store.Close()
	})
	return tw
}

// sign publishes until ctx ends, whatever anybody says.
func (tw *twin) sign(ctx context.Context, p *ledger.Publisher) {
	for ctx.Err() == nil {
		if _, _, err := p.Step(ctx, tw.X.Clock.Now()); err != nil && ctx.Err() == nil {
			tw.t.Errorf("the twin cannot sign: %v", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// last is the newest checkpoint that a store published.
func last(t *testing.T, s ledger.Storage, log ledger.Log) (p ledger.Published) {
	t.Helper()
	err := s.View(context.Background(), func(r ledger.Reader) (err error) {
		p, err = r.LastCheckpoint(context.Background(), log)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// copyAnchor copies what the signer remembers, through its own eyes: it may be
// replaced at any moment.
func copyAnchor(t *testing.T, h *server.Home, dir string) {
	t.Helper()
	from, err := h.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	to, err := ledger.OpenFileAnchor(filepath.Join(dir, "anchor"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range ledger.Logs {
		note, err := from.Last(t.Context(), log)
		if err == nil && note != nil {
			err = to.Keep(t.Context(), log, note)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
