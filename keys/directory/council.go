package directory

import (
	"crypto/ed25519"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// QuorumNone stands where a quorum of witnesses would: nobody watches yet, and
// every proof says so.
const QuorumNone = "none"

// Charter is the subject of genesis, policy and delegate.revoke: what holds for
// the whole directory.
const Charter = "policy"

// Council is k of n offline Ed25519 keys of different bodies. An institution's
// root has the same form.
type Council struct {
	K    int                 `json:"k"`
	Keys []ed25519.PublicKey `json:"keys"`
}

// Root is the k of n keys of an institution.
type Root = Council

// Logs are the verifier keys of the two trees (golang.org/x/mod/sumdb/note).
type Logs struct {
	Dir string `json:"dir"`
	Ev  string `json:"ev"`
}

// Witness is one cosigner and who runs it.
type Witness struct {
	Operator string `json:"operator"`
	VKey     string `json:"vkey"`
}

// Quorum says for each tree who must cosign: C2SP tlog-policy text, or
// [QuorumNone].
type Quorum struct {
	Dir string `json:"dir"`
	Ev  string `json:"ev"`
}

// Delegate is a key that the council lets join institutions and adopt packs, and
// the institution it sits in.
type Delegate struct {
	I   string            `json:"i"`
	Key ed25519.PublicKey `json:"key"`
}

// Genesis is the first leaf. Clients pin its hash. Signed by all council keys.
type Genesis struct {
	Head
	Council   Council    `json:"council"`
	Delegates []Delegate `json:"delegates"`
	Demo      bool       `json:"demo,omitempty"` // a demonstration: weaker rules, refused by odziv elsewhere
	Logs      Logs       `json:"logs"`
	Name      string     `json:"name"`
	Quorum    Quorum     `json:"quorum"`
	Witnesses []Witness  `json:"witnesses"`
}

// Policy replaces what genesis laid down, but for name and demo. Signed by k of
// the council; a changed council also by k of the new.
type Policy struct {
	Head
	Council   Council    `json:"council"`
	Delegates []Delegate `json:"delegates"`
	Logs      Logs       `json:"logs"`
	Quorum    Quorum     `json:"quorum"`
	Witnesses []Witness  `json:"witnesses"`
}

// DelegateRevoke ends a delegate's key at once and for ever. Signed by any one
// delegate or council key.
type DelegateRevoke struct {
	Head
	Key    string `json:"key"` // key id
	Reason string `json:"reason"`
}

// charter is what genesis and policy lay down.
type charter struct {
	genesis   string // hash of the genesis leaf
	name      string
	demo      bool
	council   Council
	delegates []Delegate
	logs      Logs
	quorum    Quorum
	witnesses []Witness
}

func (*Genesis) kind() string           { return "genesis" }
func (*Policy) kind() string            { return "policy" }
func (*DelegateRevoke) kind() string    { return "delegate.revoke" }
func (*Genesis) Subject() string        { return Charter }
func (*Policy) Subject() string         { return Charter }
func (*DelegateRevoke) Subject() string { return Charter }

func (b *Genesis) check() error {
	return checks(checkText("name", b.Name), b.charter().check())
}

func (b *Policy) check() error { return b.charter().check() }

func (b *DelegateRevoke) check() error {
	return checks(checkKeyID("key", b.Key), statement.CheckCode("reason", b.Reason))
}

func (b *Genesis) charter() charter {
	return charter{"", b.Name, b.Demo, b.Council, b.Delegates, b.Logs, b.Quorum, b.Witnesses}
}

func (b *Policy) charter() charter {
	return charter{"", "", false, b.Council, b.Delegates, b.Logs, b.Quorum, b.Witnesses}
}

func (c charter) check() error {
	if err := checks(
		c.council.check("council"),
		checkVKey("logs.dir", c.logs.Dir, 1),
		checkVKey("logs.ev", c.logs.Ev, 1),
		checkDistinct("logs", []string{c.logs.Dir, c.logs.Ev}),
		checkQuorum("quorum.dir", c.quorum.Dir),
		checkQuorum("quorum.ev", c.quorum.Ev),
		checkCount("delegates", len(c.delegates), 0, maxDelegates),
		checkCount("witnesses", len(c.witnesses), 0, maxWitnesses),
	); err != nil {
		return err
	}
	ids := keyIDs(c.council.Keys)
	for _, d := range c.delegates {
		if err := checks(statement.CheckID("delegates.i", d.I, statement.Institution), checkKey("delegates.key", d.Key)); err != nil {
			return err
		}
		ids = append(ids, statement.KeyID(d.Key))
	}
	var vkeys []string
	for _, w := range c.witnesses {
		if err := checks(checkText("witnesses.operator", w.Operator), checkVKey("witnesses.vkey", w.VKey, 1, 4)); err != nil {
			return err
		}
		vkeys = append(vkeys, w.VKey)
	}
	return checks(checkDistinct("council and delegates", ids), checkDistinct("witnesses", vkeys))
}

func (c Council) check(member string) error {
	if err := checkKeys(member+".keys", c.Keys, 1, maxCouncil); err != nil {
		return err
	}
	return checkCount(member+".k", c.K, 1, len(c.Keys))
}

// guarded refuses that one key alone decides, outside a demonstration.
func (c Council) guarded(demo bool, what string) error {
	if c.K < 2 && !demo {
		return ruled(ErrConflict, "%s: k is 1: only a demonstration lets one key decide", what)
	}
	return nil
}

func (c Council) equal(o Council) bool {
	a, b := keyIDs(c.Keys), keyIDs(o.Keys)
	slices.Sort(a)
	slices.Sort(b)
	return c.K == o.K && slices.Equal(a, b)
}

func (c Council) group(role string) Group { return Group{Role: role, Need: c.K, Keys: c.Keys} }

func (b *Genesis) admit(v View) ([]Group, error) {
	if err := b.Council.guarded(b.Demo, "council"); err != nil {
		return nil, err
	}
	all := b.Council.group("council keys")
	all.Need = len(all.Keys)
	return []Group{all}, nil
}

func (b *Policy) admit(v View) ([]Group, error) {
	old := v.charter()
	if err := checks(
		b.Council.guarded(old.demo, "council"),
		v.free(owner{councilKey, ""}, keyIDs(b.Council.Keys)...),
	); err != nil {
		return nil, err
	}
	for _, d := range b.Delegates {
		id := statement.KeyID(d.Key)
		if err := v.free(owner{personKey, d.I}, id); err != nil {
			return nil, err
		}
		if v.revokedDelegate(id) || v.revoked(id) {
			return nil, ruled(ErrConflict, "delegate %s was revoked: name another key", id)
		}
	}
	groups := []Group{old.council.group("council keys")}
	if !b.Council.equal(old.council) {
		groups = append(groups, b.Council.group("keys of the new council"))
	}
	return groups, nil
}

func (b *DelegateRevoke) admit(v View) ([]Group, error) {
	known := slices.ContainsFunc(v.charter().delegates, func(d Delegate) bool { return statement.KeyID(d.Key) == b.Key })
	if !known {
		return nil, ruled(ErrUnknown, "%s is no delegate's key", b.Key)
	}
	if v.revokedDelegate(b.Key) {
		return nil, ruled(ErrConflict, "delegate %s is revoked already", b.Key)
	}
	keys := append(slices.Clone(v.charter().council.Keys), v.delegateKeys()...)
	return []Group{{Role: "delegate and council keys", Need: 1, Keys: keys}}, nil
}

func (b *Genesis) enact(c *change) {
	next := b.charter()
	next.genesis = c.hash
	c.lay(next)
}

func (b *Policy) enact(c *change) {
	next, old := b.charter(), c.charter.val
	next.genesis, next.name, next.demo = old.genesis, old.name, old.demo
	c.lay(next)
}

func (c *change) lay(next charter) {
	c.charter = c.charter.push(c.n, next)
	c.own(owner{councilKey, ""}, keyIDs(next.council.Keys)...)
	for _, d := range next.delegates {
		c.own(owner{personKey, d.I}, statement.KeyID(d.Key))
	}
}

func (b *DelegateRevoke) enact(c *change) {
	c.facts.revoked = c.facts.revoked.with("delegate/"+b.Key, c.n, struct{}{})
}

// delegates is the group that joins institutions and adopts packs.
func (v View) delegates() Group {
	return Group{Role: "delegates", Need: 2, Keys: v.delegateKeys()}
}

func (v View) delegateKeys() []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	for _, d := range v.Delegates() {
		keys = append(keys, d.Key)
	}
	return keys
}
