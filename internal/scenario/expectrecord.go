package scenario

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// consentHolds looks at a consent as a desk sees it.
func (c *cast) consentHolds(ctx context.Context, e *ConsentExpect, d *differences) error {
	o, desk, err := c.office(ctx, e.At)
	if err != nil {
		return err
	}
	records, err := o.Records(ctx, desk.ID)
	if err != nil {
		return err
	}
	id := c.things[e.Of].id
	i := slices.IndexFunc(records, func(r *consent.Record) bool { return r.ID == id })
	if i < 0 {
		d.add("consent", "%s sees nothing of %s", e.At, e.Of)
		return nil
	}
	c.compareConsent(e, records[i], d)
	return nil
}

func (c *cast) compareConsent(e *ConsentExpect, r *consent.Record, d *differences) {
	equal(d, "versions", e.Versions, len(r.Versions))
	equal(d, "status", e.Status, string(r.Status(c.w.Clock.Now())))
	var acts, by []string
	for _, v := range r.Versions {
		acts, by = append(acts, string(v.Act)), append(by, c.called(v.S.By.Desk))
	}
	d.lists("acts", e.Acts, acts)
	d.lists("recorded-by", e.RecordedBy, by)
	now := r.Current().S
	d.parties("to", c.insts(e.To), now.To, e.To != nil)
	d.parties("from", c.insts(e.From), now.From, e.From != nil)
	d.sets("purposes", e.Purposes, now.Purposes)
	d.sets("cats", e.Cats, now.Cats)
	equal(d, "language", e.Language, now.Lang)
	equal(d, "interpreter", e.Interp, now.Interp)
	d.moment("until", e.Until, now.NA)
}

func (d *differences) parties(member string, want, found []string, present bool) {
	if present {
		d.sets(member, want, found)
	}
}

// recordHolds looks at all that a representative sees.
func (c *cast) recordHolds(ctx context.Context, e *RecordExpect, d *differences) error {
	items, err := c.feedOf(ctx, e.At)
	if err != nil {
		return err
	}
	v := c.viewOf(items)
	equal(d, "consents", e.Consents, v.consents)
	equal(d, "withheld", e.Withheld, v.withheld)
	d.sets("disclosures", e.Disclosures, v.disclosures)
	d.sets("events", e.Events, v.events)
	d.sets("duties", e.Duties, c.dutiesIn(items, c.desks[e.At].ID))
	if e.Bodies != nil {
		open, err := c.bodies(ctx, e.At, v.foreign)
		if err != nil {
			return err
		}
		equal(d, "bodies", e.Bodies, open)
	}
	if e.Complete != nil {
		complete, err := c.complete(ctx, e.At, items)
		if err != nil {
			return err
		}
		equal(d, "complete", e.Complete, complete)
	}
	return nil
}

// recordView is what a representative can tell from what it was shown.
type recordView struct {
	consents    int // versions
	withheld    int
	disclosures []string
	foreign     []string // messages not addressed to it
	events      []string
}

func (c *cast) viewOf(items []office.FeedItem) recordView {
	v := recordView{disclosures: []string{}}
	for _, f := range items {
		if f.M == nil {
			v.withheld++
			continue
		}
		if !slices.Contains(v.events, f.M.Ev) {
			v.events = append(v.events, f.M.Ev)
		}
		if strings.HasPrefix(f.M.Ev, "consent.") {
			v.consents++
		}
		if n, err := f.Notice(); err == nil && n != nil {
			v.disclosures = append(v.disclosures, Local(f.M.At, c.f.Location())+" "+c.disclosure(n.Core))
			v.foreign = append(v.foreign, n.Core.Msg)
		}
	}
	return v
}

// disclosure is one message in the words of files.
func (c *cast) disclosure(core *messaging.Core) string {
	var to []string
	for _, r := range core.Others() {
		to = append(to, c.called(r.Desk))
	}
	return core.Kind + " from " + c.called(core.From.Desk) + " to " + strings.Join(to, "+") + " on " + core.Basis.Code
}

// dutiesIn computes, from openings alone, the duties towards a representative's
// desk and towards persons: what each opening says it opened, and how it moved
// what others had.
func (c *cast) dutiesIn(items []office.FeedItem, desk string) []string {
	texts, order := map[string]string{}, []string{}
	states := map[string]string{}
	for _, f := range items {
		if f.M == nil {
			continue
		}
		for _, o := range f.P.Opens {
			if o.EE == desk || statement.IsID(o.EE, statement.Person) {
				texts[o.O], states[o.O] = o.Rule+" by "+c.called(o.OR), "open"
				order = append(order, o.O)
			}
		}
		for _, m := range f.P.Moves {
			states[m.O] = m.State
		}
	}
	list := []string{}
	for _, o := range order {
		list = append(list, texts[o]+" "+states[o])
	}
	return list
}

// bodies reports whether the exchange hands out the body of any message that a
// desk may know of but was not sent.
func (c *cast) bodies(ctx context.Context, actor string, messages []string) (bool, error) {
	o, desk, err := c.office(ctx, actor)
	if err != nil {
		return false, err
	}
	for _, msg := range messages {
		body, _, err := o.Client.OpenPart(ctx, desk.ID, msg, 0, nil)
		var problem *wire.Problem
		switch {
		case err == nil:
			return true, body.Close()
		case !errors.As(err, &problem):
			return false, err
		}
	}
	return false, nil
}

// complete reports whether each grant handed over exactly what it fixed.
func (c *cast) complete(ctx context.Context, actor string, items []office.FeedItem) (bool, error) {
	o, desk, err := c.office(ctx, actor)
	if err != nil {
		return false, err
	}
	for _, f := range items {
		if f.M == nil || f.M.Ev != evidence.RepGrant {
			continue
		}
		_, err := o.GrantFeed(ctx, desk.ID, f.M.Obj, f.P.Hist)
		var lie *office.SecurityError
		if f.P.Hist == nil || errors.As(err, &lie) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// grantHolds asks the exchange as the representative would.
func (c *cast) grantHolds(ctx context.Context, e *GrantExpect, d *differences) error {
	t := c.things[e.Of]
	o, desk, err := c.office(ctx, t.to)
	if err != nil {
		return err
	}
	_, err = o.Client.GrantFeed(ctx, desk.ID, t.id, -1, 1)
	var problem *wire.Problem
	if err != nil && !errors.As(err, &problem) {
		return err
	}
	equal(d, "in-force", e.InForce, err == nil)
	equal(d, "code", e.Code, wire.CodeOf(err))
	return nil
}
