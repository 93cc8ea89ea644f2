package exchange

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/statement"
)

// periodTerm is how long one period key wraps new shred keys, in ms.
const periodTerm = 30 * 24 * hour

const hour = 60 * 60 * 1000

// shredKeys holds the period keys in memory. Only they are unwrapped by the
// wrapper (a file, a Vault), and never inside a transaction.
type shredKeys struct {
	wrapper shred.PeriodWrapper
	mu      sync.Mutex
	periods map[string]shred.Period
}

func newShredKeys(w shred.PeriodWrapper) *shredKeys {
	return &shredKeys{wrapper: w, periods: map[string]shred.Period{}}
}

// period returns a period key by id, unwrapping it once.
func (k *shredKeys) period(ctx context.Context, id string, wrapped []byte) (shred.Period, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.periods[id]; ok {
		return p, nil
	}
	p, err := k.wrapper.UnwrapPeriod(ctx, id, wrapped)
	if err != nil {
		return shred.Period{}, err
	}
	k.periods[id] = p
	return p, nil
}

// currentPeriod returns the period key for new messages, making one when there
// is none or the last has served its term.
func (x *Exchange) currentPeriod(ctx context.Context) (shred.Period, error) {
	var id string
	var wrapped []byte
	var at int64
	var ok bool
	err := x.Store.Read(ctx, func(v View) (err error) {
		id, wrapped, at, ok, err = v.LastPeriod(ctx)
		return err
	})
	if err != nil {
		return shred.Period{}, err
	}
	now := x.Clock.Now()
	if ok && now-at < periodTerm {
		return x.keys.period(ctx, id, wrapped)
	}
	p := shred.Period{ID: strings.TrimPrefix(statement.NewID(statement.Other), "x_"), Key: shred.NewKey()}
	if wrapped, err = x.keys.wrapper.WrapPeriod(ctx, p); err != nil {
		return shred.Period{}, err
	}
	err = x.Store.Scratch(ctx, func(s Scratch) error { return s.PutPeriod(ctx, p.ID, wrapped, now) })
	if err != nil {
		return shred.Period{}, err
	}
	return x.keys.period(ctx, p.ID, wrapped)
}

// shredKey returns the shred key of a message and how it is stored, making it at
// the first upload.
func (x *Exchange) shredKey(ctx context.Context, msg string) (shred.Key, []byte, error) {
	key, stored, err := x.shredKeyOf(ctx, msg)
	if !errors.Is(err, errNoShredKey) {
		return key, stored, err
	}
	period, err := x.currentPeriod(ctx)
	if err != nil {
		return key, nil, err
	}
	key = shred.NewKey()
	wrapped, err := shred.SealKey(period, msg, key)
	if err != nil {
		return key, nil, err
	}
	err = x.Store.Scratch(ctx, func(s Scratch) error {
		if _, _, ok, err := s.Shred(ctx, msg); ok || err != nil {
			return err // another request was first: its key counts
		}
		return s.PutShred(ctx, msg, period.ID, wrapped)
	})
	if err != nil {
		return key, nil, err
	}
	return x.shredKeyOf(ctx, msg)
}

// stillStored wants the key that a request found before its transaction. A sweep
// may have taken it since, with an upload that was thought abandoned: what it
// wraps now, nobody could ever open.
func stillStored(ctx context.Context, s Scratch, msg string, stored []byte) error {
	_, now, ok, err := s.Shred(ctx, msg)
	if err != nil || ok && bytes.Equal(now, stored) {
		return err
	}
	return refuse(Conflicting, "offset", "the upload was abandoned too long and begins anew: the part so far has 0 bytes").
		hint("go on from offset 0")
}

var errNoShredKey = errors.New("the message has no shred key")

// shredKeyOf returns the shred key of a message that has one, and how it is stored.
func (x *Exchange) shredKeyOf(ctx context.Context, msg string) (shred.Key, []byte, error) {
	var none shred.Key
	var id string
	var wrapped, wrappedPeriod []byte
	err := x.Store.Read(ctx, func(v View) error {
		var ok bool
		var err error
		if id, wrapped, ok, err = v.Shred(ctx, msg); err != nil || !ok {
			return errors.Join(err, errNoShredKey)
		}
		wrappedPeriod, ok, err = v.Period(ctx, id)
		if err == nil && !ok {
			return errors.New("a period key is missing")
		}
		return err
	})
	if err != nil {
		return none, nil, err
	}
	period, err := x.keys.period(ctx, id, wrappedPeriod)
	if err != nil {
		return none, nil, err
	}
	key, err := shred.OpenKey(period, msg, wrapped)
	return key, wrapped, err
}
