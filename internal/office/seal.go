package office

import (
	"context"
	"errors"
	"slices"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// seal makes the body of a message and signs it, by the directory as it stands.
func (o *Office) seal(ctx context.Context, m *prepared, set string) error {
	to, cautions, err := o.addressees(ctx, m.draft)
	if err != nil {
		return err
	}
	if cautions, err = o.aboutReaders(m.draft, cautions); err != nil {
		return err
	}
	core, err := o.core(m.draft, set)
	if err != nil {
		return err
	}
	if core.Dir.Stale {
		cautions = append(cautions, Caution{Code: CautionStaleDirectory, Since: o.Watch().Directory.Until})
	}
	m.cautions = cautions
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
	root := o.held.tree.root(o.held.size())
	return messaging.DirHead{N: o.held.size(), Root: root[:], Stale: o.watch().Stale}
}

// addressees resolves the recipients' epoch keys from the replayed directory;
// the exchange only stores the text of each key, which must hash to it.
func (o *Office) addressees(ctx context.Context, d *Draft) ([]envelope.Addressee, []Caution, error) {
	var to []envelope.Addressee
	var cautions []Caution
	for _, desk := range append(slices.Clone(d.To), d.Desk) {
		role := messaging.RoleTo
		if desk == d.Desk {
			role = messaging.RoleSelf
		}
		a, more, err := o.addressee(ctx, desk, role, d.Urg)
		if err != nil {
			return nil, nil, err
		}
		to, cautions = append(to, a), append(cautions, more...)
	}
	return to, cautions, nil
}

func (o *Office) addressee(ctx context.Context, desk, role, urgency string) (envelope.Addressee, []Caution, error) {
	e, cautions, err := o.sealingEpoch(desk, urgency)
	if err != nil {
		return envelope.Addressee{}, nil, err
	}
	recipient, err := o.Client.Key(ctx, e.RK)
	if errors.Is(err, client.ErrDigest) {
		return envelope.Addressee{}, nil, o.lie("it offered another key for desk " + desk + " than the directory names")
	}
	if err != nil {
		return envelope.Addressee{}, nil, err
	}
	return envelope.Addressee{Desk: desk, Epoch: e.E, Recipient: recipient, Role: role}, cautions, nil
}
