// Package server runs one exchange server: the sequencer, the signer of
// checkpoints, the bookkeeper and the listener, each until the context ends.
//
// The bookkeeper writes reminders and overdue leaves; without it no answer
// about what is owed changes. The signer signs only what extends its last
// checkpoint and otherwise stops the whole server, loudly.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// Config is what a server is made of. All but Bookkeep and Sweep are required.
type Config struct {
	Exchange  *exchange.Exchange
	Signers   map[ledger.Log]ledger.Signer
	Anchor    ledger.Anchor
	HTTP      *http.Server // of api.Server
	Listener  net.Listener // of api.Listen
	Log       *slog.Logger
	SignEvery time.Duration // 1 s in production
	Bookkeep  time.Duration // 0: never; no answer depends on it
	Sweep     time.Duration // 0: never
	Periods   time.Duration // how often period keys are brought into memory; 0: when they are asked for
	Keys      *Keys         // kept at work while the server runs, where they lie in a Vault; nil: somebody else does
	Started   func()        // called when nothing speaks against serving; may be nil
}

// Run serves until ctx ends or a part of it fails, and returns when every part
// has stopped. The first failure is the one returned.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sequencer, endSequencer := context.WithCancel(context.WithoutCancel(ctx))
	defer endSequencer()

	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cfg.Log.Error("stopping", "part", name, "error", statement.Redact(err.Error()))
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if cfg.Keys != nil {
		start("vault", cfg.Keys.Run)
	}
	if err := cfg.synchronise(ctx); err != nil {
		return errors.Join(err, cfg.Listener.Close())
	}
	watch := newWatching(cfg.Exchange, cfg.Log)
	publishers := map[ledger.Log]*ledger.Publisher{}
	for log, signer := range cfg.Signers {
		p := ledger.NewPublisher(cfg.Exchange.Store, log, signer, cfg.Anchor, watch)
		if err := cfg.consult(ctx, log, p, watch); ctx.Err() != nil {
			return cfg.Listener.Close() // interrupted before it began
		} else if err != nil {
			return errors.Join(fmt.Errorf("signer %s: %w", log, err), cfg.Listener.Close())
		}
		publishers[log] = p
	}
	if cfg.Started != nil {
		cfg.Started()
	}
	for log, p := range publishers {
		start("signer "+log.String(), cfg.publishing(log, p, watch))
	}
	start("sequencer", cfg.sequencing)
	start("clock", cfg.every(clockEvery, cfg.synchronise))
	start("bookkeeper", cfg.trying("bookkeeper", cfg.Bookkeep, func(ctx context.Context) error {
		_, err := cfg.Exchange.Bookkeep(ctx)
		return err
	}))
	start("sweeper", cfg.trying("sweeper", cfg.Sweep, cfg.Exchange.Sweep))
	start("periods", cfg.keepPeriods)
	start("listener", func(ctx context.Context) error { return api.Serve(ctx, cfg.HTTP, cfg.Listener) })

	ended := make(chan error, 1)
	go func() { ended <- cfg.Exchange.Run(sequencer) }()
	<-ctx.Done()
	parts.Wait() // requests end before the sequencer that answers them
	endSequencer()
	err := <-ended
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// publishing is the signer's loop. A failure of the store, and keys that cannot
// be had, are tried again; a rollback ends the server.
func (cfg *Config) publishing(log ledger.Log, p *ledger.Publisher, watch *watching) func(context.Context) error {
	said := "" // of what fails now
	return cfg.every(cfg.SignEvery, func(ctx context.Context) error {
		err := cfg.publish(ctx, log, p, watch)
		if fatal(err) {
			cfg.Exchange.Halt(err) // before the listener has ended
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		said = cfg.tell(log, said, err)
		return nil
	})
}

// fatal reports that the ledger must not be signed.
func fatal(err error) bool {
	return errors.Is(err, ledger.ErrRollback) || errors.Is(err, ledger.ErrAnchorEmpty) || errors.Is(err, ledger.ErrTreeMismatch)
}

// tell says once that no checkpoint is signed, and once that they are again.
func (cfg *Config) tell(log ledger.Log, said string, err error) string {
	if err == nil {
		if said != "" {
			cfg.Log.Info("checkpoints are signed again", "tree", log.String())
		}
		return ""
	}
	now := statement.Redact(err.Error())
	if now != said {
		cfg.Log.Warn("no checkpoint is signed: what is written stays unconfirmed until one is", "tree", log.String(), "error", now)
	}
	return now
}

// publish is one step of the signer, under the policy of witnesses that is on
// record now, whichever server recorded it.
func (cfg *Config) publish(ctx context.Context, log ledger.Log, p *ledger.Publisher, watch *watching) error {
	if cfg.Exchange.ClockInDoubt() {
		return nil // it was said when the clock was read
	}
	now := cfg.Exchange.Clock.Now()
	if err := cfg.Exchange.Follow(ctx); err != nil {
		return err
	}
	last, _, err := p.Step(ctx, now)
	watch.note(log, p.Doubts(), last, now)
	return err
}

// consultAgain is how long a server waits before it asks again for the anchor
// without which it does not begin.
const consultAgain = time.Second

// consult holds the ledger against the anchor and the witnesses before anything
// is accepted. While the anchor in Vault cannot be had, the copy on this server's
// disk does; a server that has none yet waits.
func (cfg *Config) consult(ctx context.Context, log ledger.Log, p *ledger.Publisher, watch *watching) error {
	for said := ""; ; {
		now := cfg.Exchange.Clock.Now()
		err := p.Consult(ctx, now)
		if !errors.Is(err, ErrVault) || cfg.Keys == nil {
			return err
		}
		here := ledger.NewPublisher(cfg.Exchange.Store, log, cfg.Signers[log], cfg.Keys.Local, watch)
		if local := here.Consult(ctx, now); !errors.Is(local, ledger.ErrAnchorEmpty) {
			return local
		}
		if now := statement.Redact(err.Error()); now != said {
			cfg.Log.Warn("waiting for the anchor in Vault: there is no copy of it here", "tree", log.String(), "error", now)
			said = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(consultAgain):
		}
	}
}

// keepAgain is how soon period keys that could not be had are asked for again.
const keepAgain = 3 * time.Second

// keepPeriods brings period keys into memory, now and then. That they cannot be
// had was said when they were asked for.
func (cfg *Config) keepPeriods(ctx context.Context) error {
	for cfg.Periods > 0 {
		pause := cfg.Periods
		if err := cfg.Exchange.KeepPeriods(ctx); err != nil {
			pause = min(pause, keepAgain)
			if _, refused := exchange.AsRefusal(err); !refused && ctx.Err() == nil {
				cfg.Log.Warn("period keys were not read", "error", statement.Redact(err.Error()))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
	return nil
}

// clockEvery is how often a server that nobody writes to reads the store's clock.
const clockEvery = time.Minute

// synchronise takes over the store's time before anything is signed with it. A
// clock in doubt stops the writes, not the server.
func (cfg *Config) synchronise(ctx context.Context) error {
	err := cfg.Exchange.Synchronise(ctx)
	switch refused, ok := exchange.AsRefusal(err); {
	case ctx.Err() != nil:
		return nil
	case ok:
		cfg.Log.Warn("nothing can be written", "why", refused.Detail)
		return nil
	case errors.Is(err, ledger.ErrRollback), errors.Is(err, ledger.ErrTreeMismatch):
		cfg.Exchange.Halt(err)
		return err
	case err != nil:
		cfg.Log.Warn("the clock of the store was not read", "error", statement.Redact(err.Error()))
	}
	return nil
}

// sequencing ends the server when the sequencer finds its store to be another
// than it was; it goes on answering, with refusals, until all requests ended.
func (cfg *Config) sequencing(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-cfg.Exchange.Halted():
		return cfg.Exchange.HaltCause()
	}
}

// trying runs f as every does, but says what fails and tries again: no answer
// depends on it, so a full disk must not stop the server.
func (cfg *Config) trying(part string, period time.Duration, f func(context.Context) error) func(context.Context) error {
	return cfg.every(period, func(ctx context.Context) error {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			cfg.Log.Warn("not this time", "part", part, "error", statement.Redact(err.Error()))
		}
		return nil
	})
}

// every runs f now and then after each period, until ctx ends or f fails.
func (cfg *Config) every(period time.Duration, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if period == 0 {
			return nil
		}
		for {
			if err := f(ctx); err != nil || ctx.Err() != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(period):
			}
		}
	}
}
