package proving

import (
	"bytes"
	"context"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// sender is an officer who speaks to the exchange's use cases directly, so that
// thousands of rounds fit into a test. Everything is signed and sealed as ever.
type sender struct {
	f    *field
	desk *demo.Desk
}

func (f *field) sender(code, fn string) *sender {
	m, _ := f.Member(code)
	d, ok := m.Desk(fn)
	if !ok {
		f.t.Fatalf("no desk %s of %s", fn, code)
	}
	return &sender{f, d}
}

func (s *sender) signer() statement.Signer { return s.desk.Officers[0].Keys.Signer() }

// caller is a fresh request of the officer.
func (s *sender) caller() exchange.Caller {
	return exchange.Caller{Key: statement.KeyID(s.signer().Public()), Nonce: request.NewNonce()}
}

func (s *sender) by() statement.By {
	return statement.By{Desk: s.desk.ID, Inst: s.desk.Member.ID, Key: statement.KeyID(s.signer().Public())}
}

func (s *sender) head(ev, id, cas string) statement.Head {
	return statement.Head{At: s.f.Clock.Now(), By: s.by(), Case: cas, DirN: s.f.Exchange.Directory().N(), Ev: ev, ID: id, Pack: "rs-a@1", V: 1}
}

// addressee is a desk as the directory has it, its key taken from an officer.
func (s *sender) addressee(d *demo.Desk, role string) envelope.Addressee {
	id, ok := d.Officers[0].Keys.DeskIdentity(d.ID, 1)
	if !ok {
		s.f.t.Fatalf("%s has no key", d.Name())
	}
	return envelope.Addressee{Desk: d.ID, Epoch: 1, Recipient: id.Recipient().String(), Role: role}
}

// seal makes a message and uploads its body.
func (s *sender) seal(ctx context.Context, core messaging.Core, to *demo.Desk, fields map[string]string) (*messaging.Notice, []byte, error) {
	sealer, err := envelope.NewSealer(core.Msg)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := sealer.Seal(ctx, envelope.Draft{Core: core, To: []envelope.Addressee{s.addressee(to, messaging.RoleTo),
		s.addressee(s.desk, messaging.RoleSelf)}, Text: envelope.Text{Subject: "s", Body: "b", Fields: fields}}, s.signer())
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.f.Exchange.PutPart(ctx, s.caller(), core.Msg, 0, 0, bytes.NewReader(sealed.Body)); err != nil {
		return nil, nil, err
	}
	raw, err := sealed.Notice.DSSE.Encode()
	return sealed.Notice, raw, err
}

// core is the visible part of a message as rs-a wants it.
func (s *sender) core(kind string, basis messaging.Basis) messaging.Core {
	return messaging.Core{Basis: basis, Case: statement.NewID(statement.Case), Cats: []string{"identity"}, Created: s.f.Clock.Now(),
		Dir: s.f.head, Facts: map[string]string{}, From: messaging.From{Desk: s.desk.ID, Inst: s.desk.Member.ID, Key: s.by().Key},
		Kind: kind, Msg: statement.NewID(statement.Message), Obl: []messaging.Act{}, Pack: "rs-a@1",
		Subj: []string{statement.NewID(statement.Person)}, Urg: "R"}
}

func (f *field) dirHead() messaging.DirHead {
	var head ledger.Head
	f.must(f.Exchange.Store.View(context.Background(), func(r ledger.Reader) (err error) {
		head, err = r.Head(context.Background(), ledger.Dir)
		return err
	}))
	return messaging.DirHead{N: head.Size, Root: head.Root[:]}
}

// consentTo is a consent of an adult for one recipient.
func (s *sender) consentTo(cas, subj string, to *demo.Desk) consent.Statement {
	now := s.f.Clock.Now()
	return consent.Statement{Age: "adult", Cats: []string{"identity"}, Channel: "in-person", Form: "explicit", From: []string{s.desk.Member.ID},
		Grantor: consent.Grantor{H: subj, Rel: consent.Self}, Interp: "none", Lang: "sr", Method: "signed-paper",
		NB: now, NA: now + 90*24*3600*1000, Onward: []string{}, Opinion: "agrees", Purposes: []string{"assistance"}, Subj: subj,
		Text: consent.Text{SHA256: "cc7f5c3a2d1f1a0f44c0ad56cb6bb0a2bb0ce1b60dd8a3f1c3dd14d4cc26bbd4", Ver: 1},
		To:   []string{to.Member.ID}, Told: []string{"danger-life", "child-protection", "court-order"}, Understood: true, Ver: 1,
		Head: s.head(consent.Given.Event(), statement.NewID(statement.Consent), cas)}
}

// record signs a consent act and submits it.
func (s *sender) record(ctx context.Context, act consent.Act, st consent.Statement) (evidence.Item, error) {
	raw, err := s.signed(ctx, act, &st)
	if err != nil {
		return evidence.Item{}, err
	}
	return s.f.Exchange.SubmitConsent(ctx, s.caller(), st.ID, st.Ver, raw)
}

// signed is a consent act, dated now, as it is submitted.
func (s *sender) signed(ctx context.Context, act consent.Act, st *consent.Statement) ([]byte, error) {
	st.Head = s.head(act.Event(), st.ID, st.Case)
	payloadType, payload, err := st.Encode()
	if err != nil {
		return nil, err
	}
	d, err := statement.Sign(ctx, payloadType, payload, s.signer())
	if err != nil {
		return nil, err
	}
	return d.Encode()
}
