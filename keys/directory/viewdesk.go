package directory

import "slices"

// Desk is a unit of an institution that receives and owes.
type Desk struct {
	D, Inst string
	Fn      string
	NB, NA  int64    // valid from, until (exclusive), ms
	Members []string // officers, in order

	at int64 // claimed time of the statement that made this version
}

// OpenAt reports whether the desk is valid at a time; its institution must be too,
// see [View.DeskOpen].
func (d Desk) OpenAt(ms int64) bool { return d.NB <= ms && ms < d.NA }

// Epoch is one key of a desk.
type Epoch struct {
	D          string
	E          int64  // number
	RK         string // RecipientHash of its key
	Why        string
	By         string // key id of the maker
	ByOfficer  string
	At         int64 // claimed time, ms
	DirN       int64 // index of its leaf
	Pkg        []Package
	Esc        []Escrow
	Acks       []string // key ids, in order of their leaves
	Acked      bool     // at least one
	AckedAt    int64    // claimed time of the first, ms; 0 if there is none
	Disputed   bool
	DisputedAt int64
	DisputedBy string // key id
	DisputeWhy string
}

// Desk returns a desk.
func (v View) Desk(d string) (Desk, bool) {
	desk, ok := v.facts.desks.get(d, v.n)
	desk.Members = slices.Clone(desk.Members)
	return desk, ok
}

// DeskOpen reports whether a desk and its institution are valid at a time.
func (v View) DeskOpen(d string, ms int64) bool {
	desk, ok := v.facts.desks.get(d, v.n)
	if !ok || !desk.OpenAt(ms) {
		return false
	}
	inst, ok := v.facts.insts.get(desk.Inst, v.n)
	return ok && inst.OpenAt(ms)
}

// IsMember reports whether an officer is a member of a desk. It says nothing
// about her key; see [View.MayAct].
func (v View) IsMember(d, u string) bool {
	desk, _ := v.facts.desks.get(d, v.n)
	_, found := slices.BinarySearch(desk.Members, u)
	return found
}

// MayAct reports, as an error to show, why a key may not act for a desk at a time:
// its officer must be in term and unrevoked, a member, and desk and institution
// valid.
func (v View) MayAct(keyID, d string, ms int64) error {
	o, ok := v.OfficerByKey(keyID)
	switch {
	case !ok:
		return ruled(ErrUnknown, "%s is no officer's key", clip(keyID))
	case o.Revoked():
		return ruled(ErrConflict, "%s of %s is revoked", keyID, o.U)
	case !o.ActiveAt(ms):
		return ruled(ErrConflict, "%s of %s is not in its term", keyID, o.U)
	case !v.IsMember(d, o.U):
		return ruled(ErrForeign, "%s is no member of desk %s", o.U, clip(d))
	case !v.DeskOpen(d, ms):
		return ruled(ErrConflict, "desk %s or its institution is closed", d)
	}
	return nil
}

// DesksOf lists the desks an officer is a member of, in order.
func (v View) DesksOf(u string) []string {
	serves, _ := v.facts.serves.get(u, v.n)
	return slices.Clone(serves)
}

// DesksOfInst lists the desks of an institution, open or not, in order.
func (v View) DesksOfInst(i string) []string {
	house, _ := v.facts.houses.get(i, v.n)
	return slices.Clone(house)
}

// InstOfDesk returns the institution of a desk, "" if there is no such desk.
func (v View) InstOfDesk(d string) string {
	desk, _ := v.facts.desks.get(d, v.n)
	return desk.Inst
}

// TypeOfDesk is the type the matrix knows a desk by: that of its institution, or
// [Representative]; "" if there is no such desk or no profile yet.
func (v View) TypeOfDesk(d string) string {
	desk, _ := v.facts.desks.get(d, v.n)
	if desk.Fn == Rep {
		return Representative
	}
	inst, _ := v.facts.insts.get(desk.Inst, v.n)
	return inst.Type
}

// DesksByTypeFn lists the desks of a type and function that are open at a time,
// in order.
func (v View) DesksByTypeFn(typ, fn string, ms int64) []string {
	var found []string
	for d, desk := range v.facts.desks.all("", v.n) {
		if desk.Fn == fn && v.TypeOfDesk(d) == typ && v.DeskOpen(d, ms) {
			found = append(found, d)
		}
	}
	return found
}

// DeskOfInst returns the desk of an institution with a function that is open at a
// time, of several the one with the lowest id.
func (v View) DeskOfInst(i, fn string, ms int64) (string, bool) {
	for _, d := range v.DesksOfInst(i) {
		if desk, _ := v.facts.desks.get(d, v.n); desk.Fn == fn && v.DeskOpen(d, ms) {
			return d, true
		}
	}
	return "", false
}

// Epoch returns an epoch of a desk by number.
func (v View) Epoch(d string, e int64) (Epoch, bool) {
	if checkEpoch(e) != nil {
		return Epoch{}, false
	}
	epoch, ok := v.facts.epochs.get(epochKey(d, e), v.n)
	epoch.Pkg, epoch.Esc, epoch.Acks = slices.Clone(epoch.Pkg), slices.Clone(epoch.Esc), slices.Clone(epoch.Acks)
	return epoch, ok
}

// LatestEpoch returns the newest epoch of a desk, acknowledged or not.
func (v View) LatestEpoch(d string) (Epoch, bool) {
	e, _ := v.facts.latest.get(d, v.n)
	return v.Epoch(d, e)
}

// ActiveEpoch returns the epoch that senders seal to: the newest one that is
// acknowledged and not disputed.
func (v View) ActiveEpoch(d string) (Epoch, bool) {
	latest, _ := v.facts.latest.get(d, v.n)
	for e := latest; e > 0; e-- {
		if epoch, ok := v.Epoch(d, e); ok && epoch.Acked && !epoch.Disputed {
			return epoch, true
		}
	}
	return Epoch{}, false
}

// EpochLife is how long an epoch may be in use, in ms: 365 days.
const EpochLife = 365 * 24 * 3600 * 1000

// Wrapped says of which epoch a package or an escrow file holds a copy, and for
// whom.
type Wrapped struct {
	D   string
	E   int64
	Key string // key id of the officer it is for, "" for an escrow file
}

// WrappedAs finds the epoch that names a package or an escrow file by its hex
// SHA-256. Of the files that a colleague made later (desk.grant) the directory
// knows nothing.
func (v View) WrappedAs(sha256 string) (Wrapped, bool) { return v.facts.wrapped.get(sha256, v.n) }

// Why an epoch ought to be rotated.
const (
	StaleRevoked = "key-revoked" // the key of somebody who holds it was revoked
	StaleLeft    = "member-left" // somebody who holds it left the desk
	StaleTerm    = "term-ended"  // the term of somebody who holds it is over
	StaleAge     = "yearly"      // it is older than [EpochLife]
)

// Staleness says since when an epoch ought to be rotated, and why.
type Staleness struct {
	Since   int64 // ms
	Why     string
	Officer string // whose key, or whose leaving, it is; "" for the age
}

// Stale reports whether the active epoch of a desk ought to be rotated, and since
// when (ms): a member who has its key was revoked, left the desk, or is past her
// term, or the epoch is older than [EpochLife]. since is the earliest of these: the
// claimed time of the statement, the end of the term, the end of the life. A desk
// without an active epoch is not stale, it cannot receive.
func (v View) Stale(d string, nowMs int64) (since int64, stale bool) {
	s, stale := v.Staleness(d, nowMs)
	return s.Since, stale
}

// Staleness is [View.Stale] with the reason of the earliest.
func (v View) Staleness(d string, nowMs int64) (Staleness, bool) {
	epoch, ok := v.ActiveEpoch(d)
	if !ok {
		return Staleness{}, false
	}
	first := Staleness{Since: maxTime}
	for _, p := range epoch.Pkg {
		first.earlier(v.endOf(epoch, p.Key, nowMs))
	}
	if end := epoch.At + EpochLife; end <= nowMs {
		first.earlier(Staleness{Since: end, Why: StaleAge})
	}
	if first.Since == maxTime {
		return Staleness{}, false
	}
	return first, true
}

func (s *Staleness) earlier(other Staleness) {
	if other.Since < s.Since {
		*s = other
	}
}

// endOf is the time from which a key that holds the epoch ought not to, maxTime if
// it still ought.
func (v View) endOf(epoch Epoch, keyID string, nowMs int64) Staleness {
	end := Staleness{Since: maxTime}
	o, ok := v.facts.officers.get(keyID, v.n)
	if !ok {
		return end
	}
	if o.Revoked() {
		end.earlier(Staleness{o.RevokedAt, StaleRevoked, o.U})
	}
	for x := v.facts.desks.history(epoch.D).at(v.n); x != nil && x.n > epoch.DirN; x = x.older {
		if _, member := slices.BinarySearch(x.val.Members, o.U); !member {
			end.earlier(Staleness{x.val.at, StaleLeft, o.U})
		}
	}
	if o.NA <= nowMs {
		end.earlier(Staleness{o.NA, StaleTerm, o.U})
	}
	return end
}

// Rota returns the newest rota of a desk that covers a time.
func (v View) Rota(d string, ms int64) (DeskRota, bool) {
	for x := v.facts.rotas.history(d).at(v.n); x != nil; x = x.older {
		if r := x.val; r.From <= ms && ms < r.To {
			rota := *r
			rota.Contacts = slices.Clone(r.Contacts)
			return rota, true
		}
	}
	return DeskRota{}, false
}

// CardOf returns the commitment of the latest card of an officer, desk or
// institution.
func (v View) CardOf(of string) (c []byte, ok bool) {
	card, ok := v.facts.cards.get(of, v.n)
	if !ok {
		return nil, false
	}
	return slices.Clone(card.C), true
}

// AuditGrants lists the grants of a desk in the order of the directory.
func (v View) AuditGrants(d string) []AuditGrant {
	var all []AuditGrant
	grants, _ := v.facts.grants.get(d, v.n)
	for _, g := range grants {
		all = append(all, *g)
	}
	return all
}

// Pack is one adoption of a version of a rule pack.
type Pack struct {
	ID   string
	Hash string // hex SHA-256
	From int64  // in force from, ms
	DirN int64  // index of its leaf
}

// Packs lists all adoptions, by family, then in the order of the directory.
func (v View) Packs() []Pack {
	var all []Pack
	for _, packs := range v.facts.packs.all("", v.n) {
		all = append(all, packs...)
	}
	return all
}

// AdoptedPack returns the version of a family (rs-a) in force at a time: the
// adoption with the latest from that has come, of two with the same the later
// leaf. Both are "" if there is none.
func (v View) AdoptedPack(family string, atMs int64) (id, hash string) {
	var best Pack
	for _, p := range v.adopted(family) {
		if p.From <= atMs && p.From >= best.From {
			best = p
		}
	}
	return best.ID, best.Hash
}

// Day is one day that the calendar of a zone says something about.
type Day struct {
	Date string `json:"date"` // 2026-02-15
	Off  bool   `json:"off"`
	Ref  string `json:"ref"`
}

// CalendarDays lists the declared days of a zone by date, the latest word on each.
func (v View) CalendarDays(zone string) []Day {
	var days []Day
	for _, day := range v.facts.days.all(zone+" ", v.n) {
		days = append(days, day)
	}
	return days
}
