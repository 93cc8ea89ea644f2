package demo

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// signEvery is how often checkpoints are signed, in real time: a demonstration
// does not wait a second for each.
const signEvery = 10 * time.Millisecond

// bookkeepEvery is how often a server keeps books by itself, in real time.
const bookkeepEvery = 10 * time.Second

// serve makes the server's folder, begins the ledger and starts to listen. After
// an error nothing runs.
func (w *World) serve(ctx context.Context, opts Options) (err error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if w.Packs, err = server.Packs(); err != nil {
		return err
	}
	srv := api.Server(opts.Listen, nil, nil, opts.Log)
	listener, err := api.Listen(ctx, srv)
	if err != nil {
		return err
	}
	cfg := server.Config{HTTP: srv, Listener: listener, Log: opts.Log, SignEvery: cmp.Or(opts.SignEvery, signEvery)}
	if opts.Bookkeep {
		cfg.Bookkeep = bookkeepEvery
	}
	if err := w.start(ctx, opts, &cfg); err != nil {
		return errors.Join(err, listener.Close())
	}
	return nil
}

// start opens the exchange and lets the server run.
func (w *World) start(ctx context.Context, opts Options, cfg *server.Config) error {
	addr := cfg.Listener.Addr().String()
	if err := w.begin(ctx, opts, cmp.Or(opts.Authority, addr)); err != nil {
		return err
	}
	x, err := w.Home.OpenExchange(ctx, w.Clock, w.Packs, opts.Log)
	if err != nil {
		return err
	}
	if cfg.Signers, err = w.Home.Signers(x); err == nil {
		cfg.Anchor, err = w.Home.Anchor()
	}
	if err != nil {
		return errors.Join(err, x.Store.Close())
	}
	w.Exchange, w.URL, cfg.Exchange = x, "http://"+addr, x
	cfg.HTTP.Handler = api.New(x, api.Options{Authority: addr, Log: opts.Log})
	w.run(ctx, *cfg)
	return nil
}

// run starts the server. It outlives ctx until Close, so that requests that
// were begun can end.
func (w *World) run(ctx context.Context, cfg server.Config) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	go func() {
		err := server.Run(running, cfg)
		w.ended <- errors.Join(err, cfg.Exchange.Store.Close())
	}()
}

// begin makes the folder, its keys and the first entry.
func (w *World) begin(ctx context.Context, opts Options, authority string) error {
	db := opts.DB
	if db == "" {
		db = "sqlite:ledger.db"
	}
	home, err := server.InitHome(filepath.Join(w.Dir, "server"), server.Settings{Host: Host, Authority: authority, DB: db})
	if err != nil {
		return err
	}
	w.Home = home
	if err := w.newAuthorities(); err != nil {
		return err
	}
	leaf, err := w.genesis(ctx)
	if err != nil {
		return err
	}
	w.Genesis = directory.LeafHash(leaf)
	return home.Begin(ctx, leaf, w.Clock.Now())
}

// genesis is signed by the one council key there is.
func (w *World) genesis(ctx context.Context) ([]byte, error) {
	body := &directory.Genesis{Council: alone(w.keys.council), Demo: true, Name: "Odziv demonstration",
		Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}}
	for _, d := range w.keys.delegates {
		body.Delegates = append(body.Delegates, directory.Delegate{I: d.Inst, Key: d.Signer().Public()})
	}
	for _, l := range ledger.Logs {
		key, err := w.Home.Signer(l)
		if err != nil {
			return nil, err
		}
		if l == ledger.Dir {
			body.Logs.Dir = key.VerifierKey()
			continue
		}
		body.Logs.Ev = key.VerifierKey()
	}
	payload, err := directory.New().Prepare(body, w.Clock.Now())
	if err != nil {
		return nil, err
	}
	d, err := statement.Sign(ctx, statement.TypeDirectory, payload, w.keys.council.Signer())
	if err != nil {
		return nil, err
	}
	return directory.Leaf(d)
}
