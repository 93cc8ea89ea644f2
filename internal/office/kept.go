package office

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Files of an own act in the folder proofs, after its index. A provisional proof
// gives way to the one that a quorum confirmed.
const (
	proofsDir       = "proofs"
	openingSuffix   = ".opening.json"
	provisionalFile = ".provisional.tlog-proof"
	proofSuffix     = ".tlog-proof"
)

// Kept is an own act whose opening the notebook holds.
type Kept struct {
	Idx      int64           `json:"idx"`
	Standing ledger.Standing `json:"standing"` // of its proof; [NotConfirmed] without one, "" for one that will not change any more
}

// completeAtOnce is how many proofs one synchronisation asks for.
const completeAtOnce = 16

func (n *Notebook) proofPath(idx int64, suffix string) string {
	return filepath.Join(n.dir, proofsDir, strconv.FormatInt(idx, 10)+suffix)
}

// Kept lists the own acts that the notebook holds, by index.
func (n *Notebook) Kept() ([]Kept, error) {
	if n.dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(filepath.Join(n.dir, proofsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %w", err)
	}
	have := map[string]bool{}
	for _, f := range files {
		have[f.Name()] = true
	}
	list := []Kept{}
	for name := range have {
		number, ok := strings.CutSuffix(name, openingSuffix)
		idx, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || idx < 0 {
			continue
		}
		k := Kept{Idx: idx, Standing: NotConfirmed}
		switch {
		case have[number+proofSuffix]:
			k.Standing = ""
		case have[number+provisionalFile]:
			k.Standing = ledger.Provisional
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Kept) int { return cmp.Compare(a.Idx, b.Idx) })
	return list, nil
}

// keepOpening holds the opening of an own act, which proves nothing without its
// proof: that comes later.
func (n *Notebook) keepOpening(item evidence.Item) error {
	if err := os.MkdirAll(filepath.Join(n.dir, proofsDir), 0o700); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	raw, err := statement.Marshal(item)
	if err != nil {
		return err
	}
	return replaceFile(n.proofPath(item.Idx, openingSuffix), raw)
}

func (n *Notebook) keptOpening(idx int64) (item evidence.Item, err error) {
	return item, n.read(filepath.Join(proofsDir, strconv.FormatInt(idx, 10)+openingSuffix), &item)
}

// keepProof holds the proof of an own act whose opening is held, and returns the
// file; of other acts it holds nothing.
func (n *Notebook) keepProof(idx int64, c Confirmation) (string, error) {
	if n.dir == "" {
		return "", nil
	}
	if _, err := os.Stat(n.proofPath(idx, openingSuffix)); err != nil {
		return "", nil
	}
	last, provisional := n.proofPath(idx, proofSuffix), n.proofPath(idx, provisionalFile)
	if c.Standing == ledger.Provisional {
		return provisional, replaceFile(provisional, c.Proof)
	}
	if err := replaceFile(last, c.Proof); err != nil {
		return "", err
	}
	if err := os.Remove(provisional); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("office: %w", err)
	}
	return last, nil
}

// wrote remembers an own act, unless nothing is to stay on this computer. It is
// on record whatever happens here, so that it cannot be kept is said by Unkept.
func (o *Office) wrote(item evidence.Item) {
	if err := errors.Join(o.noteEnds(item), o.noteSealed(item)); err != nil {
		o.unkept(err)
	}
	if !o.keeps() {
		return
	}
	if err := o.Notebook.keepOpening(item); err != nil {
		o.unkept(err)
	}
}

// noteEnds remembers how far the feeds of the officer's desks go at least.
func (o *Office) noteEnds(item evidence.Item) error {
	_, priv, err := openItem(item)
	if err != nil {
		return nil // the answer is checked where it is used
	}
	me, err := o.Me()
	if err != nil {
		return nil // a registrar reads no feed
	}
	var errs []error
	for _, desk := range o.Directory().DesksOf(me.U) {
		for _, to := range priv.To {
			if to.Desk == desk {
				errs = append(errs, o.Notebook.keepFeedEnd(desk, to.N))
			}
		}
	}
	return errors.Join(errs...)
}

func (o *Office) unkept(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notKept = errors.Join(o.notKept, err)
}

// Unkept says what of own acts could not be written to this computer, once.
// They are on record all the same.
func (o *Office) Unkept() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.notKept
	o.notKept = nil
	return err
}

// keeps reports whether own acts stay on this computer: of an officer they do,
// of a representative only when asked.
func (o *Office) keeps() bool {
	if o.Notebook.dir == "" {
		return false
	}
	me, err := o.Me()
	if err != nil || o.KeepProofs {
		return true
	}
	dir := o.Directory()
	desks := dir.DesksOf(me.U)
	return !slices.ContainsFunc(desks, func(d string) bool { return dir.TypeOfDesk(d) == directory.Representative })
}

// completeProofs asks for the proofs of own acts that have none yet, or only a
// provisional one that may have become final. What cannot be had today is asked
// for the next time.
func (o *Office) completeProofs(ctx context.Context) error {
	list, err := o.Notebook.Kept()
	if err != nil {
		return err
	}
	for _, idx := range o.toComplete(list) {
		item, err := o.Notebook.keptOpening(idx)
		if err == nil {
			_, err = o.Prove(ctx, item)
		}
		var security *SecurityError
		if errors.As(err, &security) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// toComplete chooses the acts whose proofs are asked for now: those without any
// first, then provisional ones, each time from another on, so that some that
// never become final keep no others from it.
func (o *Office) toComplete(list []Kept) []int64 {
	var missing, provisional []int64
	for _, k := range list {
		switch {
		case k.Standing == NotConfirmed:
			missing = append(missing, k.Idx)
		case k.Standing == ledger.Provisional && o.confirmable(k.Idx):
			provisional = append(provisional, k.Idx)
		}
	}
	if n := int64(len(provisional)); n > completeAtOnce {
		from := o.latest() / 1000 % n
		provisional = append(provisional[from:], provisional[:from]...)
	}
	all := append(missing, provisional...)
	return all[:min(len(all), completeAtOnce)]
}

// confirmable reports whether a quorum confirmed a tree that holds an entry.
func (o *Office) confirmable(idx int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.standingOf(idx) != ledger.Provisional
}
