package office

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// FeedItem is one place of a desk's feed, opened and checked.
type FeedItem struct {
	evidence.Item
	M        *evidence.Meta // nil when held or erased
	P        *evidence.Priv
	Standing ledger.Standing // or [NotConfirmed]; "" when held or erased
}

// Feed reads a desk's whole feed after a number: dense, each opening decoded
// and held against the ledger. A hole is evidence of withholding, and so is an
// end before a number that this program knows of: it was shown before, or is
// that of an own act. An end withheld from all programs of a desk at once, after
// everything they know of, shows only by silence.
func (o *Office) Feed(ctx context.Context, desk string, after int64) ([]FeedItem, error) {
	var all []FeedItem
	known := o.Notebook.feedEnd(desk) // before the exchange is asked
	for {
		page, err := o.Client.Feed(ctx, desk, after, 0)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if item.N != after+1 {
				return nil, o.lie(fmt.Sprintf("the feed of the desk lacks number %d", after+1))
			}
			after = item.N
			opened, err := o.open(ctx, item)
			if err != nil {
				return nil, err
			}
			if !opened.numbered(desk) {
				return nil, o.lie(fmt.Sprintf("entry %d stands in the feed of the desk under a number that is not its own", item.Idx), item.Meta, item.Priv)
			}
			all = append(all, opened)
		}
		if after >= page.Size {
			if after < known {
				return nil, o.lie(fmt.Sprintf("the feed of the desk ends at number %d, and number %d was seen", after, known))
			}
			return all, o.Notebook.keepFeedEnd(desk, after)
		}
		if len(page.Items) == 0 {
			return nil, o.lie(fmt.Sprintf("the feed of the desk ends before number %d", page.Size))
		}
	}
}

// numbered reports whether an item stands where its opening says: else one could
// fill the place of another.
func (f *FeedItem) numbered(desk string) bool {
	return f.P == nil || slices.Contains(f.P.To, evidence.Delivery{Desk: desk, N: f.N})
}

// GrantFeed reads the openings of the time before a grant. Their number and
// digest were fixed when the grant was made; want is that of its PRIV.hist.
func (o *Office) GrantFeed(ctx context.Context, desk, grant string, want *evidence.History) ([]FeedItem, error) {
	var all []FeedItem
	after := int64(-1)
	for {
		page, err := o.Client.GrantFeed(ctx, desk, grant, after, 0)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			opened, err := o.open(ctx, item)
			if err != nil {
				return nil, err
			}
			after = item.Idx
			all = append(all, opened)
		}
		if len(page.Items) == 0 || int64(len(all)) >= page.Size {
			break
		}
	}
	if want != nil && evidence.HistoryOf(indexes(all)) != *want {
		return nil, o.lie("the record handed over with the grant is not the one that was fixed")
	}
	return all, nil
}

func indexes(items []FeedItem) []int64 {
	list := make([]int64, 0, len(items))
	for _, i := range items {
		list = append(list, i.Idx)
	}
	return list
}

// open decodes an item and wants it to stand in the ledger.
func (o *Office) open(ctx context.Context, item evidence.Item) (FeedItem, error) {
	meta, priv, err := openItem(item)
	if errors.Is(err, evidence.ErrNoOpening) {
		return FeedItem{Item: item}, nil
	}
	if err != nil {
		return FeedItem{}, o.lie(fmt.Sprintf("entry %d is shown as no opening: %v", item.Idx, err), item.Meta, item.Priv)
	}
	standing, err := o.recorded(ctx, item)
	return FeedItem{Item: item, M: meta, P: priv, Standing: standing}, err
}

// Notice decodes the message an item submitted, nil when it is none.
func (f *FeedItem) Notice() (*messaging.Notice, error) {
	if f.M == nil || f.M.Ev != evidence.MessageSubmitted {
		return nil, nil
	}
	return messaging.Parse(f.P.Stmt)
}

// Letter is a line of an inbox or outbox.
type Letter struct {
	N      int64    `json:"n"`
	Idx    int64    `json:"idx"`
	At     int64    `json:"at"`
	Msg    string   `json:"msg"`
	Kind   string   `json:"kind"`
	Case   string   `json:"case,omitempty"`
	From   string   `json:"from"`
	To     []string `json:"to"`
	Urg    string   `json:"urg"`
	Basis  string   `json:"basis"`
	Re     string   `json:"re,omitempty"`
	Mine   bool     `json:"mine"` // sent by the desk itself
	Handed int64    `json:"handed,omitempty"`
	Opened int64    `json:"opened,omitempty"`
	// Standing of its record, or [NotConfirmed].
	Standing ledger.Standing `json:"standing"`

	told   bool // a difference between body and declarations is on record
	notice *messaging.Notice
	item   FeedItem
}

// Letters lists the messages of a desk's feed, in and out, with the receipts
// that are on record.
func (o *Office) Letters(ctx context.Context, desk string) ([]Letter, error) {
	items, err := o.Feed(ctx, desk, 0)
	if err != nil {
		return nil, err
	}
	var letters []Letter
	at := map[string]int{}
	for _, f := range items {
		n, err := f.Notice()
		if err != nil {
			return nil, err
		}
		if n != nil {
			if l, ok := letterFor(desk, f, n); ok {
				at[l.Msg] = len(letters)
				letters = append(letters, l)
			}
			continue
		}
		if i, ok := at[objOf(f)]; ok {
			letters[i].note(f)
		}
	}
	return letters, nil
}

func objOf(f FeedItem) string {
	if f.M == nil {
		return ""
	}
	return f.M.Obj
}

// letterFor shows a message to a desk that sent it or was sent it; a
// representative's desk sees others as disclosures, not as mail.
func letterFor(desk string, f FeedItem, n *messaging.Notice) (Letter, bool) {
	c := n.Core
	_, addressed := c.Recipient(desk)
	l := Letter{N: f.N, Idx: f.Idx, At: f.M.At, Msg: c.Msg, Kind: c.Kind, Case: c.Case, From: c.From.Desk, Urg: c.Urg,
		Basis: c.Basis.Code, Re: c.Re, Standing: f.Standing, Mine: c.From.Desk == desk, To: []string{}, notice: n, item: f}
	for _, r := range c.Others() {
		l.To = append(l.To, r.Desk)
	}
	return l, addressed || l.Mine
}

// note adds a receipt to its letter.
func (l *Letter) note(f FeedItem) {
	switch f.M.Ev {
	case evidence.MessageRetrieved:
		l.Handed = f.M.At
	case evidence.MessageDecrypted:
		l.Opened = f.M.At
	case evidence.FactMismatch:
		l.told = true
	}
}
