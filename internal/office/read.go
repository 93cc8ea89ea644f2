package office

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// Opened is a message on the screen: what the sender sealed, checked against
// what the sender signed.
type Opened struct {
	Letter Letter
	*envelope.Opened
	Sender   Sender
	Mismatch []string // facts or declarations that do not follow from the body
}

// Find looks a message up in a desk's feed.
func (o *Office) Find(ctx context.Context, desk, msg string) (Letter, error) {
	letters, err := o.Letters(ctx, desk)
	if err != nil {
		return Letter{}, err
	}
	for _, l := range letters {
		if l.Msg == msg {
			return l, nil
		}
	}
	return Letter{}, fmt.Errorf("office: %s: %w", msg, ErrNoMessage)
}

// Read signs for a message, fetches and opens it, and says that it was opened.
// What cannot be opened is reported to the sender, by the reason.
func (o *Office) Read(ctx context.Context, desk, msg string) (*Opened, error) {
	if err := o.Sync(ctx); err != nil {
		return nil, err
	}
	l, err := o.Find(ctx, desk, msg)
	if err != nil {
		return nil, err
	}
	if err := o.retrieve(ctx, desk, &l); err != nil {
		return nil, err
	}
	opened, sender, err := o.unseal(ctx, desk, l)
	if code := envelope.FailureCode(err); code != "" && !l.Mine {
		return nil, errors.Join(err, o.reportFailure(ctx, desk, l, code))
	}
	if err != nil {
		return nil, err
	}
	result := &Opened{Letter: l, Opened: opened, Sender: sender}
	if l.Mine {
		return result, nil
	}
	if l.Opened == 0 {
		secret := opened.AckSecret()
		err := o.receipt(ctx, l, desk, messaging.EvDecrypted, func(h statement.Head) any {
			return &messaging.Decrypted{Head: h, Desk: desk, Msg: l.Msg, Secret: secret[:]}
		})
		if err != nil {
			return nil, err
		}
	}
	result.Mismatch, err = o.compareFacts(ctx, desk, l, opened)
	return result, err
}

// retrieve signs for delivery, once per desk.
func (o *Office) retrieve(ctx context.Context, desk string, l *Letter) error {
	if l.Mine || l.Handed != 0 {
		return nil
	}
	env := hex.EncodeToString(l.notice.Digest[:])
	return o.receipt(ctx, *l, desk, messaging.EvRetrieved, func(h statement.Head) any {
		return &messaging.Retrieved{Head: h, Desk: desk, Env: env, Msg: l.Msg}
	})
}

// receipt signs and submits a statement about a message.
func (o *Office) receipt(ctx context.Context, l Letter, desk, event string, body func(statement.Head) any) error {
	pack, err := o.packOf(l.notice.Core.Pack)
	if err != nil {
		return err
	}
	_, err = o.put(ctx, event, func(id string) any {
		return body(o.head(desk, event, id, l.Case, pack))
	})
	return err
}

// packOf is the pack in force of the family that a message was written under.
func (o *Office) packOf(id string) (*rules.Pack, error) { return o.Pack(family(id)) }

// put signs a statement under a fresh id and submits it.
func (o *Office) put(ctx context.Context, event string, body func(id string) any) (evidence.Item, error) {
	id := statement.NewID(statement.Other)
	d, err := o.sign(ctx, event, body(id))
	if err != nil {
		return evidence.Item{}, err
	}
	raw, err := d.Encode()
	if err != nil {
		return evidence.Item{}, err
	}
	item, err := o.Client.PutStatement(ctx, id, raw)
	if err == nil {
		o.wrote(item)
	}
	return item, err
}

// unseal checks who sent it and opens the body.
func (o *Office) unseal(ctx context.Context, desk string, l Letter) (*envelope.Opened, Sender, error) {
	key, sender, err := o.sender(l)
	if err != nil {
		return nil, sender, err
	}
	to, ok := l.notice.Core.Recipient(desk)
	if !ok {
		return nil, sender, envelope.ErrNotAddressed
	}
	id, err := o.deskKey(ctx, desk, to.Epoch)
	if err != nil {
		return nil, sender, err
	}
	body, _, err := o.Client.OpenPart(ctx, desk, l.Msg, 0, nil)
	if err != nil {
		return nil, sender, err
	}
	defer body.Close()
	opened, err := envelope.Open(ctx, l.notice.DSSE, key, id, desk, body)
	return opened, sender, err
}

func (o *Office) reportFailure(ctx context.Context, desk string, l Letter, code string) error {
	return o.receipt(ctx, l, desk, messaging.EvDecryptFailed, func(h statement.Head) any {
		return &messaging.DecryptFailed{Head: h, Code: code, Desk: desk, Msg: l.Msg}
	})
}

// compareFacts recomputes the declared rules from the sealed fields. A
// difference is signed and sent back.
func (o *Office) compareFacts(ctx context.Context, desk string, l Letter, opened *envelope.Opened) ([]string, error) {
	pack, err := o.packOf(l.notice.Core.Pack)
	if err != nil {
		return nil, err
	}
	var differing []string
	for _, r := range pack.RulesFor(l.Kind) {
		if !r.Declared {
			continue
		}
		said := slices.ContainsFunc(l.notice.Core.Obl, func(a messaging.Act) bool {
			return a.Op == messaging.OpDeclare && a.Rule == r.Code
		})
		if said != r.Declares(opened.Text.Fields) {
			differing = append(differing, r.Code)
		}
	}
	if len(differing) == 0 || l.told {
		return differing, nil
	}
	return differing, o.receipt(ctx, l, desk, messaging.EvFactMismatch, func(h statement.Head) any {
		return &messaging.FactMismatch{Head: h, Desk: desk, Facts: []string{}, Msg: l.Msg, Rules: differing}
	})
}

// Save writes attachment n (from 0) of an opened message to w, in constant
// memory: first everything is checked, then written.
func (o *Office) Save(ctx context.Context, desk string, opened *Opened, n int, w io.Writer) error {
	source := func() (io.ReadCloser, error) {
		part, _, err := o.Client.OpenPart(ctx, desk, opened.Letter.Msg, n+1, o.Progress)
		return part, err
	}
	return opened.OpenPart(ctx, n, source, w)
}

// IsCode reports whether err is a problem of the exchange with this code.
func IsCode(err error, code string) bool {
	var p *wire.Problem
	return errors.As(err, &p) && p.Code == code
}
