package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// A RuleError says that a directory entry breaks the rules.
type RuleError struct {
	Idx  int64
	Leaf []byte
	Err  error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("directory entry %d breaks the rules: %v", e.Idx, e.Err)
}

func (e *RuleError) Unwrap() error { return e.Err }

// errSignature says that no key of the ledger signed a checkpoint.
var errSignature = errors.New("the checkpoint is not signed by the ledger's key")

// follow holds a checkpoint against the mirror, and lets the mirror grow to it.
// A contradiction wraps ledger.ErrContradicted, and is an alarm by then.
func (o *Observer) follow(ctx context.Context, log ledger.Log, signed []byte) error {
	m := o.mirrors[log]
	m.grow.Lock()
	defer m.grow.Unlock()
	c, err := o.opened(ctx, log, signed)
	if err != nil {
		return err
	}
	at, held := m.At()
	switch {
	case c.Size > at.Size:
		return o.advance(ctx, m, c, signed)
	case c.Size == at.Size && c.Root == at.Root && (held == nil || o.better(log, held, signed)):
		return m.renote(signed)
	}
	return o.compare(ctx, m, c, signed)
}

// better reports whether more of the policy's witnesses cosigned the second note,
// or enough of them later.
func (o *Observer) better(log ledger.Log, held, next []byte) bool {
	policy, err := o.policy(log)
	if err != nil {
		return false
	}
	more := len(policy.Cosigned(next)) - len(policy.Cosigned(held))
	return more > 0 || more == 0 && quorumTime(policy, next, 0) > quorumTime(policy, held, 0)
}

// opened verifies a checkpoint under the key that the directory names. An
// observer that has no directory yet learns the key from the genesis, which is
// pinned; one whose directory is behind looks whether the key was changed since.
func (o *Observer) opened(ctx context.Context, log ledger.Log, signed []byte) (ledger.Checkpoint, error) {
	dir := o.Directory()
	if dir.N() == 0 {
		var err error
		if dir, err = o.genesis(ctx); err != nil {
			return ledger.Checkpoint{}, err
		}
	}
	c, err := openedBy(dir, log, signed)
	if err == nil || log != ledger.Dir {
		return c, err
	}
	if dir, err = o.ahead(ctx, dir, signed); err != nil {
		return c, err
	}
	return openedBy(dir, log, signed)
}

func openedBy(dir *directory.State, log ledger.Log, signed []byte) (ledger.Checkpoint, error) {
	v, err := verifier(dir, log)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	c, err := ledger.ParseCheckpoint(signed, v)
	if err != nil {
		return c, fmt.Errorf("observe: %w: %w", errSignature, err)
	}
	return c, nil
}

// genesis fetches the first entry and compares it with the pin.
func (o *Observer) genesis(ctx context.Context) (*directory.State, error) {
	data, err := o.Source.Tiles(ledger.Dir).Tile(ctx, bundleOfOne())
	if err != nil {
		return nil, fmt.Errorf("observe: genesis: %w", err)
	}
	entries, err := ledger.ParseBundle(data, 1)
	if err != nil {
		return nil, err
	}
	if directory.LeafHash(entries[0]) != o.Genesis {
		err := o.Alarms.raise(Entries, Severe, "genesis", "the exchange does not begin with the genesis of the annex: it is another exchange", map[string][]byte{"entry-0.json": entries[0]})
		return nil, errors.Join(errors.New("observe: the exchange has another genesis"), err)
	}
	dir, err := directory.New().Apply(entries[0])
	if err != nil {
		return nil, err
	}
	if dir.Demo() && !o.Demo {
		return nil, ErrDemo
	}
	return dir, nil
}

// ahead is the directory as far as a checkpoint says it goes, of which nothing
// is kept: what it says of the ledger's keys was signed by the council.
func (o *Observer) ahead(ctx context.Context, dir *directory.State, signed []byte) (*directory.State, error) {
	c, err := witness.Head(signed)
	if err != nil {
		return nil, err
	}
	src := o.Source.Tiles(ledger.Dir)
	for dir.N() < c.Size {
		n := dir.N() >> ledger.TileHeight
		w := int(min(ledger.TileWidth, c.Size-n<<ledger.TileHeight))
		data, err := src.Tile(ctx, ledger.Bundle(n, w))
		if err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		entries, err := ledger.ParseBundle(data, w)
		if err != nil {
			return nil, err
		}
		for _, leaf := range entries[dir.N()-n<<ledger.TileHeight:] {
			if dir, err = dir.Apply(leaf); err != nil {
				return nil, err
			}
		}
	}
	return dir, nil
}

// advance lets a mirror grow to a checkpoint, and with the directory's mirror
// what it means.
func (o *Observer) advance(ctx context.Context, m *Mirror, c ledger.Checkpoint, signed []byte) error {
	dir, changes := o.Directory(), []Change(nil)
	visit := func(int64, []byte) error { return nil }
	if m.log == ledger.Dir {
		visit = func(idx int64, leaf []byte) error {
			if idx == 0 && directory.LeafHash(leaf) != o.Genesis {
				return &RuleError{idx, leaf, errors.New("it is another genesis")}
			}
			next, err := dir.Apply(leaf)
			if err != nil {
				return &RuleError{idx, leaf, err}
			}
			dir = next
			changes = o.noteChange(changes, dir, idx, leaf)
			return nil
		}
	}
	progress := func(done, total int64) {
		if o.Progress != nil {
			o.Progress(m.log, done, total)
		}
	}
	err := m.advance(ctx, o.Source.Tiles(m.log), c, signed, visit, progress)
	if err != nil {
		return errors.Join(err, o.explain(ctx, m, c, signed, err))
	}
	if m.log == ledger.Dir {
		o.mu.Lock()
		o.dir, o.changes = dir, append(o.changes, changes...)
		o.mu.Unlock()
		return o.checkChanges(ctx)
	}
	return nil
}

// compare holds a checkpoint that is not larger than the mirror against it.
func (o *Observer) compare(ctx context.Context, m *Mirror, c ledger.Checkpoint, signed []byte) error {
	root, err := m.rootAt(ctx, c.Size)
	if err != nil {
		return err
	}
	if root == c.Root {
		return nil
	}
	_, held := m.At()
	proof, err := m.proofText(ctx, c.Size)
	if err != nil {
		return err
	}
	err = o.Alarms.raise(Fork, Severe, fmt.Sprintf("%s %d %s", m.log, c.Size, c.Root),
		fmt.Sprintf("the exchange signed two histories of its %s: what it signed at size %d is not what was mirrored", treeName(m.log), c.Size),
		map[string][]byte{"held.checkpoint": held, "shown.checkpoint": signed, "proof.txt": proof})
	return errors.Join(&TreeError{Log: m.log, Size: c.Size, Root: root, Idx: -1}, err)
}

// flight is one checkpoint on its way into a mirror.
type flight struct {
	signed string
	done   chan struct{}
	err    error
}

// admit lets a checkpoint be cosigned when its entries are mirrored and, of the
// directory, replayed. It waits a bounded time; the work goes on after it, for
// when the log asks again.
func (o *Observer) admit(ctx context.Context, c ledger.Checkpoint, signed []byte) error {
	log, err := logOf(c.Origin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	for {
		f := o.fly(log, signed)
		select {
		case <-f.done:
		case <-ctx.Done():
			return fmt.Errorf("observe: %w", witness.ErrLater)
		}
		if f.signed == string(signed) {
			return o.admitted(f.err)
		}
	}
}

// fly joins the flight that is on, or begins one.
func (o *Observer) fly(log ledger.Log, signed []byte) *flight {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.flights[log]; f != nil {
		return f
	}
	f := &flight{signed: string(signed), done: make(chan struct{})}
	o.flights[log] = f
	o.group.Go(func() {
		f.err = o.follow(o.base, log, signed)
		o.mu.Lock()
		delete(o.flights, log)
		o.mu.Unlock()
		close(f.done)
	})
	return f
}

// admitted tells a refusal from a failure to look.
func (o *Observer) admitted(err error) error {
	var rule *RuleError
	switch {
	case err == nil, errors.Is(err, ledger.ErrContradicted):
		return err
	case errors.As(err, &rule):
		return fmt.Errorf("directory entry %d breaks the rules", rule.Idx)
	case errors.Is(err, errSignature):
		return err
	}
	o.Log.Warn("a checkpoint could not be followed", "error", err)
	return fmt.Errorf("observe: %w: %w", witness.ErrLater, err)
}

// maxDoubts bounds the checkpoints that wait to be looked into: whoever has seen
// a checkpoint can send it again with a wrong proof.
const maxDoubts = 16

// doubted holds a checkpoint that did not fit what was cosigned against the
// mirror, behind the answer: then it is known whether the ledger forked or
// somebody sent a wrong proof along with an honest checkpoint.
func (o *Observer) doubted(_, brought []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := slices.ContainsFunc(o.doubts, func(d []byte) bool { return bytes.Equal(d, brought) })
	if known || len(o.doubts) >= maxDoubts {
		return
	}
	o.doubts = append(o.doubts, slices.Clone(brought))
	if len(o.doubts) == 1 {
		o.group.Go(o.lookIntoDoubts)
	}
}

// lookIntoDoubts works until none is left.
func (o *Observer) lookIntoDoubts() {
	for next := o.nextDoubt(false); next != nil; next = o.nextDoubt(true) {
		c, err := witness.Head(next)
		if err != nil {
			continue
		}
		log, err := logOf(c.Origin)
		if err != nil {
			continue
		}
		if err := o.follow(o.base, log, next); err != nil {
			o.Log.Warn("a checkpoint that did not fit", "error", err)
		}
	}
}

// nextDoubt is the first that waits, after the one before it is dropped; nil
// when none is left.
func (o *Observer) nextDoubt(drop bool) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if drop {
		o.doubts = o.doubts[1:]
	}
	if len(o.doubts) == 0 {
		return nil
	}
	return o.doubts[0]
}
