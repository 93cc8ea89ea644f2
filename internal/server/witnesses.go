package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// How long a quorum may be missing before it is said, in ms.
const (
	quorumWarn  = 15 * 60 * 1000
	quorumAlert = 4 * 3600 * 1000
)

// silentWarn is how long a witness may fail to cosign before it is said, in ms.
const silentWarn = 60 * 1000

// watching brings checkpoints to the witnesses that the directory in force
// names, and says aloud what they contradict and when they are missing. Safe for
// concurrent use.
type watching struct {
	x      *exchange.Exchange
	client *witness.Client
	log    *slog.Logger

	mu       sync.Mutex
	policies map[ledger.Log]parsed
	handover handover
	doubts   map[ledger.Log]map[string]string // by witness, as last said
	lost     map[ledger.Log]absence
	silent   map[string]absence // by witness and tree
}

// parsed is a policy with the text that it was read from.
type parsed struct {
	text   string
	policy *ledger.Policy
}

// absence is since when a quorum is missing, in ms, and what was said of it.
type absence struct {
	since int64
	said  int64 // ms of absence at which it was said last
}

func newWatching(x *exchange.Exchange, log *slog.Logger) *watching {
	return &watching{x: x, client: witness.NewClient(nil), log: log, policies: map[ledger.Log]parsed{},
		doubts: map[ledger.Log]map[string]string{}, lost: map[ledger.Log]absence{}, silent: map[string]absence{}}
}

var _ ledger.Witnesses = (*watching)(nil)

// Policy implements [ledger.Witnesses]. The directory accepts only the form of a
// policy; of one that makes no sense the quorum is never met, so that nothing
// unwatched is ever called confirmed.
//
// Of the directory, an entry that changes the policy is for the witnesses of
// before and after together: clients count it only then (internal/office/FORMAT.md).
func (w *watching) Policy(log ledger.Log) *ledger.Policy {
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := w.x.Directory()
	if log != ledger.Dir {
		return w.parse(log, dir.Quorum().Ev)
	}
	policy := w.parse(log, dir.Quorum().Dir)
	for _, before := range w.handover.pending(dir.View, w.confirmed) {
		if earlier, err := ledger.ParsePolicy(before); err == nil {
			policy = ledger.Both(earlier, policy)
		}
	}
	return policy
}

// confirmed reports whether a checkpoint under quorum covers an entry of the
// directory. What cannot be found out is not.
func (w *watching) confirmed(entry int64) (ok bool) {
	err := w.x.Store.View(context.Background(), func(r ledger.Reader) error {
		p, err := r.CheckpointFor(context.Background(), ledger.Dir, entry)
		ok = p.Exists()
		return err
	})
	return ok && err == nil
}

// parse reads a policy unless it is the one that was read last. The caller holds
// the lock.
func (w *watching) parse(log ledger.Log, text string) *ledger.Policy {
	if p, ok := w.policies[log]; ok && p.text == text {
		return p.policy
	}
	policy, err := ledger.ParsePolicy(text)
	if err != nil {
		w.log.Error("the policy of witnesses makes no sense: no checkpoint is confirmed under it", "tree", log.String(), "error", err)
		policy = unmet()
	}
	w.policies[log] = parsed{text, policy}
	return policy
}

// unmet is a policy whose one witness nobody is.
func unmet() *ledger.Policy {
	var seed [32]byte
	rand.Read(seed[:])
	key, err := ledger.NewCosigningKey("nobody", seed[:])
	if err != nil {
		panic(err) // a constant name and a seed of the right length
	}
	policy, err := ledger.ParsePolicy(fmt.Sprintf("witness nobody %s\nquorum nobody\n", key.VerifierKey()))
	if err != nil {
		panic(err)
	}
	return policy
}

// Ask implements [ledger.Witnesses]. A witness that is ahead of one server and
// not of the ledger was asked by another server meanwhile.
func (w *watching) Ask(ctx context.Context, to ledger.Witness, c ledger.Checkpoint, signed []byte, prove ledger.ProveFrom) ([]byte, error) {
	line, err := w.client.Ask(ctx, to, c, signed, prove)
	w.noteAnswer(to.Name, c.Origin, err, w.x.Clock.Now())
	var ahead *witness.AheadError
	if !errors.As(err, &ahead) {
		return line, err
	}
	size, headErr := w.size(ctx, c.Origin)
	if headErr != nil {
		return nil, headErr
	}
	if ahead.Size <= size {
		return nil, fmt.Errorf("witness %s is at size %d, and so is the ledger: asked about %d too late", to.Name, ahead.Size, c.Size)
	}
	return nil, err
}

// size is that of the log of an origin, now.
func (w *watching) size(ctx context.Context, origin string) (size int64, err error) {
	err = w.x.Store.View(ctx, func(r ledger.Reader) error {
		for _, log := range ledger.Logs {
			if log.Origin(w.x.Host) != origin {
				continue
			}
			head, err := r.Head(ctx, log)
			size = head.Size
			return err
		}
		return fmt.Errorf("no tree has the origin %.100q", origin)
	})
	return size, err
}

// note says what changed: which witnesses contradict, and whether there is a
// quorum. Every line is said once until it changes.
func (w *watching) note(log ledger.Log, doubts map[string]error, last ledger.Published, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteDoubts(log, doubts)
	if !last.Exists() {
		return
	}
	if last.Quorum {
		if w.lost[log].said > 0 {
			w.log.Info("the quorum of witnesses is back", "tree", log.String())
		}
		delete(w.lost, log)
		return
	}
	lost, known := w.lost[log]
	if !known {
		lost.since = now
	}
	switch missing := now - lost.since; {
	case missing >= quorumAlert && lost.said < quorumAlert:
		w.log.Error("no quorum of witnesses for 4 hours: what is written stays unconfirmed; call the institutions that observe", "tree", log.String())
		lost.said = quorumAlert
	case missing >= quorumWarn && lost.said < quorumWarn:
		w.log.Warn("no quorum of witnesses for 15 minutes: new entries are provisional", "tree", log.String())
		lost.said = quorumWarn
	}
	w.lost[log] = lost
}

// noteAnswer says when a witness has not cosigned for a minute, and why, and
// when it does again. What contradicts is said elsewhere.
func (w *watching) noteAnswer(name, origin string, err error, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := name + " " + origin
	before, failing := w.silent[key]
	switch {
	case err == nil:
		if before.said > 0 {
			w.log.Info("a witness cosigns again", "log", origin, "witness", name)
		}
		delete(w.silent, key)
	case !failing:
		w.silent[key] = absence{since: now}
	case now-before.since >= silentWarn && before.said == 0:
		w.log.Warn("a witness does not cosign", "log", origin, "witness", name, "error", err)
		w.silent[key] = absence{before.since, silentWarn}
	}
}

func (w *watching) noteDoubts(log ledger.Log, doubts map[string]error) {
	now := map[string]string{}
	for name, err := range doubts {
		now[name] = err.Error()
	}
	before := w.doubts[log]
	if maps.Equal(before, now) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if before[name] != now[name] {
			w.log.Error("A WITNESS CONTRADICTS THIS LEDGER: compare it with a mirror before anything else", "tree", log.String(), "witness", name, "error", now[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[name]; !still {
			w.log.Info("a witness contradicts no more", "tree", log.String(), "witness", name)
		}
	}
	w.doubts[log] = now
}
