package vault

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Paces of Run.
const (
	probeEvery = 15 * time.Second       // while all is well
	firstRetry = 250 * time.Millisecond // doubled up to lastRetry, each with jitter
	lastRetry  = 5 * time.Second
	leastPause = 50 * time.Millisecond // between two rounds, however often calls fail
)

// Run keeps the client logged in until ctx ends, whose error it returns: it logs
// in where that was not done, renews the token at a third of its life, asks every
// 15 seconds whether Vault is there and the token good, and at once when a call
// failed. When the token is lost it logs in again. At most one Run per client.
func (c *Client) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for failures := 0; ; {
		woken := false
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-c.nudge:
			woken = true
		}
		if woken && !c.pause(ctx, failures) {
			return context.Cause(ctx)
		}
		if c.isClosed() {
			return errClosed
		}
		if err := c.tend(ctx); err == nil {
			failures = 0
			timer.Reset(c.untilNext())
		} else {
			failures++
			timer.Reset(backOff(failures))
		}
	}
}

// pause keeps calls that fail in a row from making Run a storm of its own.
func (c *Client) pause(ctx context.Context, failures int) bool {
	wait := leastPause
	if failures > 0 {
		wait = backOff(failures)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func backOff(failures int) time.Duration {
	d := min(firstRetry<<min(failures-1, 10), lastRetry)
	return d/2 + rand.N(d/2+1)
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// untilNext is the time until the next round when all is well.
func (c *Client) untilNext() time.Duration {
	s, _ := c.current()
	next := probeEvery
	if s != nil && !s.renewAt.IsZero() {
		next = min(next, time.Until(s.renewAt))
	} else if s != nil && !s.until.IsZero() {
		next = min(next, time.Until(s.until))
	}
	return max(leastPause, next)
}

// tend does one round: log in, renew or probe, and see what the policy allows.
func (c *Client) tend(ctx context.Context) error {
	s, mark := c.current()
	if s == nil {
		err := c.logIn(ctx)
		if err == nil {
			c.examine(ctx)
		}
		return err
	}
	err := c.probe(ctx, s)
	if ctx.Err() != nil {
		return err
	}
	if s.isLost(err) {
		c.lose(s)
		return c.tend(ctx)
	}
	c.learn(s, mark, request{verb: "GET", path: selfPath}, err)
	if err != nil {
		return err
	}
	c.examine(ctx)
	return c.reconsider(ctx, s)
}

// isLost reports whether an answer to the token's looking itself up means that it
// is dead. Vault says so; old ones say no more than "permission
// denied", which then counts once the lease has run out.
func (s *session) isLost(err error) bool {
	outlived := !s.until.IsZero() && time.Now().After(s.until)
	return errors.Is(err, ErrLogin) || errors.Is(err, ErrDenied) && outlived
}

// probe renews the token if that is due and looks it up otherwise. A renewal that
// is refused while the token is good is not worth losing it.
func (c *Client) probe(ctx context.Context, s *session) error {
	if s.renewAt.IsZero() || time.Now().Before(s.renewAt) {
		found, err := c.lookUp(ctx, s)
		if err == nil && !s.until.IsZero() {
			s.until = time.Now().Add(found.lease)
		}
		return err
	}
	var out auth
	err := c.send(ctx, s.door, request{verb: "PUT", path: "auth/token/renew-self"}, &out)
	if away := errors.Is(err, ErrUnreachable) && !errors.Is(err, errTrouble); away || errors.Is(err, ErrSealed) || ctx.Err() != nil {
		return err
	}
	lease, renewable := time.Duration(out.Auth.LeaseDuration)*time.Second, out.Auth.Renewable
	if err != nil || lease <= 0 {
		found, lookErr := c.lookUp(ctx, s)
		if lookErr != nil {
			return lookErr
		}
		c.cfg.Log.Warn("vault: the token cannot be renewed", "left", found.lease, "error", err)
		lease, renewable = found.lease, found.renewable
	}
	s.granted(lease, renewable)
	return nil
}

// lose drops a token that Vault knows no more.
func (c *Client) lose(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != s {
		return
	}
	c.session = nil
	c.mark++
	c.cfg.Log.Warn("vault: the token is lost: expired, revoked, or used from where it may not be")
}

func (c *Client) examine(ctx context.Context) {
	if r, ok := c.cfg.Auth.(AppRole); ok {
		r.examineReserve(c, attempt{ctx})
	}
}

// errStillDenied keeps Run asking while a policy lacks something.
var errStillDenied = errors.New("the policy still lacks something")

// reconsider asks what has become of the doors that were closed, and forgets
// those that are open now.
func (c *Client) reconsider(ctx context.Context, s *session) error {
	paths := c.closedPaths()
	if len(paths) == 0 {
		return nil
	}
	var out struct {
		Data map[string][]string `json:"data"`
	}
	r := request{verb: "PUT", path: "sys/capabilities-self", body: map[string][]string{"paths": paths}}
	if err := c.send(ctx, s.door, r, &out); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.denied {
		for _, has := range out.Data[d.path] {
			if has == d.capability || has == "root" {
				delete(c.denied, d)
			}
		}
	}
	if len(c.denied) > 0 {
		return errStillDenied
	}
	c.good()
	return nil
}

func (c *Client) closedPaths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var paths []string
	for d := range c.denied {
		paths = append(paths, d.path)
	}
	return paths
}
