package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// A Client talks to one Vault with one token. Safe for concurrent use.
type Client struct {
	cfg       Config
	transport transport
	anyone    *api.Client   // without a token
	nudge     chan struct{} // wakes Run

	login sync.Mutex // held while logging in

	mu      sync.Mutex
	session *session // nil without a token
	closed  bool
	mark    uint64 // counts what went wrong; see learn
	state   State
	denied  map[door]bool // what the policy refused, until it is allowed
	changed chan struct{} // closed at the next change of state
	pending Secret        // secret id unwrapped, not yet logged in with
	barred  error         // why another try to log in would do harm
	reserve reserve
}

// A session is one token's life.
type session struct {
	door      *api.Client
	renewAt   time.Time // on the monotonic clock; zero if not renewable
	until     time.Time // the same; when the lease ends, zero if it does not
	revocable bool      // ours to end
}

// door is a path and what is done there, in the words of a policy.
type door struct{ path, capability string }

// New returns a client that has not logged in yet: [Client.Run] does, as soon
// as Vault lets it, and [Client.WaitReady] waits for that. The error is about
// the configuration.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	t, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	anyone, err := t.door(cfg, Secret{})
	if err != nil {
		return nil, err
	}
	return &Client{
		cfg: cfg, transport: t, anyone: anyone, nudge: make(chan struct{}, 1),
		state:  State{Why: NeedLogin, Since: cfg.Clock()},
		denied: map[door]bool{}, changed: make(chan struct{}),
	}, nil
}

// Open returns a client that has logged in. A program that runs for longer than
// its token calls [Client.Run] too; one that must start while Vault is sealed
// begins with [New].
func Open(ctx context.Context, cfg Config) (*Client, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.logIn(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("vault: %w", err)
	}
	return c, nil
}

// Close forgets the token, and has Vault forget it where it was ours alone. It
// waits two seconds for that at most. Calls afterwards fail with [ErrLogin].
func (c *Client) Close() {
	c.mu.Lock()
	s, first := c.session, !c.closed
	c.session, c.closed, c.pending = nil, true, Secret{}
	c.mu.Unlock()
	if first && s != nil && s.revocable {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := c.send(ctx, s.door, request{verb: "PUT", path: "auth/token/revoke-self"}, nil); err != nil {
			c.cfg.Log.Warn("vault: the token could not be revoked and lives on until it expires", "error", err)
		}
	}
	c.transport.pool.CloseIdleConnections()
	c.wake()
}

// Format keeps tokens and files out of every output.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "vault client of %s", c.cfg.Address) }

var errClosed = errors.New("vault client is closed")

// current is the session in use and the count of what went wrong until now.
func (c *Client) current() (*session, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.mark
}

func (c *Client) wake() {
	select {
	case c.nudge <- struct{}{}:
	default: // it is awake already
	}
}
