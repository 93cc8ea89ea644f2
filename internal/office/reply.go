package office

import (
	"context"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

func family(packID string) string {
	f, _, _ := strings.Cut(packID, "@")
	return f
}

// inherit gives a draft what it takes over from the message it answers: family,
// case, persons, addressee.
func (o *Office) inherit(ctx context.Context, d *Draft) error {
	if d.Re == "" {
		return nil
	}
	desk, err := o.Desk(d.Desk)
	if err != nil {
		return err
	}
	l, err := o.Find(ctx, desk, d.Re)
	if err != nil {
		return err
	}
	core := l.notice.Core
	if d.Family == "" {
		d.Family = family(core.Pack)
	}
	if d.Case == "" {
		d.Case = core.Case
	}
	if d.Subj == nil {
		d.Subj = core.Subj
	}
	if len(d.To) == 0 {
		d.To = []string{core.From.Desk}
	}
	return nil
}

// Answers lists the acts by which a reply of this kind fulfils (or, interim,
// keeps alive) what the desk owes to its addressees in the same matter. Value
// is a reply value of the pack, such as known.
func (o *Office) Answers(ctx context.Context, desk, kind, value string, to []string, re string) ([]messaging.Act, error) {
	page, err := o.Duties(ctx, desk, true, false)
	if err != nil {
		return nil, err
	}
	var acts []messaging.Act
	for _, d := range page {
		if d.TriggerObj != re || !slices.Contains(to, d.Obligee) {
			continue
		}
		pack, ok := o.Packs.Get(d.Pack)
		if !ok {
			continue
		}
		rule, ok := pack.Rule(d.Rule)
		if !ok {
			continue
		}
		if op := answering(rule, kind); op != "" {
			acts = append(acts, messaging.Act{Op: op, ID: d.ID, Value: value})
		}
	}
	return acts, nil
}

// answering says what a message of a kind does to a duty of a rule.
func answering(rule *rules.Rule, kind string) string {
	switch {
	case slices.Contains(rule.Fulfilled, kind):
		return messaging.OpFulfil
	case slices.Contains(rule.Interim, kind):
		return messaging.OpInterim
	}
	return ""
}
