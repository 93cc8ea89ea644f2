package audit

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// maxOpenings bounds the openings of one entry bundle, in bytes.
const maxOpenings = ledger.TileWidth * (maxLine + 1)

// evidence compares the evidence tree with its checkpoint and holds the openings
// against its leaves, bundle by bundle.
func (v *bundleVerifier) evidence() error {
	c, err := v.claimed(ledger.Ev)
	if err != nil {
		return err
	}
	if v.dir != nil {
		v.report.Bundle.SeenEv = v.checkpoint(ledger.Ev, c)
	}
	o := &openings{v: v, size: c.Size, history: newHistory(v, c.Size)}
	damage, err := ledger.AuditTree(v.ctx, tiles{v.a, ledger.Ev}, c, o.take)
	if err != nil {
		return err
	}
	v.treeFindings(ledger.Ev, damage)
	o.history.finish()
	return nil
}

// openings reads the openings beside the leaves they belong to.
type openings struct {
	v       *bundleVerifier
	size    int64
	leaves  [][]byte // of the entry bundle at hand
	history *history
}

func (o *openings) take(idx int64, leaf []byte) error {
	if idx%ledger.TileWidth == 0 {
		o.leaves = o.leaves[:0]
	}
	o.leaves = append(o.leaves, leaf)
	if idx%ledger.TileWidth == ledger.TileWidth-1 || idx == o.size-1 {
		o.page(idx / ledger.TileWidth)
		o.v.progress.tell(ledger.Ev, idx+1, o.size)
	}
	return o.v.ctx.Err()
}

// page checks the openings of one entry bundle: each by itself on all
// processors, then all in their order.
func (o *openings) page(n int64) {
	name := openingsFile(n)
	data, err := o.v.a.file(name, maxOpenings)
	if errors.Is(err, errAbsent) {
		return
	}
	if err != nil {
		o.v.found.file(name, "%v", err)
		return
	}
	shown := o.lines(n, name, data)
	results := make([]checked, len(shown))
	parallel(len(shown), func(i int) {
		results[i] = o.v.check(shown[i], o.leaves[shown[i].idx-n*ledger.TileWidth])
	})
	for i := range results {
		if err := results[i].err; err != nil {
			o.v.found.entry(ledger.Ev, shown[i].idx, "%v", err)
			continue
		}
		o.history.take(&results[i])
	}
}

// lines splits a file of openings; they must ascend within its bundle.
func (o *openings) lines(n int64, name string, data []byte) []*shownOpening {
	var shown []*shownOpening
	next, end := n*ledger.TileWidth, n*ledger.TileWidth+int64(len(o.leaves))
	for number := 1; len(data) > 0; number++ {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		data = rest
		s, err := parseLine(line)
		switch {
		case err == nil && !ended:
			err = errors.New("is cut short")
		case err == nil && (s.idx < next || s.idx >= end):
			err = fmt.Errorf("opens entry %d, which does not stand here", s.idx)
		}
		if err != nil {
			o.v.found.file(name, "line %d, of entry %d or later: %v", number, next, err)
			continue
		}
		next = s.idx + 1
		shown = append(shown, s)
	}
	return shown
}

// checked is an opening that was looked at by itself.
type checked struct {
	meta *evidence.Meta
	priv *evidence.Priv // nil if only META is shown
	said *said
	sigs int
	err  error
}

// check looks at one opening by itself: its leaf, its meaning, and who signed
// it under the directory of the time. It is called on many processors at once.
func (v *bundleVerifier) check(s *shownOpening, leaf []byte) (c checked) {
	if c.meta, c.priv, c.err = s.check(leaf); c.err != nil || c.priv == nil {
		return c
	}
	if c.said, c.err = read(c.meta, c.priv); c.err != nil || v.dir == nil {
		return c
	}
	if c.meta.DirN < 1 || c.meta.DirN > v.dir.N() {
		c.err = fmt.Errorf("dirn: %d, the directory has %d entries", c.meta.DirN, v.dir.N())
		return c
	}
	view := v.dir.At(c.meta.DirN)
	if c.err = checkPack(view, &c); c.err != nil || c.priv.Stmt == nil {
		return c
	}
	c.sigs = len(c.priv.Stmt.Signatures)
	c.err = checkSigners(view, &c)
	return c
}

// checkSigners verifies the signatures of a statement and that those who signed
// might act, by the directory as it was.
func checkSigners(view directory.View, c *checked) error {
	_, err := verifyStatement(c.priv.Stmt, c.said.by, func(key, desk string) (Signer, []byte, error) {
		if evidence.IsEscrow(c.meta.Ev) {
			inst, _ := view.Institution(view.InstOfDesk(desk))
			return custodian(inst.I, inst.Custodians.Keys, key, desk)
		}
		o, ok := view.OfficerByKey(key)
		if !ok {
			return Signer{}, nil, fmt.Errorf("key %.80q was not enrolled", key)
		}
		who := Signer{Key: key, Officer: o.U, Inst: o.Inst, Desk: desk}
		if desk != "" {
			return who, o.Key, view.MayAct(key, desk, c.meta.At)
		}
		if !o.ActiveAt(c.meta.At) {
			return who, nil, fmt.Errorf("key %s was revoked or out of its term", key)
		}
		return who, o.Key, nil
	})
	if err != nil {
		return err
	}
	if want := view.TypeOfDesk(c.said.by.Desk); c.meta.From != want {
		return fmt.Errorf("from: %.40q, the desk is of type %s", c.meta.From, want)
	}
	if n, ok := c.said.body.(*messaging.Notice); ok {
		return errors.Join(checkTypes(view, c.meta.To, n.Core), checkEpochs(view, n.Core))
	}
	return nil
}

// checkEpochs wants every recipient named under the key that senders were to use.
func checkEpochs(view directory.View, core *messaging.Core) error {
	for _, to := range core.To {
		e, ok := view.ActiveEpoch(to.Desk)
		if !ok || e.E != to.Epoch || e.RK != to.RK {
			return fmt.Errorf("core.to: epoch %d of %s was not its active key", to.Epoch, to.Desk)
		}
	}
	return nil
}

// checkTypes holds META.to of a message against the types of its recipients.
func checkTypes(view directory.View, to []string, core *messaging.Core) error {
	types := []string{}
	for _, r := range core.Others() {
		types = append(types, view.TypeOfDesk(r.Desk))
	}
	slices.Sort(types)
	if !slices.Equal(slices.Compact(types), to) {
		return fmt.Errorf("to: %v, the recipients are of types %v", to, slices.Compact(types))
	}
	return nil
}

// checkPack wants PRIV.pack to be a pack that was adopted, and of a signed
// statement the one in force that it names.
func checkPack(view directory.View, c *checked) error {
	if c.said.pack != "" {
		id, hash := view.AdoptedPack(family(c.said.pack), c.meta.At)
		if id != c.said.pack {
			return fmt.Errorf("pack: %s was not in force", c.said.pack)
		}
		if _, ok := c.said.body.(*messaging.Notice); ok && c.priv.Pack != hash {
			return fmt.Errorf("pack: not the hash under which %s was adopted", id)
		}
	}
	if c.priv.Pack == "" {
		return nil
	}
	for _, p := range view.Packs() {
		if p.Hash == c.priv.Pack {
			return nil
		}
	}
	return errors.New("pack: no pack with this hash was adopted")
}

// family is the part of a pack's id before the version.
func family(id string) string {
	for i := range id {
		if id[i] == '@' {
			return id[:i]
		}
	}
	return id
}

// parallel calls do for 0…n-1, spread over the processors, and waits.
func parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}
