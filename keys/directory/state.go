package directory

import (
	"crypto/ed25519"

	"github.com/odziv/odziv/internal/statement"
)

// A State is the directory after some number of leaves. It is immutable: Apply
// returns a new one that shares most of its memory with the old, and any number of
// goroutines may read both. It answers every query of [View] for its own N.
type State struct{ View }

// New returns the empty directory, whose first leaf must be the genesis.
func New() *State { return &State{View{facts: &facts{}}} }

// facts is all that is known, each fact with its versions. A statement copies the
// struct and replaces the tables it touches.
type facts struct {
	charter  *version[charter]
	chains   table[link]     // by subject
	owners   table[owner]    // by key id, never freed
	used     table[struct{}] // hashes of recipients, never freed
	revoked  table[struct{}] // key ids of officers, and "delegate/" key ids
	insts    table[Institution]
	officers table[Officer]  // by key id
	holds    table[string]   // officer -> key id of her latest enrolment
	serves   table[[]string] // officer -> desks
	desks    table[Desk]
	houses   table[[]string]  // institution -> desks
	epochs   table[Epoch]     // by desk "/" number
	latest   table[int64]     // desk -> number of its latest epoch
	wrapped  table[Wrapped]   // by hex SHA-256 of a package or escrow file
	rotas    table[*DeskRota] // by desk
	cards    table[*Card]     // by whom it is of
	grants   table[[]*AuditGrant]
	packs    table[[]Pack] // by family
	days     table[Day]    // by zone "/" date
}

// link is the latest leaf about a subject.
type link struct{ hash string }

// A change is the writing side of one leaf: the facts being made, the index of
// the leaf and who signed it.
type change struct {
	*facts
	n       int64
	hash    string
	signers []string
}

// Apply returns the directory after one more leaf, or an error that wraps one of
// the Err values and changes nothing. It is pure and costs O(log N) beside the
// signatures.
func (s *State) Apply(leaf []byte) (*State, error) {
	signed, err := Decode(leaf)
	if err != nil {
		return nil, err
	}
	return s.ApplySigned(signed)
}

// ApplySigned is [State.Apply] for a leaf that [Decode] has read already.
func (s *State) ApplySigned(signed *Signed) (*State, error) {
	next, keys, err := s.step(signed)
	if err != nil {
		return nil, err
	}
	if err := verify(signed.DSSE, keys); err != nil {
		return nil, err
	}
	return next, nil
}

// step is ApplySigned but for the signatures, which must yet verify under keys.
func (s *State) step(signed *Signed) (next *State, keys []ed25519.PublicKey, err error) {
	r, err := s.roll(signed.Body)
	if err != nil {
		return nil, nil, err
	}
	keys, complete, err := r.tally(signed.DSSE)
	if err != nil {
		return nil, nil, err
	}
	if !complete {
		return nil, nil, ruled(ErrSigners, "%s: %d signatures, want %s", signed.Type, len(keys), describe(r.groups))
	}
	grown := *s.facts
	c := &change{facts: &grown, n: s.n, hash: signed.Hash, signers: keyIDs(keys)}
	signed.Body.enact(c)
	grown.chains = grown.chains.with(signed.Subject, s.n, link{signed.Hash})
	return &State{View{facts: &grown, n: s.n + 1}}, keys, nil
}

// Prepare fills the head of body (at, dirn, prev, t, v) for the next leaf and
// returns the payload to sign. It refuses at once what Apply would refuse whoever
// signs.
func (s *State) Prepare(body Body, at int64) (payload []byte, err error) {
	*body.head() = Head{At: at, DirN: s.n, Prev: s.Prev(body.Subject()), T: body.kind(), V: Version}
	payload, err = Payload(body)
	if err != nil {
		return nil, err
	}
	if _, err := s.roll(body); err != nil {
		return nil, err
	}
	return payload, nil
}

// Requirement says who must sign a payload for this state to accept it: every
// group must be satisfied and no signature may be superfluous.
func (s *State) Requirement(payload []byte) ([]Group, error) {
	body, err := DecodePayload(payload)
	if err != nil {
		return nil, err
	}
	r, err := s.roll(body)
	if err != nil {
		return nil, err
	}
	return r.groups, nil
}

// RequiredSigners says the same for a list of what waits: in words, how many
// signatures at least, and whose (key ids, sorted) can count.
func (s *State) RequiredSigners(payload []byte) (description string, needed int, eligible []string, err error) {
	groups, err := s.Requirement(payload)
	if err != nil {
		return "", 0, nil, err
	}
	r := newRoll(groups)
	return describe(groups), r.least(), r.eligible(), nil
}

// Complete reports whether a statement has every signature it needs, so that
// Apply would accept its leaf. An error says that more signatures cannot help: one
// of them is wrong or superfluous, or the directory has moved on.
func (s *State) Complete(d *statement.DSSE) (bool, error) {
	body, err := decodeDSSE(d)
	if err != nil {
		return false, err
	}
	r, err := s.roll(body)
	if err != nil {
		return false, err
	}
	keys, complete, err := r.tally(d)
	if err != nil || len(keys) == 0 {
		return false, err // nobody has signed yet: nothing to verify, and every group needs somebody
	}
	if err := verify(d, keys); err != nil {
		return false, err
	}
	return complete, nil
}

// roll holds a statement against the state and returns who must sign it.
func (s *State) roll(b Body) (*roll, error) {
	if _, first := b.(*Genesis); first != (s.n == 0) {
		return nil, ruled(ErrConflict, "%s as leaf %d: the first leaf, and only it, is the genesis", b.kind(), s.n)
	}
	if err := s.follows(b); err != nil {
		return nil, err
	}
	groups, err := b.admit(s.View)
	if err != nil {
		return nil, err
	}
	return newRoll(groups), nil
}

// follows checks prev and dirn. prev alone fixes the order of the leaves about
// one subject, so that none can be applied twice or skip another. dirn may lag
// behind N: while two registrars sign one statement, leaves about other subjects
// may come in between.
func (s *State) follows(b Body) error {
	h, subject := b.head(), b.Subject()
	if want := s.Prev(subject); h.Prev != want {
		return ruled(ErrPrev, "%s about %s: prev %q, want %q: prepare it anew", b.kind(), subject, h.Prev, want)
	}
	least := int64(0)
	if last := s.facts.chains.history(subject).at(s.n); last != nil {
		least = last.n + 1
	}
	if h.DirN < least || h.DirN > s.n {
		return ruled(ErrDirn, "%s: dirn %d, want %d to %d: prepare it anew", b.kind(), h.DirN, least, s.n)
	}
	return nil
}

// owner is whom a key acts for. A key keeps its owner for ever: an officer who
// changes house gets a new key, and nobody ever signs for two.
type owner struct{ office, inst string }

const (
	councilKey   = "council"
	rootKey      = "institution root"
	personKey    = "officer, registrar or delegate"
	observerKey  = "observer"
	custodianKey = "custodian"
)

// free reports an error if one of the keys belongs to another owner already.
func (v View) free(o owner, ids ...string) error {
	for _, id := range ids {
		if was, ok := v.facts.owners.get(id, v.n); ok && was != o {
			rule := ErrConflict
			if was.office == o.office {
				rule = ErrForeign
			}
			return ruled(rule, "%s is a key of %s %s already: generate another", id, was.office, was.inst)
		}
	}
	return nil
}

func (c *change) own(o owner, ids ...string) {
	for _, id := range ids {
		if _, ok := c.owners.get(id, c.n+1); !ok {
			c.owners = c.owners.with(id, c.n, o)
		}
	}
}
