package exchange

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

type packOf = *rules.Pack

// SubmitStatement records a signed statement under its id: a receipt, an
// attestation, a link of cases, a grant, an exclusion, an issued document.
func (x *Exchange) SubmitStatement(ctx context.Context, c Caller, id string, body []byte) (evidence.Item, error) {
	d, err := x.readStatement(c, body)
	if err != nil {
		return evidence.Item{}, err
	}
	a, err := readAct(d)
	if err != nil {
		return evidence.Item{}, malformed(err)
	}
	if a.head.ID != id {
		return evidence.Item{}, refuse(Malformed, "malformed", "the path and the statement name different statements")
	}
	if err := x.deliverable(ctx, a); err != nil {
		return evidence.Item{}, err
	}
	doc := StatementRow{ID: id, Digest: digestHex(body)}
	return submitOne(ctx, x, c, nil, doc, func(s *section) (evidence.Item, error) { return s.recordAct(d, a) })
}

// submitOne answers the same bytes with the stored item, and records others.
func submitOne(ctx context.Context, x *Exchange, c Caller, rec *refusalRecord, doc StatementRow, f func(s *section) (evidence.Item, error)) (evidence.Item, error) {
	return submit(ctx, x, c, rec, func(s *section) (evidence.Item, error) {
		items, done, err := s.answered(doc, 1)
		if err != nil {
			return evidence.Item{}, err
		}
		if done {
			return items[0], nil
		}
		return f(s)
	})
}

func digestHex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// readStatement decodes a statement and verifies every signature on it under
// keys of the directory; one of them is the request's signer.
func (x *Exchange) readStatement(c Caller, body []byte) (*statement.DSSE, error) {
	d, err := statement.ParseDSSE(body)
	if err != nil {
		return nil, malformed(err)
	}
	keys := make([]ed25519.PublicKey, 0, len(d.Signatures))
	mine := false
	for _, sig := range d.Signatures {
		key, ok := x.Key(sig.KeyID)
		if !ok {
			return nil, refuse(Forbidden, "signer", "a signature is by a key that is not in the directory")
		}
		keys = append(keys, key)
		mine = mine || sig.KeyID == c.Key
	}
	if !mine || d.Verify(keys...) != nil {
		return nil, refuse(Forbidden, "signer", "the statement is not signed by the key that signed the request")
	}
	return d, nil
}

// act is a signed statement other than a message or a consent, with what is
// needed to decide on it.
type act struct {
	head *statement.Head
	body any
	obj  string
}

// readAct decodes a statement by its payload type.
func readAct(d *statement.DSSE) (*act, error) {
	event, _ := statement.EventOfType(d.PayloadType)
	switch event {
	case evidence.RepGrant:
		g, err := evidence.ParseGrant(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &g.Head, body: g, obj: g.ID}, nil
	case evidence.RepEnd:
		g, err := evidence.ParseGrantEnd(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &g.Head, body: g, obj: g.Grant}, nil
	case evidence.DocumentIssued:
		doc, err := evidence.ParseDocument(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &doc.Head, body: doc, obj: doc.ID}, nil
	case evidence.DeskGrant:
		g, err := evidence.ParseDeskShare(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &g.Head, body: g, obj: g.ID}, nil
	case evidence.EscrowRequested, evidence.EscrowRefused, evidence.EscrowOpened:
		return readEscrow(event, d)
	case evidence.ConflictSet:
		c, err := consent.ParseConflictSet(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &c.Head, body: c, obj: c.ID}, nil
	case evidence.ConflictLifted:
		c, err := consent.ParseConflictLifted(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &c.Head, body: c, obj: c.Of}, nil
	}
	body, err := messaging.ParseStatement(d)
	if err != nil {
		return nil, err
	}
	a := &act{head: body.Header(), body: body, obj: body.Header().ID}
	if msg, _ := receiptOf(body); msg != "" {
		a.obj = msg
	}
	return a, nil
}

// recordAct decides who must have signed and who gets the opening, and records.
func (s *section) recordAct(d *statement.DSSE, a *act) (evidence.Item, error) {
	if evidence.IsEscrow(a.head.Ev) {
		return s.recordEscrow(d, a)
	}
	pack, err := s.checkStatement(a.head)
	if err != nil {
		return evidence.Item{}, err
	}
	if _, err := s.officer(a.head.By.Key, a.head.By.Desk); err != nil {
		return evidence.Item{}, err
	}
	p := &plan{to: []string{a.head.By.Desk}, cas: a.head.Case, pack: pack}
	if err := s.plan(p, a, d); err != nil {
		return evidence.Item{}, err
	}
	if p.stored != nil {
		return *p.stored, nil
	}
	if err := s.checkPlanned(d, a.head.By, p); err != nil {
		return evidence.Item{}, err
	}
	draft := s.newDraft(a.head.Ev, a.head.By.Inst+"/"+a.head.By.Desk, a.obj).signed(d)
	draft.meta.From = s.dir.TypeOfDesk(a.head.By.Desk)
	draft.meta.Kind = p.kind
	draft.priv.Case, draft.to = p.cas, p.to
	reps, err := s.watching(p.cas, p.subj, scopeOf(a.head.Ev))
	if err != nil {
		return evidence.Item{}, err
	}
	draft.to = append(draft.to, reps...)
	item, err := s.record(draft)
	if err != nil {
		return evidence.Item{}, actRefusal(err)
	}
	return item, s.tellObligees()
}

// wanting is the refusal of a statement that more must sign.
func (s *section) wanting(what string) *Refusal {
	return refuse(Forbidden, "signatures", "%s", what).hint("put it to /v1/pending and let the second person sign")
}

// checkSignatures wants exactly one signature, or two where a second person
// must sign; the second comes from another unit or body.
func (s *section) checkSignatures(d *statement.DSSE, by statement.By, cosign bool) error {
	if !cosign {
		if len(d.Signatures) != 1 || d.Signatures[0].KeyID != by.Key {
			return refuse(Forbidden, "signatures", "exactly one signature is wanted, of the officer it names")
		}
		return nil
	}
	if len(d.Signatures) != 2 {
		return s.wanting("a second signature from another unit or body is needed")
	}
	for _, sig := range d.Signatures {
		if sig.KeyID == by.Key {
			continue
		}
		o, ok := s.dir.OfficerByKey(sig.KeyID)
		if !ok || !o.ActiveAt(s.now) {
			return refuse(Forbidden, "signer", "the second signer is no officer")
		}
		if err := consent.CheckCosigner(by, sig.KeyID, s.dir.DesksOf(o.U)); err != nil {
			return refuse(Forbidden, "signatures", "%v", err)
		}
	}
	return nil
}

// checkStatement holds the head of a statement against directory, clock and pack.
func (s *section) checkStatement(h *statement.Head) (packOf, error) {
	if h.At > s.now+createdWindow || h.At < s.now-7*day {
		return nil, refuse(Unprocessable, "created", "the statement's time is too far from the exchange's").
			hint("check the clock of this computer and sign again")
	}
	if h.DirN > s.dir.N() {
		return nil, refuse(Conflicting, "dir_unknown", "dirn is beyond the directory")
	}
	if s.dir.InstOfDesk(h.By.Desk) != h.By.Inst {
		return nil, refuse(Forbidden, "sender", "the desk is not one of that institution")
	}
	return s.pack(h.Pack)
}
