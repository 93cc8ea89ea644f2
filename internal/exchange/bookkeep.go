package exchange

import (
	"context"
	"errors"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// Bookkeep writes what has become due onto the record: reminders, overdue and
// escalation leaves, and the refusals that wait to be counted. It is never the
// truth: without it no answer about what is owed or overdue changes. It returns
// how many leaves it wrote.
func (x *Exchange) Bookkeep(ctx context.Context) (int, error) {
	written := 0
	now := x.Clock.Now()
	page := ObligationQuery{Limit: MaxPage, DueUntil: now + x.horizon()}
	for {
		found, last, err := x.unwritten(ctx, page, now)
		if err != nil {
			return written, err
		}
		for _, id := range found {
			n, err := x.escalate(ctx, id)
			written += n
			if err != nil {
				return written, err
			}
		}
		if last == nil {
			break
		}
		page.AfterDue, page.AfterID = last.Due, last.ID
	}
	n, err := x.countRefusals(ctx)
	return written + n, err
}

// horizon is how long before the due time of a duty something may have to be
// written about it: no pack reminds anybody earlier.
func (x *Exchange) horizon() int64 {
	longest := int64(0)
	for _, id := range x.Packs.IDs() {
		pack, _ := x.Packs.Get(id)
		for _, chain := range pack.Chains {
			longest = max(longest, reminds(chain.RemindBefore))
		}
	}
	return longest
}

// reminds is no less than the distance of a reminder from the due time. Working
// days are taken to be half of all days, and two months none of them.
func reminds(before rules.Term) int64 {
	n := int64(before.Amount)
	switch before.Unit {
	case rules.UnitMinutes:
		return n * 60 * 1000
	case rules.UnitHours:
		return n * hour
	case rules.UnitMonths:
		return n * 31 * day
	}
	return (2*n + 60) * day
}

// unwritten finds out which duties of a page have reached a level that is not on
// record, and the last of the page if there are more.
func (x *Exchange) unwritten(ctx context.Context, page ObligationQuery, now int64) (ids []string, last *obligation.Obligation, err error) {
	err = x.Store.Read(ctx, func(v View) error {
		rows, err := v.Obligations(ctx, page)
		if err != nil {
			return err
		}
		if len(rows) == page.Limit {
			last = &rows[len(rows)-1]
		}
		for _, o := range rows {
			levels, err := x.reached(o, now)
			if err != nil {
				return err
			}
			if len(levels) == 0 {
				continue
			}
			marked, err := v.Marked(ctx, o.ID)
			if err != nil {
				return err
			}
			if levels[len(levels)-1].Level > marked {
				ids = append(ids, o.ID)
			}
		}
		return nil
	})
	return ids, last, err
}

// escalate writes the levels of one obligation that are reached and not yet on
// record, looking again under the lock.
func (x *Exchange) escalate(ctx context.Context, id string) (int, error) {
	return submit(ctx, x, Caller{}, nil, func(s *section) (int, error) {
		now, ok, err := s.tx.Obligation(s.ctx, id)
		if err != nil || !ok {
			return 0, err
		}
		levels, err := x.reached(now, s.now)
		if err != nil {
			return 0, err
		}
		marked, err := s.tx.Marked(s.ctx, id)
		if err != nil {
			return 0, err
		}
		return s.writeLevels(&now, levels, marked)
	})
}

// reached lists the levels of an obligation's escalation up to a time.
func (x *Exchange) reached(o obligation.Obligation, now int64) ([]obligation.Level, error) {
	pack, ok := x.Packs.Get(o.Pack)
	if !ok {
		return nil, nil
	}
	return obligation.Escalation(o, pack, x.cals.of(pack, x.Directory().CalendarDays(pack.Zone)), now)
}

func (s *section) writeLevels(o *obligation.Obligation, levels []obligation.Level, marked int) (int, error) {
	written := 0
	for _, l := range levels {
		if l.Level <= marked {
			continue
		}
		n, err := s.writeLevel(o, l)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// writeLevel records one level: a reminder before the due time; after it the
// fact, for both parties, and a notice for whom the chain names. A notice of
// escalation carries no case.
func (s *section) writeLevel(o *obligation.Obligation, l obligation.Level) (int, error) {
	event := evidence.ObligationEscalated
	switch l.Level {
	case 0:
		event = evidence.NoticeReminder
	case 1:
		event = evidence.ObligationOverdue
	}
	d, err := s.dutyDraft(event, o, l.Level)
	if err != nil {
		return 0, err
	}
	d.priv.Case = o.Case
	d.to = s.resolve(o, []string{"obligor", "obligee"})
	if l.Level == 0 {
		d.to = s.resolve(o, l.To)
	} else {
		reps, err := s.dutyWatchers(o)
		if err != nil {
			return 0, err
		}
		d.to = append(d.to, reps...)
	}
	if _, err := s.record(d); err != nil || l.Level == 0 {
		return 1, err
	}
	notice, err := s.dutyDraft(evidence.NoticeEscalation, o, l.Level)
	if err != nil {
		return 1, err
	}
	notice.to = s.resolve(o, l.To)
	if len(notice.to) == 0 {
		return 1, nil
	}
	_, err = s.record(notice)
	return 2, err
}

// dutyWatchers are the representatives who learn that a duty is late. While the
// message that opened it is on hold nobody does: it would tell of the message.
func (s *section) dutyWatchers(o *obligation.Obligation) ([]string, error) {
	m, ok, err := s.tx.Message(s.ctx, o.TriggerObj)
	if err != nil || ok && m.Hold > s.now {
		return nil, err
	}
	return s.watching(o.Case, personOf(o), evidence.ScopeDuties)
}

func personOf(o *obligation.Obligation) []string {
	if o.Person == "" {
		return nil
	}
	return []string{o.Person}
}

// resolve turns the codes of an escalation step into desks. One that leads
// nowhere (a person, an institution without such a desk) is passed over.
func (s *section) resolve(o *obligation.Obligation, codes []string) []string {
	var desks []string
	for _, code := range codes {
		who, fn, _ := strings.Cut(code, "-")
		party := o.Obligor
		if who == "obligee" {
			party = o.Obligee
		}
		if desk, ok := s.deskFor(party, fn); ok {
			desks = append(desks, desk)
		}
	}
	return desks
}

// deskFor finds a party's own desk, its head's, or that of the body above it.
func (s *section) deskFor(party, fn string) (string, bool) {
	if !statement.IsID(party, statement.Desk) {
		return "", false
	}
	inst := s.dir.InstOfDesk(party)
	switch fn {
	case "":
		return party, true
	case "supervision":
		i, ok := s.dir.Institution(inst)
		if !ok || i.EscalatesTo == "" {
			return "", false
		}
		return s.dir.DeskOfInst(i.EscalatesTo, fn, s.now)
	}
	return s.dir.DeskOfInst(inst, fn, s.now)
}

// countRefusals turns the refusals of hours gone by into one leaf per officer
// and at most sixteen ids.
func (x *Exchange) countRefusals(ctx context.Context) (int, error) {
	return submit(ctx, x, Caller{}, nil, func(s *section) (int, error) {
		rows, err := s.tx.Overflow(s.ctx, s.now-hour)
		if err != nil {
			return 0, err
		}
		written := 0
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && n < 16 && rows[n].Key == rows[0].Key {
				n++
			}
			if err := s.countedRefusals(rows[:n]); err != nil {
				return written, err
			}
			rows = rows[n:]
			written++
		}
		return written, nil
	})
}

func (s *section) countedRefusals(rows []OverflowRow) error {
	data := evidence.RefusedData{Code: "several", Count: len(rows), IDs: []string{}, Key: rows[0].Key}
	for _, r := range rows {
		data.IDs = append(data.IDs, r.ID)
		if err := s.tx.DropOverflow(s.ctx, r.ID); err != nil {
			return err
		}
	}
	d, err := s.newDraft(evidence.MessageRefused, evidence.System, rows[0].ID).data(data)
	if err != nil {
		return err
	}
	d.meta.Dec = evidence.Refuse(data.Code)
	if o, ok := s.dir.OfficerByKey(rows[0].Key); ok && s.dir.IsMember(rows[0].Desk, o.U) {
		d.to = []string{rows[0].Desk}
	}
	_, err = s.record(d)
	return err
}

// Sweep deletes nonces that are out of every window and uploads that no message
// ever claimed.
func (x *Exchange) Sweep(ctx context.Context) error {
	now := x.Clock.Now()
	uploads := now - day
	err := x.Store.Read(ctx, func(v View) error {
		incomplete, err := v.Incomplete(ctx)
		if incomplete {
			uploads = 0 // an entry that is not open yet may claim them
		}
		return err
	})
	if err == nil {
		err = x.Store.Scratch(ctx, func(s Scratch) error { return s.Sweep(ctx, now-10*60*1000, uploads) })
	}
	if err != nil {
		return errors.Join(errors.New("exchange: sweep"), err)
	}
	return nil
}
