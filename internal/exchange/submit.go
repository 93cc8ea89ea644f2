package exchange

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// SubmitMessage accepts one message under its own id, or refuses it. The same
// bytes again give the same answer.
func (x *Exchange) SubmitMessage(ctx context.Context, c Caller, msg string, body []byte) (evidence.Item, error) {
	n, err := x.readNotice(c, body)
	if err != nil {
		return evidence.Item{}, err
	}
	if n.Core.Msg != msg {
		return evidence.Item{}, refuse(Malformed, "malformed", "the path and core.msg name different messages")
	}
	if n.Core.Set != "" {
		return evidence.Item{}, refuse(Malformed, "malformed", "core.set is present").hint("send the whole set to /v1/sets")
	}
	items, err := x.submitNotices(ctx, c, msg, []*messaging.Notice{n})
	if err != nil {
		return evidence.Item{}, err
	}
	return items[0], nil
}

// SubmitSet accepts the messages of one act together, in their order, or none.
func (x *Exchange) SubmitSet(ctx context.Context, c Caller, set string, body []byte) ([]evidence.Item, error) {
	notices, err := messaging.ParseSet(body)
	if err != nil {
		return nil, malformed(err)
	}
	if notices[0].Core.Set != set {
		return nil, refuse(Malformed, "malformed", "the path and the set name different sets")
	}
	for _, n := range notices {
		if err := x.checkSigner(c, n); err != nil {
			return nil, err
		}
	}
	return x.submitNotices(ctx, c, set, notices)
}

// readNotice decodes a message and checks that the request's signer signed it.
func (x *Exchange) readNotice(c Caller, body []byte) (*messaging.Notice, error) {
	d, err := statement.ParseDSSE(body)
	if err != nil {
		return nil, malformed(err)
	}
	n, err := messaging.Parse(d)
	if err != nil {
		return nil, malformed(err)
	}
	return n, x.checkSigner(c, n)
}

func (x *Exchange) checkSigner(c Caller, n *messaging.Notice) error {
	key, ok := x.Key(c.Key)
	if !ok || n.Core.From.Key != c.Key || n.Verify(key) != nil {
		return refuse(Forbidden, "signer", "the message is not signed by the key that signed the request")
	}
	return nil
}

// submitNotices runs one or several messages through the section, all or none.
func (x *Exchange) submitNotices(ctx context.Context, c Caller, id string, notices []*messaging.Notice) ([]evidence.Item, error) {
	doc := StatementRow{ID: id}
	rec := &refusalRecord{desk: notices[0].Core.From.Desk}
	for _, n := range notices {
		digest := hex.EncodeToString(n.Digest[:])
		rec.ids = append(rec.ids, n.Core.Msg)
		if n.Core.Set == "" {
			doc.Digest = digest
		} else {
			doc.Digest = chainDigest(doc.Digest, digest)
		}
	}
	return submitStaged(ctx, x, c, rec, wantNotices(id, notices), func(s *section) ([]evidence.Item, error) {
		if items, done, err := s.answered(doc, len(notices)); done || err != nil {
			return items, err
		}
		if err := s.unused(rec.ids); err != nil {
			return nil, err
		}
		for _, n := range notices {
			if err := s.checkParts(n); err != nil {
				return nil, err
			}
		}
		return s.acceptAll(notices)
	})
}

// unused refuses a message id that another submission took or spent.
func (s *section) unused(ids []string) error {
	for _, id := range ids {
		_, taken, err := s.tx.Statement(s.ctx, id)
		if err != nil {
			return err
		}
		if taken {
			return refuse(Conflicting, "msg_reused", "%s was used before", id).hint("send it under a new id")
		}
	}
	return nil
}

// acceptAll records the messages one after the other, so that each sees what
// the ones before it opened, and then tells obligees that none of them reached.
func (s *section) acceptAll(notices []*messaging.Notice) ([]evidence.Item, error) {
	items := make([]evidence.Item, 0, len(notices))
	for _, n := range notices {
		item, err := s.accept(n)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, s.tellObligees()
}

// answered finds the stored answer of the same bytes, and refuses other bytes
// under a taken id.
func (s *section) answered(doc StatementRow, count int) ([]evidence.Item, bool, error) {
	have, ok, err := s.tx.Statement(s.ctx, doc.ID)
	if err != nil || !ok {
		return nil, false, err
	}
	switch {
	case have.Spent:
		return nil, true, refuse(Conflicting, "msg_spent", "%s was refused before and cannot be used again", doc.ID).
			hint("send it under a new id")
	case have.Digest != doc.Digest:
		return nil, true, refuse(Conflicting, "msg_reused", "%s was accepted with other bytes", doc.ID).
			hint("send it under a new id")
	}
	items := make([]evidence.Item, count)
	for i := range items {
		item, err := s.stored(have.Idx + int64(i))
		if err != nil {
			return nil, true, err
		}
		items[i] = item
	}
	return items, true, nil
}

// stored answers with the item that was recorded at an index.
func (s *section) stored(idx int64) (evidence.Item, error) {
	o, ok, err := s.tx.Opening(s.ctx, idx)
	if err != nil {
		return evidence.Item{}, err
	}
	if !ok {
		erased := int64(-1)
		return evidence.Item{Erased: &erased, Idx: idx}, nil
	}
	return evidence.ItemOf(idx, 0, o), nil
}

// checkParts refuses a message whose ciphertext is not here as it was signed.
func (s *section) checkParts(n *messaging.Notice) error {
	want := append([]messaging.Part{n.Payload.Body}, n.Core.Parts...)
	for i, part := range want {
		stanzas := 1
		if i == 0 {
			stanzas = len(n.Core.To)
		}
		if err := s.checkPart(n.Core.Msg, i, n.Core.From.Key, part, stanzas); err != nil {
			return err
		}
	}
	return nil
}

func (s *section) checkPart(msg string, i int, key string, want messaging.Part, stanzas int) error {
	u, ok, err := s.tx.Upload(s.ctx, msg, i)
	if err != nil {
		return err
	}
	if !ok || u.Key != key || u.Size != want.Len {
		return refuse(Conflicting, "part_missing", "part %d of %s is not here in full", i, msg).
			hint("upload the part, then send the message again")
	}
	sum, err := uploadDigest(u)
	if err != nil {
		return err
	}
	if sum != want.SHA256 {
		return refuse(Conflicting, "part_missing", "part %d of %s differs from what was signed", i, msg).
			hint("upload the part again under a new message id")
	}
	if u.Stanzas != stanzas {
		return refuse(Malformed, "malformed", "part %d has %d recipients, the message names %d", i, u.Stanzas, stanzas)
	}
	return nil
}

// accept lets the rules decide on one message and records it.
func (s *section) accept(n *messaging.Notice) (evidence.Item, error) {
	a, err := s.admit(n)
	if err != nil {
		return evidence.Item{}, err
	}
	d, err := s.noticeDraft(n, a)
	if err != nil {
		return evidence.Item{}, err
	}
	item, err := s.record(d)
	if err != nil {
		return evidence.Item{}, actRefusal(err)
	}
	return item, s.checkWarnings(a, n.Core)
}

// noticeDraft is the leaf of an accepted message.
func (s *section) noticeDraft(n *messaging.Notice, a *admitted) (*draft, error) {
	c := n.Core
	d := s.newDraft(evidence.MessageSubmitted, c.From.Inst+"/"+c.From.Desk, c.Msg).signed(n.DSSE)
	d.notice = n
	d.meta.From, d.meta.Kind, d.meta.Re = s.dir.TypeOfDesk(c.From.Desk), c.Kind, c.Re
	d.priv.Case, d.priv.Env = c.Case, hex.EncodeToString(n.Digest[:])
	d.priv.Pack, d.priv.Cal = a.pack.Hash(), s.calendar(a.pack).Hash()
	for _, used := range a.consents {
		d.priv.Cons = append(d.priv.Cons, evidence.Consent{ID: used.ID, Idx: used.Idx, Ver: used.Ver})
	}
	others := make([]string, 0, len(c.To))
	for _, r := range c.To {
		d.to = append(d.to, r.Desk)
		if r.Role != messaging.RoleSelf {
			others = append(others, r.Desk)
		}
	}
	d.meta.To = s.typesOf(others)
	d.to = append([]string{c.From.Desk}, d.to...)
	reps, err := s.watching(c.Case, c.Subj, evidence.ScopeDisclosures)
	d.to = append(d.to, reps...)
	return d, err
}

// refusalRecord is what the ledger says of a rule refusal.
type refusalRecord struct {
	desk string
	obj  string   // what the leaf is about; empty: the first id
	ids  []string // spent by the refusal
}

func (r *refusalRecord) about() string {
	if r.obj != "" {
		return r.obj
	}
	return r.ids[0]
}

// maxRefusals is how many refusals of one officer in an hour get a leaf each.
const maxRefusals = 20

// recordRefusal appends the leaf of a rule refusal, which spends the ids.
// Beyond twenty in an hour they are spent and wait to be counted in one leaf.
func (s *section) recordRefusal(c Caller, rec *refusalRecord, r *Refusal) error {
	if s.incomplete {
		return ledgerIncomplete() // what is missing might have made it a yes
	}
	officer, ok := s.dir.OfficerByKey(c.Key)
	if !ok {
		return nil
	}
	count, err := s.tx.RefusalsSince(s.ctx, c.Key, s.now-hour)
	if err != nil {
		return err
	}
	if count < maxRefusals {
		return s.refusalLeaf(c.Key, officer.U, rec, r)
	}
	for _, id := range rec.ids {
		if err := s.tx.PutOverflow(s.ctx, OverflowRow{Key: c.Key, ID: id, Desk: rec.desk, At: s.now}); err != nil {
			return err
		}
	}
	return nil
}

func (s *section) refusalLeaf(key, officer string, rec *refusalRecord, r *Refusal) error {
	by := evidence.System
	to := []string{}
	if s.dir.IsMember(rec.desk, officer) {
		by = s.dir.InstOfDesk(rec.desk) + "/" + rec.desk
		to = append(to, rec.desk)
	}
	d, err := s.newDraft(evidence.MessageRefused, by, rec.about()).
		data(evidence.RefusedData{Code: r.Code, Count: 1, IDs: rec.ids, Key: key})
	if err != nil {
		return err
	}
	d.meta.Dec, d.to = evidence.Refuse(r.Code), to
	_, err = s.record(d)
	return err
}

// errors.As over a *Refusal, for callers of this package.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}
