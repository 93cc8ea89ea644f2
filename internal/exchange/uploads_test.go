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
	"github.com/odziv/odziv/messaging"
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

// TestBodyBegunAnew: who began a body may put another in its place until the message
// is accepted, an attachment stays what it is, and nobody else touches either.
func TestBodyBegunAnew(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	first := w.Seal(nil, []byte("content of an attachment"))
	second := w.Seal(func(c *messaging.Core) { c.Msg = first.Msg(); c.Urg = "U" }, []byte("content of an attachment"))
	nonce := 'a'
	put := func(by statement.SigningKey, part int, off int64, data []byte) error {
		nonce++
		_, err := w.X.PutPart(t.Context(), exchange.Caller{Key: statement.KeyID(by.Public()), Nonce: string(nonce)}, first.Msg(), part, off, bytes.NewReader(data))
		return err
	}
	refused := func(what string, err error, code string) {
		t.Helper()
		var r *exchange.Refusal
		if !errors.As(err, &r) || r.Code != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	mine, other := w.A.Officers[0], w.A.Officers[1]
	submit := func(s *apitest.Sealed) error {
		nonce++
		raw, err := s.Notice.DSSE.Encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.X.SubmitMessage(t.Context(), exchange.Caller{Key: statement.KeyID(mine.Public()), Nonce: string(nonce)}, s.Msg(), raw)
		return err
	}
	ok("the attachment", put(mine, 1, 0, first.Parts[1]))
	ok("a body", put(mine, 0, 0, second.Parts[0]))
	refused("the other's body", submit(first), "part_missing")
	refused("by another key", put(other, 0, 0, first.Parts[0]), "signer")
	ok("the body begun anew", put(mine, 0, 0, first.Parts[0]))
	longer := append(bytes.Clone(first.Parts[1]), "and more"...)
	refused("the attachment begun anew", put(mine, 1, 0, longer), "offset")
	ok("submitted", submit(first))
	refused("after it was accepted", put(mine, 0, 0, append(bytes.Clone(first.Parts[0]), 'x')), "msg_reused")
	ok("the same again", put(mine, 0, 0, first.Parts[0]))
}
