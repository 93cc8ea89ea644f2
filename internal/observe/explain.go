package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// explain makes an alarm of why a mirror could not grow to c, if it was not the
// network. The caller holds m.grow.
func (o *Observer) explain(ctx context.Context, m *Mirror, c ledger.Checkpoint, signed []byte, cause error) error {
	_, held := m.At()
	files := map[string][]byte{"shown.checkpoint": signed}
	if held != nil {
		files["held.checkpoint"] = held
	}
	var rule *RuleError
	var tree *TreeError
	switch {
	case errors.As(cause, &rule):
		files[fmt.Sprintf("entry-%d.json", rule.Idx)] = rule.Leaf
		return o.Alarms.raise(Rules, Severe, fmt.Sprintf("%d %s", rule.Idx, tlog.RecordHash(rule.Leaf)),
			fmt.Sprintf("directory entry %d breaks the rules: it is not accepted here, and no checkpoint over it is cosigned", rule.Idx), files)
	case !errors.As(cause, &tree) || o.explained(m.log) == c:
		return nil
	}
	if err := o.explainTree(ctx, m, c, tree, files); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.named[m.log] = c
	return nil
}

// explained is the tree that was looked into last: that may read all of it, and
// is done once.
func (o *Observer) explained(log ledger.Log) ledger.Checkpoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.named[log]
}

func (o *Observer) explainTree(ctx context.Context, m *Mirror, c ledger.Checkpoint, tree *TreeError, files map[string][]byte) error {
	forked, err := o.forked(ctx, m, c, files)
	switch {
	case err != nil || forked:
		return err
	case tree.Idx >= 0:
		return o.changedEntry(ctx, m, c, tree.Idx, files)
	}
	return o.damaged(ctx, m.log, o.Source.Tiles(m.log), c, files)
}

// changedEntry is the alarm of an entry that was another when it was mirrored.
func (o *Observer) changedEntry(ctx context.Context, m *Mirror, c ledger.Checkpoint, idx int64, files map[string][]byte) error {
	leaf, err := m.Entry(ctx, idx)
	if err != nil {
		return err
	}
	files[fmt.Sprintf("entry-%d.mirrored", idx)] = leaf
	if shown, err := entryOf(ctx, o.Source.Tiles(m.log), c.Size, idx); err == nil {
		files[fmt.Sprintf("entry-%d.shown", idx)] = shown
	}
	if err := o.addProof(ctx, m, idx, files); err != nil {
		return err
	}
	return o.Alarms.raise(Entries, Severe, fmt.Sprintf("%s entry %d", m.log, idx),
		fmt.Sprintf("entry %d of the %s was changed: the exchange shows another than was mirrored", idx, treeName(m.log)), files)
}

// entryOf reads one entry of a tree of a size.
func entryOf(ctx context.Context, src ledger.TileSource, size, idx int64) ([]byte, error) {
	n := idx >> ledger.TileHeight
	w := int(min(ledger.TileWidth, size-n<<ledger.TileHeight))
	data, err := src.Tile(ctx, ledger.Bundle(n, w))
	if err != nil {
		return nil, err
	}
	entries, err := ledger.ParseBundle(data, w)
	if err != nil {
		return nil, err
	}
	return entries[idx-n<<ledger.TileHeight], nil
}

// forked asks the exchange's own tiles, each proven to lead to c, which root the
// tree had when it was as large as the mirror. Another one than was signed then
// is a fork, and the proof is the exchange's own.
func (o *Observer) forked(ctx context.Context, m *Mirror, c ledger.Checkpoint, files map[string][]byte) (bool, error) {
	at, _ := m.At()
	if at.Size == 0 {
		return false, nil
	}
	hashes := ledger.TileHashes(ctx, o.Source.Tiles(m.log), c)
	root, err := tlog.TreeHash(at.Size, hashes)
	if err != nil || root == at.Root {
		return false, nil // its tiles do not even lead to c, or they do and the entries do not
	}
	proof, err := tlog.ProveTree(c.Size, at.Size, hashes)
	if err != nil {
		return false, nil
	}
	files["proof.txt"] = proofText(at.Size, root, c, proof)
	return true, o.Alarms.raise(Fork, Severe, fmt.Sprintf("%s %d %s", m.log, c.Size, c.Root),
		fmt.Sprintf("the exchange signed two histories of its %s: what it signed at size %d does not go on from what it signed at size %d", treeName(m.log), c.Size, at.Size), files)
}

// proofText spells that the tree of to had a root at an earlier size.
func proofText(size int64, root tlog.Hash, to ledger.Checkpoint, proof tlog.TreeProof) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "The tree of size %d and root %s\nhad, at size %d, the root %s\nby this consistency proof (RFC 6962, section 2.1.2):\n", to.Size, to.Root, size, root)
	for _, h := range proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	return b.Bytes()
}

// damaged says which entry or hash of a source is not as the checkpoint has it.
func (o *Observer) damaged(ctx context.Context, log ledger.Log, src ledger.TileSource, c ledger.Checkpoint, files map[string][]byte) error {
	findings, err := ledger.AuditTree(ctx, src, c, nil)
	if err != nil {
		return err
	}
	if len(findings) == 0 {
		return nil // it was repaired meanwhile, or shown to us alone for once
	}
	var list bytes.Buffer
	for _, f := range findings {
		fmt.Fprintln(&list, f)
	}
	files["findings.txt"] = list.Bytes()
	if t, err := ledger.ParseTilePath(findings[0].Path); err == nil {
		if data, err := src.Tile(ctx, t); err == nil {
			files["shown.tile"] = data
		}
	}
	return o.Alarms.raise(Entries, Severe, fmt.Sprintf("%s %s %d", log, findings[0].Part, findings[0].At), foundText(log, findings[0]), files)
}

func foundText(log ledger.Log, f ledger.Finding) string {
	switch f.Part {
	case ledger.PartEntry:
		return fmt.Sprintf("entry %d of the %s was changed: it is not the one that was signed", f.At, treeName(log))
	case ledger.PartTile:
		return fmt.Sprintf("a stored hash of the %s was changed (tile %s): its entries have another", treeName(log), f.Path)
	}
	return fmt.Sprintf("the %s at the exchange is not the one that was signed: %s", treeName(log), f)
}

// addProof adds the proof that an entry is the mirror's.
func (o *Observer) addProof(ctx context.Context, m *Mirror, idx int64, files map[string][]byte) error {
	at, held := m.At()
	path, err := tlog.ProveRecord(at.Size, idx, m.hashes(ctx, at))
	if err != nil {
		return err
	}
	files[fmt.Sprintf("entry-%d.tlog-proof", idx)] = ledger.Proof{Index: idx, Path: path, Checkpoint: held}.Format()
	return nil
}
