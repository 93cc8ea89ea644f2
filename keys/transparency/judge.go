package transparency

import (
	"maps"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// A Verdict says what a member has to do about a change.
type Verdict string

// The verdicts.
const (
	Expected   Verdict = "expected"   // it adds nobody, or the officer did it herself
	Accepted   Verdict = "accepted"   // it adds somebody, and was looked at
	Unexpected Verdict = "unexpected" // it adds somebody, and nobody looked yet
)

// Change is an entry that concerns who reads for the desks of an officer.
type Change struct {
	Act
	About   string     `json:"about"`
	Epoch   int64      `json:"epoch,omitempty"`
	Desks   []string   `json:"desks"` // of the officer, whom it concerns
	Verdict Verdict    `json:"verdict"`
	Own     bool       `json:"own"`   // the officer signed it
	Adds    []Addition `json:"adds"`  // who gains by it; empty if nobody
	Reads   []Reading  `json:"reads"` // what those added were given keys for, up to now
}

// What somebody gains by a change.
const (
	AddsReader       = "reader"        // a member of the desk: every later key is hers too
	AddsKey          = "key"           // another key of a member
	AddsTerm         = "term"          // a member whose term was over
	AddsRole         = "role"          // a member who may grant past keys from now on
	AddsPackage      = "package"       // a key of the desk for somebody who was not looked at
	AddsMaker        = "maker"         // a key of the desk made by such a one
	AddsEscrow       = "escrow"        // a key of the desk for custodians who were not looked at
	AddsChecker      = "checker"       // an acknowledgement of such a key, or by such a one
	AddsFormer       = "former"        // an older key in use again, which others hold too
	AddsRegistrar    = "registrar"     // two of them can enrol anybody and add her to a desk
	AddsRoot         = "root"          // names registrars and custodians
	AddsCustodian    = "custodian"     // recovers the keys made from now on, with others
	AddsThreshold    = "threshold"     // fewer of root or custodians are needed than before
	AddsObserver     = "observer"      // replaces whoever watches for the institution
	AddsCustodianKey = "custodian-key" // signs requests for recovery
	AddsFunction     = "function"      // another desk that gets what is addressed to the function of this one
)

// Addition is somebody who gains by a change, and what.
type Addition struct {
	What     string `json:"what"`
	Desk     string `json:"desk,omitempty"`
	Officer  string `json:"officer,omitempty"`
	By       string `json:"by_desk,omitempty"`  // the other desk, of [AddsFunction]
	Key      string `json:"key,omitempty"`      // key id; of a custodian the hash of the recipient
	Enrolled *Act   `json:"enrolled,omitempty"` // by which the officer got the key
}

// Reading is a key of a desk that somebody was given, and since when senders
// used it.
type Reading struct {
	Desk    string `json:"desk"`
	Epoch   int64  `json:"epoch"`
	Officer string `json:"officer"`
	Used    []Span `json:"used"` // empty: never, nothing was sealed to it
}

// Start is where the watch of a desk begins, and what stood there then: what an
// officer finds when she gets her key, or joins the desk. It is shown to her; it
// was not hers to judge.
type Start struct {
	Desk       string   `json:"desk"`
	Idx        int64    `json:"idx"` // entry, the first state that is taken as it is
	At         int64    `json:"at"`
	Readers    []Holder `json:"readers"` // members then
	Registrars []string `json:"registrars"`
	Root       []string `json:"root"`
	RootK      int      `json:"root_k"`
	Custodians []string `json:"custodians"` // hashes of recipients
	CustodianK int      `json:"custodian_k"`
	Observer   string   `json:"observer,omitempty"`
}

// Holder is an officer and her key.
type Holder struct {
	Officer string `json:"officer"`
	Key     string `json:"key"`
}

// Judgement is what an officer has to know of changes of who reads for her desks.
type Judgement struct {
	Starts  []Start  `json:"starts"`  // by desk
	Changes []Change `json:"changes"` // since the starts, in order
}

// Unexpected are the changes that nobody looked at, of one desk, or of all if it
// is empty.
func (j Judgement) Unexpected(desk string) []Change {
	var list []Change
	for _, c := range j.Changes {
		if c.Verdict == Unexpected && (desk == "" || slices.Contains(c.Desks, desk)) {
			list = append(list, c)
		}
	}
	return list
}

// Judge looks at what changed about who reads for the desks of an officer, by her
// key, since she got that key and, for each desk, since she first joined it with
// it. accepted holds what she looked at already: hashes of leaves by index.
//
// A change is unexpected if it adds somebody who can read, or who can let others
// read: a member, another key of a member, a registrar, a custodian, a key of
// root; or a key of the desk for any of those while they are unexpected. What
// only takes away is expected, and so is what she signed herself. A key that is
// enrolled nowhere has nothing to watch.
func (l Log) Judge(key string, accepted map[int64]string) Judgement {
	me, ok := l.View.OfficerByKey(key)
	if !ok {
		return Judgement{Starts: []Start{}, Changes: []Change{}}
	}
	w := &watchman{log: l, key: key, me: me.U, inst: me.Inst, accepted: accepted, from: map[string]int64{}, doubts: map[string]bool{},
		made: Judgement{Starts: []Start{}, Changes: []Change{}}}
	desks := l.View.DesksOf(me.U)
	list := l.about(0, me.Inst, desks...)
	w.begin(list, desks)
	for _, e := range list {
		if e.Idx > w.start {
			w.judge(e)
		}
	}
	w.reads(list)
	return w.made
}

// watchman walks the entries from when an officer got her key.
type watchman struct {
	log           Log
	key, me, inst string
	accepted      map[int64]string
	start         int64            // entry that enrolled the key
	from          map[string]int64 // entry from which she was of a desk, by desk
	doubts        map[string]bool  // who was added and not looked at
	made          Judgement
}

// begin finds where the watch begins: at the enrolment of this very key, which
// two registrars checked face to face; for a desk at the first entry from there
// on after which she was of it. Whoever removes and adds her again, to hide what
// was done between, moves nothing.
func (w *watchman) begin(list []entry, desks []string) {
	for _, e := range list {
		if b, ok := e.body.(*directory.OfficerEnrol); ok && b.Key == w.key {
			w.start = e.Idx
			break
		}
	}
	for _, d := range desks {
		at := w.start
		if !w.log.View.At(at+1).IsMember(d, w.me) {
			i := slices.IndexFunc(list, func(e entry) bool {
				b, ok := e.body.(*directory.DeskMembers)
				return ok && e.Idx > at && b.D == d && slices.Contains(b.Members, w.me)
			})
			if i < 0 {
				continue
			}
			at = list[i].Idx
		}
		w.from[d] = at
		w.made.Starts = append(w.made.Starts, w.startOf(d, at))
	}
}

func (w *watchman) startOf(d string, idx int64) Start {
	v := w.log.View.At(idx + 1)
	inst, _ := v.Institution(w.inst)
	s := Start{Desk: d, Idx: idx, Readers: []Holder{}, Registrars: keyIDs(inst.Registrars), Root: keyIDs(inst.Root.Keys), RootK: inst.Root.K,
		Custodians: hashes(inst.Custodians.Rcps), CustodianK: inst.Custodians.K}
	if signed, err := directory.Decode(w.log.Leaves[idx]); err == nil {
		s.At = signed.Head.At
	}
	if inst.Observer != nil {
		s.Observer = statement.KeyID(inst.Observer)
	}
	desk, _ := v.Desk(d)
	for _, u := range desk.Members {
		o, _ := v.Officer(u)
		s.Readers = append(s.Readers, Holder{u, o.KeyID})
	}
	return s
}

func (w *watchman) judge(e entry) {
	adds, desks, concerns := w.weigh(e)
	if !concerns || len(desks) == 0 {
		return
	}
	c := Change{Act: e.Act, About: e.about, Desks: desks, Adds: adds, Reads: []Reading{}, Verdict: Expected,
		Own: slices.ContainsFunc(e.By, func(s Signer) bool { return s.Key == w.key })}
	if c.Adds == nil {
		c.Adds = []Addition{}
	}
	switch b := e.body.(type) {
	case *directory.DeskEpoch:
		c.Epoch = b.E
	case *directory.DeskEpochAck:
		c.Epoch = b.E
	case *directory.DeskEpochDispute:
		c.Epoch = b.E
	}
	switch {
	case len(adds) == 0 || c.Own:
	case w.accepted[e.Idx] == e.Hash:
		c.Verdict = Accepted
	default:
		c.Verdict = Unexpected
		w.doubt(e, adds)
	}
	w.made.Changes = append(w.made.Changes, c)
}

// watched are her desks whose watch began before an entry.
func (w *watchman) watched(idx int64) []string {
	list := []string{}
	for _, d := range slices.Sorted(maps.Keys(w.from)) {
		if w.from[d] < idx {
			list = append(list, d)
		}
	}
	return list
}

// weigh says who gains by an entry, which of her desks it concerns, and whether
// it is of the sorts that are looked at.
func (w *watchman) weigh(e entry) (adds []Addition, desks []string, concerns bool) {
	before := w.log.View.At(e.Idx)
	inst, _ := before.Institution(w.inst)
	own := func(d string) []string {
		return slices.DeleteFunc(w.watched(e.Idx), func(other string) bool { return other != d })
	}
	switch b := e.body.(type) {
	case *directory.InstRoot:
		adds = fresh(AddsRoot, keyIDs(inst.Root.Keys), keyIDs(b.Keys))
		return fewer(adds, inst.Root.K, b.K), w.watched(e.Idx), true
	case *directory.InstRegistrars:
		return fresh(AddsRegistrar, keyIDs(inst.Registrars), keyIDs(b.Keys)), w.watched(e.Idx), true
	case *directory.InstCustodians:
		after, _ := w.log.View.At(e.Idx + 1).Institution(w.inst)
		return custodians(inst.Custodians, after.Custodians), w.watched(e.Idx), true
	case *directory.InstObserver:
		if inst.Observer != nil && !inst.Observer.Equal(b.Key) {
			adds = []Addition{{What: AddsObserver, Key: statement.KeyID(b.Key)}}
		}
		return adds, w.watched(e.Idx), true
	case *directory.OfficerEnrol:
		desks = w.serves(before, e.Idx, b.U)
		return w.enrolled(before, e, b), desks, true
	case *directory.OfficerRevoke:
		return nil, w.serves(before, e.Idx, b.U), true
	case *directory.DeskMembers:
		adds, desks = w.joined(before, e.Idx, b), own(b.D)
		return adds, desks, true
	case *directory.DeskProfile:
		if len(own(b.D)) > 0 {
			return nil, own(b.D), true
		}
		adds, desks = w.diverted(e, b)
		return adds, desks, len(adds) > 0
	case *directory.DeskEpoch:
		return w.epoch(before, e, b), own(b.D), true
	case *directory.DeskEpochAck:
		return w.acknowledged(e, b), own(b.D), true
	case *directory.DeskEpochDispute:
		return w.disputed(e, b), own(b.D), true
	}
	return nil, nil, false
}

// diverted are her desks before which another desk of the institution steps: what
// rules address to their function goes there. Representatives are never addressed
// by function.
func (w *watchman) diverted(e entry, b *directory.DeskProfile) (adds []Addition, desks []string) {
	before, after := w.log.View.At(e.Idx), w.log.View.At(e.Idx+1)
	was, _ := before.DeskOfInst(w.inst, b.Fn, b.At)
	now, _ := after.DeskOfInst(w.inst, b.Fn, b.At)
	if b.Fn != directory.Rep && was != now && now == b.D && slices.Contains(w.watched(e.Idx), was) {
		return []Addition{{What: AddsFunction, Desk: was, By: b.D}}, []string{was}
	}
	return nil, nil
}

// serves are the watched desks that an officer is a member of.
func (w *watchman) serves(v directory.View, idx int64, u string) []string {
	return slices.DeleteFunc(w.watched(idx), func(d string) bool { return !v.IsMember(d, u) })
}

// joined are the members that a statement adds, but herself.
func (w *watchman) joined(before directory.View, idx int64, b *directory.DeskMembers) (adds []Addition) {
	for _, u := range b.Members {
		if u == w.me || before.IsMember(b.D, u) {
			continue
		}
		o, _ := before.Officer(u)
		adds = append(adds, Addition{What: AddsReader, Desk: b.D, Officer: u, Key: o.KeyID, Enrolled: w.enrolment(o)})
	}
	desk, _ := before.Desk(b.D)
	for _, u := range desk.Members {
		if !slices.Contains(b.Members, u) {
			delete(w.doubts, doubtMember(b.D, u))
		}
	}
	return adds
}

// enrolled is what a member gains by an enrolment: another key, a term after one
// that was over, the right to grant past keys.
func (w *watchman) enrolled(before directory.View, e entry, b *directory.OfficerEnrol) (adds []Addition) {
	if b.Key == w.key {
		return nil
	}
	act := e.Act
	was, known := before.OfficerByKey(b.Key)
	what := ""
	switch {
	case !known:
		what = AddsKey
	case was.NA <= b.At && b.At < b.NA:
		what = AddsTerm
	case !was.HasRole(roleGrants) && slices.Contains(b.Roles, roleGrants):
		what = AddsRole
	default:
		return nil
	}
	for _, d := range w.serves(before, e.Idx, b.U) {
		adds = append(adds, Addition{What: what, Desk: d, Officer: b.U, Key: b.Key, Enrolled: &act})
	}
	return adds
}

// roleGrants is the role of those who may grant past keys to new members.
const roleGrants = "desk-key"

// epoch are those who get a new key of a desk, make it, or recover it, and were
// not looked at.
func (w *watchman) epoch(before directory.View, e entry, b *directory.DeskEpoch) (adds []Addition) {
	for _, p := range b.Pkg {
		if o, _ := before.OfficerByKey(p.Key); w.doubted(b.D, o) {
			adds = append(adds, Addition{What: AddsPackage, Desk: b.D, Officer: o.U, Key: p.Key, Enrolled: w.enrolment(o)})
		}
	}
	for _, s := range e.By {
		if o, _ := before.OfficerByKey(s.Key); w.doubted(b.D, o) {
			adds = append(adds, Addition{What: AddsMaker, Desk: b.D, Officer: o.U, Key: s.Key})
		}
	}
	if len(b.Esc) > 0 {
		inst, _ := before.Institution(w.inst)
		for _, rcp := range hashes(inst.Custodians.Rcps) {
			if w.doubts[rcp] {
				adds = append(adds, Addition{What: AddsEscrow, Desk: b.D, Key: rcp})
			}
		}
	}
	return adds
}

// acknowledged are the signers of an acknowledgement that lets senders use what
// was not looked at, or who were not looked at themselves.
func (w *watchman) acknowledged(e entry, b *directory.DeskEpochAck) (adds []Addition) {
	v := w.log.View.At(e.Idx)
	for _, s := range e.By {
		o, _ := v.OfficerByKey(s.Key)
		if w.doubts[doubtChecked(b.D, b.E)] || w.doubts[s.Key] || w.doubted(b.D, o) {
			adds = append(adds, Addition{What: AddsChecker, Desk: b.D, Officer: o.U, Key: s.Key})
		}
	}
	return adds
}

// disputed are those who hold the older key that a dispute puts back into use,
// and did not hold the one that it ends.
func (w *watchman) disputed(e entry, b *directory.DeskEpochDispute) (adds []Addition) {
	was, ok := w.log.View.At(e.Idx).ActiveEpoch(b.D)
	again, back := w.log.View.At(e.Idx + 1).ActiveEpoch(b.D)
	if !ok || !back || was.E != b.E {
		return nil
	}
	for _, p := range again.Pkg {
		if slices.ContainsFunc(was.Pkg, func(q directory.Package) bool { return q.Key == p.Key }) {
			continue
		}
		o, _ := w.log.View.At(e.Idx).OfficerByKey(p.Key)
		adds = append(adds, Addition{What: AddsFormer, Desk: b.D, Officer: o.U, Key: p.Key})
	}
	return adds
}

// doubt remembers who was added, so that what they get later is unexpected too.
func (w *watchman) doubt(e entry, adds []Addition) {
	for _, a := range adds {
		switch a.What {
		case AddsReader:
			w.doubts[doubtMember(a.Desk, a.Officer)] = true
		case AddsKey, AddsTerm, AddsRegistrar, AddsCustodian:
			w.doubts[a.Key] = true
		}
	}
	if b, ok := e.body.(*directory.DeskEpoch); ok {
		w.doubts[doubtChecked(b.D, b.E)] = true
	}
}

func (w *watchman) doubted(desk string, o directory.Officer) bool {
	return o.U != "" && (w.doubts[doubtMember(desk, o.U)] || w.doubts[o.KeyID])
}
