package transparency

import (
	"cmp"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Span is when something was in force: from one entry until before another.
type Span struct {
	From    int64 `json:"from"` // index of the entry
	FromAt  int64 `json:"from_at"`
	Until   int64 `json:"until,omitempty"` // index; 0: it still is
	UntilAt int64 `json:"until_at,omitempty"`
}

// During reports whether a span has a moment in common with from ≤ t < until, ms,
// by the times that statements claim.
func (s Span) During(from, until int64) bool {
	return s.FromAt < until && (s.Until == 0 || from < s.UntilAt)
}

// DeskHistory is who could ever read for a desk.
type DeskHistory struct {
	Desk    string       `json:"desk"`
	Inst    string       `json:"inst"`
	Fn      string       `json:"fn"`
	Entries int64        `json:"entries"` // of the directory, that it was read from
	Keys    []DeskKey    `json:"keys"`    // by number
	Members []Membership `json:"members"` // in the order of the entries that added them
	Office  InstHistory  `json:"institution"`
}

// DeskKey is one key (epoch) of a desk, and who can open what was sealed to it.
type DeskKey struct {
	Epoch    int64    `json:"epoch"`
	RK       string   `json:"rk"` // hash of its recipient
	Why      string   `json:"why"`
	Made     Act      `json:"made"`
	Acks     []Act    `json:"acks"`
	Disputed *Act     `json:"disputed,omitempty"`
	Used     []Span   `json:"used"` // when senders could seal to it; empty: never
	Readers  []Reader `json:"readers"`
	Escrow   *Escrow  `json:"escrow,omitempty"` // who can recover it
}

// Reader is one who was given a key of a desk, and by whose signatures she came
// to that.
type Reader struct {
	Officer    string `json:"officer"`
	Key        string `json:"key"` // key id
	Enrolled   *Act   `json:"enrolled,omitempty"`
	Registrars *Act   `json:"registrars,omitempty"` // that named those who enrolled her
	Added      *Act   `json:"added,omitempty"`      // to the desk
	Until      int64  `json:"until"`                // end of her term as last enrolled, ms
	Left       *Act   `json:"left,omitempty"`       // the desk
	Revoked    *Act   `json:"revoked,omitempty"`
}

// Escrow is who can recover a key: any K of the custodians together.
type Escrow struct {
	K          int      `json:"k"`
	Custodians []string `json:"custodians"` // hashes of recipients, in their order
	Subsets    [][]int  `json:"subsets"`    // each can
	Named      *Act     `json:"named,omitempty"`
}

// Membership is one stay of an officer at a desk.
type Membership struct {
	Officer string `json:"officer"`
	Key     string `json:"key"` // when she joined
	Span
	Added   Act  `json:"added"`
	Removed *Act `json:"removed,omitempty"`
}

// DeskHistory tells who could ever read for a desk. It is false if there is none.
func (l Log) DeskHistory(d string) (DeskHistory, bool) {
	desk, ok := l.View.Desk(d)
	if !ok {
		return DeskHistory{}, false
	}
	list := l.about(0, desk.Inst, d)
	h := DeskHistory{Desk: d, Inst: desk.Inst, Fn: desk.Fn, Entries: l.View.N(), Keys: []DeskKey{}, Members: memberships(l, list, d),
		Office: l.office(list, desk.Inst)}
	used := l.spans(list, d)
	for _, e := range list {
		if b, ok := e.body.(*directory.DeskEpoch); ok && b.D == d {
			k := l.deskKey(list, e, b, h.Members)
			k.Used = nonNil(used[b.E])
			h.Keys = append(h.Keys, k)
		}
	}
	return h, true
}

// At leaves of a history the keys that senders could use at some moment of
// from ≤ t < until, ms, by the times that statements claim.
func (h DeskHistory) At(from, until int64) DeskHistory {
	h.Keys = slices.DeleteFunc(slices.Clone(h.Keys), func(k DeskKey) bool {
		return !slices.ContainsFunc(k.Used, func(s Span) bool { return s.During(from, until) })
	})
	return h
}

// spans are, by key, when senders could seal to it: while it was the newest that
// was acknowledged and not disputed.
func (l Log) spans(list []entry, d string) map[int64][]Span {
	used := map[int64][]Span{}
	active := int64(0)
	for _, e := range list {
		if e.about != d {
			continue
		}
		now, _ := l.View.At(e.Idx + 1).ActiveEpoch(d)
		if now.E == active {
			continue
		}
		if stay := used[active]; len(stay) > 0 {
			stay[len(stay)-1].Until, stay[len(stay)-1].UntilAt = e.Idx, e.At
		}
		if active = now.E; active > 0 {
			used[active] = append(used[active], Span{From: e.Idx, FromAt: e.At})
		}
	}
	return used
}

func memberships(l Log, list []entry, d string) []Membership {
	stays := []Membership{}
	for _, e := range list {
		b, ok := e.body.(*directory.DeskMembers)
		if !ok || b.D != d {
			continue
		}
		act := e.Act
		for i := range stays {
			if s := &stays[i]; s.Until == 0 && !slices.Contains(b.Members, s.Officer) {
				s.Until, s.UntilAt, s.Removed = e.Idx, e.At, &act
			}
		}
		before := l.View.At(e.Idx)
		for _, u := range slices.Sorted(slices.Values(b.Members)) {
			if !before.IsMember(d, u) {
				o, _ := before.Officer(u)
				stays = append(stays, Membership{Officer: u, Key: o.KeyID, Span: Span{From: e.Idx, FromAt: e.At}, Added: act})
			}
		}
	}
	return stays
}

// deskKey gathers what entries say of a key of a desk.
func (l Log) deskKey(list []entry, made entry, b *directory.DeskEpoch, stays []Membership) DeskKey {
	k := DeskKey{Epoch: b.E, RK: b.RK, Why: b.Why, Made: made.Act, Acks: []Act{}, Readers: []Reader{}}
	for _, e := range list {
		act := e.Act
		switch other := e.body.(type) {
		case *directory.DeskEpochAck:
			if other.D == b.D && other.E == b.E {
				k.Acks = append(k.Acks, act)
			}
		case *directory.DeskEpochDispute:
			if other.D == b.D && other.E == b.E {
				k.Disputed = &act
			}
		}
	}
	for _, p := range b.Pkg {
		k.Readers = append(k.Readers, l.reader(list, made.Idx, p.Key, stays))
	}
	slices.SortFunc(k.Readers, func(x, y Reader) int { return cmp.Compare(x.Officer, y.Officer) })
	if len(b.Esc) > 0 {
		k.Escrow = l.escrow(list, made.Idx, b)
	}
	return k
}

// reader is who holds a package of a key made at an entry.
func (l Log) reader(list []entry, made int64, key string, stays []Membership) Reader {
	then, _ := l.View.At(made).OfficerByKey(key)
	last, _ := l.View.OfficerByKey(key)
	r := Reader{Officer: then.U, Key: key, Until: last.NA}
	for _, e := range list {
		act := e.Act
		switch b := e.body.(type) {
		case *directory.OfficerEnrol:
			if b.Key == key && r.Enrolled == nil {
				r.Enrolled = &act
			}
		case *directory.OfficerRevoke:
			if b.Key == key {
				r.Revoked = &act
			}
		case *directory.InstRegistrars:
			if r.Enrolled == nil {
				r.Registrars = &act // the latest before her enrolment
			}
		}
	}
	for _, s := range stays {
		if s.Officer == r.Officer && s.From < made && (s.Until == 0 || s.Until > made) {
			added := s.Added
			r.Added, r.Left = &added, s.Removed
		}
	}
	return r
}

func (l Log) escrow(list []entry, made int64, b *directory.DeskEpoch) *Escrow {
	inst, _ := l.View.At(made).Institution(l.View.InstOfDesk(b.D))
	x := &Escrow{K: inst.Custodians.K, Custodians: hashes(inst.Custodians.Rcps), Subsets: [][]int{}}
	for _, e := range b.Esc {
		x.Subsets = append(x.Subsets, slices.Clone(e.Cust))
	}
	for _, e := range list {
		if _, ok := e.body.(*directory.InstCustodians); ok && e.Idx < made {
			act := e.Act
			x.Named = &act
		}
	}
	return x
}

// InstHistory is who could ever let others read for an institution.
type InstHistory struct {
	Inst       string     `json:"inst"`
	Entries    int64      `json:"entries"`
	Roots      []Holders  `json:"roots"`
	Registrars []Holders  `json:"registrars"`
	Custodians []Holders  `json:"custodians"`
	Observers  []Holders  `json:"observers"`
	Desks      []DeskNow  `json:"desks"`
	Officers   []Enrolled `json:"officers"` // every key that was ever enrolled, in order
}

// Holders are the keys of one office of an institution while they were in force,
// any K of which act together.
type Holders struct {
	K    int      `json:"k"`
	Keys []string `json:"keys"` // key ids; of custodians hashes of recipients
	Span
	Named Act `json:"named"`
}

// DeskNow is a desk and who reads for it now.
type DeskNow struct {
	Desk    string   `json:"desk"`
	Fn      string   `json:"fn"`
	Members []string `json:"members"`
	Epoch   int64    `json:"epoch"` // that senders use; 0 if none
}

// Enrolled is one key of an officer.
type Enrolled struct {
	Holder
	Roles    []string `json:"roles"` // as last enrolled
	Enrolled Act      `json:"enrolled"`
	Revoked  *Act     `json:"revoked,omitempty"`
}

// InstHistory tells who could ever let others read for an institution. It is
// false if none of that id has joined.
func (l Log) InstHistory(i string) (InstHistory, bool) {
	if _, ok := l.View.Institution(i); !ok {
		return InstHistory{}, false
	}
	h := l.office(l.about(0, i), i)
	for _, d := range l.View.DesksOfInst(i) {
		desk, _ := l.View.Desk(d)
		e, _ := l.View.ActiveEpoch(d)
		h.Desks = append(h.Desks, DeskNow{Desk: d, Fn: desk.Fn, Members: nonNil(desk.Members), Epoch: e.E})
	}
	return h, true
}

// At leaves of a history who was in force at some moment of from ≤ t < until, ms.
func (h InstHistory) At(from, until int64) InstHistory {
	during := func(list []Holders) []Holders {
		return slices.DeleteFunc(slices.Clone(list), func(o Holders) bool { return !o.During(from, until) })
	}
	h.Roots, h.Registrars, h.Custodians, h.Observers = during(h.Roots), during(h.Registrars), during(h.Custodians), during(h.Observers)
	h.Officers = slices.DeleteFunc(slices.Clone(h.Officers), func(o Enrolled) bool {
		return o.Enrolled.At >= until || o.Revoked != nil && o.Revoked.At <= from
	})
	return h
}

// office gathers what entries say of an institution's own keys.
func (l Log) office(list []entry, i string) InstHistory {
	h := InstHistory{Inst: i, Entries: l.View.N(), Roots: []Holders{}, Registrars: []Holders{}, Custodians: []Holders{}, Observers: []Holders{},
		Desks: []DeskNow{}, Officers: []Enrolled{}}
	for _, e := range list {
		switch b := e.body.(type) {
		case *directory.InstJoin:
			succeed(&h.Roots, e, b.Root.K, keyIDs(b.Root.Keys))
		case *directory.InstRoot:
			succeed(&h.Roots, e, b.K, keyIDs(b.Keys))
		case *directory.InstRegistrars:
			succeed(&h.Registrars, e, registrarsNeeded, keyIDs(b.Keys))
		case *directory.InstCustodians:
			succeed(&h.Custodians, e, b.K, hashes(b.Rcps))
		case *directory.InstObserver:
			succeed(&h.Observers, e, 1, []string{statement.KeyID(b.Key)})
		case *directory.OfficerEnrol:
			h.enrol(e, b)
		case *directory.OfficerRevoke:
			act := e.Act
			for n := range h.Officers {
				if h.Officers[n].Key == b.Key {
					h.Officers[n].Revoked = &act
				}
			}
		}
	}
	return h
}

// registrarsNeeded is how many registrars enrol somebody or add her to a desk.
const registrarsNeeded = 2

func (h *InstHistory) enrol(e entry, b *directory.OfficerEnrol) {
	for n := range h.Officers {
		if h.Officers[n].Key == b.Key {
			h.Officers[n].Roles = slices.Clone(b.Roles)
			return
		}
	}
	h.Officers = append(h.Officers, Enrolled{Holder: Holder{b.U, b.Key}, Roles: slices.Clone(b.Roles), Enrolled: e.Act})
}

// succeed puts who comes next into an office.
func succeed(list *[]Holders, e entry, k int, keys []string) {
	if n := len(*list); n > 0 {
		(*list)[n-1].Until, (*list)[n-1].UntilAt = e.Idx, e.At
	}
	*list = append(*list, Holders{K: k, Keys: keys, Span: Span{From: e.Idx, FromAt: e.At}, Named: e.Act})
}
