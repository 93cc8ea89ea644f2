package office

import (
	"context"
	"fmt"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/ledger"
)

// vouch finds out how much of a verified directory counts. Mostly the newest
// checkpoint is confirmed. Where it is not, the proofs of earlier entries show
// the checkpoints that are: first those of policies, where the witnesses of
// before and after stand side by side, then, by halving, the largest. That none
// is found is no error: what was not confirmed does not count, and freshness
// never blocks.
func (o *Office) vouch(ctx context.Context, r replica, m *marks, cp ledger.Checkpoint, signed []byte) (replica, error) {
	if o.count(&r, m, cp, signed) || r.vouched >= cp.Size {
		return r, nil
	}
	for _, c := range r.charters {
		if entry := c.from - 1; entry > 0 && entry >= r.vouched {
			if err := o.countProof(ctx, &r, m, entry, signed); err != nil {
				return r, err
			}
		}
	}
	if o.count(&r, m, cp, signed) {
		return r, nil
	}
	for low, high := r.vouched, cp.Size; low < high; {
		middle := low + (high-low)/2
		if err := o.countProof(ctx, &r, m, middle, signed); err != nil {
			return r, err
		}
		if r.vouched > middle {
			low = r.vouched
		} else {
			high = middle
		}
	}
	return r, nil
}

// count lets entries count up to a checkpoint of this directory, if that
// satisfies every charter from the one that counts to its own: a policy that
// names other witnesses is confirmed by those of before and of after it, or an
// exchange could lead some of its clients to new witnesses, who saw nothing
// before, and hide the policy from the rest.
func (o *Office) count(r *replica, m *marks, cp ledger.Checkpoint, signed []byte) bool {
	list := between(r.charters, r.vouched, cp.Size)
	if cp.Size < r.vouched || standing(list, ledger.Dir, signed).Standing == ledger.Provisional {
		return false
	}
	now := o.latest()
	seen := m.DirUntil
	if cp.Size > r.vouched || len(m.DirCounted) == 0 {
		r.vouched, m.DirCounted, seen = cp.Size, signed, now
	}
	m.DirUntil = max(m.DirUntil, min(now, vouchedUntil(list[len(list)-1].policies[ledger.Dir], signed, seen)))
	return true
}

// countProof asks for the proof of a directory entry, for the sake of the
// checkpoint in it: the first that a quorum confirmed, if there is one.
func (o *Office) countProof(ctx context.Context, r *replica, m *marks, entry int64, newest []byte) error {
	file, err := o.Client.Proof(ctx, wire.Dir, entry)
	if err != nil {
		return ctx.Err() // it confirms nothing today
	}
	proof, err := ledger.ParseProof(file)
	if err != nil {
		return o.lie(fmt.Sprintf("the proof of directory entry %d is none: %v", entry, err), file)
	}
	cp, err := o.checkpoint(r.charters, ledger.Dir, proof.Checkpoint)
	if err != nil || cp.Size > r.size() {
		return err // it speaks of entries that are not replayed yet
	}
	if cp.Root != r.tree.root(cp.Size) {
		return o.lie("the directory has two histories", proof.Checkpoint, newest)
	}
	o.count(r, m, cp, proof.Checkpoint)
	return nil
}

// countedSize is how much of a directory the notebook knows to count.
func countedSize(r replica, m marks) int64 {
	cp, err := parseCheckpoint(m.DirCounted, keys(r.charters, ledger.Dir))
	if err != nil || cp.Size > r.size() || r.tree.root(cp.Size) != cp.Root {
		return 0
	}
	return cp.Size
}

// latest is the later of this computer's time and the exchange's: whoever asks
// how old something is must not be told by who served it. In ms.
func (o *Office) latest() int64 { return max(o.Clock(), o.Now()) }

// How long a directory may be without a quorum, in ms: then it is said with
// every answer, and then written into every message.
const (
	lateAfter  = 15 * 60 * 1000
	staleAfter = 24 * 3600 * 1000
)

// Watch says how far witnesses stand behind what this program follows.
type Watch struct {
	Directory TreeWatch `json:"directory"`
	Record    TreeWatch `json:"record"` // the evidence tree
	Late      bool      `json:"late"`   // no quorum for 15 minutes
	Stale     bool      `json:"stale"`  // no quorum over the directory for 24 hours
}

// TreeWatch is a [Watch] of one tree.
type TreeWatch struct {
	Standing  ledger.Standing `json:"standing"`            // of its newest checkpoint
	Entries   int64           `json:"entries"`             // under that
	Confirmed int64           `json:"confirmed"`           // of them, under a quorum; all of them where nobody is asked
	Until     int64           `json:"confirmed_at"`        // when a quorum last cosigned, ms; 0: never, or nobody is asked
	Cosigned  int             `json:"cosigned,omitempty"`  // witnesses who signed the newest checkpoint
	Witnesses int             `json:"witnesses,omitempty"` // whom the policy names
}

// Watch says how far witnesses stand behind what was last synchronised.
func (o *Office) Watch() Watch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.watch()
}

// watch is [Office.Watch] for whoever holds the lock.
func (o *Office) watch() Watch {
	m, now := &o.Notebook.marks, o.latest()
	var w Watch
	if r := o.held; r.size() > 0 {
		v := standing(r.present(), ledger.Dir, m.Dir)
		if r.vouched == r.size() && v.Standing == ledger.Provisional {
			v.Standing = ledger.Confirmed // by an earlier note of the same tree
		}
		w.Directory = TreeWatch{v.Standing, r.size(), r.vouched, m.DirUntil, v.Cosigned, v.Witnesses}
		v = standing(r.present(), ledger.Ev, m.Ev)
		size, counted := max(claimedSize(m.Ev), 0), o.counted
		if v.Standing == ledger.Unwitnessed {
			counted = size
		}
		if counted >= size && v.Standing == ledger.Provisional {
			v.Standing = ledger.Confirmed
		}
		w.Record = TreeWatch{v.Standing, size, min(counted, size), m.EvUntil, v.Cosigned, v.Witnesses}
	}
	w.Stale = w.Directory.older(now, staleAfter)
	w.Late = w.Directory.older(now, lateAfter) || w.Record.older(now, lateAfter)
	return w
}

// older reports whether the last quorum is longer ago than it may be.
func (t TreeWatch) older(now, age int64) bool {
	return t.Standing != ledger.Unwitnessed && t.Until < now-age
}

// standingOf says how far others vouch for an entry of the evidence tree that
// was verified to stand in it: what lies within a confirmed tree is confirmed.
// The caller holds the lock.
func (o *Office) standingOf(idx int64) ledger.Standing {
	switch {
	case !asked(o.held.present(), ledger.Ev):
		return ledger.Unwitnessed
	case idx < o.counted:
		return ledger.Confirmed
	}
	return ledger.Provisional
}
