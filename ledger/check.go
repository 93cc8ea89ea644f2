package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkPage is how many entries Check holds at a time: with their nodes, at
// most 2·256+53, they stay within MaxPage.
const checkPage = 256

// Check replays every entry of a log and compares every node row, the head and
// every published checkpoint with it, in bounded memory. With known keys each
// checkpoint must also verify under one of them. The findings name what is
// wrong; more than MaxFindings are not collected, and where both an entry and
// its leaf hash are gone the replay ends. An error means that r failed, not
// that the log is bad.
func Check(ctx context.Context, r Reader, log Log, known ...note.Verifier) ([]Finding, error) {
	head, err := r.Head(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("ledger: check %s: %w", log, err)
	}
	c := &check{r: r, log: log, head: head, known: known, last: Nothing()}
	if checkSize(head.Size) != nil {
		c.add(PartHead, head.Size, "no log has this size")
		return c.findings, nil
	}
	if err := c.run(ctx); err != nil {
		return nil, fmt.Errorf("ledger: check %s: %w", log, err)
	}
	return c.findings, nil
}

type check struct {
	findings
	r     Reader
	log   Log
	head  Head
	known []note.Verifier
	edge  edge
	nodes []tlog.Hash
	last  Published   // the checkpoint compared last
	ahead []Published // checkpoints read but not compared yet
	end   bool        // no checkpoints after ahead
}

var errUnreplayable = errors.New("cannot replay further")

func (c *check) run(ctx context.Context) error {
	err := c.checkpoints(ctx)
	for err == nil && c.edge.size < c.head.Size && !c.full() {
		err = c.page(ctx)
	}
	if errors.Is(err, errUnreplayable) {
		return nil
	}
	if err != nil || c.full() {
		return err
	}
	if root := c.edge.root(); root != c.head.Root {
		c.add(PartHead, c.head.Size, "its root is %s, the entries have %s", c.head.Root, root)
	}
	return errors.Join(c.beyond(ctx), c.surplus(ctx))
}

// page replays the next entries. If anything differs it goes back and replays
// them one by one, to say what.
func (c *check) page(ctx context.Context) error {
	before := *c
	same, err := c.fast(ctx)
	if err != nil || same {
		return err
	}
	nodes := c.nodes
	*c = before
	c.nodes = nodes
	for to := min(c.edge.size+checkPage, c.head.Size); c.edge.size < to && !c.full(); {
		if err := c.slow(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fast replays a page and reports whether every node row is as it must be.
func (c *check) fast(ctx context.Context) (bool, error) {
	from := c.edge.size
	entries, err := c.r.Entries(ctx, c.log, from, min(from+checkPage, c.head.Size))
	if err != nil {
		return false, missingIsNil(err)
	}
	first := tlog.StoredHashCount(from)
	c.nodes = c.nodes[:0]
	for _, leaf := range entries {
		if checkEntry(leaf) != nil {
			return false, nil
		}
		c.nodes = c.edge.add(tlog.RecordHash(leaf), c.nodes)
		if err := c.checkpoints(ctx); err != nil {
			return false, err
		}
	}
	stored, err := c.r.Hashes(ctx, c.log, positions(first, len(c.nodes)))
	if err != nil {
		return false, missingIsNil(err)
	}
	for i, h := range stored {
		if h != c.nodes[i] {
			return false, nil
		}
	}
	return true, nil
}

// slow replays one entry and names what differs.
func (c *check) slow(ctx context.Context) error {
	idx := c.edge.size
	first := tlog.StoredHashCount(idx)
	leaf, err := c.leaf(ctx, idx, first)
	if err != nil {
		return err
	}
	for i, h := range c.edge.add(leaf, nil)[1:] {
		pos := first + 1 + int64(i)
		stored, ok, err := c.hash(ctx, pos)
		if err != nil {
			return err
		}
		c.compareNode(pos, stored, ok, h)
	}
	return c.checkpoints(ctx)
}

// leaf decides which hash entry idx has: its own, unless the stored one is
// there and leads to the head.
func (c *check) leaf(ctx context.Context, idx, pos int64) (tlog.Hash, error) {
	stored, haveHash, err := c.hash(ctx, pos)
	if err != nil {
		return stored, err
	}
	entries, err := c.r.Entries(ctx, c.log, idx, idx+1)
	if err := missingIsNil(err); err != nil {
		return stored, err
	}
	if err != nil || checkEntry(entries[0]) != nil {
		c.add(PartEntry, idx, "is missing, empty or too long")
		if !haveHash {
			c.add(PartNode, pos, "is missing (leaf hash of entry %d)", idx)
			return stored, errUnreplayable
		}
		return stored, nil
	}
	computed := tlog.RecordHash(entries[0])
	if !haveHash || stored == computed {
		c.compareNode(pos, stored, haveHash, computed)
		return computed, nil
	}
	return c.settle(ctx, idx, pos, stored, computed)
}

// settle says which of an entry and its stored leaf hash is wrong, by asking
// which one leads to the root of the head.
func (c *check) settle(ctx context.Context, idx, pos int64, stored, computed tlog.Hash) (tlog.Hash, error) {
	path, err := ProveInclusion(ctx, c.r, c.log, c.head.Size, idx)
	if err := missingIsNil(err); err != nil {
		return computed, err
	}
	now := Checkpoint{Size: c.head.Size, Root: c.head.Root}
	switch {
	case verifyRecord(path, now, idx, stored) == nil:
		c.add(PartEntry, idx, "is not the entry that was recorded")
		return stored, nil
	case verifyRecord(path, now, idx, computed) == nil:
		c.compareNode(pos, stored, true, computed)
	default:
		c.add(PartEntry, idx, "differs from its leaf hash (node %d), and neither leads to the head", pos)
	}
	return computed, nil
}

func (c *check) compareNode(pos int64, stored tlog.Hash, ok bool, want tlog.Hash) {
	level, n := tlog.SplitStoredHashIndex(pos)
	if !ok {
		c.add(PartNode, pos, "is missing (level %d, number %d)", level, n)
	} else if stored != want {
		c.add(PartNode, pos, "is %s, the entries have %s (level %d, number %d)", stored, want, level, n)
	}
}

func (c *check) hash(ctx context.Context, pos int64) (tlog.Hash, bool, error) {
	h, err := c.r.Hashes(ctx, c.log, []int64{pos})
	if err != nil {
		return tlog.Hash{}, false, missingIsNil(err)
	}
	return h[0], true, nil
}

// beyond looks for rows after the head, which would stop the next batch.
func (c *check) beyond(ctx context.Context) error {
	size := c.head.Size
	if _, err := c.r.Entries(ctx, c.log, size, size+1); err == nil {
		c.add(PartEntry, size, "is stored, but the head has only %d entries", size)
	} else if missingIsNil(err) != nil {
		return err
	}
	pos := tlog.StoredHashCount(size)
	_, ok, err := c.hash(ctx, pos)
	if ok {
		c.add(PartNode, pos, "is stored, but the head has only %d entries", size)
	}
	return err
}

// checkpoints compares those published at the size replayed so far.
func (c *check) checkpoints(ctx context.Context) error {
	for {
		if err := c.readAhead(ctx); err != nil {
			return err
		}
		if len(c.ahead) == 0 || c.ahead[0].Size > c.edge.size {
			return nil
		}
		c.compareCheckpoint(c.ahead[0])
		c.last, c.ahead = c.ahead[0], c.ahead[1:]
	}
}

func (c *check) readAhead(ctx context.Context) error {
	if c.end || len(c.ahead) > 0 {
		return nil
	}
	ahead, err := c.r.Checkpoints(ctx, c.log, c.last, MaxPage)
	if err != nil {
		return err
	}
	c.ahead, c.end = ahead, len(ahead) == 0
	return nil
}

// surplus names checkpoints larger than the head.
func (c *check) surplus(ctx context.Context) error {
	for !c.full() {
		if err := c.readAhead(ctx); err != nil || c.end {
			return err
		}
		for _, p := range c.ahead {
			c.add(PartCheckpoint, p.Size, "was published, but the head has only %d entries", c.head.Size)
			c.last = p
		}
		c.ahead = nil
	}
	return nil
}

func (c *check) compareCheckpoint(p Published) {
	if want := c.nextSeq(p.Size); p.Seq != want {
		c.add(PartCheckpoint, p.Size, "seq is %d, want %d: a published note is missing", p.Seq, want)
	}
	if root := c.edge.root(); p.Root != root {
		c.add(PartCheckpoint, p.Size, "seq %d: its root is %s, the entries have %s", p.Seq, p.Root, root)
	}
	said, err := c.openNote(p.Note)
	if err != nil {
		c.add(PartCheckpoint, p.Size, "seq %d: its note: %v", p.Seq, err)
	} else if said.Size != p.Size || said.Root != p.Root {
		c.add(PartCheckpoint, p.Size, "seq %d: its note is of size %d, root %s", p.Seq, said.Size, said.Root)
	}
}

func (c *check) nextSeq(size int64) int {
	if c.last.Size == size {
		return c.last.Seq + 1
	}
	return 0
}

// openNote verifies a note under one of the known keys; without any it only
// holds the origin to the log.
func (c *check) openNote(msg []byte) (Checkpoint, error) {
	if len(c.known) == 0 {
		said, err := unverified(msg)
		if err == nil && !strings.HasSuffix(said.Origin, "/"+c.log.String()) {
			err = fmt.Errorf("origin %.60q is of another log", said.Origin)
		}
		return said, err
	}
	var first error
	for _, v := range c.known {
		said, err := ParseCheckpoint(msg, v)
		if err == nil {
			return said, nil
		}
		if first == nil {
			first = err
		}
	}
	return Checkpoint{}, first
}

func positions(first int64, count int) []int64 {
	p := make([]int64, count)
	for i := range p {
		p[i] = first + int64(i)
	}
	return p
}

func missingIsNil(err error) error {
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}
