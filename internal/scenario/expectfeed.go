package scenario

import (
	"context"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
)

// told is an item of a feed, with what the server itself said in it.
type told struct {
	office.FeedItem
	duty    *evidence.DutyData
	refused *evidence.RefusedData
}

// feedHolds counts the items of a feed that fit.
func (c *cast) feedHolds(ctx context.Context, e *FeedExpect, d *differences) error {
	items, err := c.feedOf(ctx, e.At)
	if err != nil {
		return err
	}
	var fitting []told
	for _, item := range items {
		t := read(item)
		if c.fits(e, &t) {
			fitting = append(fitting, t)
		}
	}
	switch {
	case e.Count != nil && *e.Count != len(fitting):
		d.add("count", "expected %d, found %d; %s", *e.Count, len(fitting), c.eventsOf(items))
	case e.Count == nil && len(fitting) == 0:
		d.add("feed", "no such item; %s", c.eventsOf(items))
	}
	for i := range fitting {
		c.compareItem(e, &fitting[i], d)
	}
	return nil
}

// read decodes what the server itself says in an item.
func read(item office.FeedItem) told {
	t := told{FeedItem: item}
	if item.M == nil || item.P.Data == nil {
		return t
	}
	var duty evidence.DutyData
	if statement.Unmarshal(item.P.Data, &duty) == nil {
		t.duty = &duty
	}
	var change evidence.ConsentChangeData
	if statement.Unmarshal(item.P.Data, &change) == nil {
		t.duty = &evidence.DutyData{Due: change.Due, O: change.O}
	}
	var refused evidence.RefusedData
	if statement.Unmarshal(item.P.Data, &refused) == nil {
		t.refused = &refused
	}
	return t
}

// fits reports whether an item is one that the expectation speaks of.
func (c *cast) fits(e *FeedExpect, t *told) bool {
	if e.Held || t.M == nil {
		return e.Held && t.Held != nil && (e.Of == "" || c.things[e.Of].idx == t.Idx)
	}
	return t.M.Ev == e.Event &&
		(e.Of == "" || c.about(t, c.things[e.Of].id)) &&
		(e.Rule == "" || t.duty != nil && t.duty.Rule == e.Rule) &&
		(e.Level == 0 || t.duty != nil && t.duty.Level == e.Level) &&
		(e.By == "" || strings.HasSuffix(t.M.By, "/"+c.party(e.By))) &&
		(e.Kind == "" || t.M.Kind == e.Kind)
}

// about reports whether an item is about an object, or about a duty that it
// opened.
func (c *cast) about(t *told, id string) bool {
	return t.M.Obj == id || t.duty != nil && c.opened[t.duty.O] == id || t.refused != nil && t.refused.IDs[0] == id
}

// eventsOf lists the events of a feed, for whoever misses one.
func (c *cast) eventsOf(items []office.FeedItem) string {
	list := make([]string, 0, len(items))
	for _, i := range items {
		if i.M == nil {
			list = append(list, "(withheld)")
			continue
		}
		list = append(list, i.M.Ev)
	}
	return "it was told: " + strings.Join(list, ", ")
}

func (c *cast) compareItem(e *FeedExpect, t *told, d *differences) {
	if t.Held != nil {
		equal(d, "reason", e.Reason, t.Held.Reason)
		d.moment("until", e.Until, t.Held.Until)
		return
	}
	if e.Content != nil {
		content := "some"
		if t.bare() {
			content = "none"
		}
		equal(d, "content", e.Content, content)
	}
	var duty evidence.DutyData
	if t.duty != nil {
		duty = *t.duty
	}
	equal(d, "state", e.State, duty.State)
	d.moment("due", e.Due, duty.Due)
	if e.Code != nil {
		code := strings.TrimPrefix(t.M.Dec, "refuse:")
		equal(d, "code", e.Code, code)
	}
}

// bare reports whether an item says nothing of a case: codes, identifiers of
// duties and desks, times.
func (t *told) bare() bool {
	p := t.P
	return t.duty != nil && p.Case == "" && p.Stmt == nil && p.Env == "" && len(p.Cons) == 0 && len(p.Opens) == 0 &&
		!statement.IsID(t.duty.Obligee, statement.Person)
}

// messageHolds looks at a message as its sender sees it.
func (c *cast) messageHolds(ctx context.Context, e *MessageExpect, d *differences) error {
	t := c.things[e.Of]
	if t.core == nil {
		d.add("message", "%s was never accepted", e.Of)
		return nil
	}
	equal(d, "kind", e.Kind, t.core.Kind)
	equal(d, "basis", e.Basis, t.core.Basis.Code)
	equal(d, "ref", e.Ref, t.core.Basis.Ref)
	if e.SetWith != nil {
		other := c.things[*e.SetWith].core
		if other == nil || other.Set == "" || other.Set != t.core.Set || other.Msg == t.core.Msg {
			d.add("set-with", "%s and %s are not of one set", e.Of, *e.SetWith)
		}
	}
	items, err := c.feedOf(ctx, t.by)
	if err != nil {
		return err
	}
	if e.Under != nil {
		equal(d, "under", e.Under, under(items, t.id))
	}
	d.stringMoment("handed", e.Handed, c.receipt(items, t.id, e.To, evidence.MessageRetrieved))
	d.stringMoment("opened", e.Opened, c.receipt(items, t.id, e.To, evidence.MessageDecrypted))
	return nil
}

// receipt is when a recipient first signed for, or opened, a message; 0 for
// never.
func (c *cast) receipt(items []office.FeedItem, msg, actor, event string) int64 {
	for _, i := range items {
		if i.M != nil && i.M.Ev == event && i.M.Obj == msg && strings.HasSuffix(i.M.By, "/"+c.party(actor)) {
			return i.M.At
		}
	}
	return 0
}

// under is the version of the consent on which a message was accepted, as its
// opening says; 0 for none.
func under(items []office.FeedItem, msg string) int {
	for _, i := range items {
		if i.M != nil && i.M.Ev == evidence.MessageSubmitted && i.M.Obj == msg && len(i.P.Cons) > 0 {
			return i.P.Cons[0].Ver
		}
	}
	return 0
}
