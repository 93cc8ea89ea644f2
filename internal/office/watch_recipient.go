package office

import (
	"context"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/transparency"
	"github.com/odziv/odziv/messaging"
)

// Recipient is the key that a desk is sealed to, and what changed there since
// this officer last sealed to it. It is for her information: who reads at
// another desk is that desk's to watch.
type Recipient struct {
	Desk   string            `json:"desk"`
	Epoch  int64             `json:"epoch"`
	Since  int64             `json:"since"` // when senders could use it first, as claimed, ms
	Made   transparency.Act  `json:"made"`
	Ack    *transparency.Act `json:"ack,omitempty"`
	Holds  []string          `json:"readers"` // officers who hold it
	Last   int64             `json:"last"`    // key last sealed to from here; 0: not known
	LastAt int64             `json:"last_at,omitempty"`
	Joined []string          `json:"joined"` // readers who did not hold the last key
	Left   []string          `json:"left"`   // who held the last key, and not this one
}

// New reports whether the key is another than the last time.
func (r Recipient) New() bool { return r.Last > 0 && r.Last != r.Epoch }

// Recipient looks a desk up that is to be sealed to.
func (o *Office) Recipient(desk string) (Recipient, error) {
	e, ok := o.Directory().ActiveEpoch(desk)
	if !ok {
		return Recipient{}, noKey(desk)
	}
	h, err := o.DeskHistory(desk)
	if err != nil {
		return Recipient{}, err
	}
	last := o.Notebook.looked(o.me()).Sealed[desk]
	r := Recipient{Desk: desk, Epoch: e.E, Last: last.Epoch, LastAt: last.At, Holds: o.holders(desk, e.E), Joined: []string{}, Left: []string{}}
	for _, k := range h.Keys {
		if k.Epoch == e.E {
			r.Made, r.Since = k.Made, k.Used[0].FromAt
			if len(k.Acks) > 0 {
				r.Ack = &k.Acks[0]
			}
		}
	}
	if r.New() {
		before := o.holders(desk, last.Epoch)
		r.Joined, r.Left = without(r.Holds, before), without(before, r.Holds)
	}
	return r, nil
}

// holders are the officers who were given a key of a desk.
func (o *Office) holders(desk string, epoch int64) []string {
	dir, list := o.Directory(), []string{}
	e, _ := dir.Epoch(desk, epoch)
	for _, p := range e.Pkg {
		officer, _ := dir.OfficerByKey(p.Key)
		list = append(list, officer.U)
	}
	slices.Sort(list)
	return list
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

// noteSealed remembers what an own message was sealed to, so that the next can
// say what changed. Of a representative it remembers nothing.
func (o *Office) noteSealed(item evidence.Item) error {
	meta, priv, err := openItem(item)
	if err != nil || meta.Ev != evidence.MessageSubmitted || !o.keeps() {
		return nil // the answer is checked where it is used
	}
	notice, err := messaging.Parse(priv.Stmt)
	if err != nil {
		return nil
	}
	n := o.Directory().N()
	return o.Notebook.keepLooked(o.me(), func(l *lookedAt) {
		for _, to := range notice.Core.Others() {
			l.Sealed[to.Desk] = sealedTo{Epoch: to.Epoch, N: n, At: meta.At}
		}
	})
}

// Checked is how a draft would be sealed.
type Checked struct {
	To       []Recipient `json:"to"`
	Cautions []Caution   `json:"cautions"`
}

// Check does with a draft everything that sending does before it seals: the rules
// and the keys are asked, and nothing leaves this computer but questions for the
// directory.
func (o *Office) Check(ctx context.Context, d Draft) (Checked, error) {
	c := Checked{To: []Recipient{}, Cautions: []Caution{}}
	if err := o.Sync(ctx); err != nil {
		return c, err
	}
	if err := o.awaitKeys(ctx, append(slices.Clone(d.To), d.Desk)); err != nil {
		return c, err
	}
	if err := o.complete(ctx, &d); err != nil {
		return c, err
	}
	for _, desk := range append(slices.Clone(d.To), d.Desk) {
		_, more, err := o.sealingEpoch(desk, d.Urg)
		if err != nil {
			return c, err
		}
		c.Cautions = append(c.Cautions, more...)
	}
	for _, desk := range d.To {
		r, err := o.Recipient(desk)
		if err != nil {
			return c, err
		}
		c.To = append(c.To, r)
	}
	var err error
	c.Cautions, err = o.aboutReaders(&d, c.Cautions)
	return c, err
}
