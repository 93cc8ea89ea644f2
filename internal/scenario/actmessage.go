package scenario

import (
	"context"
	"fmt"
	"io"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// send sends one message.
func (c *cast) send(ctx context.Context, m *Send) error {
	o, t, d, err := c.draft(ctx, m)
	if err != nil {
		return err
	}
	sent, err := o.Send(ctx, d)
	if err != nil {
		return err
	}
	return c.sent(t, &sent, d)
}

// sendSet sends the messages of one act.
func (c *cast) sendSet(ctx context.Context, set []*Send) error {
	var at *office.Office
	var drafts []office.Draft
	var things []*thing
	for _, m := range set { // every name first: a message may speak of another
		c.note(&thing{name: m.As, id: statement.NewID(statement.Message), by: m.From})
	}
	for _, m := range set {
		o, t, d, err := c.draft(ctx, m)
		if err != nil {
			return err
		}
		at, drafts, things = o, append(drafts, d), append(things, t)
	}
	sent, err := at.SendSet(ctx, drafts)
	if err != nil {
		return err
	}
	for i := range sent {
		if err := c.sent(things[i], &sent[i], drafts[i]); err != nil {
			return err
		}
	}
	return nil
}

// draft turns a message of the file into one that can be sealed.
func (c *cast) draft(ctx context.Context, m *Send) (*office.Office, *thing, office.Draft, error) {
	o, desk, err := c.office(ctx, m.From)
	if err != nil {
		return nil, nil, office.Draft{}, err
	}
	t := c.things[m.As]
	if t == nil || t.item != nil {
		t = &thing{name: m.As, id: statement.NewID(statement.Message), by: m.From}
		c.note(t)
	}
	d := office.Draft{Desk: desk.ID, Family: c.f.pack.Family, Kind: m.Kind, Case: c.caseID(m.Case), To: c.parties(m.To), Msg: t.id,
		Cats: m.Cats, Facts: m.Facts, Urg: m.Urgency, Occurred: m.Occurred.MS,
		Text: envelope.Text{Subject: m.Subject, Body: m.Body, Fields: m.Fields}}
	if m.Re != "" {
		d.Re = c.things[m.Re].id
	}
	if len(m.About) > 0 {
		d.Subj = c.parties(m.About)
	}
	if m.Hold != nil {
		d.Hold = &messaging.Hold{Reason: m.Hold.Reason, Until: m.Hold.Until.MS}
	}
	if d.Basis, err = c.basis(&m.Basis); err != nil {
		return nil, nil, d, err
	}
	for _, f := range m.Files {
		d.Files = append(d.Files, envelope.File{Name: f.Name, Type: f.Type, Size: f.Size, Content: io.LimitReader(filler{}, f.Size)})
	}
	d.Acts, err = c.acts(ctx, o, m, &d)
	return o, t, d, err
}

// filler is the made-up content of attachments.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

func (c *cast) basis(b *Basis) (messaging.Basis, error) {
	basis := messaging.Basis{Code: b.Code, Purpose: b.Purpose, Ref: b.Ref, Necessity: b.Necessity}
	for _, name := range b.Consents {
		k := c.things[name]
		if k.consent == nil {
			return basis, fmt.Errorf("consent %s was never recorded", name)
		}
		ver := b.Version
		if ver == 0 {
			ver = k.consent.Ver
		}
		basis.Consents = append(basis.Consents, messaging.ConsentRef{ID: k.id, Ver: ver})
	}
	return basis, nil
}

// sent takes down an accepted message.
func (c *cast) sent(t *thing, sent *office.Sent, d office.Draft) error {
	n, err := messaging.Parse(sent.Priv.Stmt)
	if err != nil {
		return err
	}
	t.id, t.core, t.text = sent.Msg, n.Core, &d.Text
	c.names[t.id] = t.name
	return c.record(t, &sent.Item)
}

// read signs for a message and opens it. What comes out must be what went in.
func (c *cast) read(ctx context.Context, r *Reading) error {
	o, desk, err := c.office(ctx, r.By)
	if err != nil {
		return err
	}
	t := c.things[r.Message]
	opened, err := o.Read(ctx, desk.ID, t.id)
	if err != nil {
		return err
	}
	if len(opened.Mismatch) > 0 {
		return fmt.Errorf("what %s shows does not follow from its body: %v", r.Message, opened.Mismatch)
	}
	same := opened.Text.Subject == t.text.Subject && opened.Text.Body == t.text.Body && len(opened.Text.Fields) == len(t.text.Fields)
	for code, value := range t.text.Fields {
		same = same && opened.Text.Fields[code] == value
	}
	if !same {
		return fmt.Errorf("%s opened to another text than was sealed", r.Message)
	}
	for i := range opened.Att {
		if err := o.Save(ctx, desk.ID, opened, i, io.Discard); err != nil {
			return fmt.Errorf("attachment %d of %s: %w", i+1, r.Message, err)
		}
	}
	return nil
}

func (c *cast) retrieve(ctx context.Context, r *Reading) error {
	o, desk, err := c.office(ctx, r.By)
	if err != nil {
		return err
	}
	return o.Retrieve(ctx, desk.ID, c.things[r.Message].id)
}
