package office

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Sync follows the directory: it fetches new entries, replays their meaning,
// recomputes the tree from the entries themselves and compares it with the
// signed checkpoint. Then it follows the evidence tree's checkpoint.
func (o *Office) Sync(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.syncDirectory(ctx); err != nil {
		return err
	}
	if o.dir.Demo() && !o.Demo {
		return ErrDemo
	}
	if o.WeakKeys && !o.dir.Demo() {
		return ErrWeakKeys
	}
	return o.syncEvidence(ctx)
}

func (o *Office) syncDirectory(ctx context.Context) error {
	signed, err := o.Client.Checkpoint(ctx, wire.Dir)
	if err != nil {
		return err
	}
	leaves, dir, err := o.follow(ctx)
	if err != nil {
		return err
	}
	cp, err := o.checkpoint(dir, ledger.Dir, signed)
	if err != nil {
		return err
	}
	all := append(o.Notebook.leaves[:len(o.Notebook.leaves):len(o.Notebook.leaves)], leaves...)
	if cp.Size < int64(len(o.Notebook.leaves)) {
		return o.lie("the directory became smaller", o.Notebook.marks.Dir, signed)
	}
	if cp.Size == 0 {
		return o.lie("its directory has no genesis", signed)
	}
	if err := o.extendsMark(dir, cp, all, signed); err != nil {
		return err
	}
	// Entries beyond the checkpoint wait for the next one.
	all = all[:min(cp.Size, int64(len(all)))]
	if int64(len(all)) < cp.Size || rootOf(all) != cp.Root {
		return o.lie("the directory's entries do not give its signed root", o.Notebook.marks.Dir, signed)
	}
	return o.adopt(all, dir, signed)
}

// extendsMark holds the entries against the last checkpoint seen, when the
// entries that it was made of are not in the notebook any more.
func (o *Office) extendsMark(dir *directory.State, cp ledger.Checkpoint, all [][]byte, signed []byte) error {
	mark := o.Notebook.marks.Dir
	if len(mark) == 0 {
		return nil
	}
	old, err := o.checkpoint(dir, ledger.Dir, mark)
	if err != nil || old.Size <= int64(len(o.Notebook.leaves)) {
		return err
	}
	if cp.Size < old.Size || int64(len(all)) < old.Size || rootOf(all[:old.Size]) != old.Root {
		return o.lie("the directory is not the one that was seen before", mark, signed)
	}
	return nil
}

// follow fetches and applies what comes after the leaves held.
func (o *Office) follow(ctx context.Context) ([][]byte, *directory.State, error) {
	dir, fresh := o.dir, [][]byte{}
	for {
		page, err := o.Client.Entries(ctx, dir.N(), 0)
		if err != nil || len(page) == 0 {
			return fresh, dir, err
		}
		for _, leaf := range page {
			if dir.N() == 0 && directory.LeafHash(leaf) != o.Notebook.Pin.Genesis {
				return nil, nil, o.lie("its genesis is not the one this program was set up with", leaf)
			}
			next, err := dir.Apply(leaf)
			if err != nil {
				return nil, nil, o.lie(fmt.Sprintf("directory entry %d breaks the rules: %v", dir.N(), err), leaf)
			}
			dir, fresh = next, append(fresh, leaf)
		}
	}
}

// adopt keeps what was verified.
func (o *Office) adopt(all [][]byte, dir *directory.State, signed []byte) error {
	if dir.N() > int64(len(all)) {
		var err error
		if dir, err = replayed(all); err != nil {
			return err
		}
	}
	fresh := all[len(o.Notebook.leaves):]
	if err := o.Notebook.keep(fresh); err != nil {
		return err
	}
	o.dir = dir
	if bytes.Equal(o.Notebook.marks.Dir, signed) {
		return nil
	}
	o.Notebook.marks.Dir = signed
	return o.Notebook.write(marksFile, o.Notebook.marks)
}

func replayed(leaves [][]byte) (*directory.State, error) {
	dir := directory.New()
	for _, leaf := range leaves {
		next, err := dir.Apply(leaf)
		if err != nil {
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// rootOf is the RFC 6962 root over the entries.
func rootOf(leaves [][]byte) tlog.Hash {
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = hashes[at]
		}
		return out, nil
	})
	for i, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(i), leaf, read)
		if err != nil {
			return tlog.Hash{}
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), read)
	if err != nil {
		return tlog.Hash{}
	}
	return root
}

// checkpoint verifies a signed checkpoint under the key the directory names.
func (o *Office) checkpoint(dir *directory.State, log ledger.Log, signed []byte) (ledger.Checkpoint, error) {
	v, err := verifier(dir, log)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	cp, err := ledger.ParseCheckpoint(signed, v)
	if err != nil {
		return cp, o.lie("a checkpoint is not signed by the ledger's key", signed)
	}
	return cp, nil
}

func verifier(dir *directory.State, log ledger.Log) (note.Verifier, error) {
	logs := dir.Logs()
	vkey := logs.Ev
	if log == ledger.Dir {
		vkey = logs.Dir
	}
	return ledger.ParseVerifierKey(vkey)
}

// syncEvidence wants the evidence tree to extend what was seen before.
func (o *Office) syncEvidence(ctx context.Context) error {
	signed, err := o.Client.Checkpoint(ctx, wire.Ev)
	if err != nil {
		return err
	}
	_, err = o.acceptEvidence(ctx, signed)
	return err
}

// ErrProvisional says that no checkpoint covers an entry yet.
var ErrProvisional = errors.New("not confirmed by a checkpoint yet")
