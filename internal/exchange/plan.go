package exchange

import (
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging"
)

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
	case *evidence.DeskShare:
		return s.planShare(p, b)
	case *evidence.Document:
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
	if len(rows) > 0 && !s.among(rows, b.By.Desk) {
		return refuse(Forbidden, "party", "the institution is not party to this case")
	}
	for _, r := range rows {
		p.to = append(p.to, r.Desk)
	}
	return nil
}

// among reports whether a desk, or another of its institution, is party. A
// representative's desk stands for itself alone: two who oppose each other may
// have one sponsor.
func (s *section) among(rows []PartyRow, desk string) bool {
	return slices.ContainsFunc(rows, func(r PartyRow) bool { return s.oneParty(r.Desk, desk) })
}

// oneParty reports whether two desks speak for the same party.
func (s *section) oneParty(a, b string) bool { return oneParty(s.dir, a, b) }

func oneParty(dir *directory.State, a, b string) bool {
	if a == b {
		return true
	}
	rep := dir.TypeOfDesk(a) == directory.Representative || dir.TypeOfDesk(b) == directory.Representative
	return !rep && dir.InstOfDesk(a) == dir.InstOfDesk(b)
}

func (s *section) isRep(desk string) bool { return s.dir.TypeOfDesk(desk) == directory.Representative }

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
		mine := s.among(rows, b.By.Desk)
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
	if !slices.ContainsFunc(rows, func(r PartyRow) bool { return slices.Contains(insts, r.Inst) && !s.isRep(r.Desk) }) {
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

// signerInsts lists the institutions of the officers who signed. A representative
// speaks for nobody's: the sponsor that merely hosts the desk signs by itself.
func (s *section) signerInsts(d *statement.DSSE) []string {
	var insts []string
	for _, sig := range d.Signatures {
		if o, ok := s.dir.OfficerByKey(sig.KeyID); ok && o.ActiveAt(s.now) && !s.represents(o) {
			insts = append(insts, o.Inst)
		}
	}
	slices.Sort(insts)
	return slices.Compact(insts)
}

// represents reports whether an officer acts for a representative's desk.
func (s *section) represents(o directory.Officer) bool {
	return slices.ContainsFunc(s.dir.DesksOf(o.U), func(d string) bool { return s.dir.TypeOfDesk(d) == directory.Representative })
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
	rows, err := s.tx.Parties(s.ctx, cases)
	if err != nil {
		return err
	}
	sponsor := s.dir.InstOfDesk(g.Desk) == b.By.Inst && !s.isRep(b.By.Desk)
	if !sponsor && b.By.Desk != g.Desk && !s.among(rows, b.By.Desk) {
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
	if !s.among(rows, b.By.Desk) {
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
