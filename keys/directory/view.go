package directory

import (
	"crypto/ed25519"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// A View is the directory as it stood after its first N leaves. It is a value,
// answers without locks, and gives out copies. Who is named by an id that the view
// does not hold is reported as absent, never as an error.
type View struct {
	facts *facts
	n     int64
}

// N is the number of leaves that the view knows.
func (v View) N() int64 { return v.n }

// At is the view after the first n leaves; n is held within 0 and N.
func (v View) At(n int64) View { return View{v.facts, max(0, min(n, v.n))} }

// Prev is the hex SHA-256 of the latest leaf about a subject, "" if none.
func (v View) Prev(subject string) string {
	last, _ := v.facts.chains.get(subject, v.n)
	return last.hash
}

func (v View) charter() charter {
	if c := v.facts.charter.at(v.n); c != nil {
		return c.val
	}
	return charter{}
}

// Genesis is the hex SHA-256 of the first leaf, which clients pin; "" before it.
func (v View) Genesis() string { return v.charter().genesis }

// Name is what genesis calls the directory.
func (v View) Name() string { return v.charter().name }

// Demo reports whether genesis declares a demonstration.
func (v View) Demo() bool { return v.charter().demo }

// Quorum says who must cosign the trees.
func (v View) Quorum() Quorum { return v.charter().quorum }

// Logs are the verifier keys of the trees.
func (v View) Logs() Logs { return v.charter().logs }

// Witnesses lists the cosigners.
func (v View) Witnesses() []Witness { return slices.Clone(v.charter().witnesses) }

// Council is the present council.
func (v View) Council() Council { return v.charter().council.clone() }

func (c Council) clone() Council { return Council{c.K, slices.Clone(c.Keys)} }

// Delegates lists the delegates whose keys are not revoked.
func (v View) Delegates() []Delegate {
	return slices.DeleteFunc(slices.Clone(v.charter().delegates), func(d Delegate) bool {
		id := statement.KeyID(d.Key)
		return v.revokedDelegate(id) || v.revoked(id)
	})
}

// Institution is what the directory knows of an institution. Type, Level and the
// like are empty, and it is never open, until it has a profile.
type Institution struct {
	I           string
	Type, Level string
	Territory   []string
	EscalatesTo string // institution above, or ""
	Pred        string // institution it succeeds, or ""
	Emergency   bool   // may share in an emergency
	NB, NA      int64  // valid from, until (exclusive), ms
	Root        Root
	Registrars  []ed25519.PublicKey
	Custodians  Custodians
	Observer    ed25519.PublicKey // nil if none
	JoinedN     int64             // index of its inst.join
}

// OpenAt reports whether the institution is valid at a time.
func (i Institution) OpenAt(ms int64) bool { return i.NB <= ms && ms < i.NA }

// Institution returns an institution that has joined.
func (v View) Institution(i string) (Institution, bool) {
	inst, ok := v.facts.insts.get(i, v.n)
	inst.Territory = slices.Clone(inst.Territory)
	inst.Root = inst.Root.clone()
	inst.Registrars = slices.Clone(inst.Registrars)
	inst.Custodians = inst.Custodians.clone()
	return inst, ok
}

// Institutions lists the ids of all that have joined, in order.
func (v View) Institutions() []string {
	var ids []string
	for i := range v.facts.insts.all("", v.n) {
		ids = append(ids, i)
	}
	return ids
}

// Registrars lists an institution's registrars as root named them; a revoked key
// among them cannot sign.
func (v View) Registrars(i string) []ed25519.PublicKey {
	inst, _ := v.Institution(i)
	return inst.Registrars
}

// Officer is one key pair of an officer.
type Officer struct {
	U, Inst     string
	KeyID       string
	Key         ed25519.PublicKey
	Rcp         string // age recipient for desk packages
	Roles       []string
	NB, NA      int64  // valid from, until (exclusive), ms
	EnrolledN   int64  // index of the latest officer.enrol of this key
	RevokedAt   int64  // claimed time of the revocation, 0 if none
	RevokedFrom int64  // since when the key is not to be trusted
	RevokedN    int64  // index of the revocation, 0 if none
	Reason      string // of the revocation
}

// Revoked reports whether this view knows of a revocation.
func (o Officer) Revoked() bool { return o.RevokedN > 0 }

// ActiveAt reports whether the key may act at a time: within its term and not
// revoked. A revocation that the view knows ends it whatever the time; to ask
// about the past, take the view of the past.
func (o Officer) ActiveAt(ms int64) bool { return o.NB <= ms && ms < o.NA && !o.Revoked() }

// HasRole reports whether the officer was enrolled with a role.
func (o Officer) HasRole(role string) bool { return slices.Contains(o.Roles, role) }

// Officer returns an officer's latest key pair, revoked or not.
func (v View) Officer(u string) (Officer, bool) {
	id, ok := v.facts.holds.get(u, v.n)
	if !ok {
		return Officer{}, false
	}
	return v.OfficerByKey(id)
}

// OfficerByKey returns the key pair with a key id, also an earlier one.
func (v View) OfficerByKey(keyID string) (Officer, bool) {
	o, ok := v.facts.officers.get(keyID, v.n)
	o.Roles = slices.Clone(o.Roles)
	return o, ok
}

// OfficersOf lists the officers ever enrolled in an institution, in order.
func (v View) OfficersOf(i string) []string {
	var ids []string
	for u, key := range v.facts.holds.all("", v.n) {
		if o, ok := v.facts.officers.get(key, v.n); ok && o.Inst == i {
			ids = append(ids, u)
		}
	}
	return ids
}

// ActorKind says as what a key acts.
type ActorKind string

// The kinds of actors.
const (
	KindOfficer   ActorKind = "officer"
	KindRegistrar ActorKind = "registrar"
	KindDelegate  ActorKind = "delegate"
	KindCouncil   ActorKind = "council"
	KindRoot      ActorKind = "root"
	KindObserver  ActorKind = "observer"
	KindCustodian ActorKind = "custodian"
)

// Actor is the owner of a key in force.
type Actor struct {
	Kind    ActorKind
	Inst    string // "" for the council
	Officer string // "" unless an officer
	Key     ed25519.PublicKey
	NB, NA  int64 // term of an officer; others have none: 0 and 2^53-1
}

// ActiveAt reports whether the key may act at a time.
func (a Actor) ActiveAt(ms int64) bool { return a.NB <= ms && ms < a.NA }

// Actor returns whose key a key id names, for the authentication of requests: an
// officer before a registrar before a delegate, then council, root, observer,
// custodian. A revoked or replaced key has no actor. The caller still asks ActiveAt.
func (v View) Actor(keyID string) (Actor, bool) {
	own, ok := v.facts.owners.get(keyID, v.n)
	if !ok || v.revoked(keyID) {
		return Actor{}, false
	}
	if own.office == personKey {
		if o, ok := v.OfficerByKey(keyID); ok {
			return Actor{KindOfficer, o.Inst, o.U, o.Key, o.NB, o.NA}, true
		}
	}
	inst, _ := v.Institution(own.inst)
	for _, c := range []struct {
		office string
		kind   ActorKind
		keys   []ed25519.PublicKey
	}{
		{personKey, KindRegistrar, inst.Registrars},
		{personKey, KindDelegate, v.delegateKeys()},
		{councilKey, KindCouncil, v.charter().council.Keys},
		{rootKey, KindRoot, inst.Root.Keys},
		{observerKey, KindObserver, []ed25519.PublicKey{inst.Observer}},
		{custodianKey, KindCustodian, inst.Custodians.Keys},
	} {
		if c.office != own.office {
			continue
		}
		if at := slices.Index(keyIDs(c.keys), keyID); at >= 0 {
			return Actor{Kind: c.kind, Inst: own.inst, Key: c.keys[at], NA: maxTime}, true
		}
	}
	return Actor{}, false
}
