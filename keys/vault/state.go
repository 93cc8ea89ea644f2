package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// What a [State] can say in Why.
const (
	Ready       = "ready"       // logged in, Vault answers, nothing was denied
	Sealed      = "sealed"      // Vault's keepers unseal it; then all goes on by itself
	Unreachable = "unreachable" // network or Vault down; then all goes on by itself
	NeedLogin   = "login"       // no valid token: a fresh secret id, token or password is needed
	Denied      = "denied"      // a policy lacks something; noticed within seconds once it is there
)

// State is what the client knows of Vault now.
type State struct {
	Ready bool   // Why is [Ready]
	Why   string // one of the five
	// Detail says more to an operator, in one line without secrets.
	Detail string
	// Since when, by the configured clock. It never moves while Why stays.
	Since time.Time
	// ReserveSecretID: a reserve secret id lies ready and was valid when last
	// looked at, at most an hour ago.
	ReserveSecretID bool
}

// State never waits.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.ReserveSecretID = c.reserve.valid
	return s
}

// WaitReady returns once the state is [Ready], or with the reason why it is not
// when ctx ends. Somebody must call [Client.Run] meanwhile.
func (c *Client) WaitReady(ctx context.Context) error {
	for {
		c.mu.Lock()
		s, changed := c.state, c.changed
		c.mu.Unlock()
		if s.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("vault: %w: %w", s.err(), context.Cause(ctx))
		case <-changed:
		}
	}
}

// err is the state as one of the errors.
func (s State) err() error {
	kind := map[string]error{Sealed: ErrSealed, Unreachable: ErrUnreachable, NeedLogin: ErrLogin, Denied: ErrDenied}[s.Why]
	if kind == nil || s.Detail == "" {
		return kind
	}
	return fmt.Errorf("%w (%s)", kind, s.Detail)
}

// become changes the state, and tells the log when Why changes, or what a person
// must do about it. c.mu is held.
func (c *Client) become(why, detail string) {
	same, news := c.state.Why == why, c.state.Detail != detail
	c.state.Detail = detail
	if !same {
		c.state.Ready, c.state.Why, c.state.Since = why == Ready, why, c.cfg.Clock()
		close(c.changed)
		c.changed = make(chan struct{})
	}
	switch helpless := why == NeedLogin || why == Denied; {
	case same && !(helpless && news):
	case why == Ready:
		c.cfg.Log.Info("vault: ready")
	case strings.Contains(detail, alarmWord):
		c.cfg.Log.Error("vault: not ready", "why", why, "detail", detail)
	default:
		c.cfg.Log.Warn("vault: not ready", "why", why, "detail", detail)
	}
}

// learn takes what a request with session s came back with. mark is the count at
// its start: a success that began before something went wrong says nothing about
// now. Requests of an older session say nothing at all.
func (c *Client) learn(s *session, mark uint64, r request, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != s || c.closed {
		return
	}
	at := door{r.path, r.capability()}
	if err == nil && mark != c.mark {
		delete(c.denied, at)
		return
	}
	switch {
	case errors.Is(err, ErrSealed):
		c.wrong(Sealed, "")
	case errors.Is(err, ErrUnreachable):
		c.wrong(Unreachable, err.Error())
	case errors.Is(err, ErrLogin):
		c.wrong(c.state.Why, c.state.Detail) // Run finds out whether the token is lost
	case errors.Is(err, ErrDenied):
		if len(c.denied) < maxDenied {
			c.denied[at] = true
		}
		c.wrong(Denied, c.refusedDoors())
	case errors.Is(err, ErrAnswer):
		c.wrong(Unreachable, "what answers is not Vault: "+err.Error())
	default: // Vault answered, with a yes or a no
		delete(c.denied, at)
		c.good()
	}
}

// maxDenied bounds the refusals that are remembered.
const maxDenied = 32

// wrong and good are called with c.mu held.
func (c *Client) wrong(why, detail string) {
	c.mark++
	c.become(why, detail)
	c.wake()
}

func (c *Client) good() {
	if len(c.denied) > 0 {
		c.become(Denied, c.refusedDoors())
		return
	}
	c.become(Ready, "")
}

// refusedDoors spells what the policy lacks. c.mu is held.
func (c *Client) refusedDoors() string {
	var lacks []string
	for d := range maps.Keys(c.denied) {
		lacks = append(lacks, d.capability+" "+d.path)
	}
	slices.Sort(lacks)
	return "the policy must allow: " + strings.Join(lacks, ", ")
}

// capability is the word of a policy for a request's verb.
func (r request) capability() string {
	switch r.verb {
	case "GET":
		return "read"
	case "LIST":
		return "list"
	case "DELETE":
		return "delete"
	}
	return orElse(r.needs, "update")
}
