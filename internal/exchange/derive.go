package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// store writes the derived rows of one event.
func (p *projection) store(meta *evidence.Meta, priv *evidence.Priv, h *happening, ch obligation.Changes) error {
	if err := p.storeFeed(meta, priv, h); err != nil {
		return err
	}
	if err := p.storeStatement(priv, h); err != nil {
		return err
	}
	if err := p.storeOwn(priv, h); err != nil {
		return err
	}
	for _, o := range ch.Opens {
		if err := p.tx.PutObligation(p.ctx, o); err != nil {
			return err
		}
	}
	for _, m := range ch.Moves {
		if err := p.tx.PutObligation(p.ctx, m.O); err != nil {
			return err
		}
	}
	return nil
}

// storeOwn stores what an event adds beyond feed, statement and obligations.
func (p *projection) storeOwn(priv *evidence.Priv, h *happening) error {
	switch h.Ev {
	case evidence.MessageSubmitted:
		return p.storeMessage(priv, h)
	case evidence.MessageRefused:
		return p.storeRefusal(h)
	case evidence.MessageRetrieved:
		return p.storeHanded(h)
	case evidence.MessageDecrypted:
		return p.storeDecrypted(h)
	case evidence.Attested:
		return p.storeAttested(h)
	case evidence.CaseLink:
		return p.tx.Link(p.ctx, h.Link)
	case evidence.RepGrant:
		return p.storeGrant(h)
	case evidence.RepEnd:
		return p.endGrants(h)
	case evidence.ConflictSet:
		return p.storeConflict(h)
	case evidence.ConflictLifted:
		return p.liftConflict(h)
	case evidence.ObligationOverdue, evidence.ObligationEscalated, evidence.NoticeReminder:
		return p.storeMark(h)
	case evidence.AccessRead:
		return p.storeAccess(h)
	case evidence.ErasureDone:
		return p.storeErasure(h)
	}
	if isConsent(h.Ev) {
		return p.storeConsent(priv, h)
	}
	return nil
}

// storeFeed places the opening in its desks' feeds, its object's chain, and the
// scope that later grants hand over.
func (p *projection) storeFeed(meta *evidence.Meta, priv *evidence.Priv, h *happening) error {
	if err := p.tx.PutLast(p.ctx, meta.Obj, meta.Idx); err != nil {
		return err
	}
	for _, d := range priv.To {
		if err := p.tx.PutFeed(p.ctx, FeedRow{Desk: d.Desk, N: d.N, Idx: meta.Idx, Erased: -1}); err != nil {
			return err
		}
	}
	if scope := scopeOf(meta.Ev); scope != "" && priv.Case != "" {
		return p.tx.PutScope(p.ctx, priv.Case, meta.Idx, scope)
	}
	return nil
}

// storeStatement takes the natural id of a signed statement. A set's digest is
// chained over its messages, in their order.
func (p *projection) storeStatement(priv *evidence.Priv, h *happening) error {
	if priv.Stmt == nil {
		return p.storeRequest(h)
	}
	digest, err := digestOf(priv)
	if err != nil {
		return err
	}
	id := h.Obj
	switch {
	case h.notice != nil:
		if err := p.chainSet(h.notice.Core.Set, digest, h.Idx); err != nil {
			return err
		}
	case h.body != nil:
		id = naturalID(h.body)
	}
	return p.tx.PutStatement(p.ctx, StatementRow{ID: id, Digest: digest, Idx: h.Idx})
}

// storeRequest takes the id of a request that the server answered by a leaf of
// its own.
func (p *projection) storeRequest(h *happening) error {
	if h.Ev != evidence.Silence {
		return nil
	}
	return p.tx.PutStatement(p.ctx, StatementRow{ID: h.Obj, Digest: h.body.(*evidence.DutyData).O, Idx: h.Idx})
}

// digestOf is the hex SHA-256 of the canonical statement.
func digestOf(priv *evidence.Priv) (string, error) {
	if priv.Env != "" {
		return priv.Env, nil
	}
	raw, err := priv.Stmt.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (p *projection) chainSet(set, digest string, idx int64) error {
	if set == "" {
		return nil
	}
	row, ok, err := p.tx.Statement(p.ctx, set)
	if err != nil {
		return err
	}
	if !ok {
		row = StatementRow{ID: set, Idx: idx}
	}
	row.Digest = chainDigest(row.Digest, digest)
	return p.tx.PutStatement(p.ctx, row)
}

// chainDigest extends the digest of a set by one message.
func chainDigest(before, digest string) string {
	sum := sha256.Sum256([]byte(before + "/" + digest))
	return hex.EncodeToString(sum[:])
}

// naturalID is the id under which a statement was put.
func naturalID(body any) string {
	switch b := body.(type) {
	case messaging.Statement:
		return b.Header().ID
	case *consent.Statement:
		return consentKey(b.ID, b.Ver)
	case *consent.ConflictSet:
		return b.ID
	case *consent.ConflictLifted:
		return b.ID
	case *evidence.Grant:
		return b.ID
	case *evidence.GrantEnd:
		return b.ID
	case *evidence.Document:
		return b.ID
	case *evidence.DeskShare:
		return b.ID
	case *evidence.EscrowRequest:
		return b.ID
	case *evidence.EscrowRefusal:
		return b.ID
	case *evidence.EscrowReport:
		return b.ID
	}
	return ""
}

func consentKey(id string, ver int) string { return id + "/" + strconv.Itoa(ver) }

func (p *projection) storeMessage(priv *evidence.Priv, h *happening) error {
	c := h.Core
	m := MessageRow{Msg: c.Msg, Idx: h.Idx, At: h.At, Case: c.Case, Kind: c.Kind, Desk: c.From.Desk, Inst: c.From.Inst,
		Basis: c.Basis.Code, Occurred: c.Occurred, Set: c.Set, Pack: c.Pack, Subj: c.Subj}
	if c.Hold != nil {
		m.Hold, m.Reason = c.Hold.Until, c.Hold.Reason
	}
	to := make([]RecipientRow, 0, len(c.To))
	for _, r := range c.To {
		to = append(to, RecipientRow{Msg: c.Msg, Desk: r.Desk, Role: r.Role})
		if err := p.party(c.Case, r.Desk); err != nil {
			return err
		}
	}
	var consents []string
	for _, used := range priv.Cons {
		consents = append(consents, used.ID)
	}
	if err := p.party(c.Case, c.From.Desk); err != nil {
		return err
	}
	return p.tx.PutMessage(p.ctx, m, to, consents)
}

// party notes that a desk took part in a case.
func (p *projection) party(cas, desk string) error {
	if cas == "" {
		return nil
	}
	return p.tx.PutParty(p.ctx, cas, PartyRow{Desk: desk, Inst: p.dir.InstOfDesk(desk)})
}

func (p *projection) storeRefusal(h *happening) error {
	d := h.body.(*evidence.RefusedData)
	for _, id := range d.IDs {
		if err := p.tx.PutStatement(p.ctx, StatementRow{ID: id, Idx: h.Idx, Spent: true}); err != nil {
			return err
		}
	}
	return p.tx.PutRefusal(p.ctx, d.Key, h.At, h.Idx)
}

func (p *projection) storeDecrypted(h *happening) error {
	return p.tx.MarkRecipient(p.ctx, RecipientRow{Msg: h.Receipt.Msg, Desk: h.Receipt.Desk, Opened: h.At})
}

// storeAttested makes an act off the system findable as a message, and notes
// who was served.
func (p *projection) storeAttested(h *happening) error {
	a := h.body.(*messaging.Attested)
	if sent, ok := obligation.SentOf(h.Event); ok {
		var to []RecipientRow
		for _, party := range sent.To {
			to = append(to, RecipientRow{Msg: sent.Obj, Desk: party, Role: messaging.RoleTo})
		}
		err := p.tx.PutMessage(p.ctx, MessageRow{Msg: sent.Obj, Idx: sent.Idx, At: sent.At, Case: sent.Case, Kind: sent.Kind,
			Desk: sent.From, Inst: p.dir.InstOfDesk(sent.From), Occurred: sent.Occurred, Pack: sent.Pack, Subj: a.Subj}, to, nil)
		if err != nil {
			return err
		}
	}
	if err := p.storeHanded(h); err != nil {
		return err
	}
	return p.party(a.Case, h.Desk)
}

// storeHanded notes to whom something was handed over, by signing for it or by
// proof of service.
func (p *projection) storeHanded(h *happening) error {
	for _, to := range obligation.HandedOf(h.Event) {
		err := p.tx.MarkRecipient(p.ctx, RecipientRow{Msg: to.Obj, Desk: to.To, Role: messaging.RoleTo,
			Handed: to.At, HandedIdx: to.Idx, Served: to.Served})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *projection) storeGrant(h *happening) error {
	g := h.Grant
	return p.tx.PutGrant(p.ctx, GrantRow{ID: g.ID, Idx: h.Idx, At: h.At, Case: g.Case, Desk: g.Desk, Subj: g.Subj,
		Scope: g.Scope, NB: g.NB, NA: g.NA, EndedIdx: -1, Before: h.before})
}

func (p *projection) endGrants(h *happening) error {
	for _, id := range h.GrantEnds {
		g, ok, err := p.tx.Grant(p.ctx, id)
		if err != nil {
			return err
		}
		if !ok || g.EndedIdx >= 0 {
			continue
		}
		g.EndedIdx, g.EndedAt = h.Idx, h.At
		if err := p.tx.PutGrant(p.ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (p *projection) storeMark(h *happening) error {
	d := h.body.(*evidence.DutyData)
	return p.tx.PutMark(p.ctx, d.O, d.Level, h.Idx)
}

func (p *projection) storeAccess(h *happening) error {
	d := h.body.(*evidence.AccessData)
	return p.tx.PutAccess(p.ctx, d.Officer, h.Case, d.Day, h.Idx)
}

// storeErasure keeps the numbers of the feeds in which the erased stood.
func (p *projection) storeErasure(h *happening) error {
	for _, e := range h.body.(*evidence.ErasureData).Erased {
		for _, d := range e.To {
			if err := p.tx.PutFeed(p.ctx, FeedRow{Desk: d.Desk, N: d.N, Idx: e.Idx, Erased: h.Idx}); err != nil {
				return err
			}
		}
	}
	return nil
}

// beforeGrant lists the leaves of the case so far that a grant covers.
func (p *projection) beforeGrant(g *evidence.Grant, idx int64) ([]int64, error) {
	cases, err := p.tx.Linked(p.ctx, g.Case)
	if err != nil {
		return nil, err
	}
	all, err := p.tx.Scope(p.ctx, cases, idx)
	if err != nil {
		return nil, err
	}
	row := GrantRow{Subj: g.Subj, Scope: g.Scope}
	covered := []int64{}
	for _, i := range all {
		ok, err := p.covered(&row, i)
		if err != nil {
			return nil, err
		}
		if ok {
			covered = append(covered, i)
		}
	}
	slices.Sort(covered)
	return slices.Compact(covered), nil
}

// covered reads one opening and asks whether the grant covers it.
func (p *projection) covered(g *GrantRow, idx int64) (bool, error) {
	o, ok, err := p.from.Opening(p.ctx, idx)
	if err != nil || !ok {
		return false, err
	}
	meta, priv, err := o.Decode()
	if err != nil {
		return false, err
	}
	subj, err := p.subjects(meta, priv)
	if err != nil {
		return false, err
	}
	return covers(g, subj, scopeOf(meta.Ev)), nil
}

// subjects are the persons an event speaks of, none if it names none.
func (p *projection) subjects(meta *evidence.Meta, priv *evidence.Priv) ([]string, error) {
	at := p.at
	h, err := p.event(meta, priv, nil)
	p.at = at
	if err != nil {
		return nil, err
	}
	return h.Subj, nil
}
