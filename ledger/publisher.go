package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// RefreshEvery is how long a checkpoint stands before it is published again
// although the log has not grown, in ms.
const RefreshEvery = 5 * 60 * 1000

// PublicEvery is how often what anyone may see moves on, in ms: with every full
// quarter of an hour, to what was published before it. Within the last
// PublicClosing before, a checkpoint is published whether or not the log has
// grown: witnesses write the time into their signatures, and that of the last
// entry is not for everyone.
const (
	PublicEvery   = 15 * 60 * 1000
	PublicClosing = 3000
)

// A Publisher signs and publishes the checkpoints of one log. It owns no
// goroutine: the caller calls [Publisher.Step] about once a second. Any number
// of publishers of one log, in any number of servers, are harmless: the loser of
// a race publishes nothing. Safe for concurrent use.
type Publisher struct {
	storage Storage
	log     Log
	signer  Signer
	anchor  Anchor
	others  *cosigning
}

// NewPublisher returns the publisher of log; the signer's name is the origin.
// others are asked to cosign, under the policy they know.
func NewPublisher(storage Storage, log Log, signer Signer, anchor Anchor, others Witnesses) *Publisher {
	return &Publisher{storage: storage, log: log, signer: signer, anchor: anchor, others: newCosigning(log, others)}
}

// Step publishes a checkpoint if the log has grown since the last one, that one
// is RefreshEvery old or a quarter of an hour is about to be full ([PublicEvery]),
// or adds cosignatures that came late, and says whether it did. It returns the
// last published checkpoint as it now stands. now is in ms since 1970 UTC. It
// waits at most a second for witnesses.
//
// Before signing it proves that the log extends both the last checkpoint in the
// database and the one in the anchor. If not, the error wraps [ErrRollback] (or
// [ErrTreeMismatch], [ErrAnchorEmpty]): the server must stop accepting writes.
// So it does when witnesses without whom there is no quorum hold another tree.
// The order is sign, anchor, ask, publish, and no transaction is open while the
// signer, the anchor and witnesses are asked; so what anybody may have seen is
// anchored.
func (p *Publisher) Step(ctx context.Context, now int64) (Published, bool, error) {
	head, last, err := p.examine(ctx)
	if err != nil {
		return Published{}, false, err
	}
	unsigned, err := p.unsigned(last)
	if err != nil {
		return Published{}, false, err
	}
	if last.Exists() && head.Size == last.Size && !last.due(now) && !unsigned {
		return p.complete(ctx, last, now)
	}
	c := Checkpoint{Origin: p.origin(), Size: head.Size, Root: head.Root}
	note, err := SignCheckpoint(ctx, p.signer, c)
	if err != nil {
		return Published{}, false, err
	}
	if err := p.anchor.Keep(ctx, p.log, note); err != nil {
		return Published{}, false, fmt.Errorf("ledger: anchor %s: %w", p.log, err)
	}
	p.others.renew(c)
	if note, err = p.others.collect(ctx, now, c, note, p.proveTo(c.Size)); err != nil {
		return Published{}, false, err
	}
	return p.publish(ctx, last, p.judged(Published{Size: head.Size, Root: head.Root, Note: note, At: now}))
}

// due reports whether a checkpoint is to be published again although the log has
// not grown.
func (p *Published) due(now int64) bool {
	closing := (now+PublicClosing)/PublicEvery > (p.At+PublicClosing)/PublicEvery
	return closing || now-p.At >= RefreshEvery
}

// unsigned reports whether a key that signs now has not signed what was
// published last: the log's key is being renewed.
func (p *Publisher) unsigned(last Published) (bool, error) {
	signers, err := signersOf(p.signer)
	if err != nil || !last.Exists() || len(signers) == 1 {
		return false, err
	}
	for _, s := range signers {
		if _, err := ParseCheckpoint(last.Note, s.Verifier()); err != nil {
			return true, nil
		}
	}
	return false, nil
}

// Consult shows the last published checkpoint to the witnesses before anything
// new is signed: an old backup is then noticed while the one history is whole.
// The error wraps [ErrRollback]; witnesses that do not answer stop nothing.
func (p *Publisher) Consult(ctx context.Context, now int64) error {
	_, last, err := p.examine(ctx)
	if err != nil || !last.Exists() {
		return err
	}
	c := Checkpoint{Origin: p.origin(), Size: last.Size, Root: last.Root}
	_, err = p.others.collect(ctx, now, c, p.ownNote(last.Note), p.proveTo(c.Size))
	return err
}

// Doubts names the witnesses that hold another tree than this one, by their name
// in the policy. One of them may lie; an operator looks into it.
func (p *Publisher) Doubts() map[string]error { return p.others.doubts() }

// complete publishes the checkpoint that stands once more, if witnesses
// cosigned it after it was published.
func (p *Publisher) complete(ctx context.Context, last Published, now int64) (Published, bool, error) {
	policy := p.others.outside.Policy(p.log)
	if last.Cosigs >= len(policy.Witnesses()) {
		return last, false, nil
	}
	c := Checkpoint{Origin: p.origin(), Size: last.Size, Root: last.Root}
	note, err := p.others.collect(ctx, now, c, p.ownNote(last.Note), p.proveTo(c.Size))
	if err != nil {
		return Published{}, false, err
	}
	next := p.judged(Published{Size: last.Size, Root: last.Root, Note: note, At: now})
	if next.Cosigs <= last.Cosigs {
		return last, false, nil
	}
	return p.publish(ctx, last, next)
}

// judged counts who cosigned, under the policy in force now.
func (p *Publisher) judged(next Published) Published {
	policy := p.others.outside.Policy(p.log)
	names := policy.Cosigned(next.Note)
	next.Cosigs, next.Quorum = len(names), policy.Met(names)
	return next
}

// proveTo proves earlier sizes to be the beginning of the tree of size.
func (p *Publisher) proveTo(size int64) ProveFrom {
	return func(ctx context.Context, old int64) (proof tlog.TreeProof, err error) {
		err = p.storage.View(ctx, func(r Reader) error {
			proof, err = ProveConsistency(ctx, r, p.log, old, size)
			return err
		})
		return proof, err
	}
}

// ownNote cuts a note after the log's own signatures, which come first.
func (p *Publisher) ownNote(signed []byte) []byte {
	text, lines, _ := bytes.Cut(signed, []byte("\n\n"))
	end := len(text) + 2
	own := []byte("\u2014 " + p.origin() + " ")
	for line := range bytes.Lines(lines) {
		if !bytes.HasPrefix(line, own) {
			break
		}
		end += len(line)
	}
	return signed[:end:end]
}

// Adopt puts the last checkpoint of the database into an empty anchor, after
// checking that the log extends it. It is an operator's act, after comparing the
// ledger with a mirror; a larger anchor is left as it is.
func (p *Publisher) Adopt(ctx context.Context) error {
	var last Published
	err := p.storage.View(ctx, func(r Reader) error {
		head, err := r.Head(ctx, p.log)
		if err != nil {
			return err
		}
		if last, err = r.LastCheckpoint(ctx, p.log); err != nil || !last.Exists() {
			return err
		}
		return p.extends(ctx, r, head, last.Size, last.Root, "database")
	})
	if err != nil {
		return fmt.Errorf("ledger: adopt anchor of %s: %w", p.log, err)
	}
	if !last.Exists() {
		return nil
	}
	return p.anchor.Keep(ctx, p.log, last.Note)
}

func (p *Publisher) origin() string { return p.signer.Verifier().Name() }

// anchored reads the anchor. Its signature is not asked: whoever could put a
// false note there could as well put an old true one.
func (p *Publisher) anchored(ctx context.Context) (Checkpoint, error) {
	note, err := p.anchor.Last(ctx, p.log)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: read anchor of %s: %w", p.log, err)
	}
	if note == nil {
		return Checkpoint{Size: -1}, nil
	}
	c, err := unverified(note)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: read anchor of %s: %w", p.log, err)
	}
	if c.Origin != p.origin() {
		return Checkpoint{}, fmt.Errorf("ledger: anchor belongs to %q, not %q: %w", c.Origin, p.origin(), ErrRollback)
	}
	return c, nil
}

// examine returns head and last checkpoint after comparing them with what was
// published. An anchor that was empty is read once more: another publisher may
// have filled it, and published, between our two reads.
func (p *Publisher) examine(ctx context.Context) (Head, Published, error) {
	outside, err := p.anchored(ctx)
	if err != nil {
		return Head{}, Published{}, err
	}
	head, last, err := p.look(ctx, outside)
	if !errors.Is(err, ErrAnchorEmpty) {
		return head, last, err
	}
	if outside, err = p.anchored(ctx); err != nil {
		return Head{}, Published{}, err
	}
	return p.look(ctx, outside)
}

// look reads head and last checkpoint in one snapshot, taken after the anchor
// was read, and checks that the head extends everything published.
func (p *Publisher) look(ctx context.Context, outside Checkpoint) (head Head, last Published, err error) {
	err = p.storage.View(ctx, func(r Reader) error {
		if head, err = r.Head(ctx, p.log); err != nil {
			return err
		}
		if last, err = r.LastCheckpoint(ctx, p.log); err != nil {
			return err
		}
		if _, err := readEdge(ctx, r, p.log, head); err != nil {
			return err
		}
		if last.Exists() && outside.Size < 0 {
			return fmt.Errorf("ledger: %s published up to size %d: %w", p.log, last.Size, ErrAnchorEmpty)
		}
		if err := p.extends(ctx, r, head, last.Size, last.Root, "database"); err != nil {
			return err
		}
		return p.extends(ctx, r, head, outside.Size, outside.Root, "anchor")
	})
	return head, last, err
}

// extends proves that head extends an earlier tree, size -1 meaning none.
func (p *Publisher) extends(ctx context.Context, r Reader, head Head, size int64, root [32]byte, where string) error {
	if size < 0 {
		return nil
	}
	if size > head.Size {
		return fmt.Errorf("ledger: %s has %d entries, the %s says %d were published: %w", p.log, head.Size, where, size, ErrRollback)
	}
	path, err := ProveConsistency(ctx, r, p.log, size, head.Size)
	if err != nil {
		return err
	}
	old := Checkpoint{Origin: p.origin(), Size: size, Root: root}
	if err := VerifyConsistency(path, old, Checkpoint{Origin: p.origin(), Size: head.Size, Root: head.Root}); err != nil {
		return fmt.Errorf("ledger: %s differs from what the %s says was published at size %d: %w: %w", p.log, where, size, ErrRollback, err)
	}
	return nil
}

// publish stores next unless somebody else published since last was read.
func (p *Publisher) publish(ctx context.Context, last, next Published) (Published, bool, error) {
	if next.Size == last.Size {
		next.Seq = last.Seq + 1
	}
	won := false
	err := p.storage.Update(ctx, func(tx Tx) error {
		now, err := tx.LastCheckpoint(ctx, p.log)
		if err != nil {
			return err
		}
		if won = now.Size == last.Size && now.Seq == last.Seq; !won {
			last = now
			return nil
		}
		return tx.PublishCheckpoint(ctx, p.log, next)
	})
	if err != nil {
		return Published{}, false, fmt.Errorf("ledger: publish checkpoint of %s at size %d: %w", p.log, next.Size, err)
	}
	if !won {
		return last, false, nil
	}
	return next, true, nil
}
