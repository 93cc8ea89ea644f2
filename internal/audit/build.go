package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
)

// Pieces are what an evidence file is made of.
type Pieces struct {
	Item  evidence.Item // an opening, from a feed or an answer
	Proof []byte        // .tlog-proof of its leaf in the evidence tree
}

// Chain is where the key chain of a file comes from: the directory tree.
type Chain struct {
	// Leaf returns an entry of the directory. It is asked for every index below
	// the one under which the statement was accepted, in order.
	Leaf func(idx int64) ([]byte, error)
	// Proof returns the .tlog-proof of an entry of the directory. It is asked
	// only for the entries that go into the file.
	Proof func(idx int64) ([]byte, error)
}

// BuildEvidence makes the evidence file of one opening and verifies it, so that
// none leaves which does not verify. Its bytes are the same every time.
func BuildEvidence(p Pieces, c Chain) ([]byte, error) {
	it, err := p.item()
	if err != nil {
		return nil, err
	}
	dir, genesis, err := c.entries([]item{it})
	if err != nil {
		return nil, err
	}
	file, err := encodeFile(evidenceFile{Dir: dir, Idx: it.Idx, Opening: it.Opening, Proof: it.Proof, Type: TypeEvidence, V: 1})
	if err != nil {
		return nil, err
	}
	_, err = VerifyEvidence(file, Trust{Genesis: genesis})
	return file, err
}

// BuildReceipt makes the receipt of a consent out of the openings of its
// versions, ascending, each with its proof, and verifies it.
func BuildReceipt(versions []Pieces, c Chain) ([]byte, error) {
	if len(versions) < 1 || len(versions) > MaxVersions {
		return nil, fmt.Errorf("audit: a receipt of %d versions, want 1 to %d", len(versions), MaxVersions)
	}
	f := receiptFile{Type: TypeReceipt, V: 1}
	for _, p := range versions {
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		f.Items = append(f.Items, it)
	}
	var err error
	var genesis string
	if f.Consent, err = consentOf(f.Items[0]); err != nil {
		return nil, err
	}
	if f.Dir, genesis, err = c.entries(f.Items); err != nil {
		return nil, err
	}
	file, err := encodeFile(f)
	if err != nil {
		return nil, err
	}
	_, err = VerifyReceipt(file, Trust{Genesis: genesis})
	return file, err
}

func consentOf(it item) (string, error) {
	o := it.Opening.evidence()
	meta, _, err := o.Decode()
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	if _, ok := consent.ActOf(meta.Ev); !ok {
		return "", fmt.Errorf("audit: entry %d is %.40s, not a version of a consent", it.Idx, meta.Ev)
	}
	return meta.Obj, nil
}

func (p *Pieces) item() (item, error) {
	o, err := p.Item.Opening()
	if err != nil {
		return item{}, fmt.Errorf("audit: entry %d: %w", p.Item.Idx, err)
	}
	return item{Idx: p.Item.Idx, Opening: openingOf(o), Proof: string(p.Proof)}, nil
}

// entries finds the directory entries that lead to the signers of the items.
func (c *Chain) entries(items []item) ([]dirEntry, string, error) {
	w := newWanted()
	for _, it := range items {
		if err := w.want(it); err != nil {
			return nil, "", err
		}
	}
	if w.dirn < 1 {
		return nil, "", errors.New("audit: an entry accepted before there was a genesis")
	}
	chosen, err := w.choose(c)
	if err != nil {
		return nil, "", err
	}
	var dir []dirEntry
	for _, idx := range chosen {
		leaf, err := c.Leaf(idx)
		if err != nil {
			return nil, "", fmt.Errorf("audit: directory entry %d: %w", idx, err)
		}
		proof, err := c.Proof(idx)
		if err != nil {
			return nil, "", fmt.Errorf("audit: proof of directory entry %d: %w", idx, err)
		}
		dir = append(dir, dirEntry{Idx: idx, Leaf: leaf, Proof: string(proof)})
	}
	return dir, directory.LeafHash(dir[0].Leaf), nil
}

// wanted is what a key chain must lead to.
type wanted struct {
	dirn  int64
	keys  map[string]bool
	desks map[string]bool
	insts map[string]bool // found on the way
	users map[string]bool
	house map[string][]int64 // subject -> entries that may be needed

	custody bool // a custodian signed
}

func newWanted() *wanted {
	return &wanted{keys: map[string]bool{}, desks: map[string]bool{}, insts: map[string]bool{}, users: map[string]bool{},
		house: map[string][]int64{}}
}

func (w *wanted) want(it item) error {
	o := it.Opening.evidence()
	meta, priv, err := o.Decode()
	if err != nil {
		return fmt.Errorf("audit: entry %d: %w", it.Idx, err)
	}
	w.dirn = max(w.dirn, meta.DirN)
	if priv.Stmt == nil {
		return nil
	}
	s, err := read(meta, priv)
	if err != nil {
		return fmt.Errorf("audit: entry %d: %w", it.Idx, err)
	}
	w.desks[s.by.Desk], w.insts[s.by.Inst] = true, true
	w.custody = w.custody || evidence.IsEscrow(meta.Ev)
	for _, sig := range priv.Stmt.Signatures {
		w.keys[sig.KeyID] = true
	}
	return nil
}

// choose reads the directory once and keeps, per subject, where it is spoken of;
// then it takes the subjects that the signers led to.
func (w *wanted) choose(c *Chain) ([]int64, error) {
	for idx := range w.dirn {
		leaf, err := c.Leaf(idx)
		if err != nil {
			return nil, fmt.Errorf("audit: directory entry %d: %w", idx, err)
		}
		signed, err := directory.Decode(leaf)
		if err != nil {
			return nil, fmt.Errorf("audit: directory entry %d: %w", idx, err)
		}
		w.note(idx, signed)
	}
	chosen := w.house[directory.Charter]
	for _, subjects := range []map[string]bool{w.insts, w.users, w.desks} {
		for subject := range subjects {
			chosen = append(chosen, w.house[subject]...)
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// note remembers an entry if it may become part of the chain.
func (w *wanted) note(idx int64, s *directory.Signed) {
	switch b := s.Body.(type) {
	case *directory.OfficerEnrol:
		if w.keys[b.Key] {
			w.users[b.U], w.insts[b.I] = true, true
		}
	case *directory.InstCustodians:
		if !w.custody {
			return
		}
	case *directory.Genesis, *directory.Policy, *directory.DelegateRevoke, *directory.InstJoin, *directory.InstProfile,
		*directory.InstRoot, *directory.InstRegistrars, *directory.OfficerRevoke, *directory.DeskProfile, *directory.DeskMembers:
	default:
		return
	}
	w.house[s.Subject] = append(w.house[s.Subject], idx)
}
