package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// engines are the databases that two servers can stand on; "" is a file.
var engines = map[string]func(t *testing.T) string{
	"sqlite":   func(*testing.T) string { return "" },
	"postgres": func(t *testing.T) string { return pgtest.Shared(t).Database(t) },
}

// Two servers with the same keys and an anchor each serve one database: what is
// written through one is read through the other, both sign, and the ledger is
// one.
func TestTwoServers(t *testing.T) {
	for name, database := range engines {
		t.Run(name, func(t *testing.T) { twoServers(t, database(t)) })
	}
}

func twoServers(t *testing.T, db string) {
	ctx := context.Background()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()
	w, err := demo.Open(ctx, demo.Options{Dir: memoryDir(t), DB: db, Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	must(t, err)
	t.Cleanup(func() { w.Close() })
	second := secondServer(t, w)
	from, to := deskOf(t, w, "swc-kraljevo", "legal"), deskOf(t, w, "hppo-kraljevo", "registry")
	senders := []*office.Office{at(t, w, from.Officers[0], w.URL), at(t, w, from.Officers[1], second.url)}
	readers := []*office.Office{at(t, w, to.Officers[0], second.url), at(t, w, to.Officers[1], w.URL)}

	n := rounds(6)
	sent := make([][]string, len(senders))
	var all sync.WaitGroup
	for i, o := range senders {
		all.Go(func() {
			for range n {
				msg, err := send(ctx, o, from.ID, to.ID)
				if err != nil {
					t.Error(err)
					return
				}
				sent[i] = append(sent[i], msg)
			}
		})
	}
	all.Wait()
	for i, o := range readers {
		must(t, o.Sync(ctx))
		for _, msg := range sent[i] { // written through the other server
			if _, err := o.Read(ctx, to.ID, msg); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		}
	}
	must(t, w.Published(ctx))
	found, err := w.Check(ctx)
	must(t, err)
	for _, f := range found {
		t.Errorf("fsck: %s", f)
	}
	for _, home := range []*server.Home{w.Home, second.home} {
		states, err := home.Examine(ctx, w.Exchange, false)
		must(t, err)
		for _, s := range states {
			if s.Err != nil || s.Anchor == nil {
				t.Errorf("%s: %s: %+v", home.Dir, s.Log, s)
			}
		}
	}
}

// other is a second server of a world.
type other struct {
	home *server.Home
	x    *exchange.Exchange
	url  string
}

// secondServer copies the keys of a world's server, adopts an anchor of its own
// and serves the same database until the test ends.
func secondServer(t *testing.T, w *demo.World) *other {
	t.Helper()
	ctx := context.Background()
	must(t, w.Published(ctx))
	o := &other{home: &server.Home{Dir: memoryDir(t), Settings: w.Home.Settings}}
	if path, ok := strings.CutPrefix(w.Home.DSN(), "sqlite:"); ok {
		o.home.DB = "sqlite:" + path
	}
	must(t, exec.Command("cp", "-a", filepath.Join(w.Home.Dir, "keys"), o.home.Dir).Run())
	must(t, os.Mkdir(filepath.Join(o.home.Dir, "anchor"), 0o700))
	var err error
	log := slog.New(slog.DiscardHandler)
	o.x, err = o.home.OpenExchange(ctx, w.Clock, w.Packs, log)
	must(t, err)
	srv := api.Server("127.0.0.1:0", nil, nil, log)
	listener, err := api.Listen(ctx, srv)
	must(t, err)
	addr := listener.Addr().String()
	o.url, o.home.Authority = "http://"+addr, addr
	srv.Handler = api.New(o.x, api.Options{Authority: addr, Log: log})
	signers, err := o.home.Signers(o.x)
	must(t, err)
	anchor, err := o.home.Anchor()
	must(t, err)
	cfg := server.Config{Exchange: o.x, Signers: signers, Anchor: anchor, HTTP: srv, Listener: listener, Log: log, SignEvery: 10 * time.Millisecond}

	if states, err := o.home.Examine(ctx, o.x, false); err != nil || !errors.Is(states[0].Err, ledger.ErrAnchorEmpty) {
		t.Errorf("an empty anchor: %+v %v", states, err)
	}
	must(t, o.home.Adopt(ctx, o.x))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(running, cfg) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, o.x.Store.Close()); err != nil {
			t.Error(err)
		}
	})
	return o
}

func deskOf(t *testing.T, w *demo.World, code, fn string) *demo.Desk {
	t.Helper()
	m, ok := w.Member(code)
	if !ok {
		t.Fatalf("no institution %s", code)
	}
	d, ok := m.Desk(fn)
	if !ok {
		t.Fatalf("no desk %s of %s", fn, code)
	}
	return d
}

// at is an officer who works through one of the servers.
func at(t *testing.T, w *demo.World, who *demo.Officer, url string) *office.Office {
	t.Helper()
	c, err := client.New(url, who.Keys.Signer(), w.Clock.Now, client.Options{})
	must(t, err)
	o, err := office.Open(office.Config{Client: c, Keys: who.Keys, Notebook: office.MemoryNotebook(office.Pin{URL: url, Genesis: w.Genesis}),
		Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
	must(t, err)
	must(t, o.Sync(context.Background()))
	return o
}

func send(ctx context.Context, o *office.Office, from, to string) (string, error) {
	sent, err := o.Send(ctx, office.Draft{Desk: from, Family: "rs-a", Kind: "complaint", To: []string{to}, Subj: []string{statement.NewID(statement.Person)},
		Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"}, Cats: []string{"identity"},
		Facts: map[string]string{"complainant": "institution"},
		Text:  envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}})
	if err != nil {
		return "", fmt.Errorf("send: %w", err)
	}
	return sent.Msg, nil
}
