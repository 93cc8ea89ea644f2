package evidence

import (
	"encoding/json"
	"errors"
)

// Item is one place in a desk's feed, and the answer to a write: an opening, a
// withheld opening, or the trace of an erased one. N is 0 in an answer that
// belongs to no feed.
type Item struct {
	Erased *int64          `json:"erased,omitempty"` // index of erasure.done
	Held   *Held           `json:"held,omitempty"`
	Idx    int64           `json:"idx"`
	Meta   json.RawMessage `json:"meta,omitempty"`
	N      int64           `json:"n"`
	Priv   json.RawMessage `json:"priv,omitempty"`
	RM     []byte          `json:"rm,omitempty"`
	RP     []byte          `json:"rp,omitempty"`
}

// Held says why an opening is withheld and until when.
type Held struct {
	Reason string `json:"reason"`
	Until  int64  `json:"until"`
}

// ItemOf is the item that shows an opening.
func ItemOf(idx, n int64, o Opening) Item {
	return Item{Idx: idx, Meta: o.Meta, N: n, Priv: o.Priv, RM: o.RM, RP: o.RP}
}

// ErrNoOpening says that an item shows no opening: it is held or erased.
var ErrNoOpening = errors.New("the item holds no opening")

// Opening returns what the item opens.
func (i *Item) Opening() (Opening, error) {
	if i.Erased != nil || i.Held != nil || len(i.Meta) == 0 {
		return Opening{}, ErrNoOpening
	}
	return Opening{Meta: i.Meta, RM: i.RM, Priv: i.Priv, RP: i.RP}, nil
}
