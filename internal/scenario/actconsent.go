package scenario

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// explanation stands for the text that is read to a person before asking.
const explanation = "Explanation of a demonstration, version 1."

// consent records a version of a consent.
func (c *cast) consent(ctx context.Context, k *ConsentAct) error {
	o, desk, err := c.office(ctx, k.By)
	if err != nil {
		return err
	}
	t, st, err := c.consentDraft(o, k)
	if err != nil {
		return err
	}
	c.note(t)
	waiting, err := o.RecordConsent(ctx, desk.ID, c.f.pack.Family, consent.Act(k.Act), *st)
	if err != nil {
		return err
	}
	if waiting.Item != nil && k.Cosign != "" {
		return errors.New("it was recorded without the second signature")
	}
	item, err := c.cosign(ctx, waiting, k.Cosign)
	if err != nil {
		return err
	}
	if t.consent, err = consent.Parse(waiting.DSSE); err != nil {
		return err
	}
	return c.record(t, item)
}

// consentDraft is the first version, or the one before with what changes.
func (c *cast) consentDraft(o *office.Office, k *ConsentAct) (*thing, *consent.Statement, error) {
	if k.Of == "" {
		return c.firstConsent(o, k)
	}
	t := c.things[k.Of]
	if t.consent == nil {
		return nil, nil, fmt.Errorf("consent %s was never recorded", k.Of)
	}
	st := *t.consent
	st.Ver, st.Prev = st.Ver+1, st.Ver
	if len(k.To) > 0 {
		st.To = c.insts(k.To)
	}
	without := c.insts(k.Without)
	st.To = slices.DeleteFunc(slices.Clone(st.To), func(id string) bool { return slices.Contains(without, id) })
	if len(k.Cats) > 0 {
		st.Cats = k.Cats
	}
	if len(k.Purposes) > 0 {
		st.Purposes = k.Purposes
	}
	if !k.Until.None() {
		st.NA = k.Until.MS
	}
	st.Channel = cmp.Or(k.Channel, st.Channel)
	st.Opinion = cmp.Or(k.Opinion, st.Opinion)
	st.Occurred = 0
	return t, &st, nil
}

func (c *cast) firstConsent(o *office.Office, k *ConsentAct) (*thing, *consent.Statement, error) {
	t := &thing{name: k.As, id: statement.NewID(statement.Consent), by: k.By}
	sum := sha256.Sum256([]byte(explanation))
	st := &consent.Statement{
		Head: statement.Head{ID: t.id, Case: c.caseID(k.Case)},
		Subj: c.party(k.Person), Grantor: consent.Grantor{H: c.party(cmp.Or(k.Grantor, k.Person)), Rel: cmp.Or(k.Relation, consent.Self)},
		Age: cmp.Or(k.Age, "adult"), Opinion: cmp.Or(k.Opinion, consent.OpinionAgrees), Form: cmp.Or(k.Form, "explicit"),
		Method: cmp.Or(k.Method, "signed-paper"), Channel: cmp.Or(k.Channel, "in-person"),
		Lang: cmp.Or(k.Language, "sr"), Interp: cmp.Or(k.Interp, "none"), Understood: true,
		Text: consent.Text{SHA256: hex.EncodeToString(sum[:]), Ver: 1},
		From: c.insts(k.From), To: c.insts(k.To), Onward: []string{}, Purposes: k.Purposes, Cats: k.Cats, Told: []string{},
		NB: o.Now(), NA: k.Until.MS, Ver: 1,
	}
	for _, told := range c.f.pack.Consent.Told {
		st.Told = append(st.Told, told.Code)
	}
	if k.Until.None() {
		var err error
		if st.NA, err = consent.Until(c.f.pack, st.Age, st.Grantor.Rel, o.Now()); err != nil {
			return nil, nil, err
		}
	}
	return t, st, nil
}

// acts turns what a message does to duties into targets that the exchange knows.
func (c *cast) acts(ctx context.Context, o *office.Office, m *Send, d *office.Draft) ([]messaging.Act, error) {
	var list []messaging.Act
	if m.Answers != "" && d.Re != "" {
		answers, err := o.Answers(ctx, d.Desk, d.Kind, m.Answers, d.To, d.Re)
		if err != nil {
			return nil, err
		}
		list = answers
	}
	for _, a := range m.Acts {
		act := messaging.Act{Op: a.Op, Value: a.Value, Reason: a.Reason, Due: a.Due.MS, Until: a.Until.MS, To: c.party(a.To)}
		switch of := c.things[a.Of]; {
		case a.Op == messaging.OpDeclare:
			act.Rule = a.Rule
		case of != nil && of.item == nil: // of this very act
			act.Of, act.Rule = of.id, a.Rule
		default:
			id, err := c.dutyID(ctx, m.From, a)
			if err != nil {
				return nil, err
			}
			act.ID = id
		}
		list = append(list, act)
	}
	return list, nil
}

// dutyID finds the duty an act is about among those the actor owes and is owed:
// by what opened it, its rule and, where that leaves several, to whom. One that
// is still open comes first.
func (c *cast) dutyID(ctx context.Context, actor string, a Act) (string, error) {
	id, open := "", false
	for _, owing := range []bool{true, false} {
		list, err := c.dutiesOf(ctx, actor, owing)
		if err != nil {
			return "", err
		}
		for _, d := range list {
			fits := d.Rule == a.Rule && (a.Of == "" || d.TriggerObj == c.things[a.Of].id) &&
				(a.Owed == "" || c.party(a.Owed) == d.Obligee || c.party(a.Owed) == d.Person)
			if fits && (id == "" || !open && !d.State.Final()) {
				id, open = d.ID, !d.State.Final()
			}
		}
	}
	if id == "" {
		return "", fmt.Errorf("%s has no duty %s of %s", actor, a.Rule, cmp.Or(a.Of, "any message"))
	}
	return id, nil
}
