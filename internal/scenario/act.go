package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// perform does what a step says. An error may be a no, see saidNo.
func (c *cast) perform(ctx context.Context, s *Step) error {
	switch {
	case s.Send != nil:
		return c.send(ctx, s.Send)
	case len(s.Set) > 0:
		return c.sendSet(ctx, s.Set)
	case s.Read != nil:
		return c.read(ctx, s.Read)
	case s.Retrieve != nil:
		return c.retrieve(ctx, s.Retrieve)
	case s.Attest != nil:
		return c.attest(ctx, s.Attest)
	case s.Link != nil:
		return c.link(ctx, s.Link)
	case s.Consent != nil:
		return c.consent(ctx, s.Consent)
	case s.Grant != nil:
		return c.grant(ctx, s.Grant)
	case s.EndGrant != nil:
		return c.endGrant(ctx, s.EndGrant)
	case s.Exclude != nil:
		return c.exclude(ctx, s.Exclude)
	case s.Silence != nil:
		return c.silence(ctx, s.Silence)
	case s.Issue != nil:
		return c.issue(ctx, s.Issue)
	case s.Look != nil:
		items, err := c.feedOf(ctx, s.Look.By)
		c.looked = c.viewOf(items)
		return err
	}
	_, err := c.performKeys(ctx, s)
	return err
}

func (c *cast) link(ctx context.Context, l *Link) error {
	o, desk, err := c.office(ctx, l.By)
	if err != nil {
		return err
	}
	var cases []string
	for _, name := range l.Cases {
		cases = append(cases, c.caseID(name))
	}
	_, err = o.Link(ctx, desk.ID, c.f.pack.Family, cases)
	return err
}

// attest records an act off the system.
func (c *cast) attest(ctx context.Context, a *Attest) error {
	o, desk, err := c.office(ctx, a.By)
	if err != nil {
		return err
	}
	t := &thing{name: a.As, id: statement.NewID(statement.Other), by: a.By}
	st := messaging.Attested{Channel: a.Channel, From: c.party(a.From), Kind: a.Kind, Outcome: a.Outcome, To: c.party(a.To), What: a.What,
		Facts: a.Facts, Subj: c.parties(a.About), Head: statement.Head{Case: c.caseID(a.Case), Occurred: a.Occurred.MS}}
	if a.Message != "" {
		st.Msg = c.things[a.Message].id
	}
	for _, act := range a.Acts {
		if act.Of == a.As && a.As != "" {
			st.Obl = append(st.Obl, messaging.Act{Op: act.Op, Of: "self", Rule: act.Rule, Value: act.Value})
			continue
		}
		id, err := c.dutyID(ctx, a.By, act)
		if err != nil {
			return err
		}
		st.Obl = append(st.Obl, messaging.Act{Op: act.Op, ID: id, Value: act.Value})
	}
	item, err := o.Attest(ctx, desk.ID, c.f.pack.Family, st)
	if err != nil {
		return err
	}
	return c.recordStatement(t, &item)
}

// recordStatement takes down a statement under the identifier it was given.
func (c *cast) recordStatement(t *thing, item *evidence.Item) error {
	opening, err := item.Opening()
	if err != nil {
		return err
	}
	meta, _, err := opening.Decode()
	if err != nil {
		return err
	}
	t.id = meta.Obj
	c.note(t)
	return c.record(t, item)
}

// grant lets a representative read; the sponsor signs second.
func (c *cast) grant(ctx context.Context, g *GrantAct) error {
	o, desk, err := c.office(ctx, g.By)
	if err != nil {
		return err
	}
	scope := slices.Clone(g.Scope)
	slices.Sort(scope)
	st := evidence.Grant{Head: statement.Head{Case: c.caseID(g.Case)}, Auth: g.Auth, Desk: c.party(g.To), NA: g.Until.MS, NB: o.Now(),
		Scope: scope, Subj: c.parties(g.About)}
	waiting, err := o.Grant(ctx, desk.ID, c.f.pack.Family, st)
	if err != nil {
		return err
	}
	t := &thing{name: g.As, by: g.By, to: g.To, grant: &st}
	item, err := c.cosign(ctx, waiting, g.Cosign)
	if err != nil {
		return err
	}
	signed, err := evidence.ParseGrant(waiting.DSSE)
	if err != nil {
		return err
	}
	t.id, t.grant = signed.ID, signed
	c.note(t)
	return c.record(t, item)
}

// cosign lets the second person sign what waits, and returns what was recorded.
func (c *cast) cosign(ctx context.Context, waiting office.Waiting, actor string) (*evidence.Item, error) {
	if waiting.Item != nil {
		return waiting.Item, nil
	}
	if actor == "" {
		return nil, fmt.Errorf("a second person must sign: say who (cosign)")
	}
	o, desk, err := c.office(ctx, actor)
	if err != nil {
		return nil, err
	}
	list, err := o.Pending(ctx, desk.ID)
	if err != nil {
		return nil, err
	}
	d := waiting.DSSE
	for _, p := range list { // the second person signs what they are shown
		if p.Digest == waiting.Digest {
			d = p.DSSE
		}
	}
	answer, err := o.Cosign(ctx, d)
	if err == nil && answer.Item == nil {
		return nil, &wire.Problem{Code: "signatures", Detail: "the statement still waits for another signature"}
	}
	return answer.Item, err
}

func (c *cast) endGrant(ctx context.Context, g *EndGrant) error {
	o, desk, err := c.office(ctx, g.By)
	if err != nil {
		return err
	}
	_, err = o.EndGrant(ctx, desk.ID, c.f.pack.Family, c.things[g.Of].id, g.Reason)
	return err
}

func (c *cast) exclude(ctx context.Context, e *Exclude) error {
	o, desk, err := c.office(ctx, e.By)
	if err != nil {
		return err
	}
	review := o.Now() + int64(c.f.pack.Consent.Review.Amount)*24*3600*1000 // in days, as every pack counts it
	item, err := o.Exclude(ctx, desk.ID, c.f.pack.Family, consent.ConflictSet{Head: statement.Head{Case: c.caseID(e.Case)},
		Ground: e.Ground, Level: e.Level, Rel: e.Relation, ReviewBy: review, Subj: c.parties(e.About), Who: c.party(e.Who)})
	if err != nil {
		return err
	}
	return c.recordStatement(&thing{name: e.As, by: e.By}, &item)
}

func (c *cast) silence(ctx context.Context, s *SilenceAct) error {
	o, _, err := c.office(ctx, s.By)
	if err != nil {
		return err
	}
	id, err := c.dutyID(ctx, s.By, Act{Rule: s.Rule, Of: s.Of, Owed: s.Owed})
	if err != nil {
		return err
	}
	item, err := o.Silence(ctx, id)
	if err != nil {
		return err
	}
	return c.recordStatement(&thing{name: s.As, by: s.By}, &item)
}

// issue makes a receipt of a consent as the actor sees it, and puts its digest on
// record.
func (c *cast) issue(ctx context.Context, i *Issue) error {
	o, desk, err := c.office(ctx, i.By)
	if err != nil {
		return err
	}
	items, err := c.feedOf(ctx, i.By)
	if err != nil {
		return err
	}
	receipt, err := c.consentReceipt(ctx, o, items, c.things[i.Of].id)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(receipt)
	t := &thing{name: i.As, by: i.By, receipt: receipt, digest: hex.EncodeToString(sum[:])}
	item, err := o.Issue(ctx, desk.ID, c.f.pack.Family, i.Kind, t.digest)
	if err != nil {
		return err
	}
	return c.recordStatement(t, &item)
}
