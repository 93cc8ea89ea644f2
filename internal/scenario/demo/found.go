package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// workers is how many institutions are founded at once: enough that the server
// always has several statements to put into one transaction.
const workers = 8

// found adopts the packs, lets every institution join and opens its desks.
func (w *World) found(ctx context.Context, packs []string) error {
	if len(packs) == 0 {
		packs = []string{"rs-a@1"}
	}
	if err := w.adopt(ctx, packs); err != nil {
		return err
	}
	err := w.each(func(m *Member) (err error) {
		m.founder, err = w.newFounder(m, w.keys.delegates[0].Signer())
		if err != nil {
			return err
		}
		return m.founder.join(ctx)
	}, nil)
	if err != nil {
		return err
	}
	done := 0
	err = w.each(func(m *Member) error { return w.open(ctx, m) }, func() {
		done++
		w.progress("institutions", done, len(w.Members))
	})
	if err != nil {
		return err
	}
	return w.Published(ctx)
}

// adopt puts rule packs in force from the beginning.
func (w *World) adopt(ctx context.Context, packs []string) error {
	f, err := w.newFounder(nil, w.keys.delegates[0].Signer())
	if err != nil {
		return err
	}
	for _, id := range packs {
		p, ok := w.Packs.Get(id)
		if !ok {
			return fmt.Errorf("demo: this program ships no rule pack %s", id)
		}
		body := &directory.PackAdopt{From: w.Clock.Now(), Hash: p.Hash(), ID: id}
		if err := f.put(ctx, "pack.adopt", &body.Head, body, signers(w.keys.delegates...)...); err != nil {
			return err
		}
	}
	return nil
}

// open describes an institution and opens its desks. A representative's desk is
// opened when a case has one.
func (w *World) open(ctx context.Context, m *Member) error {
	if err := m.founder.describe(ctx); err != nil {
		return err
	}
	for _, fn := range m.Institution.Desks {
		if fn == directory.Rep {
			continue
		}
		if _, err := m.AddDesk(ctx, fn); err != nil {
			return err
		}
	}
	return nil
}

// each runs f for every institution, several at once.
func (w *World) each(f func(*Member) error, done func()) error {
	return spread(len(w.Members), func(i int) error { return f(w.Members[i]) }, done)
}

// spread runs f for 0 to n-1, several at once; done, which may be nil, is called
// after each that succeeds, never twice at a time. It returns all errors.
func spread(n int, f func(i int) error, done func()) error {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, workers)
	)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			err := f(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else if done != nil {
				done()
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (w *World) addDesk(d *Desk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byDesk[d.ID] = d
}

// Published waits until signed checkpoints cover both trees as they stand, so
// that whoever synchronises next sees all of it, and everything has its proof.
func (w *World) Published(ctx context.Context) error {
	for {
		covered, err := w.covered(ctx)
		if err != nil || covered {
			return err
		}
		if err := sleep(ctx, signEvery); err != nil {
			return err
		}
	}
}

func (w *World) covered(ctx context.Context) (bool, error) {
	covered := true
	err := w.Exchange.Store.View(ctx, func(r ledger.Reader) error {
		for _, log := range ledger.Logs {
			head, err := r.Head(ctx, log)
			if err != nil {
				return err
			}
			last, err := r.LastCheckpoint(ctx, log)
			if err != nil {
				return err
			}
			covered = covered && last.Exists() && last.Size >= head.Size
		}
		return nil
	})
	return covered, err
}

// Represent opens the desk of a new representative at a sponsor, and waits until
// everybody can see it.
func (w *World) Represent(ctx context.Context, sponsor string) (*Desk, error) {
	m, ok := w.Member(sponsor)
	if !ok || !slices.Contains(m.Institution.Desks, directory.Rep) {
		return nil, fmt.Errorf("demo: %q is no institution that hosts representatives", sponsor)
	}
	d, err := m.AddDesk(ctx, directory.Rep)
	if err != nil {
		return nil, err
	}
	return d, w.Published(ctx)
}

// Pin is what a program remembers of this exchange.
func (w *World) Pin() office.Pin { return office.Pin{URL: w.URL, Genesis: w.Genesis} }
