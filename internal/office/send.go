package office

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// Sent is what the exchange answered to a message, checked.
type Sent struct {
	Msg  string
	Case string
	Item evidence.Item
	Meta *evidence.Meta
	Priv *evidence.Priv
}

// prepared is a draft whose attachments are sealed and uploaded.
type prepared struct {
	draft  *Draft
	pack   *rules.Pack
	sealer *envelope.Sealer
	parts  []messaging.Part
	sealed *envelope.Sealed
}

// Send seals one message and submits it. When a recipient rotated its key
// meanwhile, the small body is sealed again, the attachments stay.
func (o *Office) Send(ctx context.Context, d Draft) (Sent, error) {
	p, err := o.prepare(ctx, &d)
	if err != nil {
		return Sent{}, err
	}
	var item evidence.Item
	err = o.sealing(ctx, []*prepared{p}, "", func() (err error) {
		raw, err := p.sealed.Notice.DSSE.Encode()
		if err != nil {
			return err
		}
		item, err = o.Client.PutMessage(ctx, d.Msg, raw)
		return err
	})
	if err != nil {
		return Sent{}, err
	}
	return o.sent(p, item)
}

// SendSet submits the messages of one act, each with its own basis and
// recipients: all are accepted, or none.
func (o *Office) SendSet(ctx context.Context, drafts []Draft) ([]Sent, error) {
	set := statement.NewID(statement.Set)
	var all []*prepared
	for i := range drafts {
		p, err := o.prepare(ctx, &drafts[i])
		if err != nil {
			return nil, fmt.Errorf("message %d of %d: %w", i+1, len(drafts), err)
		}
		all = append(all, p)
	}
	var items []evidence.Item
	err := o.sealing(ctx, all, set, func() (err error) {
		msgs := make([]*statement.DSSE, 0, len(all))
		for _, p := range all {
			msgs = append(msgs, p.sealed.Notice.DSSE)
		}
		raw, err := statement.Marshal(messaging.Set{Msgs: msgs, Set: set, V: 1})
		if err != nil {
			return err
		}
		items, err = o.Client.PutSet(ctx, set, raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	answers := make([]Sent, 0, len(all))
	for i, p := range all {
		s, err := o.sent(p, items[i])
		if err != nil {
			return nil, err
		}
		answers = append(answers, s)
	}
	return answers, nil
}

// prepare fills the draft in and uploads its attachments.
func (o *Office) prepare(ctx context.Context, d *Draft) (*prepared, error) {
	if err := o.Sync(ctx); err != nil {
		return nil, err
	}
	if err := o.inherit(ctx, d); err != nil {
		return nil, err
	}
	pack, err := o.fill(d)
	if err != nil {
		return nil, err
	}
	p := &prepared{draft: d, pack: pack, parts: []messaging.Part{}}
	if p.sealer, err = envelope.NewSealer(d.Msg); err != nil {
		return nil, err
	}
	for i, f := range d.Files {
		part, err := o.attach(ctx, p, i+1, f)
		if err != nil {
			return nil, fmt.Errorf("attachment %d: %w", i+1, err)
		}
		p.parts = append(p.parts, part)
	}
	return p, nil
}

// attach seals one file to a temporary file of ciphertext and uploads that.
func (o *Office) attach(ctx context.Context, p *prepared, n int, f envelope.File) (messaging.Part, error) {
	spool, err := os.CreateTemp("", "part-*")
	if err != nil {
		return messaging.Part{}, err
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	part, err := p.sealer.Attach(ctx, f, spool)
	if err != nil {
		return part, err
	}
	return part, o.Client.UploadPart(ctx, p.draft.Msg, n, spool, part.Len, o.Progress)
}

// sealing seals, uploads the bodies and submits; on epoch_old it follows the
// directory and does so once more under fresh ids.
func (o *Office) sealing(ctx context.Context, all []*prepared, set string, submit func() error) error {
	for try := 0; ; try++ {
		for _, p := range all {
			if err := o.seal(ctx, p, set); err != nil {
				return err
			}
		}
		err := submit()
		var problem *wire.Problem
		if try > 0 || !errors.As(err, &problem) || problem.Code != "epoch_old" && problem.Code != "dir_unknown" {
			return err
		}
		if err := o.Sync(ctx); err != nil {
			return err
		}
		if err := o.again(ctx, all); err != nil {
			return err
		}
	}
}

// again begins messages anew whose body was uploaded under an old key: a part
// is never overwritten.
func (o *Office) again(ctx context.Context, all []*prepared) error {
	for _, p := range all {
		if len(p.draft.Files) > 0 {
			return errors.New("office: a recipient's key changed while you were sending; send the message again")
		}
		fresh := statement.NewID(statement.Message)
		for _, q := range all {
			for i := range q.draft.Acts {
				if q.draft.Acts[i].Of == p.draft.Msg {
					q.draft.Acts[i].Of = fresh
				}
			}
		}
		p.draft.Msg = fresh
		var err error
		if p.sealer, err = envelope.NewSealer(fresh); err != nil {
			return err
		}
	}
	return nil
}

// seal makes body and signature and uploads the body.
func (o *Office) seal(ctx context.Context, p *prepared, set string) error {
	to, err := o.addressees(ctx, p.draft)
	if err != nil {
		return err
	}
	core, err := o.core(p, set)
	if err != nil {
		return err
	}
	p.sealed, err = p.sealer.Seal(ctx, envelope.Draft{Core: core, To: to, Text: p.draft.Text}, o.Keys.Signer())
	if err != nil {
		return err
	}
	return o.Client.UploadPart(ctx, p.draft.Msg, 0, bytes.NewReader(p.sealed.Body), int64(len(p.sealed.Body)), nil)
}

// core is the visible part of a message.
func (o *Office) core(p *prepared, set string) (messaging.Core, error) {
	d := p.draft
	dir := o.Directory()
	head, err := o.dirHead()
	if err != nil {
		return messaging.Core{}, err
	}
	acts := d.Acts
	if acts == nil {
		acts = []messaging.Act{}
	}
	return messaging.Core{Basis: d.Basis, Case: d.Case, Cats: d.Cats, Created: o.Now(), Dir: head, Facts: d.Facts,
		From: messaging.From{Desk: d.Desk, Inst: dir.InstOfDesk(d.Desk), Key: statement.KeyID(o.Keys.Signer().Public())},
		Hold: d.Hold, Kind: d.Kind, Msg: d.Msg, Obl: acts, Occurred: d.Occurred, Pack: p.pack.ID(),
		Re: d.Re, Set: set, Subj: d.Subj, Urg: d.Urg}, nil
}

// dirHead is the directory head that keys were resolved against.
func (o *Office) dirHead() (messaging.DirHead, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	root := rootOf(o.Notebook.leaves)
	return messaging.DirHead{N: int64(len(o.Notebook.leaves)), Root: root[:]}, nil
}

// addressees resolves the recipients' epoch keys from the replayed directory;
// the exchange only stores the text of each key, which must hash to it.
func (o *Office) addressees(ctx context.Context, d *Draft) ([]envelope.Addressee, error) {
	desks := append([]string{}, d.To...)
	var to []envelope.Addressee
	for _, desk := range desks {
		a, err := o.addressee(ctx, desk, messaging.RoleTo)
		if err != nil {
			return nil, err
		}
		to = append(to, a)
	}
	self, err := o.addressee(ctx, d.Desk, messaging.RoleSelf)
	if err != nil {
		return nil, err
	}
	return append(to, self), nil
}

func (o *Office) addressee(ctx context.Context, desk, role string) (envelope.Addressee, error) {
	e, ok := o.Directory().ActiveEpoch(desk)
	if !ok {
		return envelope.Addressee{}, &Refused{Code: "epoch", Desk: desk,
			Detail: fmt.Sprintf("desk %s has no key that a second member confirmed, so nothing can be sealed to it", desk)}
	}
	recipient, err := o.Client.Key(ctx, e.RK)
	if err != nil {
		return envelope.Addressee{}, err
	}
	if rk, err := envelope.RK(recipient); err != nil || rk != e.RK {
		return envelope.Addressee{}, &SecurityError{What: "it offered another key than the directory names", Shown: [][]byte{[]byte(recipient)}}
	}
	return envelope.Addressee{Desk: desk, Epoch: e.E, Recipient: recipient, Role: role}, nil
}

// sent checks that the answer is the opening of what was sent.
func (o *Office) sent(p *prepared, item evidence.Item) (Sent, error) {
	meta, priv, err := openItem(item)
	if err != nil {
		return Sent{}, err
	}
	if meta.Obj != p.draft.Msg || priv.Stmt == nil || string(priv.Stmt.Payload) != string(p.sealed.Notice.DSSE.Payload) {
		return Sent{}, &SecurityError{What: "it answered with the record of another message", Shown: [][]byte{item.Meta, item.Priv}}
	}
	return Sent{Msg: p.draft.Msg, Case: p.draft.Case, Item: item, Meta: meta, Priv: priv}, nil
}

// openItem decodes an item that must hold an opening.
func openItem(item evidence.Item) (*evidence.Meta, *evidence.Priv, error) {
	opening, err := item.Opening()
	if err != nil {
		return nil, nil, err
	}
	meta, priv, err := opening.Decode()
	if err != nil {
		return nil, nil, err
	}
	if meta.Idx != item.Idx {
		return nil, nil, fmt.Errorf("the opening of %d says it is %d", item.Idx, meta.Idx)
	}
	return meta, priv, nil
}
