package exchange

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"

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

// plan is what deciding on a statement found out.
type plan struct {
	pack   packOf
	to     []string
	cas    string
	kind   string
	subj   []string
	cosign bool           // a second signature, from another unit or body
	roles  bool           // a second signature, of another role: checked by the plan
	stored *evidence.Item // the answer is on record already
}

// plan runs the checks of one statement.
func (s *section) plan(p *plan, a *act, d *statement.DSSE) error {
	switch b := a.body.(type) {
	case *messaging.Retrieved:
		return s.planRetrieved(p, b)
	case *messaging.Decrypted:
		return s.planDecrypted(p, b)
	case *messaging.DecryptFailed:
		return s.planReceipt(p, b.Msg, b.Desk, b.By.Desk)
	case *messaging.FactMismatch:
		return s.planReceipt(p, b.Msg, b.Desk, b.By.Desk)
	case *messaging.Attested:
		return s.planAttested(p, b)
	case *messaging.CaseLink:
		return s.planLink(p, b)
	case *evidence.Grant:
		return s.planGrant(p, b, d)
	case *evidence.GrantEnd:
		return s.planGrantEnd(p, b)
	case *consent.ConflictSet:
		return s.planConflict(p, b)
	case *consent.ConflictLifted:
		return s.planLifted(p, b, d)
	case *evidence.Document, *evidence.DeskShare:
		return nil
	}
	return refuse(Malformed, "malformed", "no such statement")
}

// planReceipt gives a receipt its message's case and its sender as reader.
func (s *section) planReceipt(p *plan, msg, desk, by string) error {
	m, ok, err := s.tx.Message(s.ctx, msg)
	if err != nil {
		return err
	}
	if !ok || desk != by || m.Basis == "" {
		return notFound()
	}
	rows, err := s.tx.Recipients(s.ctx, msg)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rows, func(r RecipientRow) bool { return r.Desk == desk && r.Role == messaging.RoleTo }) {
		return notFound()
	}
	p.cas, p.subj, p.kind = m.Case, m.Subj, m.Kind
	p.to = append(p.to, m.Desk)
	return nil
}

// planRetrieved answers a second signing for delivery with the first.
func (s *section) planRetrieved(p *plan, b *messaging.Retrieved) error {
	if err := s.planReceipt(p, b.Msg, b.Desk, b.By.Desk); err != nil {
		return err
	}
	row, _, err := s.tx.Statement(s.ctx, b.Msg)
	if err != nil {
		return err
	}
	if row.Digest != b.Env {
		return refuse(Conflicting, "envelope", "the digest is not that of the message")
	}
	rows, err := s.tx.Recipients(s.ctx, b.Msg)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Desk != b.Desk {
			continue
		}
		if r.Blocked != 0 {
			return refuse(Forbidden, "release_blocked", "the message is no longer released to this desk").hint("ask the sender")
		}
		if r.Handed != 0 {
			item, err := s.stored(r.HandedIdx)
			p.stored = &item
			return err
		}
	}
	return nil
}

// planDecrypted wants the secret that only decrypting reveals.
func (s *section) planDecrypted(p *plan, b *messaging.Decrypted) error {
	if err := s.planReceipt(p, b.Msg, b.Desk, b.By.Desk); err != nil {
		return err
	}
	m, _, err := s.tx.Message(s.ctx, b.Msg)
	if err != nil {
		return err
	}
	core, err := s.projection().core(m.Idx)
	if err != nil {
		return err
	}
	if core == nil {
		return notFound()
	}
	if core.CheckAck(b.Desk, b.Secret) != nil {
		return refuse(Forbidden, "ack", "the secret is not the one the message commits to")
	}
	return nil
}

// planAttested wants the attester to be party to the case, and the channel to
// be one of the pack; it goes to all parties.
func (s *section) planAttested(p *plan, b *messaging.Attested) error {
	pack, err := s.pack(b.Pack)
	if err != nil {
		return err
	}
	if _, ok := pack.Letter(b.Channel); !ok {
		return refuse(Unprocessable, "channel", "rule pack %s knows no channel %q", b.Pack, b.Channel)
	}
	if b.Kind != "" {
		if _, ok := pack.Kind(b.Kind); !ok {
			return refuse(Unprocessable, "kind", "rule pack %s knows no kind %q", b.Pack, b.Kind)
		}
	}
	p.kind, p.subj = b.Kind, b.Subj
	if b.Case == "" {
		return refuse(Malformed, "malformed", "an attestation belongs to a case")
	}
	rows, err := s.partiesOf(b.Case)
	if err != nil {
		return err
	}
	if len(rows) > 0 && !slices.ContainsFunc(rows, func(r PartyRow) bool { return r.Inst == b.By.Inst }) {
		return refuse(Forbidden, "party", "the institution is not party to this case")
	}
	for _, r := range rows {
		p.to = append(p.to, r.Desk)
	}
	return nil
}

func (s *section) partiesOf(cas string) ([]PartyRow, error) {
	cases, err := s.tx.Linked(s.ctx, cas)
	if err != nil {
		return nil, err
	}
	return s.tx.Parties(s.ctx, cases)
}

// planLink wants the linking institution to be party to every handle that is
// in use; a fresh handle is its own. Nobody else learns of it.
func (s *section) planLink(p *plan, b *messaging.CaseLink) error {
	known := false
	for _, cas := range b.Cases {
		rows, err := s.tx.Parties(s.ctx, []string{cas})
		if err != nil {
			return err
		}
		mine := slices.ContainsFunc(rows, func(r PartyRow) bool { return r.Inst == b.By.Inst })
		if len(rows) > 0 && !mine {
			return refuse(Forbidden, "party", "the institution is not party to every case it links")
		}
		known = known || mine
	}
	if !known {
		return refuse(Forbidden, "party", "the institution is party to none of the cases")
	}
	return nil
}

// planGrant wants an officer of a party to the case and one of the sponsor, and
// no exclusion of the desk.
func (s *section) planGrant(p *plan, b *evidence.Grant, d *statement.DSSE) error {
	desk, ok := s.dir.Desk(b.Desk)
	if !ok || s.dir.TypeOfDesk(b.Desk) != "representative" {
		return refuse(Unprocessable, "grant", "the desk is not a representative's")
	}
	rows, err := s.partiesOf(b.Case)
	if err != nil {
		return err
	}
	insts := s.signerInsts(d)
	if !slices.ContainsFunc(rows, func(r PartyRow) bool { return slices.Contains(insts, r.Inst) }) {
		return refuse(Forbidden, "party", "no signer's institution is party to the case")
	}
	if !slices.Contains(insts, desk.Inst) || len(insts) < 2 {
		return s.wanting("the grant needs a second signature: an officer of the representative's sponsor")
	}
	for _, subj := range b.Subj {
		excluded, err := s.projection().Excluded(b.Desk, subj, s.now)
		if err != nil {
			return err
		}
		if excluded {
			return refuse(Forbidden, "excluded", "the desk cannot represent here")
		}
	}
	p.cosign, p.subj, p.to = true, b.Subj, append(p.to, b.Desk)
	for _, sig := range d.Signatures {
		if o, ok := s.dir.OfficerByKey(sig.KeyID); ok {
			p.to = append(p.to, s.dir.DesksOf(o.U)[:min(1, len(s.dir.DesksOf(o.U)))]...)
		}
	}
	return nil
}

// signerInsts lists the institutions of the officers who signed.
func (s *section) signerInsts(d *statement.DSSE) []string {
	var insts []string
	for _, sig := range d.Signatures {
		if o, ok := s.dir.OfficerByKey(sig.KeyID); ok && o.ActiveAt(s.now) {
			insts = append(insts, o.Inst)
		}
	}
	slices.Sort(insts)
	return slices.Compact(insts)
}

// planGrantEnd lets either of the two who granted, or the desk itself, end it.
func (s *section) planGrantEnd(p *plan, b *evidence.GrantEnd) error {
	g, ok, err := s.tx.Grant(s.ctx, b.Grant)
	if err != nil {
		return err
	}
	if !ok {
		return notFound()
	}
	cases, err := s.tx.Linked(s.ctx, g.Case)
	if err != nil {
		return err
	}
	party, err := s.tx.Party(s.ctx, cases, b.By.Inst)
	if err != nil {
		return err
	}
	if !party && s.dir.InstOfDesk(g.Desk) != b.By.Inst {
		return notFound()
	}
	p.cas, p.subj, p.to = g.Case, g.Subj, append(p.to, g.Desk)
	return nil
}

// checkPlanned wants the signatures that the plan asks for.
func (s *section) checkPlanned(d *statement.DSSE, by statement.By, p *plan) error {
	if p.roles {
		return nil
	}
	return s.checkSignatures(d, by, p.cosign)
}

// planConflict sends an exclusion to the institutions of the case, never to
// the excluded.
func (s *section) planConflict(p *plan, b *consent.ConflictSet) error {
	if err := b.Check(p.pack); err != nil {
		return refuse(Unprocessable, "conflict", "%v", err)
	}
	rows, err := s.partiesOf(b.Case)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rows, func(r PartyRow) bool { return r.Inst == b.By.Inst }) {
		return refuse(Forbidden, "party", "the institution is not party to this case")
	}
	p.readers(rows, b.Who)
	return nil
}

func (p *plan) readers(rows []PartyRow, excluded string) {
	for _, r := range rows {
		if r.Desk != excluded {
			p.to = append(p.to, r.Desk)
		}
	}
}

// planLifted wants two officers of different roles.
func (s *section) planLifted(p *plan, b *consent.ConflictLifted, d *statement.DSSE) error {
	if err := b.Check(p.pack); err != nil {
		return refuse(Unprocessable, "conflict", "%v", err)
	}
	row, ok, err := s.tx.Conflict(s.ctx, b.Of)
	if err != nil {
		return err
	}
	if !ok || row.LiftedIdx >= 0 {
		return notFound()
	}
	if len(d.Signatures) < 2 {
		return s.wanting("lifting needs a second officer, of another role")
	}
	if !s.differentRoles(d) {
		return refuse(Forbidden, "signatures", "both officers have the same roles").hint("a supervisor or head must sign too")
	}
	rows, err := s.partiesOf(b.Case)
	if err != nil {
		return err
	}
	p.roles = true
	p.readers(rows, row.Who)
	return nil
}

func (s *section) differentRoles(d *statement.DSSE) bool {
	var roles [][]string
	for _, sig := range d.Signatures {
		if o, ok := s.dir.OfficerByKey(sig.KeyID); ok && o.ActiveAt(s.now) {
			sorted := slices.Clone(o.Roles)
			slices.Sort(sorted)
			roles = append(roles, sorted)
		}
	}
	return len(roles) == 2 && !slices.Equal(roles[0], roles[1])
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
