package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/messaging/obligation"
)

// Gather implements exchange.Tx. Each question has one statement, whatever the
// number of names.
func (t *tx) Gather(ctx context.Context, w *exchange.Wanted) (*exchange.Known, error) {
	g := &gathering{t: t, k: exchange.NewKnown(w)}
	for _, step := range []struct {
		names []string
		read  func(ctx context.Context, names []string) error
	}{
		{w.Statements, g.statements}, {w.Last, g.last}, {w.Uploads, g.uploads}, {w.Messages, g.messages},
		{w.Messages, g.recipients}, {w.Opened, g.opened}, {w.Obligations, g.obligations}, {w.Desks, g.feeds},
		{w.Cases, g.cases}, {w.Excluded, g.excluded},
	} {
		if len(step.names) == 0 {
			continue
		}
		if err := step.read(ctx, step.names); err != nil {
			return nil, err
		}
	}
	return g.k, nil
}

// gathering is a Gather at work.
type gathering struct {
	t *tx
	k *exchange.Known
}

// ask runs a query that ends in a condition on one column.
func (g *gathering) ask(ctx context.Context, query, column, order string, names []string, f func(rows *sql.Rows) error) error {
	condition, args, err := g.t.among(column, 1, names)
	if err != nil {
		return err
	}
	return g.t.each(ctx, query+" WHERE "+condition+order, args, f)
}

func (g *gathering) statements(ctx context.Context, ids []string) error {
	add := func(rows *sql.Rows) error {
		var s exchange.StatementRow
		err := rows.Scan(&s.ID, &s.Digest, &s.Idx, &s.Spent)
		if g.k.Statements[s.ID] == nil {
			g.k.Statements[s.ID] = &s
		}
		return err
	}
	if err := g.ask(ctx, "SELECT id, digest, idx, spent FROM statement", "id", "", ids, add); err != nil {
		return err
	}
	return g.ask(ctx, "SELECT id, '', -1, 1 FROM overflow", "id", "", ids, add)
}

func (g *gathering) last(ctx context.Context, objs []string) error {
	return g.ask(ctx, "SELECT obj, idx FROM last", "obj", "", objs, func(rows *sql.Rows) error {
		var obj string
		var idx int64
		err := rows.Scan(&obj, &idx)
		g.k.Last[obj] = idx
		return err
	})
}

func (g *gathering) uploads(ctx context.Context, msgs []string) error {
	const query = "SELECT msg, part, officer, size, hash, stanzas, at FROM upload"
	order := " ORDER BY msg, part" + g.t.conn.engine.lock()
	return g.ask(ctx, query, "msg", order, msgs, func(rows *sql.Rows) error {
		var u exchange.UploadRow
		err := rows.Scan(&u.Msg, &u.Part, &u.Key, &u.Size, &u.Hash, &u.Stanzas, &u.At)
		g.k.Uploads[u.Msg] = append(g.k.Uploads[u.Msg], u)
		return err
	})
}

func (g *gathering) messages(ctx context.Context, msgs []string) error {
	return g.ask(ctx, messageColumns, "msg", "", msgs, func(rows *sql.Rows) error {
		m, err := scanMessage(rows)
		g.k.Messages[m.Msg] = &m
		return err
	})
}

func (g *gathering) recipients(ctx context.Context, msgs []string) error {
	const query = "SELECT msg, desk, role, handed, handed_idx, served, opened, blocked, reason FROM msg_to"
	return g.ask(ctx, query, "msg", " ORDER BY msg, ord, desk", msgs, func(rows *sql.Rows) error {
		var r exchange.RecipientRow
		err := rows.Scan(&r.Msg, &r.Desk, &r.Role, &r.Handed, &r.HandedIdx, &r.Served, &r.Opened, &r.Blocked, &r.Reason)
		g.k.Recipients[r.Msg] = append(g.k.Recipients[r.Msg], r)
		return err
	})
}

func (g *gathering) opened(ctx context.Context, objs []string) error {
	return g.ask(ctx, "SELECT body FROM obligation", "obj", " ORDER BY o", objs, func(rows *sql.Rows) error {
		o, err := scanObligation(rows)
		g.k.Opened[o.TriggerObj] = append(g.k.Opened[o.TriggerObj], o)
		return err
	})
}

func (g *gathering) obligations(ctx context.Context, ids []string) error {
	return g.ask(ctx, "SELECT body FROM obligation", "o", "", ids, func(rows *sql.Rows) error {
		o, err := scanObligation(rows)
		g.k.Obligations[o.ID] = &o
		return err
	})
}

func scanObligation(rows *sql.Rows) (o obligation.Obligation, err error) {
	var body sql.RawBytes
	if err := rows.Scan(&body); err != nil {
		return o, err
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return o, fmt.Errorf("sqlstore: stored obligation: %w: %w", ErrDamaged, err)
	}
	return o, nil
}

// feedsAtOnce bounds the feeds whose ends one statement looks up.
const feedsAtOnce = 16

// feeds looks up the end of each feed by itself, though in one statement: a
// maximum by groups would go through the whole of them.
func (g *gathering) feeds(ctx context.Context, desks []string) error {
	for some := range slices.Chunk(desks, feedsAtOnce) {
		args := padded(some)
		var query strings.Builder
		for i := range args {
			if i > 0 {
				query.WriteString(" UNION ALL ")
			}
			fmt.Fprintf(&query, "SELECT * FROM (SELECT desk, n FROM feed WHERE desk = $%d ORDER BY n DESC LIMIT 1) AS a%d", i+1, i)
		}
		err := g.t.each(ctx, query.String(), args, func(rows *sql.Rows) error {
			var desk string
			var n int64
			err := rows.Scan(&desk, &n)
			g.k.FeedLast[desk] = n
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// padded repeats the last value up to a power of two, so that few texts serve all
// lengths.
func padded[T any](values []T) []any {
	n := 1
	for n < len(values) {
		n *= 2
	}
	args := make([]any, n)
	for i := range args {
		args[i] = values[min(i, len(values)-1)]
	}
	return args
}

func (g *gathering) excluded(ctx context.Context, desks []string) error {
	return g.ask(ctx, conflictColumns, "who", " ORDER BY set_idx, id", desks, func(rows *sql.Rows) error {
		row, err := scanConflict(rows)
		g.k.Excluded[row.Who] = append(g.k.Excluded[row.Who], row)
		return err
	})
}

// cases reads the matters of the cases, and then what is stored of every case in
// them.
func (g *gathering) cases(ctx context.Context, cases []string) error {
	if err := g.linked(ctx, cases); err != nil {
		return err
	}
	all := make([]string, 0, len(g.k.Cases))
	for cas := range g.k.Cases {
		all = append(all, cas)
	}
	if len(all) > maxCases { // too many linked ones: they are asked for when needed
		g.k.Cases = map[string]*exchange.KnownCase{}
		return nil
	}
	if err := g.grants(ctx, all); err != nil {
		return err
	}
	if err := g.live(ctx, all); err != nil {
		return err
	}
	const query = "SELECT case_, desk, inst FROM party"
	return g.ask(ctx, query, "case_", " ORDER BY case_, desk", all, func(rows *sql.Rows) error {
		var cas string
		var p exchange.PartyRow
		err := rows.Scan(&cas, &p.Desk, &p.Inst)
		if c := g.k.Cases[cas]; c != nil {
			c.Parties = append(c.Parties, p)
		}
		return err
	})
}

func (g *gathering) linked(ctx context.Context, cases []string) error {
	const query = "SELECT matter, case_ FROM case_link WHERE matter IN (SELECT matter FROM case_link"
	matters := map[string][]string{}
	err := g.ask(ctx, query, "case_", ") ORDER BY matter, case_", cases, func(rows *sql.Rows) error {
		var matter, cas string
		err := rows.Scan(&matter, &cas)
		matters[matter] = append(matters[matter], cas)
		return err
	})
	for _, linked := range matters {
		for _, cas := range linked {
			g.k.Cases[cas] = &exchange.KnownCase{Linked: linked}
		}
	}
	return err
}

func (g *gathering) grants(ctx context.Context, cases []string) error {
	return g.ask(ctx, grantColumns, "case_", " ORDER BY idx, id", cases, func(rows *sql.Rows) error {
		row, err := scanGrant(rows)
		if c := g.k.Cases[row.Case]; c != nil {
			c.Grants = append(c.Grants, row)
		}
		return err
	})
}

func (g *gathering) live(ctx context.Context, cases []string) error {
	const query = "SELECT body FROM obligation"
	return g.ask(ctx, query, "live = 1 AND case_", " ORDER BY trigger_, o", cases, func(rows *sql.Rows) error {
		o, err := scanObligation(rows)
		if c := g.k.Cases[o.Case]; c != nil {
			c.Live = append(c.Live, o)
		}
		return err
	})
}

// PutAll implements exchange.Tx.
func (t *tx) PutAll(ctx context.Context, r *exchange.Rows) error {
	for _, row := range r.Openings {
		if err := t.PutOpening(ctx, row.Idx, row.Opening); err != nil {
			return err
		}
	}
	for _, row := range r.Last {
		if err := t.PutLast(ctx, row.Obj, row.Idx); err != nil {
			return err
		}
	}
	for _, row := range r.Statements {
		if err := t.PutStatement(ctx, row); err != nil {
			return err
		}
	}
	for _, row := range r.Messages {
		if err := t.PutMessage(ctx, row.Message, row.To, row.Consents); err != nil {
			return err
		}
	}
	for _, row := range r.Parties {
		if err := t.PutParty(ctx, row.Case, row.Party); err != nil {
			return err
		}
	}
	for _, row := range r.Obligations {
		if err := t.PutObligation(ctx, row); err != nil {
			return err
		}
	}
	for _, row := range r.Feed {
		if err := t.PutFeed(ctx, row); err != nil {
			return err
		}
	}
	for _, row := range r.Scope {
		if err := t.PutScope(ctx, row.Case, row.Idx, row.Scope); err != nil {
			return err
		}
	}
	return nil
}

// noncesAtOnce bounds the nonces that one statement spends.
const noncesAtOnce = 64

// UseNonces implements exchange.Scratch. A statement tells which rows it added;
// of a nonce that stands in it more than once the first is fresh.
func (s *scratch) UseNonces(ctx context.Context, nonces []exchange.Nonce, at int64) ([]bool, error) {
	fresh := make([]bool, 0, len(nonces))
	for some := range slices.Chunk(nonces, noncesAtOnce) {
		rows := padded(some)
		args := make([]any, 0, 3*len(rows))
		for _, n := range rows {
			n := n.(exchange.Nonce)
			args = append(args, n.Key, n.Nonce, at)
		}
		const into = "req_nonce (officer, nonce, at)"
		query := insertText(into, 3, len(rows)) + " ON CONFLICT DO NOTHING RETURNING officer, nonce"
		added := map[exchange.Nonce]bool{}
		err := s.each(ctx, query, args, func(rows *sql.Rows) error {
			var n exchange.Nonce
			err := rows.Scan(&n.Key, &n.Nonce)
			added[n] = true
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			fresh = append(fresh, added[n])
			delete(added, n)
		}
	}
	return fresh, nil
}
