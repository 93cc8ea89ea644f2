package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// chain is the part of a directory that an evidence file carries: enough to
// lead from genesis to the officers who signed. It verifies every signature by
// the rules of keys/directory with what it was shown; what it was not shown it
// cannot know, a revocation above all.
type chain struct {
	genesis  string
	name     string
	demo     bool
	charters []charter // ascending
	revoked  map[string]bool
	roots    map[string]directory.Root
	wardens  map[string][]ed25519.PublicKey // institution -> registrars
	safes    map[string][]ed25519.PublicKey // institution -> custodians
	types    map[string]string              // institution -> type
	officers map[string]*directory.OfficerEnrol
	ended    map[string]bool // key ids of officers
	desks    map[string]*deskShown
	last     int64
}

// charter is what holds for the whole directory from an index on.
type charter struct {
	idx       int64
	council   directory.Council
	delegates []directory.Delegate
	logs      directory.Logs
	quorum    directory.Quorum
	witnesses []directory.Witness
	hash      string
}

type deskShown struct {
	inst, fn string
	members  []string
}

func newChain() *chain {
	return &chain{revoked: map[string]bool{}, roots: map[string]directory.Root{}, wardens: map[string][]ed25519.PublicKey{}, safes: map[string][]ed25519.PublicKey{},
		types: map[string]string{}, officers: map[string]*directory.OfficerEnrol{}, ended: map[string]bool{},
		desks: map[string]*deskShown{}, last: -1}
}

// group is one condition on signers: need of keys.
type group struct {
	need int
	keys []ed25519.PublicKey
	who  string
}

// add takes the next entry into the chain, in ascending order of index.
func (c *chain) add(idx int64, leaf []byte) error {
	if idx <= c.last {
		return fmt.Errorf("stands after entry %d", c.last)
	}
	signed, err := directory.Decode(leaf)
	if err != nil {
		return err
	}
	if (idx == 0) != (signed.Type == "genesis") {
		return errors.New("the genesis is entry 0, and entry 0 is the genesis")
	}
	if idx > 0 && c.genesis == "" {
		return errors.New("comes before the genesis")
	}
	if err := c.enter(idx, signed); err != nil {
		return fmt.Errorf("%s: %w", signed.Type, err)
	}
	c.last = idx
	return nil
}

// enter verifies who signed a statement, then lets it count.
func (c *chain) enter(idx int64, s *directory.Signed) error {
	switch b := s.Body.(type) {
	case *directory.Genesis:
		return c.begin(s, b)
	case *directory.Policy:
		return c.policy(idx, s, b)
	case *directory.DelegateRevoke:
		return c.dropDelegate(s, b)
	case *directory.InstJoin:
		return c.join(s, b)
	case *directory.InstProfile:
		return c.profile(s, b)
	case *directory.InstRoot:
		return c.root(s, b)
	case *directory.InstRegistrars:
		return c.registrars(s, b)
	case *directory.InstCustodians:
		return c.custodians(s, b)
	case *directory.OfficerEnrol:
		return c.enrol(s, b)
	case *directory.OfficerRevoke:
		return c.revoke(s, b)
	case *directory.DeskProfile:
		return c.desk(s, b)
	case *directory.DeskMembers:
		return c.members(s, b)
	}
	return errors.New("is no part of a key chain")
}

func (c *chain) begin(s *directory.Signed, b *directory.Genesis) error {
	if err := signedBy(s.DSSE, group{len(b.Council.Keys), b.Council.Keys, "council"}); err != nil {
		return err
	}
	c.genesis, c.name, c.demo = s.Hash, b.Name, b.Demo
	c.charters = []charter{{council: b.Council, delegates: b.Delegates, logs: b.Logs, quorum: b.Quorum,
		witnesses: b.Witnesses, hash: s.Hash}}
	return nil
}

// now is the charter that holds for the next entry.
func (c *chain) now() *charter { return &c.charters[len(c.charters)-1] }

func (c *chain) policy(idx int64, s *directory.Signed, b *directory.Policy) error {
	if s.Head.Prev != c.now().hash {
		return errors.New("an earlier statement about the policy is not shown")
	}
	groups := []group{{c.now().council.K, c.now().council.Keys, "council"}}
	if !sameCouncil(c.now().council, b.Council) {
		groups = append(groups, group{b.Council.K, b.Council.Keys, "new council"})
	}
	if err := signedBy(s.DSSE, groups...); err != nil {
		return err
	}
	c.charters = append(c.charters, charter{idx: idx, council: b.Council, delegates: b.Delegates, logs: b.Logs,
		quorum: b.Quorum, witnesses: b.Witnesses, hash: s.Hash})
	return nil
}

func sameCouncil(a, b directory.Council) bool {
	order := func(x, y ed25519.PublicKey) int { return bytes.Compare(x, y) }
	return a.K == b.K && slices.EqualFunc(slices.SortedFunc(slices.Values(a.Keys), order),
		slices.SortedFunc(slices.Values(b.Keys), order), func(x, y ed25519.PublicKey) bool { return x.Equal(y) })
}

func (c *chain) dropDelegate(s *directory.Signed, b *directory.DelegateRevoke) error {
	if s.Head.Prev != c.now().hash {
		return errors.New("an earlier statement about the policy is not shown")
	}
	keys := append(slices.Clone(c.now().council.Keys), c.delegates()...)
	if err := signedBy(s.DSSE, group{1, keys, "delegates and council"}); err != nil {
		return err
	}
	c.revoked[b.Key], c.now().hash = true, s.Hash
	return nil
}

func (c *chain) delegates() []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	for _, d := range c.now().delegates {
		if !c.revoked[statement.KeyID(d.Key)] {
			keys = append(keys, d.Key)
		}
	}
	return keys
}

// signedBy wants every group satisfied, and no signature of anybody else or
// beyond what they ask for.
func signedBy(d *statement.DSSE, groups ...group) error {
	byID := map[string]ed25519.PublicKey{}
	for _, g := range groups {
		for _, k := range g.keys {
			byID[statement.KeyID(k)] = k
		}
	}
	keys := make([]ed25519.PublicKey, 0, len(d.Signatures))
	for _, s := range d.Signatures {
		key, ok := byID[s.KeyID]
		if !ok {
			return fmt.Errorf("signed by %.80q, who is none of those who may", s.KeyID)
		}
		keys = append(keys, key)
	}
	if err := d.Verify(keys...); err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, g := range groups {
		have := g.among(keys)
		if len(have) < g.need {
			return fmt.Errorf("%d signatures of the %s, want %d", len(have), g.who, g.need)
		}
		for _, k := range have {
			needed[statement.KeyID(k)] = needed[statement.KeyID(k)] || len(have) == g.need
		}
	}
	for id, need := range needed {
		if !need {
			return fmt.Errorf("%s signed beyond what it needs", id)
		}
	}
	return nil
}

// among lists the keys of the group that are in a list.
func (g group) among(keys []ed25519.PublicKey) []ed25519.PublicKey {
	var have []ed25519.PublicKey
	for _, k := range g.keys {
		if slices.ContainsFunc(keys, func(s ed25519.PublicKey) bool { return s.Equal(k) }) {
			have = append(have, k)
		}
	}
	return have
}
