package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// custodians takes the keys that an institution's custodians sign with.
func (c *chain) custodians(s *directory.Signed, b *directory.InstCustodians) error {
	root, ok := c.roots[b.I]
	if !ok {
		return errors.New("the institution's joining is not shown")
	}
	if err := signedBy(s.DSSE, group{root.K, root.Keys, "root keys"}); err != nil {
		return err
	}
	c.safes[b.I] = b.Keys
	return nil
}

// custodian says whose key signed a statement about the escrow of a desk.
func (c *chain) custodian(keyID, desk string) (Signer, []byte, error) {
	d, ok := c.desks[desk]
	if !ok {
		return Signer{}, nil, fmt.Errorf("desk %.40q is not in the key chain", desk)
	}
	who, key, err := custodian(d.inst, c.safes[d.inst], keyID, desk)
	who.Type = c.types[d.inst]
	return who, key, err
}

// custodian finds a key among those of an institution's custodians. Each signs
// alone: another signature acts for no desk.
func custodian(inst string, keys []ed25519.PublicKey, keyID, desk string) (Signer, []byte, error) {
	if desk == "" {
		return Signer{}, nil, errors.New("a custodian signs alone")
	}
	at := slices.IndexFunc(keys, func(k ed25519.PublicKey) bool { return statement.KeyID(k) == keyID })
	if at < 0 {
		return Signer{}, nil, fmt.Errorf("key %.80q is none of a custodian of the desk's institution", keyID)
	}
	return Signer{Key: keyID, Inst: inst, Desk: desk}, keys[at], nil
}

// checkReleased holds what the exchange says of a release against itself.
func checkReleased(meta *evidence.Meta, b *evidence.ReleasedData) error {
	switch err := b.Check(); {
	case err != nil:
		return fmt.Errorf("data: %w", err)
	case meta.Obj != b.Desk:
		return fmt.Errorf("obj: %.40q is not the desk of the release", meta.Obj)
	case b.Until != meta.At+evidence.EscrowTerm:
		return errors.New("until: a release lasts 7 days from its time")
	case slices.ContainsFunc(b.Requests, func(r evidence.ReleaseAsk) bool { return r.Idx >= meta.Idx }):
		return errors.New("requests: one is no earlier entry")
	}
	return nil
}

// escrowBook is what was said about the escrow of one desk: the requests that
// still count, and the releases.
type escrowBook struct {
	open     map[int64]escrowAsked
	releases map[int64]*evidence.ReleasedData
}

type escrowAsked struct {
	at  int64
	key string
	ask *evidence.EscrowAsk
}

// escrow follows what custodians ask, and wants every release to be what they
// asked for.
func (h *history) escrow(c *checked) {
	desk := c.meta.Obj
	book := h.escrows[desk]
	if book == nil {
		book = &escrowBook{open: map[int64]escrowAsked{}, releases: map[int64]*evidence.ReleasedData{}}
		h.escrows[desk] = book
	}
	switch b := c.said.body.(type) {
	case *evidence.EscrowRequest:
		book.open[c.meta.Idx] = escrowAsked{c.meta.At, b.By.Key, &b.EscrowAsk}
	case *evidence.EscrowRefusal:
		for idx, r := range book.open {
			if r.key == b.By.Key && r.ask.Equal(&b.EscrowAsk) {
				delete(book.open, idx)
			}
		}
	case *evidence.ReleasedData:
		if err := h.released(c.meta, book, b); err != nil {
			h.found(c.meta.Idx, "%v", err)
		}
		book.releases[c.meta.Idx] = b
	case *evidence.EscrowReport:
		r, shown := book.releases[b.Release]
		if !shown && h.holes {
			return
		}
		if !shown || !r.Equal(&b.EscrowAsk) || !slices.Contains(r.Keys(), b.By.Key) {
			h.found(c.meta.Idx, "release: entry %d releases nothing of that to its signer", b.Release)
		}
	}
}

// released wants as many custodians as the institution's root asked for, each with
// a request for the same that still counted, and exactly the files that are sealed
// to them alone.
func (h *history) released(m *evidence.Meta, book *escrowBook, b *evidence.ReleasedData) error {
	for _, q := range b.Requests {
		r, shown := book.open[q.Idx]
		delete(book.open, q.Idx)
		switch {
		case !shown && h.holes:
			continue
		case !shown:
			return fmt.Errorf("requests: entry %d is no request that still counted", q.Idx)
		case r.key != q.Key || !r.ask.Equal(&b.EscrowAsk):
			return fmt.Errorf("requests: entry %d asks for something else, or is another custodian's", q.Idx)
		case r.at <= m.At-evidence.EscrowTerm:
			return fmt.Errorf("requests: entry %d is older than 7 days", q.Idx)
		}
	}
	view := h.v.dir.At(m.DirN)
	inst, _ := view.Institution(view.InstOfDesk(b.Desk))
	if inst.Custodians.K < 1 || len(b.Requests) < inst.Custodians.K {
		return fmt.Errorf("requests: %d custodians asked, the institution wants %d", len(b.Requests), inst.Custodians.K)
	}
	var files []evidence.ReleasedFile
	for _, e := range b.Epochs {
		epoch, _ := view.Epoch(b.Desk, e)
		mine := view.EscrowFiles(epoch, b.Keys())
		if len(mine) == 0 {
			return fmt.Errorf("files: none of key %d is sealed only to custodians who asked", e)
		}
		for _, f := range mine {
			files = append(files, evidence.ReleasedFile{Cust: f.Cust, E: e, SHA256: f.SHA256})
		}
	}
	same := func(a, b evidence.ReleasedFile) bool {
		return a.E == b.E && a.SHA256 == b.SHA256 && slices.Equal(a.Cust, b.Cust)
	}
	if !slices.EqualFunc(files, b.Files, same) {
		return errors.New("files: not those that are sealed to the custodians who asked")
	}
	return nil
}

func numbers(list []int64) []string {
	var out []string
	for _, n := range list {
		out = append(out, strconv.FormatInt(n, 10))
	}
	return out
}
