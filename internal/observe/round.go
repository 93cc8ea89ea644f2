package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odziv/odziv/ledger"
)

// How old what the exchange shows may be, in ms.
const (
	staleWarn  = 15 * 60 * 1000
	staleAlarm = 24 * 3600 * 1000
	wholeEvery = 24 * 3600 * 1000
)

// Round looks once: it follows both trees, and checks receipts, feeds, what
// others are shown, the statements about the institution and how fresh the
// checkpoints are. With
// whole, and once a day without, it also compares everything that the exchange
// shows with what was mirrored. What is wrong becomes an alarm; an error says
// that something could not be looked at.
func (o *Observer) Round(ctx context.Context, whole bool) error {
	receipts, err := o.readReceipts() // before the checkpoints, which must cover them
	errs := []error{err}
	reached := true
	for _, log := range ledger.Logs {
		answered, err := o.look(ctx, log)
		errs = append(errs, err)
		reached = reached && answered
	}
	errs = append(errs, o.checkAnswers(reached), o.checkStanding(ctx))
	errs = append(errs, o.checkReceipts(ctx, receipts), o.checkOthers(ctx))
	o.mu.Lock()
	due := o.seen.Whole == 0 || o.Clock()-o.seen.Whole >= wholeEvery
	o.mu.Unlock()
	if reached {
		errs = append(errs, o.checkFeeds(ctx, whole || due))
	}
	if reached && (whole || due) {
		errs = append(errs, o.compareWhole(ctx))
	}
	return errors.Join(errs...)
}

// checkStanding looks at what is mirrored, whatever is new.
func (o *Observer) checkStanding(ctx context.Context) error {
	m := o.mirrors[ledger.Dir]
	m.grow.Lock()
	err := o.checkChanges(ctx)
	m.grow.Unlock()
	for _, log := range ledger.Logs {
		err = errors.Join(err, o.checkFresh(log))
	}
	return err
}

// look fetches the latest published checkpoint of a tree, and follows it. The
// exchange may never publish a smaller one than it did.
func (o *Observer) look(ctx context.Context, log ledger.Log) (answered bool, err error) {
	signed, err := o.Source.Checkpoint(ctx, log)
	if err != nil {
		return false, err
	}
	err = o.follow(ctx, log, signed)
	var rule *RuleError
	switch {
	case errors.Is(err, errSignature):
		return true, errors.Join(err, o.Alarms.raise(Entries, Severe, "signature "+log.String(),
			fmt.Sprintf("the exchange shows a checkpoint of the %s that the ledger's key did not sign", treeName(log)), map[string][]byte{"shown.checkpoint": signed}))
	case err != nil && !errors.Is(err, ledger.ErrContradicted) && !errors.As(err, &rule):
		return false, err
	}
	return true, errors.Join(err, o.published(ctx, log, signed))
}

// published holds a checkpoint against the largest that was published before.
func (o *Observer) published(ctx context.Context, log ledger.Log, signed []byte) error {
	c, err := openedBy(o.Directory(), log, signed)
	if err != nil {
		return nil // of a directory that could not be followed, which is an alarm by now
	}
	o.mu.Lock()
	before := slices.Clone(o.seen.Published[log.String()])
	o.mu.Unlock()
	if before != nil {
		largest, err := sizeOf(before)
		if err != nil {
			return err
		}
		if c.Size < largest {
			return o.Alarms.raise(Rollback, Severe, fmt.Sprintf("%s %d %d", log, largest, c.Size),
				fmt.Sprintf("the exchange went back: its %s had %d entries and now shows %d", treeName(log), largest, c.Size),
				map[string][]byte{"before.checkpoint": before, "shown.checkpoint": signed})
		}
	}
	return o.remember(func(s *seen) { s.Published[log.String()] = signed })
}

// checkAnswers says when the exchange has not answered for long.
func (o *Observer) checkAnswers(reached bool) error {
	now := o.Clock()
	if reached {
		if err := o.remember(func(s *seen) { s.Answered = now }); err != nil {
			return err
		}
	}
	o.mu.Lock()
	since := o.seen.Answered
	o.mu.Unlock()
	if since == 0 {
		return o.remember(func(s *seen) { s.Answered = now }) // from the first attempt on
	}
	return o.aged(Away, "exchange", now-since, "the exchange has not answered for %s: nothing of it can be checked")
}

// checkFresh says when no checkpoint was confirmed for long, where a quorum is
// asked for.
func (o *Observer) checkFresh(log ledger.Log) error {
	policy, err := o.policy(log)
	_, held := o.mirrors[log].At()
	if err != nil || policy.None() || held == nil {
		return nil
	}
	now := o.Clock()
	o.mu.Lock()
	last := o.seen.Quorum[log.String()]
	o.mu.Unlock()
	fresh := max(last, quorumTime(policy, held, now))
	if fresh == 0 {
		fresh = now // from the first look on
	}
	if fresh != last {
		if err := o.remember(func(s *seen) { s.Quorum[log.String()] = fresh }); err != nil {
			return err
		}
	}
	return o.aged(Stale, log.String(), now-fresh, "no checkpoint of the "+treeName(log)+" was confirmed by enough witnesses for %s")
}

// aged warns after a quarter of an hour, raises an alarm after a day, and takes
// both back.
func (o *Observer) aged(kind Kind, subject string, age int64, text string) error {
	for _, limit := range []struct {
		ms    int64
		level Level
		words string
	}{{staleWarn, Warning, "15 minutes"}, {staleAlarm, Severe, "24 hours"}} {
		name := subject + " " + limit.words
		err := o.Alarms.clear(kind, name)
		if age >= limit.ms {
			err = o.Alarms.raise(kind, limit.level, name, fmt.Sprintf(text, limit.words), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quorumTime is the latest time at which witnesses that satisfy a policy had
// cosigned a checkpoint, in ms, 0 if they did not. A witness that signs without a
// time counts as of now.
func quorumTime(policy *ledger.Policy, signed []byte, now int64) int64 {
	type cosignature struct {
		name string
		at   int64
	}
	var list []cosignature
	cosigned := policy.Cosigned(signed)
	for _, w := range policy.Witnesses() {
		at, timed := ledger.CosignedAt(signed, w.Verifier)
		switch {
		case timed:
			list = append(list, cosignature{w.Name, at})
		case cosigned[w.Name]:
			list = append(list, cosignature{w.Name, now})
		}
	}
	slices.SortFunc(list, func(a, b cosignature) int { return int(min(1, max(-1, b.at-a.at))) })
	names := map[string]bool{}
	for _, c := range list {
		names[c.name] = true
		if policy.Met(names) {
			return c.at
		}
	}
	return 0
}

// compareWhole compares every tile and entry that the exchange shows with what
// the mirror holds of it, and the mirror with itself.
func (o *Observer) compareWhole(ctx context.Context) error {
	for _, log := range ledger.Logs {
		m := o.mirrors[log]
		c, held := m.At()
		if held == nil {
			continue
		}
		files := map[string][]byte{"held.checkpoint": held}
		if err := o.damaged(ctx, log, o.Source.Tiles(log), c, files); err != nil {
			return err
		}
		if err := o.checkMirror(ctx, m); err != nil {
			return err
		}
	}
	return o.remember(func(s *seen) { s.Whole = o.Clock() })
}

// checkMirror holds the mirror's own files against its checkpoint: a disk
// forgets too.
func (o *Observer) checkMirror(ctx context.Context, m *Mirror) error {
	m.grow.Lock()
	defer m.grow.Unlock()
	c, _ := m.At()
	findings, err := ledger.AuditTree(ctx, m, c, nil)
	if err != nil {
		return err
	}
	if len(findings) > 0 {
		return fmt.Errorf("observe: %s: %s: %w", m.dir, findings[0], ErrDamaged)
	}
	return nil
}

// Run looks every period until ctx ends. What could not be looked at is logged
// and tried again.
func (o *Observer) Run(ctx context.Context, period time.Duration) error {
	for {
		err := o.Round(ctx, false)
		if errors.Is(err, ErrDemo) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			o.Log.Warn("not everything could be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(period):
		}
	}
}
