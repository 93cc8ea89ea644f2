package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// projection turns an opening into derived rows. The same code runs when a leaf
// is written and when the tables are rebuilt, so both give the same rows.
type projection struct {
	ctx   context.Context
	tx    Tx
	from  View // holds the openings: tx, or the store that is being checked
	dir   *directory.State
	packs *rules.Set
	cals  *calendars
	at    int64 // of the event at hand
}

func (s *section) projection() *projection {
	return newProjection(s.ctx, s.tx, s.dir, s.x.Packs, &s.x.cals, s.at)
}

func newProjection(ctx context.Context, tx Tx, dir *directory.State, packs *rules.Set, cals *calendars, at int64) *projection {
	return &projection{ctx: ctx, tx: tx, from: tx, dir: dir, packs: packs, cals: cals, at: at}
}

// happening is one event, decoded: what obligations depend on, and the typed
// statement for everything else.
type happening struct {
	obligation.Event
	notice *messaging.Notice
	body   any // the typed statement, when it is no message
	before []int64
}

// event decodes an opening and looks up what the event means here. Whoever has
// parsed the message in priv already hands it over; nil means to parse it.
func (p *projection) event(meta *evidence.Meta, priv *evidence.Priv, parsed *messaging.Notice) (*happening, error) {
	p.at = meta.At
	h := &happening{notice: parsed, Event: obligation.Event{Idx: meta.Idx, At: meta.At, DirN: meta.DirN, Ev: meta.Ev,
		Obj: meta.Obj, Case: priv.Case}}
	h.Inst, h.Desk = splitBy(meta.By)
	if h.Desk != "" {
		h.Type = p.dir.At(meta.DirN).TypeOfDesk(h.Desk)
	}
	for _, d := range priv.To {
		h.To = append(h.To, d.Desk)
	}
	return h, p.decode(h, priv)
}

// decode fills in what an event carries. Events that are not named carry only
// what every leaf has.
func (p *projection) decode(h *happening, priv *evidence.Priv) error {
	if priv.Stmt == nil && !evidence.ServerMade(h.Ev) {
		return errors.New("a signed event without its statement")
	}
	switch h.Ev {
	case evidence.MessageSubmitted:
		return p.submittedEvent(h, priv)
	case evidence.MessageRefused:
		return p.data(h, priv, &evidence.RefusedData{})
	case evidence.MessageRetrieved, evidence.MessageDecrypted, evidence.MessageDecryptFailed, evidence.FactMismatch:
		return p.receiptEvent(h, priv)
	case evidence.Attested:
		return p.attestedEvent(h, priv)
	case evidence.CaseLink:
		return p.linkEvent(h, priv)
	case evidence.RepGrant:
		return p.grantEvent(h, priv)
	case evidence.RepEnd:
		return p.grantEndEvent(h, priv)
	case evidence.ConflictSet:
		return p.conflictEvent(h, priv)
	case evidence.ConflictLifted:
		return p.liftedEvent(h, priv)
	case evidence.ObligationKept:
		h.Kept = &obligation.Kept{}
		return p.data(h, priv, h.Kept)
	case evidence.ObligationOverdue, evidence.ObligationEscalated, evidence.NoticeReminder,
		evidence.NoticeEscalation, evidence.NoticeOwed, evidence.Silence:
		return p.data(h, priv, &evidence.DutyData{})
	case evidence.AccessRead:
		return p.data(h, priv, &evidence.AccessData{})
	case evidence.ErasureDone:
		return p.data(h, priv, &evidence.ErasureData{})
	case evidence.DocumentIssued:
		return into(h, priv, evidence.ParseDocument)
	case evidence.DeskGrant:
		return into(h, priv, evidence.ParseDeskShare)
	case evidence.EscrowRequested:
		return into(h, priv, evidence.ParseEscrowRequest)
	case evidence.EscrowRefused:
		return into(h, priv, evidence.ParseEscrowRefusal)
	case evidence.EscrowOpened:
		return into(h, priv, evidence.ParseEscrowReport)
	case evidence.EscrowReleased:
		return p.data(h, priv, &evidence.ReleasedData{})
	}
	if isConsent(h.Ev) {
		return p.consentEvent(h, priv)
	}
	return nil
}

// into decodes a signed statement that nothing but its id is derived from.
func into[T any](h *happening, priv *evidence.Priv, parse func(*statement.DSSE) (T, error)) error {
	body, err := parse(priv.Stmt)
	h.body = body
	return err
}

func (p *projection) submittedEvent(h *happening, priv *evidence.Priv) (err error) {
	if h.notice == nil {
		if h.notice, err = messaging.Parse(priv.Stmt); err != nil {
			return err
		}
	}
	c := h.notice.Core
	h.Core, h.Pack, h.Subj = c, c.Pack, c.Subj
	return nil
}

// data decodes what the server itself says.
func (p *projection) data(h *happening, priv *evidence.Priv, into any) error {
	if err := statement.Unmarshal(priv.Data, into); err != nil {
		return err
	}
	h.body = into
	return nil
}

// receiptEvent decodes what a desk says of a message it was sent.
func (p *projection) receiptEvent(h *happening, priv *evidence.Priv) error {
	body, err := messaging.ParseStatement(priv.Stmt)
	if err != nil {
		return err
	}
	msg, desk := receiptOf(body)
	h.body = body
	if h.Ev == evidence.MessageRetrieved || h.Ev == evidence.MessageDecrypted {
		h.Receipt = &obligation.Receipt{Msg: msg, Desk: desk}
	}
	return p.aboutMessage(h, msg)
}

// receiptOf names the message and the desk of a statement about a message.
func receiptOf(body messaging.Statement) (msg, desk string) {
	switch b := body.(type) {
	case *messaging.Retrieved:
		return b.Msg, b.Desk
	case *messaging.Decrypted:
		return b.Msg, b.Desk
	case *messaging.DecryptFailed:
		return b.Msg, b.Desk
	case *messaging.FactMismatch:
		return b.Msg, b.Desk
	}
	return "", ""
}

// aboutMessage gives an event the persons of the message it speaks of.
func (p *projection) aboutMessage(h *happening, msg string) error {
	m, ok, err := p.tx.Message(p.ctx, msg)
	if err != nil || !ok {
		return err
	}
	h.Subj = m.Subj
	return nil
}

// attestedEvent decodes an act off the system.
func (p *projection) attestedEvent(h *happening, priv *evidence.Priv) error {
	body, err := messaging.ParseStatement(priv.Stmt)
	if err != nil {
		return err
	}
	a, ok := body.(*messaging.Attested)
	if !ok {
		return fmt.Errorf("not an attestation")
	}
	h.body, h.Pack, h.Subj = a, a.Pack, a.Subj
	h.Attested = &obligation.Attested{Channel: a.Channel, What: whatOf(a), Occurred: a.Occurred, Kind: a.Kind,
		From: a.From, Of: a.Msg, Facts: a.Facts, Obl: a.Obl}
	if a.To != "" {
		h.Attested.To = []string{a.To}
	}
	return nil
}

// whatOf says what an attestation amounts to for obligations.
func whatOf(a *messaging.Attested) string {
	switch {
	case a.What == messaging.WhatReceived:
		return obligation.WhatReceived
	case a.Outcome == messaging.OutcomeServed:
		return obligation.WhatServed
	case a.Outcome == messaging.OutcomeAttempted:
		return obligation.WhatAttempt
	}
	return obligation.WhatSent
}

func (p *projection) linkEvent(h *happening, priv *evidence.Priv) error {
	body, err := messaging.ParseStatement(priv.Stmt)
	if err != nil {
		return err
	}
	link, ok := body.(*messaging.CaseLink)
	if !ok {
		return fmt.Errorf("not a case link")
	}
	h.body, h.Link = link, link.Cases
	return nil
}

func (p *projection) grantEvent(h *happening, priv *evidence.Priv) error {
	g, err := evidence.ParseGrant(priv.Stmt)
	if err != nil {
		return err
	}
	h.body, h.Subj = g, g.Subj
	h.Grant = &obligation.Grant{ID: g.ID, Case: g.Case, Desk: g.Desk, Subj: g.Subj, Scope: g.Scope, NB: g.NB, NA: g.NA}
	h.before, err = p.beforeGrant(g, h.Idx)
	return err
}

func (p *projection) grantEndEvent(h *happening, priv *evidence.Priv) error {
	g, err := evidence.ParseGrantEnd(priv.Stmt)
	if err != nil {
		return err
	}
	h.body, h.GrantEnds = g, []string{g.Grant}
	return nil
}

// splitBy reads META.by.
func splitBy(by string) (inst, desk string) {
	for i := range by {
		if by[i] == '/' {
			return by[:i], by[i+1:]
		}
	}
	return "", ""
}

// derive asks the obligation engine what the event changes.
func (p *projection) derive(h *happening) (obligation.Changes, error) {
	return obligation.Advance(p, p, h.Event)
}

// describe writes what the event opened and moved into its opening.
func (p *projection) describe(ch obligation.Changes, meta *evidence.Meta, priv *evidence.Priv, h *happening) error {
	for _, o := range ch.Opens {
		priv.Opens = append(priv.Opens, evidence.Opened{Due: o.Due, EE: o.Obligee, N: o.N, O: o.ID, OR: o.Obligor, Rule: o.Rule})
		meta.Obl = append(meta.Obl, p.trace("open", &o, meta.DirN))
	}
	for _, m := range ch.Moves {
		priv.Moves = append(priv.Moves, evidence.Move{O: m.O.ID, Op: m.Op, State: string(m.O.State)})
		meta.Obl = append(meta.Obl, p.trace(m.Op, &m.O, meta.DirN))
	}
	if len(ch.Opens) > 0 && priv.Pack == "" {
		pack, ok := p.Pack(ch.Opens[0].Pack)
		if !ok {
			return fmt.Errorf("rule pack %s is not here", ch.Opens[0].Pack)
		}
		priv.Pack, priv.Cal = pack.Hash(), ch.Opens[0].Cal
	}
	if h.Grant != nil {
		hist := evidence.HistoryOf(h.before)
		priv.Hist = &hist
	}
	return nil
}

// trace shows an obligation to the oversight body: institutions only.
func (p *projection) trace(op string, o *obligation.Obligation, n int64) evidence.Obligation {
	return evidence.Obligation{Due: o.Due, EE: p.instOf(n, o.Obligee), O: o.ID, Op: op,
		OR: p.instOf(n, o.Obligor), Rule: o.Rule}
}

func (p *projection) instOf(n int64, party string) string {
	if statement.IsID(party, statement.Person) {
		return "person"
	}
	return p.dir.At(n).InstOfDesk(party)
}

// same reports whether two openings say the same of obligations.
func same(a, b *evidence.Priv) bool {
	return slices.Equal(a.Opens, b.Opens) && slices.Equal(a.Moves, b.Moves)
}
