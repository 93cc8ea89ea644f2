package office

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// replica is the directory as this program replayed it. It is a value; a grown
// one leaves the one before as it was.
type replica struct {
	state    *directory.State
	leaves   [][]byte
	tree     tree
	charters []charter
	vouched  int64 // entries that count: those that a quorum confirmed, or all where nobody is asked
}

// replay makes the replica of leaves that were verified before.
func replay(dir *directory.State, leaves [][]byte) replica {
	return replica{state: dir, leaves: leaves, tree: tree{}.grown(leaves), charters: chartersOf(dir.View, nil, 0)}
}

// grown is the replica with more entries, whose state is dir.
func (r replica) grown(dir *directory.State, leaves [][]byte) replica {
	before := r.state.N()
	r.state, r.tree = dir, r.tree.grown(leaves)
	r.leaves = append(r.leaves[:len(r.leaves):len(r.leaves)], leaves...)
	r.charters = chartersOf(dir.View, r.charters, before)
	return r
}

// size is how many entries were verified.
func (r replica) size() int64 { return int64(len(r.leaves)) }

// present are the charters by which what is new is judged: the one that counts,
// and whatever came after it.
func (r replica) present() []charter { return between(r.charters, r.vouched, r.size()) }

// Sync follows the directory: it fetches new entries, replays their meaning,
// recomputes the tree from the entries themselves and compares it with the
// signed checkpoint. Then it finds out how far witnesses confirmed them, follows
// the evidence tree's checkpoint, and asks for the proofs of own acts that it
// does not have yet.
func (o *Office) Sync(ctx context.Context) error {
	if err := o.follow(ctx); err != nil {
		return err
	}
	return o.completeProofs(ctx)
}

func (o *Office) follow(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.syncDirectory(ctx); err != nil {
		return err
	}
	if o.held.state.Demo() && !o.Demo {
		return ErrDemo
	}
	if o.WeakKeys && !o.held.state.Demo() {
		return ErrWeakKeys
	}
	return o.syncEvidence(ctx)
}

func (o *Office) syncDirectory(ctx context.Context) error {
	signed, err := o.Client.Checkpoint(ctx, wire.Dir)
	if err != nil {
		return err
	}
	claimed := claimedSize(signed)
	if claimed == 0 {
		return o.lie("its directory has no genesis", signed)
	}
	next, err := o.fetch(ctx, claimed)
	if err != nil {
		return err
	}
	cp, err := o.checkpoint(next.present(), ledger.Dir, signed)
	if err != nil {
		return err
	}
	if cp.Size < o.held.size() {
		return o.lie("the directory became smaller", o.Notebook.marks.Dir, signed)
	}
	if err := o.extendsMarks(next, cp, signed); err != nil {
		return err
	}
	if next.size() < cp.Size || next.tree.root(cp.Size) != cp.Root {
		return o.lie("the directory's entries do not give its signed root", o.Notebook.marks.Dir, signed)
	}
	return o.adopt(ctx, next, cp, signed)
}

// extendsMarks holds the entries against the last checkpoints seen, when the
// entries that they were made of are not in the notebook any more.
func (o *Office) extendsMarks(next replica, cp ledger.Checkpoint, signed []byte) error {
	for _, mark := range [][]byte{o.Notebook.marks.Dir, o.Notebook.marks.DirCounted} {
		if len(mark) == 0 {
			continue
		}
		old, err := parseCheckpoint(mark, keys(next.charters, ledger.Dir))
		if err != nil || min(cp.Size, next.size()) < old.Size || next.tree.root(old.Size) != old.Root {
			return o.lie("the directory is not the one that was seen before", mark, signed)
		}
	}
	return nil
}

// claimedSize is the second line of a note, which nobody verified yet: how much
// to fetch before it can be. It is -1 where that is no size.
func claimedSize(signed []byte) int64 {
	_, rest, _ := strings.Cut(string(signed[:min(len(signed), maxClaim)]), "\n")
	line, _, _ := strings.Cut(rest, "\n")
	size, err := strconv.ParseInt(line, 10, 64)
	if err != nil || size < 0 {
		return -1
	}
	return size
}

// maxClaim bounds the first two lines of a note, in bytes.
const maxClaim = 512

// fetch gets and applies what comes after the entries held, up to a size. What
// comes after that waits for the next checkpoint.
func (o *Office) fetch(ctx context.Context, size int64) (replica, error) {
	dir, fresh := o.held.state, [][]byte{}
	for dir.N() < size {
		page, err := o.Client.Entries(ctx, dir.N(), 0)
		if err != nil {
			return replica{}, err
		}
		if len(page) == 0 {
			break
		}
		for _, leaf := range page[:min(int64(len(page)), size-dir.N())] {
			if dir.N() == 0 && directory.LeafHash(leaf) != o.Notebook.Pin.Genesis {
				return replica{}, o.lie("its genesis is not the one this program was set up with", leaf)
			}
			next, err := dir.Apply(leaf)
			if err != nil {
				return replica{}, o.lie(fmt.Sprintf("directory entry %d breaks the rules: %v", dir.N(), err), leaf)
			}
			dir, fresh = next, append(fresh, leaf)
		}
	}
	return o.held.grown(dir, fresh), nil
}

// adopt keeps what was verified, and finds out how much of it counts.
func (o *Office) adopt(ctx context.Context, next replica, cp ledger.Checkpoint, signed []byte) error {
	m := o.Notebook.marks
	next.vouched = max(next.vouched, countedSize(next, m))
	next, err := o.vouch(ctx, next, &m, cp, signed)
	if err != nil {
		return err
	}
	m.Dir = signed
	if err := o.Notebook.commit(next.leaves, m); err != nil {
		return o.contradicted(err, signed)
	}
	o.held = next
	return nil
}

// contradicted turns it into a lie that another run of this program, in the
// same folder, was shown other entries.
func (o *Office) contradicted(err error, signed []byte) error {
	if errors.Is(err, errOtherHistory) {
		return o.lie("the directory has two histories", o.Notebook.marks.Dir, signed)
	}
	return err
}

// checkpoint verifies a signed checkpoint under a key that one of the charters
// names.
func (o *Office) checkpoint(list []charter, log ledger.Log, signed []byte) (ledger.Checkpoint, error) {
	cp, err := parseCheckpoint(signed, keys(list, log))
	if err != nil {
		return cp, o.lie("a checkpoint is not signed by the ledger's key", signed)
	}
	return cp, nil
}

// syncEvidence wants the evidence tree to extend what was seen before.
func (o *Office) syncEvidence(ctx context.Context) error {
	signed, err := o.Client.Checkpoint(ctx, wire.Ev)
	if err != nil {
		return err
	}
	cp, err := o.acceptEvidence(ctx, signed)
	if err != nil || !o.watch().Record.older(o.latest(), lateAfter) {
		return err
	}
	return o.seekEvidence(ctx, cp.Size)
}
