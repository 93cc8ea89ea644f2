package exchange

import (
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// A statement to a database costs a way there and back, whatever it carries. So
// a group of messages asks at once for what its rules will read, and stores at
// once what they derive: a few statements for the group instead of some forty
// for each message.

// Nonce names a request: the key that signed it, and its nonce.
type Nonce struct {
	Key   string
	Nonce string
}

// Wanted names rows that a group of messages will ask for. A name may stand in a
// list more than once.
type Wanted struct {
	Statements  []string // natural ids
	Last        []string // objects
	Uploads     []string // messages, with all their parts
	Messages    []string // with their recipients
	Opened      []string // objects: the obligations they opened
	Obligations []string // ids
	Desks       []string // whose greatest feed number
	Cases       []string // with all that are linked to them
	Excluded    []string // desks: their exclusions
}

// maxWanted bounds each list of a Wanted. What did not fit is asked for when it
// is needed.
const maxWanted = 1024

// Known answers a [Wanted]: every name that was wanted is a key, also where
// nothing is stored under it.
type Known struct {
	Statements  map[string]*StatementRow // nil: not stored
	Last        map[string]int64         // -1: none
	Uploads     map[string][]UploadRow   // by part, ascending
	Messages    map[string]*MessageRow   // nil: not stored
	Recipients  map[string][]RecipientRow
	Opened      map[string][]obligation.Obligation
	Obligations map[string]*obligation.Obligation // nil: not stored
	FeedLast    map[string]int64                  // 0: none
	Cases       map[string]*KnownCase             // those wanted, and every case linked to one
	Excluded    map[string][]ConflictRow
}

// NewKnown is what is known of an empty store.
func NewKnown(w *Wanted) *Known {
	k := &Known{
		Statements: blank(w.Statements, (*StatementRow)(nil)), Last: blank(w.Last, int64(-1)),
		Uploads: blank(w.Uploads, []UploadRow(nil)), Messages: blank(w.Messages, (*MessageRow)(nil)),
		Recipients: blank(w.Messages, []RecipientRow(nil)), Opened: blank(w.Opened, []obligation.Obligation(nil)),
		Obligations: blank(w.Obligations, (*obligation.Obligation)(nil)), FeedLast: blank(w.Desks, int64(0)),
		Cases: map[string]*KnownCase{}, Excluded: blank(w.Excluded, []ConflictRow(nil)),
	}
	for _, cas := range w.Cases {
		k.Cases[cas] = &KnownCase{Linked: []string{cas}}
	}
	return k
}

func blank[V any](names []string, none V) map[string]V {
	m := make(map[string]V, len(names))
	for _, name := range names {
		m[name] = none
	}
	return m
}

// KnownCase is what is stored of one case; each list is ordered as the method of
// [View] with its name orders it.
type KnownCase struct {
	Linked  []string // sorted, the case itself among them
	Grants  []GrantRow
	Live    []obligation.Obligation
	Parties []PartyRow
}

// Rows are rows of several tables. No two rows of a table have the same key.
type Rows struct {
	Openings    []OpeningRow
	Last        []LastRow
	Statements  []StatementRow
	Messages    []SubmittedRow
	Parties     []CaseParty
	Obligations []obligation.Obligation
	Feed        []FeedRow
	Scope       []ScopeRow
}

// OpeningRow is the opening of the leaf Idx.
type OpeningRow struct {
	Idx     int64
	Opening evidence.Opening
}

// LastRow names the last leaf about an object.
type LastRow struct {
	Obj string
	Idx int64
}

// SubmittedRow is an accepted message with its recipients, and the consents it
// was submitted under.
type SubmittedRow struct {
	Message  MessageRow
	To       []RecipientRow
	Consents []string
}

// CaseParty is a desk that took part in a case.
type CaseParty struct {
	Case  string
	Party PartyRow
}

// ScopeRow places a leaf of a case within the scope of grants.
type ScopeRow struct {
	Case  string
	Idx   int64
	Scope string
}

// Empty reports whether there is no row.
func (r *Rows) Empty() bool {
	return len(r.Openings)+len(r.Last)+len(r.Statements)+len(r.Messages)+len(r.Parties)+len(r.Obligations)+
		len(r.Feed)+len(r.Scope) == 0
}

// wantNotices lists what the rules will ask about messages. It is a guess:
// nothing but speed depends on its being right.
func wantNotices(id string, notices []*messaging.Notice) *Wanted {
	w := &Wanted{Statements: []string{id}}
	for _, n := range notices {
		c := n.Core
		if c.Msg != id {
			w.Statements = append(w.Statements, c.Msg)
		}
		w.Last = append(w.Last, c.Msg)
		w.Uploads = append(w.Uploads, c.Msg)
		w.Desks = append(w.Desks, c.From.Desk)
		for _, to := range c.To {
			w.Desks = append(w.Desks, to.Desk)
			if to.Role != messaging.RoleSelf {
				w.Excluded = append(w.Excluded, to.Desk)
			}
		}
		if c.Case != "" {
			w.Cases = append(w.Cases, c.Case)
		}
		if c.Re != "" {
			w.Messages = append(w.Messages, c.Re)
		}
		for _, act := range c.Obl {
			if act.Of != "" {
				w.Messages, w.Opened = append(w.Messages, act.Of), append(w.Opened, act.Of)
			}
			if act.ID != "" {
				w.Obligations = append(w.Obligations, act.ID)
			}
		}
	}
	return w
}

// wantAll joins what several writes want, each name once.
func wantAll(wants []*Wanted) *Wanted {
	all := &Wanted{}
	for _, w := range wants {
		for i, list := range w.lists() {
			into := all.lists()[i]
			*into = append(*into, *list...)
		}
	}
	for _, list := range all.lists() {
		slices.Sort(*list)
		*list = slices.Compact(*list)
		*list = (*list)[:min(len(*list), maxWanted)]
	}
	return all
}

func (w *Wanted) lists() []*[]string {
	return []*[]string{&w.Statements, &w.Last, &w.Uploads, &w.Messages, &w.Opened, &w.Obligations, &w.Desks, &w.Cases, &w.Excluded}
}
