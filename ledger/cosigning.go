package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witnesses brings checkpoints to those who cosign them. Implementations are
// safe for concurrent use.
type Witnesses interface {
	// Policy is the policy in force for a log.
	Policy(log Log) *Policy

	// Ask brings a checkpoint to a witness (C2SP tlog-witness, add-checkpoint)
	// and returns the signature line it answers with. signed bears the log's own
	// signature alone; prove proves the tree of an earlier size to be the
	// beginning of that of c. An error that wraps [ErrContradicted] means that
	// the witness holds a tree that c does not extend.
	Ask(ctx context.Context, w Witness, c Checkpoint, signed []byte, prove ProveFrom) (line []byte, err error)
}

// ProveFrom proves that the tree of size old is the beginning of a larger one.
type ProveFrom func(ctx context.Context, old int64) (tlog.TreeProof, error)

// How long a step waits for a quorum, and how long a witness that did not
// answer is left alone.
const (
	cosignWait  = time.Second
	cosignAsk   = 10 * time.Second
	cosignAgain = 10 * 1000 // ms
)

// cosigning asks witnesses side by side and remembers what came back for the
// checkpoint at hand. Answers that come late are there at the next step.
type cosigning struct {
	log     Log
	outside Witnesses

	mu      sync.Mutex
	at      Checkpoint // what the lines are for
	lines   map[string][]byte
	before  map[string][]byte // of the same checkpoint, when it was published last
	against map[string]error  // witnesses whose last answer contradicted
	busy    map[string]bool   // being asked
	asked   map[string]int64
	news    chan struct{} // holds one token when something came back
}

func newCosigning(log Log, outside Witnesses) *cosigning {
	return &cosigning{
		log: log, outside: outside, lines: map[string][]byte{}, before: map[string][]byte{}, against: map[string]error{},
		busy: map[string]bool{}, asked: map[string]int64{}, news: make(chan struct{}, 1),
	}
}

// renew lets every witness be asked again for a checkpoint that is published
// once more: a cosignature says when, and a log that does not grow would
// otherwise look as old as it is quiet. Until a witness has answered anew its
// earlier line stands.
func (g *cosigning) renew(c Checkpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at == c {
		maps.Copy(g.before, g.lines)
		clear(g.lines)
		clear(g.asked)
	}
}

// collect returns signed, a note of c that bears the log's own signature, with
// the cosignatures that came within [cosignWait]. It returns as soon as the
// quorum is met or nobody is left to wait for.
func (g *cosigning) collect(ctx context.Context, now int64, c Checkpoint, signed []byte, prove ProveFrom) ([]byte, error) {
	p := g.outside.Policy(g.log)
	g.begin(ctx, now, p, c, signed, prove)
	within, stop := context.WithTimeout(ctx, cosignWait)
	defer stop()
	for !g.settled(p) {
		select {
		case <-g.news:
		case <-within.Done():
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return g.merged(p, signed), g.verdict(p)
		}
	}
	return g.merged(p, signed), g.verdict(p)
}

// begin asks every witness that has a place to be asked, has not answered for
// c, and is neither being asked nor was a moment ago.
func (g *cosigning) begin(ctx context.Context, now int64, p *Policy, c Checkpoint, signed []byte, prove ProveFrom) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at != c {
		g.at, g.lines, g.before = c, map[string][]byte{}, map[string][]byte{}
		clear(g.asked)
	}
	for _, w := range p.Witnesses() {
		asked, before := g.asked[w.Name]
		recently := before && now >= asked && now-asked < cosignAgain
		if w.URL == "" || g.busy[w.Name] || g.lines[w.Name] != nil || recently {
			continue
		}
		g.busy[w.Name], g.asked[w.Name] = true, now
		go g.ask(context.WithoutCancel(ctx), w, c, signed, prove)
	}
}

// ask is one question, in a goroutine that ends within [cosignAsk].
func (g *cosigning) ask(ctx context.Context, w Witness, c Checkpoint, signed []byte, prove ProveFrom) {
	ctx, cancel := context.WithTimeout(ctx, cosignAsk)
	defer cancel()
	line, err := g.outside.Ask(ctx, w, c, signed, prove)
	if err == nil && !verifies(signed, line, w.Verifier) {
		err = fmt.Errorf("ledger: witness %s answered with a signature that does not verify", w.Name)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.busy, w.Name)
	switch {
	case errors.Is(err, ErrContradicted):
		g.against[w.Name] = err
	case err == nil:
		delete(g.against, w.Name)
		if g.at == c {
			g.lines[w.Name] = line
		}
	}
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// verifies reports whether line is the one signature of v under a note.
func verifies(signed, line []byte, v note.Verifier) bool {
	n, err := note.Open(slices.Concat(signed, line), note.VerifierList(v))
	return err == nil && len(n.Sigs) == 1 && checkSpelling(n) == nil
}

// settled reports whether waiting longer would change nothing that matters.
func (g *cosigning) settled(p *Policy) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.busy) == 0 || !p.None() && p.Met(g.have())
}

func (g *cosigning) have() map[string]bool {
	names := map[string]bool{}
	for name := range g.lines {
		names[name] = true
	}
	return names
}

// merged adds the lines that came to the note, in the order of the policy.
func (g *cosigning) merged(p *Policy, signed []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	full := slices.Clone(signed)
	for _, w := range p.Witnesses() {
		line, ok := g.lines[w.Name]
		if !ok {
			line = g.before[w.Name]
		}
		full = append(full, line...)
	}
	return full
}

// verdict is an error when so many witnesses contradict that the quorum cannot
// be met without them: then it is the ledger that is wrong, or they outvote it.
// One that lies alone stops nothing.
func (g *cosigning) verdict(p *Policy) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.None() || len(g.against) == 0 {
		return nil
	}
	left := map[string]bool{}
	for _, w := range p.Witnesses() {
		left[w.Name] = g.against[w.Name] == nil
	}
	if p.Met(left) {
		return nil
	}
	return fmt.Errorf("ledger: %s: %w: %w", g.log, ErrRollback, errors.Join(slices.Collect(maps.Values(g.against))...))
}

// doubts are the witnesses that contradicted, and how.
func (g *cosigning) doubts() map[string]error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.against)
}

// Unwatched asks nobody: the policy "none".
type Unwatched struct{}

// Policy implements [Witnesses].
func (Unwatched) Policy(Log) *Policy { return &Policy{quorum: noQuorum} }

// Ask implements [Witnesses].
func (Unwatched) Ask(context.Context, Witness, Checkpoint, []byte, ProveFrom) ([]byte, error) {
	return nil, errors.New("ledger: nobody is asked to cosign")
}
