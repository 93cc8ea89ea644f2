package office

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// Draft is a message as a person wrote it. What the rules can fill in is filled
// in by [Office.Send].
type Draft struct {
	Desk     string // acting; empty for the officer's only desk
	Family   string // of the rule pack
	Kind     string
	Case     string // empty: that of Re, else a fresh handle
	Re       string
	Subj     []string
	To       []string // desks
	Basis    messaging.Basis
	Cats     []string
	Facts    map[string]string
	Urg      string // empty: the kind's first
	Occurred int64
	Hold     *messaging.Hold
	Acts     []messaging.Act
	Text     envelope.Text
	Files    []envelope.File `json:"-"`
	Msg      string          // empty: a fresh id

	// DespiteUnexpected sends an immediate message although somebody can read at
	// the desk whom the officer has not looked at, see [ErrUnexpected].
	DespiteUnexpected bool
}

// fill completes what follows from the pack, and refuses before anything is
// sealed what the exchange would refuse by the pack.
func (o *Office) fill(d *Draft) error {
	pack, err := o.Pack(d.Family)
	if err != nil {
		return err
	}
	kind, ok := pack.Kind(d.Kind)
	if !ok {
		return &Refused{Code: "kind", Detail: fmt.Sprintf("rule pack %s knows no kind of notice %q", pack.ID(), d.Kind)}
	}
	if d.Desk, err = o.Desk(d.Desk); err != nil {
		return err
	}
	if d.Msg == "" {
		d.Msg = statement.NewID(statement.Message)
	}
	if d.Case == "" && !kind.Caseless {
		d.Case = statement.NewID(statement.Case)
	}
	if d.Urg == "" {
		d.Urg = kind.Urgency[0]
	}
	if err := o.sealingAllowed(d); err != nil {
		return err
	}
	if d.Facts == nil {
		d.Facts = map[string]string{}
	}
	d.Subj, d.Cats = orEmpty(d.Subj), orEmpty(d.Cats)
	if d.Text.Fields == nil {
		d.Text.Fields = map[string]string{}
	}
	o.declare(d, pack)
	return o.permitted(d, pack, kind)
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// declare lists the declared rules that the sealed fields call for.
func (o *Office) declare(d *Draft, pack *rules.Pack) {
	for _, r := range pack.RulesFor(d.Kind) {
		if !r.Declared || !r.Declares(d.Text.Fields) {
			continue
		}
		declared := slices.ContainsFunc(d.Acts, func(a messaging.Act) bool {
			return a.Op == messaging.OpDeclare && a.Rule == r.Code
		})
		if !declared {
			d.Acts = append(d.Acts, messaging.Act{Op: messaging.OpDeclare, Rule: r.Code})
		}
	}
}

// Refused is a no of this program itself, before anything was sealed or sent.
// It leaves no trace anywhere.
type Refused struct {
	Code   string
	Desk   string
	Detail string
}

func (r *Refused) Error() string { return r.Detail }
