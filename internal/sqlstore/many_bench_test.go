package sqlstore

import (
	"context"
	"fmt"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

// BenchmarkMany asks the same of a store with 10,000 and with 1,000,000
// obligations, nine in ten of them met: the budget is twice the time.
func BenchmarkMany(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchMany(b, n) })
	}
}

func benchMany(b *testing.B, n int) {
	ctx := context.Background()
	r := newRaw(b)
	fillDuties(b, r, n)
	obligor := id("d_", 0)
	for name, ask := range map[string]func(v exchange.View) error{
		"missing-replies": func(v exchange.View) error {
			_, err := v.Obligations(ctx, exchange.ObligationQuery{Obligor: obligor, Limit: 100})
			return err
		},
		"all-replies": func(v exchange.View) error {
			_, err := v.Obligations(ctx, exchange.ObligationQuery{Obligor: obligor, Closed: true, Limit: 100})
			return err
		},
		"overdue": func(v exchange.View) error {
			_, err := v.Obligations(ctx, exchange.ObligationQuery{DueUntil: 1 << 50, Limit: 100})
			return err
		},
		"inbox": func(v exchange.View) error {
			_, err := v.Feed(ctx, obligor, int64(n/3), 100)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := r.Read(ctx, ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	next := int64(0)
	b.Run("submits", func(b *testing.B) {
		perSubmit(b, func() error {
			submits := newGroup(&next)
			b.StartTimer()
			err := writeGroup(ctx, r.Store, submits, true)
			b.StopTimer()
			return err
		})
	})
}

// fillDuties writes n obligations and as many places in a feed.
func fillDuties(b *testing.B, r *raw, n int) {
	b.Helper()
	ctx := context.Background()
	desk := id("d_", 0)
	for i := 0; i < n; {
		err := r.Write(ctx, func(tx exchange.Tx) error {
			for end := min(n, i+6000); i < end; {
				s := newSubmit(int64(i) + 1<<40)
				for _, o := range s.opens {
					if i%10 != 0 {
						o.State = obligation.Fulfilled
					}
					o.Obligor = id("d_", i/10%8) // each of few desks owes more than a page
					if err := tx.PutObligation(ctx, o); err != nil {
						return err
					}
					if err := tx.PutFeed(ctx, exchange.FeedRow{Desk: desk, N: int64(i) + 1, Idx: int64(i), Erased: -1}); err != nil {
						return err
					}
					i++
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
