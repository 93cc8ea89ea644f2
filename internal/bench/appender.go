package bench

import (
	"context"
	"errors"

	"github.com/odziv/odziv/ledger"
)

// An appender groups appends of many callers into transactions of a storage, as
// the exchange does with its writes. [appender.run] is its one worker.
type appender struct {
	storage ledger.Storage
	log     ledger.Log
	queue   chan *addition
}

// addition is one entry on its way.
type addition struct {
	entry []byte
	index int64
	err   error
	done  chan struct{}
}

// maxGroup bounds the entries of one transaction.
const maxGroup = 1024

var errStopped = errors.New("the appender has stopped")

func newAppender(s ledger.Storage, log ledger.Log) *appender {
	return &appender{storage: s, log: log, queue: make(chan *addition, maxGroup)}
}

// add appends an entry and returns its index once it is durable.
func (a *appender) add(ctx context.Context, entry []byte) (int64, error) {
	j := &addition{entry: entry, done: make(chan struct{})}
	select {
	case a.queue <- j:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-j.done:
		return j.index, j.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run stores what is queued, one transaction after the other, until ctx ends.
func (a *appender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for {
				select {
				case j := <-a.queue:
					j.err = errStopped
					close(j.done)
				default:
					return
				}
			}
		case j := <-a.queue:
			a.store(context.WithoutCancel(ctx), a.gather(j))
		}
	}
}

// gather takes what waits beside the first, without waiting itself.
func (a *appender) gather(first *addition) []*addition {
	group := []*addition{first}
	for len(group) < maxGroup {
		select {
		case j := <-a.queue:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

func (a *appender) store(ctx context.Context, group []*addition) {
	err := a.storage.Update(ctx, func(tx ledger.Tx) error {
		batch, err := ledger.NewBatch(ctx, tx, a.log)
		if err != nil {
			return err
		}
		for _, j := range group {
			if j.index, j.err = batch.Append(j.entry); j.err != nil {
				continue // this entry alone is refused
			}
		}
		_, err = batch.Flush(ctx, 1)
		return err
	})
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}
