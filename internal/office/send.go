package office

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
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

	Cautions []Caution // about the keys and the directory it was sealed by
}

// Unsent says that a message, or a set, is not known to have arrived: the exchange
// did not answer, the program was interrupted, or it must wait for the key of a
// desk. What was written is kept, sealed; [Office.Resume] goes on with it and never
// sends it twice.
type Unsent struct {
	ID  string // of the message or the set
	Err error
}

// Waits is the desk whose key the message waits for, "" if it waits for nobody's.
func (u *Unsent) Waits() (desk string) {
	var refused *Refused
	if errors.As(u.Err, &refused) {
		return refused.Desk
	}
	return ""
}

func (u *Unsent) Error() string { return u.ID + " is not sent yet: " + u.Err.Error() }
func (u *Unsent) Unwrap() error { return u.Err }

// parcel is one submission on its way: a message, or the messages of a set.
type parcel struct {
	set string // "" for a message
	all []*prepared
	box *box

	asked bool // an earlier run may have brought parts to the exchange
	there bool // all attachments are at the exchange
}

// prepared is one message of a parcel, its attachments sealed.
type prepared struct {
	draft  *Draft
	sealer *envelope.Sealer
	sealed *envelope.Sealed // nil until its body is sealed

	cautions []Caution // from sealing it in this run
}

// id is what the parcel is called.
func (p *parcel) id() string {
	if p.set != "" {
		return p.set
	}
	return p.all[0].draft.Msg
}

// Send seals one message and submits it. When a recipient rotated its key
// meanwhile, its body is sealed again, once; the attachments stay as they are.
func (o *Office) Send(ctx context.Context, d Draft) (Sent, error) {
	all, err := o.send(ctx, "", []Draft{d})
	if err != nil {
		return Sent{}, err
	}
	return all[0], nil
}

// SendSet submits the messages of one act, each with its own basis and
// recipients: all are accepted, or none.
func (o *Office) SendSet(ctx context.Context, drafts []Draft) ([]Sent, error) {
	if n := len(drafts); n < messaging.MinSet || n > messaging.MaxSet {
		return nil, &Refused{Code: "set", Detail: fmt.Sprintf("a set has %d to %d messages, this one has %d", messaging.MinSet, messaging.MaxSet, n)}
	}
	return o.send(ctx, statement.NewID(statement.Set), drafts)
}

func (o *Office) send(ctx context.Context, set string, drafts []Draft) ([]Sent, error) {
	p, err := o.pack(ctx, set, drafts)
	if err != nil {
		return nil, err
	}
	return o.deliver(ctx, p)
}

// pack checks every draft, then seals the attachments and keeps what is needed
// to go on after an interruption. Nothing has left this computer when it fails.
func (o *Office) pack(ctx context.Context, set string, drafts []Draft) (p *parcel, err error) {
	if err := o.Sync(ctx); err != nil {
		return nil, err
	}
	p = &parcel{set: set}
	for i := range drafts {
		if err := o.awaitKeys(ctx, append(slices.Clone(drafts[i].To), drafts[i].Desk)); err != nil {
			return nil, err
		}
		m := &prepared{draft: &drafts[i]}
		if err := o.complete(ctx, m.draft); err != nil {
			return nil, p.named(i, len(drafts), err)
		}
		if m.sealer, err = envelope.NewSealer(m.draft.Msg); err != nil {
			return nil, err
		}
		p.all = append(p.all, m)
	}
	if p.box, err = o.Notebook.newBox(p.id()); err != nil {
		return nil, err
	}
	if err := errors.Join(p.sealFiles(ctx), p.box.keepDrafts(p, o.Keys.Recipient())); err != nil {
		return nil, errors.Join(err, p.box.remove())
	}
	return p, nil
}

// named says which message of a set an error is about.
func (p *parcel) named(i, n int, err error) error {
	if p.set == "" {
		return err
	}
	return fmt.Errorf("message %d of %d: %w", i+1, n, err)
}

// complete fills a draft in and asks the rules.
func (o *Office) complete(ctx context.Context, d *Draft) error {
	if err := o.inherit(ctx, d); err != nil {
		return err
	}
	return o.fill(d)
}

func (p *parcel) sealFiles(ctx context.Context) error {
	for i, m := range p.all {
		for n, f := range m.draft.Files {
			if err := p.sealFile(ctx, i, n+1, f); err != nil {
				return p.named(i, len(p.all), fmt.Errorf("attachment %d: %w", n+1, err))
			}
		}
	}
	return nil
}

func (p *parcel) sealFile(ctx context.Context, i, n int, f envelope.File) error {
	spool, err := p.box.create(partName(i, n))
	if err != nil {
		return err
	}
	_, err = p.all[i].sealer.Attach(ctx, f, spool)
	return errors.Join(err, spool.Sync(), spool.Close())
}

// Resume goes on with a parcel that was interrupted, or waited. What arrived the
// first time is answered as it was then.
func (o *Office) Resume(ctx context.Context, id string) ([]Sent, error) {
	return o.resume(ctx, id, func(*parcel) error { return nil })
}

// ResumeUrgent is [Office.Resume] for a parcel that waits for a desk's key and can
// not wait any longer: every message of it becomes immediate, where the rules
// permit that of its kind. One that was signed already may have arrived, and goes
// as it was signed or not at all.
func (o *Office) ResumeUrgent(ctx context.Context, id string) ([]Sent, error) {
	return o.resume(ctx, id, o.hasten)
}

func (o *Office) resume(ctx context.Context, id string, change func(*parcel) error) ([]Sent, error) {
	if err := o.Sync(ctx); err != nil {
		return nil, err
	}
	p, err := o.Notebook.openBox(id, o.Keys.Identity())
	if err != nil {
		return nil, err
	}
	p.asked = true
	if err := change(p); err != nil {
		return nil, errors.Join(err, p.box.release())
	}
	return o.deliver(ctx, p)
}

// hasten makes every message of a parcel immediate.
func (o *Office) hasten(p *parcel) error {
	for i, m := range p.all {
		if m.sealed != nil {
			return &Refused{Code: "signed", Detail: "it was signed with its urgency already and may have arrived: go on with it as it is"}
		}
		if m.draft.Urg == messaging.Immediate {
			continue
		}
		m.draft.Urg = messaging.Immediate
		if err := o.fill(m.draft); err != nil {
			return p.named(i, len(p.all), err)
		}
	}
	return p.box.keepDrafts(p, o.Keys.Recipient())
}

// deliver uploads and submits until the exchange has answered.
func (o *Office) deliver(ctx context.Context, p *parcel) ([]Sent, error) {
	defer p.box.release()
	for try := 0; ; try++ {
		items, err := o.attempt(ctx, p)
		if err == nil {
			return o.answered(p, items)
		}
		if IsCode(err, "epoch_stale") { // nothing was recorded: it is signed again when its time has come
			err = errors.Join(err, o.cure(p, err))
		}
		if try > 0 || !curable(err) {
			return nil, p.unsent(err)
		}
		if err := o.Sync(ctx); err != nil {
			return nil, p.unsent(err)
		}
		if err := o.cure(p, err); err != nil {
			return nil, p.unsent(err)
		}
	}
}

// curable reports whether another try may succeed: a recipient's key changed, too
// much time passed since the message was signed, or parts were swept at the
// exchange while it waited. None of these is recorded, and none spends the id.
func curable(err error) bool {
	return IsCode(err, "epoch_old") || IsCode(err, "dir_unknown") || IsCode(err, "created") || IsCode(err, "part_missing")
}

// cure makes the parcel ready for the next try. Its messages keep their ids: the
// exchange has just said that it recorded nothing under them, so a body may be
// sealed again and take the place of the one that nobody accepted. Attachments are
// sealed to the message's own key and know nothing of the desks'; they are not
// touched, nor sent again unless they went missing.
func (o *Office) cure(p *parcel, err error) error {
	if IsCode(err, "part_missing") {
		p.asked, p.there = true, false
		return nil
	}
	for _, m := range p.all {
		m.sealed = nil
	}
	return p.box.keepDrafts(p, o.Keys.Recipient())
}

// unsent keeps what may yet be delivered, and drops what was refused for good.
func (p *parcel) unsent(err error) error {
	var problem *wire.Problem
	var refused *Refused
	var security *SecurityError
	final := errors.As(err, &refused) || errors.As(err, &security)
	if errors.As(err, &problem) {
		final = problem.Final()
	}
	if (final && !waits(err)) || !p.box.lasting {
		return errors.Join(err, p.box.remove())
	}
	return &Unsent{ID: p.id(), Err: err}
}

// waits reports whether what is refused now may be sent later as it is: a desk has
// no key yet, or none that others confirmed, or must renew it first.
func waits(err error) bool {
	var refused *Refused
	if errors.As(err, &refused) {
		return refused.Code == "epoch" || refused.Code == "epoch_provisional" || refused.Code == "epoch_stale"
	}
	return IsCode(err, "epoch_stale") || IsCode(err, "epoch_old")
}

// attempt does everything once; whatever is at the exchange already is not sent
// again.
func (o *Office) attempt(ctx context.Context, p *parcel) ([]evidence.Item, error) {
	if err := o.keysReady(p); err != nil {
		return nil, err
	}
	if err := o.uploadFiles(ctx, p); err != nil {
		return nil, err
	}
	for i, m := range p.all {
		if m.sealed == nil {
			if err := o.seal(ctx, m, p.set); err != nil {
				return nil, p.named(i, len(p.all), err)
			}
		}
	}
	if err := p.box.keepSealed(p); err != nil {
		return nil, err
	}
	for _, m := range p.all {
		body := m.sealed.Body
		if err := o.Client.UploadPart(ctx, m.draft.Msg, 0, bytes.NewReader(body), int64(len(body)), nil); err != nil {
			return nil, err
		}
	}
	return o.submit(ctx, p)
}

// keysReady refuses what must wait for a desk's key before any part of it is sent.
func (o *Office) keysReady(p *parcel) error {
	for i, m := range p.all {
		if m.sealed != nil {
			continue
		}
		for _, desk := range append(slices.Clone(m.draft.To), m.draft.Desk) {
			if _, _, err := o.sealingEpoch(desk, m.draft.Urg); err != nil {
				return p.named(i, len(p.all), err)
			}
		}
	}
	return nil
}

// uploadFiles brings the attachments to the exchange that are not there in full.
func (o *Office) uploadFiles(ctx context.Context, p *parcel) error {
	if p.there {
		return nil
	}
	for i, m := range p.all {
		parts := m.sealer.Parts()
		have, err := o.arrived(ctx, p, m.draft.Msg, len(parts))
		if err != nil {
			return err
		}
		for n, part := range parts {
			if have[n+1] == part.Len {
				continue
			}
			if err := o.uploadFile(ctx, p, i, n+1); err != nil {
				return err
			}
		}
	}
	p.there = true
	return nil
}

// arrived is how many bytes of each part the exchange has, as far as an earlier
// run may have brought any.
func (o *Office) arrived(ctx context.Context, p *parcel, msg string, parts int) (map[int]int64, error) {
	have := map[int]int64{}
	if !p.asked || parts == 0 {
		return have, nil
	}
	states, err := o.Client.Uploads(ctx, msg)
	for _, s := range states {
		have[s.Part] = s.Size
	}
	return have, err
}

func (o *Office) uploadFile(ctx context.Context, p *parcel, i, n int) error {
	f, err := p.box.open(partName(i, n))
	if err != nil {
		return err
	}
	defer f.Close()
	m := p.all[i]
	return o.Client.UploadPart(ctx, m.draft.Msg, n, f, m.sealer.Parts()[n-1].Len, o.Progress)
}

func (o *Office) submit(ctx context.Context, p *parcel) ([]evidence.Item, error) {
	if p.set == "" {
		raw, err := p.all[0].sealed.Notice.DSSE.Encode()
		if err != nil {
			return nil, err
		}
		item, err := o.Client.PutMessage(ctx, p.id(), raw)
		return []evidence.Item{item}, err
	}
	msgs := make([]*statement.DSSE, 0, len(p.all))
	for _, m := range p.all {
		msgs = append(msgs, m.sealed.Notice.DSSE)
	}
	raw, err := statement.Marshal(messaging.Set{Msgs: msgs, Set: p.set, V: 1})
	if err != nil {
		return nil, err
	}
	return o.Client.PutSet(ctx, p.set, raw)
}

// answered checks that the answers are the openings of what was sent.
func (o *Office) answered(p *parcel, items []evidence.Item) ([]Sent, error) {
	if len(items) != len(p.all) {
		return nil, p.unsent(o.lie("it answered with another number of records than messages were sent"))
	}
	all := make([]Sent, 0, len(items))
	for i, m := range p.all {
		s, err := o.sent(m, items[i])
		if err != nil {
			return nil, p.unsent(err)
		}
		all = append(all, s)
	}
	return all, p.box.remove()
}

func (o *Office) sent(m *prepared, item evidence.Item) (Sent, error) {
	meta, priv, err := openItem(item)
	if err != nil {
		return Sent{}, o.lie(fmt.Sprintf("its answer is no opening: %v", err), item.Meta, item.Priv)
	}
	if meta.Obj != m.draft.Msg || priv.Stmt == nil || !bytes.Equal(priv.Stmt.Payload, m.sealed.Notice.DSSE.Payload) {
		return Sent{}, o.lie("it answered with the record of another message", item.Meta, item.Priv)
	}
	o.wrote(item)
	return Sent{Msg: m.draft.Msg, Case: m.draft.Case, Item: item, Meta: meta, Priv: priv, Cautions: m.cautions}, nil
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
