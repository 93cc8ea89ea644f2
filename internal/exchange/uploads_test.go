package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
)

// sweeping sweeps every upload just before the next transaction beside the
// section, as another server might.
type sweeping struct {
	exchange.Store
	next bool
}

func (s *sweeping) Scratch(ctx context.Context, f func(exchange.Scratch) error) error {
	if s.next {
		s.next = false
		err := s.Store.Scratch(ctx, func(sc exchange.Scratch) error { return sc.Sweep(ctx, 0, 1<<60) })
		if err != nil {
			return err
		}
	}
	return s.Store.Scratch(ctx, f)
}

// TestSweptWhileResumed: an upload goes on at the moment at which it is swept as
// abandoned. What was wrapped under the key that went with it must not be kept.
func TestSweptWhileResumed(t *testing.T) {
	ctx := t.Context()
	w := apitest.Start(t, api.Options{})
	store := &sweeping{Store: w.X.Store}
	w.X.Store = store
	s := w.Seal(nil)
	nonce := 'a'
	put := func() error {
		nonce++
		_, err := w.X.PutPart(ctx, exchange.Caller{Key: statement.KeyID(w.A.Officers[0].Public()), Nonce: string(rune(nonce))}, s.Msg(), 0, 0, bytes.NewReader(s.Parts[0]))
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	store.next = true
	var refusal *exchange.Refusal
	if err := put(); !errors.As(err, &refusal) || refusal.Code != "offset" {
		t.Errorf("a part whose key was swept: %v", err)
	}
	if err := put(); err != nil {
		t.Errorf("the part from the beginning: %v", err)
	}
	err := store.Read(ctx, func(v exchange.View) error {
		_, _, key, err1 := v.Shred(ctx, s.Msg())
		_, there, err2 := v.Upload(ctx, s.Msg(), 0)
		if !key || !there {
			t.Errorf("key %v, upload %v", key, there)
		}
		return errors.Join(err1, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}
