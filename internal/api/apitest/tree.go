package apitest

import (
	"context"
	"encoding/json"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// Grow adds n entries to a tree that mean nothing: in the evidence tree nobody
// holds their openings, in the directory no exchange that is opened later could
// replay them.
func (w *World) Grow(log ledger.Log, n int) {
	w.t.Helper()
	for ; n > 0; n -= ledger.MaxBatch {
		w.check(storagetest.Append(w.Store, log, w.Clock.Now(), storagetest.Leaves("grown", min(n, ledger.MaxBatch))...))
	}
}

// Lose records an event whose opening the store does not hold, as after a restore
// from a backup, and returns what desk A kept of it. The event is about text.
func (w *World) Lose(text string) evidence.Item {
	w.t.Helper()
	var head ledger.Head
	w.check(w.Store.View(context.Background(), func(r ledger.Reader) (err error) {
		head, err = r.Head(context.Background(), ledger.Ev)
		return err
	}))
	meta := &evidence.Meta{At: w.Clock.Now(), By: evidence.System, Dec: evidence.Allow, DirN: w.Directory().N(), Ev: evidence.ClockAccepted,
		Idx: head.Size, Obj: text, Obl: []evidence.Obligation{}, Prev: -1, To: []string{w.A.Type}, V: 1}
	priv := &evidence.Priv{Data: json.RawMessage("{}"), To: []evidence.Delivery{{Desk: w.A.Desk, N: w.feedSize() + w.lost.Add(1)}}, V: 1}
	leaf, opening, err := evidence.Commit(meta, priv)
	w.check(err)
	w.check(storagetest.Append(w.Store, ledger.Ev, w.Clock.Now(), leaf))
	return evidence.ItemOf(head.Size, priv.To[0].N, opening)
}

func (w *World) feedSize() (n int64) {
	w.check(w.Store.Read(context.Background(), func(v exchange.View) (err error) {
		n, err = v.FeedLast(context.Background(), w.A.Desk)
		return err
	}))
	return n
}

// Announce publishes a checkpoint of a tree as it stands, dated now, and says
// whether it met a quorum.
func (w *World) Announce(log ledger.Log, quorum bool) ledger.Published {
	w.t.Helper()
	return must(w, func() (ledger.Published, error) { return Announce(w.Store, w.signers[log], log, w.Clock.Now(), quorum) })
}

// Announce publishes a checkpoint in any storage, signed by s.
func Announce(storage ledger.Storage, s ledger.Signer, log ledger.Log, at int64, quorum bool) (p ledger.Published, err error) {
	ctx := context.Background()
	err = storage.Update(ctx, func(tx ledger.Tx) error {
		head, err := tx.Head(ctx, log)
		if err != nil {
			return err
		}
		last, err := tx.LastCheckpoint(ctx, log)
		if err != nil {
			return err
		}
		p = ledger.Published{Size: head.Size, Root: head.Root, At: at, Quorum: quorum}
		if p.Size == last.Size {
			p.Seq = last.Seq + 1
		}
		p.Note, err = ledger.SignCheckpoint(ctx, s, ledger.Checkpoint{Origin: log.Origin(host), Size: p.Size, Root: p.Root})
		if err != nil {
			return err
		}
		return tx.PublishCheckpoint(ctx, log, p)
	})
	return p, err
}

// Public returns a client without a key.
func (w *World) Public(opts client.Options) *client.Client {
	w.t.Helper()
	return must(w, func() (*client.Client, error) { return client.Public(w.URL, opts) })
}

// Signer is the key that signs the checkpoints of a tree.
func (w *World) Signer(log ledger.Log) *ledger.SigningKey { return w.signers[log] }
