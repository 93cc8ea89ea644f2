package sqlstore

import (
	"context"
	"net"
	"time"
)

// dialer connects to PostgreSQL so that a server that is gone is noticed: the
// kernel asks an idle peer now and then, what was sent must be taken, and where
// silence is set an answer must come within it, also from a server that is
// stopped while its kernel goes on.
type dialer struct{ silence time.Duration }

// unsent is how long what was sent may lie unacknowledged.
const unsent = 10 * time.Second

// DialContext implements pq.DialerContext.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nd := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	c, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*net.TCPConn); ok {
		boundUnsent(t, unsent)
	}
	if d.silence == 0 {
		return c, nil
	}
	return &watched{Conn: c, silence: d.silence}, nil
}

// Dial implements pq.Dialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements pq.Dialer.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// watched is a connection on which a read fails that takes too long. Nothing is
// read but answers, so silence is never idleness.
type watched struct {
	net.Conn
	silence time.Duration
}

// Read implements net.Conn.
func (w *watched) Read(p []byte) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.silence)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = w.Conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	return w.Conn.Read(p)
}
