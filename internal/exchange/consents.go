package exchange

import (
	"context"
	"errors"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

func isConsent(event string) bool { return strings.HasPrefix(event, "consent.") }

// SubmitConsent records one version of a consent. A version that needs a second
// signature is refused until it has it; see [Exchange.PutPending].
func (x *Exchange) SubmitConsent(ctx context.Context, c Caller, id string, ver int, body []byte) (evidence.Item, error) {
	d, err := x.readStatement(c, body)
	if err != nil {
		return evidence.Item{}, err
	}
	st, err := consent.Parse(d)
	if err != nil {
		return evidence.Item{}, malformed(err)
	}
	if st.ID != id || st.Ver != ver {
		return evidence.Item{}, refuse(Malformed, "malformed", "the path and the statement name different versions")
	}
	doc := StatementRow{ID: consentKey(id, ver), Digest: digestHex(body)}
	// A refused version leaves its place free: else a stranger could take it
	// from whoever may withdraw. A fresh id is spent instead.
	rec := &refusalRecord{desk: st.By.Desk, obj: st.ID, ids: []string{statement.NewID(statement.Other)}}
	return submitOne(ctx, x, c, rec, doc, func(s *section) (evidence.Item, error) { return s.recordConsent(d, st) })
}

// recordConsent checks who records and what follows from what, and records.
func (s *section) recordConsent(d *statement.DSSE, st *consent.Statement) (evidence.Item, error) {
	pack, err := s.admitConsent(d, st)
	if err != nil {
		return evidence.Item{}, err
	}
	draft := s.newDraft(st.Ev, st.By.Inst+"/"+st.By.Desk, st.ID).signed(d)
	draft.meta.From = s.dir.TypeOfDesk(st.By.Desk)
	draft.priv.Case = st.Case
	draft.priv.Pack, draft.priv.Cal = pack.Hash(), s.calendar(pack).Hash()
	draft.meta.To = s.typesOfParties(st.To)
	if draft.to, err = s.consentReaders(st); err != nil {
		return evidence.Item{}, err
	}
	item, err := s.record(draft)
	if err != nil {
		return evidence.Item{}, err
	}
	return item, s.tellRemoved(st, item)
}

// admitConsent runs the checks of a consent act.
func (s *section) admitConsent(d *statement.DSSE, st *consent.Statement) (pack packOf, err error) {
	if pack, err = s.checkStatement(&st.Head); err != nil {
		return nil, err
	}
	if err := st.Check(pack); err != nil {
		return nil, refuse(Unprocessable, "consent", "%v", err).onRecord()
	}
	record, _, err := s.projection().Record(st.ID)
	if err != nil {
		return nil, err
	}
	if record == nil {
		record = &consent.Record{ID: st.ID}
	}
	if err := record.Next(pack, st, s.now); err != nil {
		return nil, refuse(Conflicting, "consent_transition", "%v", err).
			hint("look at the record: odziv consent show").onRecord()
	}
	if err := s.checkReask(pack, st); err != nil {
		return nil, err
	}
	if err := consent.CheckConflict(s.projection(), st, s.now); err != nil {
		return nil, refuse(Forbidden, "excluded", "somebody whom the statement names is excluded in this case").onRecord()
	}
	cosign, err := s.mayRecord(pack, st)
	if err != nil {
		return nil, err
	}
	return pack, s.checkSignatures(d, st.By, cosign)
}

// checkReask protects a person who said no: a new record is no way around a
// refusal of the same.
func (s *section) checkReask(pack packOf, st *consent.Statement) error {
	if st.Act() != consent.Requested {
		return nil
	}
	ids, err := s.tx.ConsentsOf(s.ctx, st.Subj)
	if err != nil {
		return err
	}
	var others []*consent.Record
	for _, id := range ids {
		r, _, err := s.projection().Record(id)
		if err != nil {
			return err
		}
		others = append(others, r)
	}
	if err := consent.CheckReask(pack, others, st, s.now); err != nil {
		return refuse(Conflicting, "consent_transition", "%v", err).hint("wait; the person was asked and said no").onRecord()
	}
	return nil
}

// mayRecord asks the pack's table who may record what.
func (s *section) mayRecord(pack packOf, st *consent.Statement) (cosign bool, err error) {
	officer, err := s.officer(st.By.Key, st.By.Desk)
	if err != nil {
		return false, err
	}
	cases, err := s.tx.Linked(s.ctx, st.Case)
	if err != nil {
		return false, err
	}
	party, err := s.isParty(cases, st.By, st.Subj)
	if err != nil {
		return false, err
	}
	cosign, err = consent.MayRecord(pack, st, s.party(st.By.Desk), officer.Roles, party, s.dir.InstOfDesk)
	if err != nil {
		return false, refuse(Forbidden, "recorder", "%v", err).onRecord()
	}
	return cosign, nil
}

// isParty reports whether the institution took part in the case, recorded its
// first consent, or represents the person in it.
func (s *section) isParty(cases []string, by statement.By, subj string) (bool, error) {
	party, err := s.tx.Party(s.ctx, cases, by.Inst)
	if err != nil || party && s.dir.TypeOfDesk(by.Desk) != "representative" {
		return party, err
	}
	grants, err := s.tx.Grants(s.ctx, cases)
	if err != nil {
		return false, err
	}
	for _, g := range grants {
		if g.Desk == by.Desk && g.InForce(s.now) && covers(&g, []string{subj}, evidence.ScopeConsent) {
			return true, nil
		}
	}
	return false, nil
}

// consentReaders are the desks whose feeds get a consent's opening: the
// recorder's, one of each institution that may send under it, and
// representatives in scope. Mere recipients learn of a change by notice.
func (s *section) consentReaders(st *consent.Statement) ([]string, error) {
	to := []string{st.By.Desk}
	parties, err := s.tx.ConsentVersions(s.ctx, st.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range parties { // whoever recorded an earlier version
		var before consent.Statement
		if err := statement.Unmarshal(v.Stmt, &before); err != nil {
			return nil, err
		}
		to = append(to, before.By.Desk)
	}
	for _, inst := range st.From {
		if desk, ok := s.mailDesk(inst); ok {
			to = append(to, desk)
		}
	}
	reps, err := s.watching(st.Case, []string{st.Subj}, evidence.ScopeConsent)
	return append(to, reps...), err
}

// mailDesk is the desk of an institution that gets what is addressed to the
// institution: its case desk, else legal, else the one with the lowest id.
func (s *section) mailDesk(inst string) (string, bool) {
	for _, fn := range []string{"case", "legal"} {
		if desk, ok := s.dir.DeskOfInst(inst, fn, s.now); ok {
			return desk, true
		}
	}
	desks := s.dir.DesksOfInst(inst)
	if len(desks) == 0 {
		return "", false
	}
	return desks[0], true
}

// typesOfParties lists the types of institutions and desks a consent names.
func (s *section) typesOfParties(parties []string) []string {
	var desks []string
	for _, p := range parties {
		if statement.IsID(p, statement.Institution) {
			if all := s.dir.DesksOfInst(p); len(all) > 0 {
				p = all[0]
			}
		}
		desks = append(desks, p)
	}
	return s.typesOf(desks)
}

// tellRemoved sends every removed recipient a notice with what it must confirm.
func (s *section) tellRemoved(st *consent.Statement, item evidence.Item) error {
	opened, err := s.tx.Opened(s.ctx, st.ID, "")
	if err != nil {
		return err
	}
	for _, o := range opened {
		if o.Trigger != item.Idx {
			continue
		}
		d, err := s.newDraft(evidence.NoticeConsentChange, evidence.System, st.ID).
			data(evidence.ConsentChangeData{Act: string(st.Act()), Consent: st.ID, Due: o.Due, O: o.ID, Ver: st.Ver})
		if err != nil {
			return err
		}
		if d.priv.Case, err = s.handleOf(o.Obligor, st); err != nil {
			return err
		}
		d.to = []string{o.Obligor}
		if _, err := s.record(d); err != nil {
			return err
		}
	}
	return nil
}

// handleOf is the case handle under which a recipient knows the matter: that of
// the last message it got under the consent.
func (s *section) handleOf(desk string, st *consent.Statement) (string, error) {
	handle := st.Case
	rows, err := s.tx.Disclosed(s.ctx, st.ID)
	if err != nil {
		return "", err
	}
	for _, m := range rows {
		to, err := s.tx.Recipients(s.ctx, m.Msg)
		if err != nil {
			return "", err
		}
		for _, r := range to {
			if r.Desk == desk {
				handle = m.Case
			}
		}
	}
	return handle, nil
}

// consentEvent decodes a consent act and finds out whom it takes out, and which
// releases it closes.
func (p *projection) consentEvent(h *happening, priv *evidence.Priv) error {
	st, err := consent.Parse(priv.Stmt)
	if err != nil {
		return err
	}
	h.body, h.Pack, h.Subj = st, st.Pack, []string{st.Subj}
	h.Change = &obligation.ConsentChange{Consent: st.ID, Ver: st.Ver, Case: st.Case, Subj: st.Subj, Recorder: st.By.Desk}
	record, ok, err := p.Record(st.ID)
	if err != nil || !ok || st.Ver < 2 || len(record.Versions) < st.Ver-1 {
		return err
	}
	prev := &record.Versions[st.Ver-2]
	next := consent.Recorded(st, h.Idx, h.At)
	return p.lapses(h, prev, &next)
}

// lapses lists the recipients to whom something was submitted under the version
// before that would no longer pass, and of these messages the ones not fetched.
func (p *projection) lapses(h *happening, prev, next *consent.Version) error {
	rows, err := p.tx.Disclosed(p.ctx, prev.S.ID)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, m := range rows {
		core, err := p.core(m.Idx)
		if err != nil {
			return err
		}
		if core == nil { // erased: who got it is no longer known
			continue
		}
		to, err := p.tx.Recipients(p.ctx, m.Msg)
		if err != nil {
			return err
		}
		for _, r := range to {
			if r.Role == messaging.RoleSelf || !p.lapsed(prev, next, core, r.Desk) {
				continue
			}
			if !seen[r.Desk] {
				seen[r.Desk] = true
				h.Change.Removed = append(h.Change.Removed, r.Desk)
			}
			if r.Handed == 0 && r.Blocked == 0 {
				h.Blocked = append(h.Blocked, obligation.Block{Msg: m.Msg, Desk: r.Desk})
			}
		}
	}
	return nil
}

func (p *projection) lapsed(prev, next *consent.Version, core *messaging.Core, desk string) bool {
	return consent.Lapsed(prev, next, consent.Disclosure{From: core.From.Inst, Purpose: core.Basis.Purpose, Cats: core.Cats,
		To: consent.Party{Desk: desk, Inst: p.dir.InstOfDesk(desk), Type: p.dir.TypeOfDesk(desk)}})
}

// core reads the visible part of an accepted message back from its opening, nil
// if it was erased.
func (p *projection) core(idx int64) (*messaging.Core, error) {
	o, ok, err := p.from.Opening(p.ctx, idx)
	if err != nil || !ok {
		return nil, err
	}
	_, priv, err := o.Decode()
	if err != nil {
		return nil, err
	}
	if priv.Stmt == nil {
		return nil, errors.New("a message without its statement")
	}
	n, err := messaging.Parse(priv.Stmt)
	if err != nil {
		return nil, err
	}
	return n.Core, nil
}

func (p *projection) storeConsent(priv *evidence.Priv, h *happening) error {
	st := h.body.(*consent.Statement)
	for _, b := range h.Blocked {
		err := p.tx.MarkRecipient(p.ctx, RecipientRow{Msg: b.Msg, Desk: b.Desk, Blocked: h.At, Reason: obligation.ReasonBlocked})
		if err != nil {
			return err
		}
	}
	if err := p.party(st.Case, st.By.Desk); err != nil {
		return err
	}
	return p.tx.PutConsentVersion(p.ctx, ConsentRow{ID: st.ID, Ver: st.Ver, Idx: h.Idx, At: h.At, Act: string(st.Act()),
		Subj: st.Subj, Stmt: priv.Stmt.Payload})
}

// conflictEvent decodes an exclusion; it ends the grants of the excluded desk.
func (p *projection) conflictEvent(h *happening, priv *evidence.Priv) error {
	c, err := consent.ParseConflictSet(priv.Stmt)
	if err != nil {
		return err
	}
	h.body, h.Subj = c, c.Subj
	grants, err := p.tx.GrantsOf(p.ctx, c.Who)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.EndedIdx < 0 && covers(&GrantRow{Subj: c.Subj, Scope: g.Scope}, g.Subj, g.Scope[0]) {
			h.GrantEnds = append(h.GrantEnds, g.ID)
		}
	}
	return nil
}

func (p *projection) storeConflict(h *happening) error {
	c := h.body.(*consent.ConflictSet)
	err := p.tx.PutConflict(p.ctx, ConflictRow{ID: c.ID, Who: c.Who, Subj: c.Subj, Level: c.Level, SetIdx: h.Idx, SetAt: h.At, LiftedIdx: -1})
	if err != nil {
		return err
	}
	return p.endGrants(h)
}

func (p *projection) liftedEvent(h *happening, priv *evidence.Priv) error {
	c, err := consent.ParseConflictLifted(priv.Stmt)
	if err != nil {
		return err
	}
	h.body = c
	return nil
}

func (p *projection) liftConflict(h *happening) error {
	c := h.body.(*consent.ConflictLifted)
	row, ok, err := p.tx.Conflict(p.ctx, c.Of)
	if err != nil || !ok {
		return errors.Join(err, errors.New("lifts an exclusion that is not there"))
	}
	row.LiftedIdx, row.LiftedAt = h.Idx, h.At
	return p.tx.PutConflict(p.ctx, row)
}
