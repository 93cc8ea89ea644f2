package directory

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Package is one wrapped copy of an epoch's identity, for one member's key.
type Package struct {
	Key    string `json:"key"`    // key id of the officer
	SHA256 string `json:"sha256"` // of the age file
}

// Escrow is one copy nested for a subset of the custodians.
type Escrow struct {
	Cust   []int  `json:"cust"`   // their numbers in inst.custodians, from 0, ascending
	SHA256 string `json:"sha256"` // of the age file
}

// DeskEpoch rotates a desk's key. Signed by any active member. Senders use it once
// another member has acknowledged her package.
type DeskEpoch struct {
	Head
	D   string    `json:"d"`
	E   int64     `json:"e"` // 1, then one more each time
	Esc []Escrow  `json:"esc"`
	Pkg []Package `json:"pkg"`
	RK  string    `json:"rk"` // RecipientHash of the epoch's key
	Why string    `json:"why"`
}

// DeskEpochAck says that the epoch's package opens and holds the key of rk. Signed
// by another member; for an epoch of one package by a registrar.
type DeskEpochAck struct {
	Head
	D string `json:"d"`
	E int64  `json:"e"`
}

// DeskEpochDispute says that it does not; the epoch is unusable from then on.
// Signed as an acknowledgement is.
type DeskEpochDispute struct {
	Head
	D   string `json:"d"`
	E   int64  `json:"e"`
	Why string `json:"why"`
}

func (*DeskEpoch) kind() string             { return "desk.epoch" }
func (*DeskEpochAck) kind() string          { return "desk.epoch.ack" }
func (*DeskEpochDispute) kind() string      { return "desk.epoch.dispute" }
func (b *DeskEpoch) Subject() string        { return b.D }
func (b *DeskEpochAck) Subject() string     { return b.D }
func (b *DeskEpochDispute) Subject() string { return b.D }
func (b *DeskEpochAck) check() error        { return checks(checkDesk("d", b.D), checkEpoch(b.E)) }
func (b *DeskEpochDispute) check() error {
	return checks(checkDesk("d", b.D), checkEpoch(b.E), statement.CheckCode("why", b.Why))
}

// maxEpochs bounds the epochs of one desk: one a day for a century.
const maxEpochs = 99999

func checkEpoch(e int64) error {
	if e < 1 || e > maxEpochs {
		return fmt.Errorf("e: %d, want 1 to %d", e, maxEpochs)
	}
	return nil
}

func (b *DeskEpoch) check() error {
	if err := checks(
		checkDesk("d", b.D),
		checkEpoch(b.E),
		checkHash("rk", b.RK),
		statement.CheckCode("why", b.Why),
		checkCount("pkg", len(b.Pkg), 1, maxMembers),
		checkCount("esc", len(b.Esc), 0, len(subsets(maxCustodians, 2))),
	); err != nil {
		return err
	}
	for _, p := range b.Pkg {
		if err := checks(checkKeyID("pkg.key", p.Key), checkHash("pkg.sha256", p.SHA256)); err != nil {
			return err
		}
	}
	for _, e := range b.Esc {
		if err := checks(checkCount("esc.cust", len(e.Cust), 1, maxCustodians), checkHash("esc.sha256", e.SHA256)); err != nil {
			return err
		}
	}
	return nil
}

func (b *DeskEpoch) admit(v View) ([]Group, error) {
	desk, err := v.desk(b.D)
	if err != nil {
		return nil, err
	}
	latest, _ := v.facts.latest.get(b.D, v.n)
	if b.E != latest+1 {
		return nil, ruled(ErrConflict, "epoch %d of %s, want %d", b.E, b.D, latest+1)
	}
	if _, used := v.facts.used.get(b.RK, v.n); used {
		return nil, ruled(ErrConflict, "rk of epoch %d of %s was used before: generate a new key", b.E, b.D)
	}
	members := v.activeMembers(desk, b.At)
	if err := checks(b.covers(members), b.escrows(v, desk.Inst)); err != nil {
		return nil, err
	}
	return []Group{{Role: "active members of " + b.D, Need: 1, Keys: signingKeys(members)}}, nil
}

// covers wants one package for each active member and none besides.
func (b *DeskEpoch) covers(members []Officer) error {
	var have, want []string
	for _, p := range b.Pkg {
		have = append(have, p.Key)
	}
	for _, o := range members {
		want = append(want, o.KeyID)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return ruled(ErrCover, "epoch %d of %s has packages for %v, its active members are %v", b.E, b.D, have, want)
	}
	return nil
}

// escrows wants one file for every k of the institution's custodians, in
// lexicographic order, and none if it has no custodians.
func (b *DeskEpoch) escrows(v View, i string) error {
	inst, err := v.joined(i)
	if err != nil {
		return err
	}
	want := subsets(len(inst.Custodians.Rcps), inst.Custodians.K)
	same := slices.EqualFunc(b.Esc, want, func(e Escrow, w []int) bool { return slices.Equal(e.Cust, w) })
	if !same {
		return ruled(ErrCover, "epoch %d of %s: %d escrow files, the custodians of %s want %v", b.E, b.D, len(b.Esc), i, want)
	}
	return nil
}

// subsets lists the k-subsets of 0…n-1 in lexicographic order; none for k = 0.
func subsets(n, k int) [][]int {
	var all [][]int
	var grow func(chosen []int, next int)
	grow = func(chosen []int, next int) {
		if len(chosen) == k {
			all = append(all, slices.Clone(chosen))
			return
		}
		for i := next; i < n; i++ {
			grow(append(chosen, i), i+1)
		}
	}
	if k > 0 {
		grow(nil, 0)
	}
	return all
}

func (b *DeskEpochAck) admit(v View) ([]Group, error) {
	epoch, groups, err := v.checkers(b.D, b.E, b.At)
	if err == nil && epoch.Disputed {
		err = ruled(ErrConflict, "epoch %d of %s is disputed: rotate", b.E, b.D)
	}
	for i, g := range groups {
		groups[i].Keys = slices.DeleteFunc(g.Keys, func(k ed25519.PublicKey) bool {
			return slices.Contains(epoch.Acks, statement.KeyID(k))
		})
	}
	return groups, err
}

func (b *DeskEpochDispute) admit(v View) ([]Group, error) {
	epoch, groups, err := v.checkers(b.D, b.E, b.At)
	if err == nil && epoch.Disputed {
		err = ruled(ErrConflict, "epoch %d of %s is disputed already", b.E, b.D)
	}
	return groups, err
}

// checkers are those who may confirm or dispute an epoch: every active member who
// has a package, but not its maker; of a single package, a registrar.
func (v View) checkers(d string, e, ms int64) (Epoch, []Group, error) {
	epoch, ok := v.Epoch(d, e)
	if !ok {
		return Epoch{}, nil, ruled(ErrUnknown, "epoch %d of desk %s", e, clip(d))
	}
	desk, err := v.desk(d)
	if err != nil {
		return Epoch{}, nil, err
	}
	if len(epoch.Pkg) == 1 {
		groups, err := v.byRegistrars(desk.Inst, 1)
		if err != nil {
			return Epoch{}, nil, err
		}
		groups[0].Keys = slices.DeleteFunc(groups[0].Keys, func(k ed25519.PublicKey) bool { return statement.KeyID(k) == epoch.By })
		return epoch, groups, nil
	}
	others := slices.DeleteFunc(v.activeMembers(desk, ms), func(o Officer) bool {
		return o.U == epoch.ByOfficer || !epoch.covers(o.KeyID)
	})
	return epoch, []Group{{Role: "other members of " + d + " with a package", Need: 1, Keys: signingKeys(others)}}, nil
}

func (e Epoch) covers(keyID string) bool {
	return slices.ContainsFunc(e.Pkg, func(p Package) bool { return p.Key == keyID })
}

func signingKeys(officers []Officer) []ed25519.PublicKey {
	keys := make([]ed25519.PublicKey, len(officers))
	for i, o := range officers {
		keys[i] = o.Key
	}
	return keys
}

// epochKey orders the epochs of a desk by number.
func epochKey(d string, e int64) string { return fmt.Sprintf("%s/%05d", d, e) }

func (b *DeskEpoch) enact(c *change) {
	maker, _ := c.officers.get(c.signers[0], c.n)
	c.used = c.used.with(b.RK, c.n, struct{}{})
	c.latest = c.latest.with(b.D, c.n, b.E)
	c.epochs = c.epochs.with(epochKey(b.D, b.E), c.n, Epoch{
		D: b.D, E: b.E, RK: b.RK, Why: b.Why, At: b.At, DirN: c.n,
		By: maker.KeyID, ByOfficer: maker.U, Pkg: b.Pkg, Esc: b.Esc, Acks: []string{},
	})
	for _, p := range b.Pkg {
		c.wrap(p.SHA256, Wrapped{D: b.D, E: b.E, Key: p.Key})
	}
	for _, e := range b.Esc {
		c.wrap(e.SHA256, Wrapped{D: b.D, E: b.E})
	}
}

// wrap notes for whom a file is. It stays that of the epoch that named it first:
// whoever names it again, as a package of hers or as the escrow of a desk whose
// custodians she knows, neither gets it by that nor takes it from whose it is.
func (c *change) wrap(sha256 string, w Wrapped) {
	if _, known := c.wrapped.get(sha256, c.n+1); !known {
		c.wrapped = c.wrapped.with(sha256, c.n, w)
	}
}

func (b *DeskEpochAck) enact(c *change) {
	epoch, _ := c.epochs.get(epochKey(b.D, b.E), c.n+1)
	epoch.Acks = append(slices.Clip(epoch.Acks), c.signers[0])
	if !epoch.Acked {
		epoch.Acked, epoch.AckedAt = true, b.At
	}
	c.epochs = c.epochs.with(epochKey(b.D, b.E), c.n, epoch)
}

func (b *DeskEpochDispute) enact(c *change) {
	epoch, _ := c.epochs.get(epochKey(b.D, b.E), c.n+1)
	epoch.Disputed, epoch.DisputedAt, epoch.DisputeWhy, epoch.DisputedBy = true, b.At, b.Why, c.signers[0]
	c.epochs = c.epochs.with(epochKey(b.D, b.E), c.n, epoch)
}
