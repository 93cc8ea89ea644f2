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

// A SecurityError says that the exchange showed something that an honest one
// cannot show. The program stops and keeps what it was shown as evidence.
type SecurityError struct {
	What  string
	Shown [][]byte // checkpoints or leaves, verbatim
}

func (e *SecurityError) Error() string {
	return "the exchange's record does not agree with itself: " + e.What +
		" (do not send anything; give the evidence to your institution's auditor)"
}

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
		return &SecurityError{What: "the directory became smaller", Shown: [][]byte{o.Notebook.marks.Dir, signed}}
	}
	// Entries beyond the checkpoint wait for the next one.
	all = all[:min(cp.Size, int64(len(all)))]
	if int64(len(all)) < cp.Size || rootOf(all) != cp.Root {
		return &SecurityError{What: "the directory's entries do not give its signed root", Shown: [][]byte{o.Notebook.marks.Dir, signed}}
	}
	return o.adopt(all, dir, signed)
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
				return nil, nil, &SecurityError{What: "its genesis is not the one this program was set up with", Shown: [][]byte{leaf}}
			}
			next, err := dir.Apply(leaf)
			if err != nil {
				return nil, nil, &SecurityError{What: fmt.Sprintf("directory entry %d breaks the rules: %v", dir.N(), err), Shown: [][]byte{leaf}}
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
		return cp, &SecurityError{What: "a checkpoint is not signed by the ledger's key", Shown: [][]byte{signed}}
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

// acceptEvidence verifies a checkpoint of the evidence tree against the last
// one and remembers the larger.
func (o *Office) acceptEvidence(ctx context.Context, signed []byte) (ledger.Checkpoint, error) {
	cp, err := o.checkpoint(o.dir, ledger.Ev, signed)
	if err != nil {
		return cp, err
	}
	if len(o.Notebook.marks.Ev) == 0 {
		o.Notebook.marks.Ev = signed
		return cp, o.Notebook.write(marksFile, o.Notebook.marks)
	}
	old, err := o.checkpoint(o.dir, ledger.Ev, o.Notebook.marks.Ev)
	if err != nil {
		return cp, err
	}
	if old.Size == cp.Size && old.Root == cp.Root {
		return cp, nil
	}
	small, large := old, cp
	if cp.Size < old.Size {
		small, large = cp, old
	}
	hashes, err := o.Client.Consistency(ctx, wire.Ev, small.Size, large.Size)
	if err != nil {
		return cp, err
	}
	proof := make(tlog.TreeProof, 0, len(hashes))
	for _, h := range hashes {
		proof = append(proof, tlog.Hash(h))
	}
	if err := ledger.VerifyConsistency(proof, small, large); err != nil {
		return cp, &SecurityError{What: "the evidence tree was rewritten", Shown: [][]byte{o.Notebook.marks.Ev, signed}}
	}
	if large == cp {
		o.Notebook.marks.Ev = signed
		return cp, o.Notebook.write(marksFile, o.Notebook.marks)
	}
	return cp, nil
}

// ErrProvisional says that no checkpoint covers an entry yet.
var ErrProvisional = errors.New("not confirmed by a checkpoint yet")
