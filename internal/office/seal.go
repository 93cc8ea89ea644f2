package office

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// seal makes the body of a message and signs it, by the directory as it stands.
func (o *Office) seal(ctx context.Context, m *prepared, set string) error {
	to, err := o.addressees(ctx, m.draft)
	if err != nil {
		return err
	}
	core, err := o.core(m.draft, set)
	if err != nil {
		return err
	}
	m.sealed, err = m.sealer.Seal(ctx, envelope.Draft{Core: core, To: to, Text: m.draft.Text}, o.Keys.Signer())
	return err
}

// core is the visible part of a message.
func (o *Office) core(d *Draft, set string) (messaging.Core, error) {
	dir := o.Directory()
	pack, err := o.Pack(d.Family)
	if err != nil {
		return messaging.Core{}, err
	}
	acts := d.Acts
	if acts == nil {
		acts = []messaging.Act{}
	}
	return messaging.Core{Basis: d.Basis, Case: d.Case, Cats: d.Cats, Created: o.Now(), Dir: o.dirHead(), Facts: d.Facts,
		From: messaging.From{Desk: d.Desk, Inst: dir.InstOfDesk(d.Desk), Key: statement.KeyID(o.Keys.Signer().Public())},
		Hold: d.Hold, Kind: d.Kind, Msg: d.Msg, Obl: acts, Occurred: d.Occurred, Pack: pack.ID(),
		Re: d.Re, Set: set, Subj: d.Subj, Urg: d.Urg}, nil
}

// dirHead is the directory head that keys were resolved against.
func (o *Office) dirHead() messaging.DirHead {
	o.mu.Lock()
	defer o.mu.Unlock()
	root := rootOf(o.Notebook.leaves)
	return messaging.DirHead{N: int64(len(o.Notebook.leaves)), Root: root[:]}
}

// addressees resolves the recipients' epoch keys from the replayed directory;
// the exchange only stores the text of each key, which must hash to it.
func (o *Office) addressees(ctx context.Context, d *Draft) ([]envelope.Addressee, error) {
	var to []envelope.Addressee
	for _, desk := range d.To {
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
		return envelope.Addressee{}, noKey(desk)
	}
	recipient, err := o.Client.Key(ctx, e.RK)
	if errors.Is(err, client.ErrDigest) {
		return envelope.Addressee{}, o.lie("it offered another key for desk " + desk + " than the directory names")
	}
	if err != nil {
		return envelope.Addressee{}, err
	}
	return envelope.Addressee{Desk: desk, Epoch: e.E, Recipient: recipient, Role: role}, nil
}

func noKey(desk string) error {
	return &Refused{Code: "epoch", Desk: desk,
		Detail: fmt.Sprintf("desk %s has no key that a second member confirmed, so nothing can be sealed to it", desk)}
}
