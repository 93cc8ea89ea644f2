package storetest

import (
	"fmt"

	"github.com/odziv/odziv/internal/exchange"
)

func caseFeed(s *suite) {
	row := func(desk string, n int64) exchange.FeedRow {
		return exchange.FeedRow{Desk: desk, N: n, Idx: n * 10, Erased: -1}
	}
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutFeed(s.ctx, row("d_a", 2)), tx.PutFeed(s.ctx, row("d_a", 1)), tx.PutFeed(s.ctx, row("d_a", 10)),
			tx.PutFeed(s.ctx, row("d_a", 3)), tx.PutFeed(s.ctx, row("d_b", 1)))
	})
	s.read(func(v exchange.View) error {
		for _, c := range []struct {
			after int64
			limit int
			want  []exchange.FeedRow
		}{
			{0, 10, []exchange.FeedRow{row("d_a", 1), row("d_a", 2), row("d_a", 3), row("d_a", 10)}},
			{0, 2, []exchange.FeedRow{row("d_a", 1), row("d_a", 2)}},
			{2, 1, []exchange.FeedRow{row("d_a", 3)}},
			{3, 4, []exchange.FeedRow{row("d_a", 10)}}, {10, 4, nil},
		} {
			got, err := v.Feed(s.ctx, "d_a", c.after, c.limit)
			same(s, fmt.Sprintf("feed after %d, limit %d", c.after, c.limit), got, err, c.want...)
		}
		for desk, want := range map[string]int64{"d_a": 10, "d_b": 1, "d_c": 0} {
			got, err := v.FeedLast(s.ctx, desk)
			if err != nil || got != want {
				s.Errorf("last number of %s: %d, %v, want %d", desk, got, err, want)
			}
		}
		if _, err := v.Feed(s.ctx, "d_a", 0, 0); err == nil {
			s.Error("a feed without a limit: accepted")
		}
		return nil
	})
	erased := row("d_a", 2)
	erased.Erased = 99
	s.write(func(tx exchange.Tx) error { return tx.PutFeed(s.ctx, erased) })
	s.read(func(v exchange.View) error {
		got, err := v.Feed(s.ctx, "d_a", 1, 2)
		same(s, "feed with an erased place", got, err, erased, row("d_a", 3))
		return nil
	})
	s.refused("another leaf in a place of a feed", func(tx exchange.Tx) error {
		return tx.PutFeed(s.ctx, exchange.FeedRow{Desk: "d_a", N: 2, Idx: 21, Erased: -1})
	})
}

func caseFeedMany(s *suite) {
	s.write(func(tx exchange.Tx) error {
		for n := int64(1); n <= 10_000; n++ {
			if err := tx.PutFeed(s.ctx, exchange.FeedRow{Desk: "d_a", N: n, Idx: n, Erased: -1}); err != nil {
				return err
			}
		}
		last, err := tx.FeedLast(s.ctx, "d_a")
		s.equal("last number within", last, int64(10_000))
		return err
	})
	s.read(func(v exchange.View) error {
		n := int64(0)
		for {
			page, err := v.Feed(s.ctx, "d_a", n, 999)
			if err != nil || len(page) == 0 {
				s.equal("rows of the feed", n, int64(10_000))
				return err
			}
			for _, row := range page {
				if n++; row.N != n || row.Idx != n {
					s.Fatalf("row %+v where %d is next", row, n)
				}
			}
		}
	})
}

func caseRefusals(s *suite) {
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutRefusal(s.ctx, "ed25519:a", 100, 1), tx.PutRefusal(s.ctx, "ed25519:a", 100, 2),
			tx.PutRefusal(s.ctx, "ed25519:a", 101, 3), tx.PutRefusal(s.ctx, "ed25519:a", 101, 3), tx.PutRefusal(s.ctx, "ed25519:b", 100, 4))
	})
	s.read(func(v exchange.View) error {
		for since, want := range map[int64]int{0: 3, 100: 3, 101: 1, 102: 0} {
			got, err := v.RefusalsSince(s.ctx, "ed25519:a", since)
			if err != nil || got != want {
				s.Errorf("refusals since %d: %d, %v, want %d", since, got, err, want)
			}
		}
		return nil
	})
}

func caseOverflow(s *suite) {
	row := func(key, id string, at int64) exchange.OverflowRow {
		return exchange.OverflowRow{Key: key, ID: id, Desk: "d_a", At: at}
	}
	a, b, c, d := row("k1", "m_z", 5), row("k1", "m_a", 6), row("k1", "m_b", 6), row("k2", "m_c", 1)
	s.write(func(tx exchange.Tx) error {
		for _, o := range []exchange.OverflowRow{d, c, b, a, row("k9", "m_a", 1)} {
			if err := tx.PutOverflow(s.ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		for until, want := range map[int64][]exchange.OverflowRow{0: nil, 1: {d}, 5: {a, d}, 6: {a, b, c, d}} {
			got, err := v.Overflow(s.ctx, until)
			same(s, fmt.Sprint("overflow until ", until), got, err, want...)
		}
		found(s, "an id beyond the count", exchange.StatementRow{ID: "m_a", Idx: -1, Spent: true})(v.Statement(s.ctx, "m_a"))
		return nil
	})
	counted := exchange.StatementRow{ID: "m_a", Idx: 77, Spent: true}
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutStatement(s.ctx, counted), tx.DropOverflow(s.ctx, "m_a"), tx.DropOverflow(s.ctx, "m_none"))
	})
	s.read(func(v exchange.View) error {
		got, err := v.Overflow(s.ctx, 10)
		same(s, "overflow after one was counted", got, err, a, c, d)
		found(s, "the id counted", counted)(v.Statement(s.ctx, "m_a"))
		return nil
	})
	s.write(func(tx exchange.Tx) error { return tx.DropDerived(s.ctx) })
	s.read(func(v exchange.View) error {
		got, err := v.Overflow(s.ctx, 10)
		same(s, "overflow after derived rows are gone", got, err, a, c, d)
		return nil
	})
}

func casePending(s *suite) {
	row := func(name string, at int64) exchange.PendingRow {
		return exchange.PendingRow{Digest: digest(name), DSSE: []byte(name + "\x00"), At: at}
	}
	a, b, c := row("a", 30), row("b", 10), row("c", 20)
	s.write(func(tx exchange.Tx) error {
		return all(tx.PutPending(s.ctx, a), tx.PutPending(s.ctx, b), tx.PutPending(s.ctx, c))
	})
	c.DSSE = []byte("signed twice")
	s.write(func(tx exchange.Tx) error { return tx.PutPending(s.ctx, c) })
	s.read(func(v exchange.View) error {
		list, err := v.PendingAll(s.ctx)
		same(s, "pending", list, err, b, c, a)
		found(s, "one pending", c)(v.Pending(s.ctx, c.Digest))
		return nil
	})
	s.write(func(tx exchange.Tx) error { return all(tx.DropPending(s.ctx, b.Digest), tx.DropPending(s.ctx, "none")) })
	s.read(func(v exchange.View) error {
		missing[exchange.PendingRow](s, "one dropped")(v.Pending(s.ctx, b.Digest))
		list, err := v.PendingAll(s.ctx)
		same(s, "pending after one was dropped", list, err, c, a)
		return nil
	})
	s.write(func(tx exchange.Tx) error {
		for i := range 1001 {
			if err := tx.PutPending(s.ctx, row(fmt.Sprint(i), 1000+int64(i))); err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		list, err := v.PendingAll(s.ctx)
		if err != nil || len(list) != 1000 || list[0].At != 20 || list[999].At != 1997 {
			s.Errorf("%d pending, %v", len(list), err)
		}
		return nil
	})
}
