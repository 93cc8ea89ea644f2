package proving

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A cut says where a connection to PostgreSQL ends: at a message that the client
// sends in the serialized section, counted from 0, which takes the lock.
type cut struct {
	at     int    // which message
	text   string // or which statement, by its end; at counts when it is ""
	answer bool   // the message still reaches the server, whose answer is lost
}

// A cutter stands between a server of ours and PostgreSQL, speaks its protocol
// (version 3) as far as message boundaries, and cuts one connection when told.
type cutter struct {
	t        testing.TB
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu   sync.Mutex
	plan *cut
	done bool
	ways map[net.Conn]bool // both ends of each connection
	shut bool
}

// newCutter stands before an address until the test ends.
func newCutter(t testing.TB, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, listener: l, to: to, ways: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.cutAll(true)
		c.wg.Wait()
	})
	return c
}

// through names a database by way of the cutter.
func (c *cutter) through(dsn string) string {
	return strings.Replace(dsn, c.to, c.listener.Addr().String(), 1)
}

// arm makes the next section that comes so far end there.
func (c *cutter) arm(plan cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.done = &plan, false
}

// disarm lets everything pass again, and reports whether something was cut.
func (c *cutter) disarm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan = nil
	return c.done
}

// cutAll ends every connection that there is; with forGood, also those to come.
func (c *cutter) cutAll(forGood bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = c.shut || forGood
	for conn := range c.ways {
		conn.Close()
	}
}

// due reports whether a message is where the plan cuts, once.
func (c *cutter) due(n int, text string) (cut, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.plan
	if p == nil || p.text == "" && p.at != n || p.text != "" && !strings.HasSuffix(text, p.text) {
		return cut{}, false
	}
	c.plan, c.done = nil, true
	return *p, true
}

func (c *cutter) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.ways[conn] = true
	}
	return !c.shut
}

func (c *cutter) drop(conns ...net.Conn) {
	for _, conn := range conns {
		conn.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.ways, conn)
	}
}

// carry takes one connection's messages to the server and its answers back.
func (c *cutter) carry(client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		client.Close()
		return
	}
	defer c.drop(client, server)
	if !c.keep(client, server) {
		return
	}
	lost := make(chan struct{})     // closed when answers are to be lost
	answered := make(chan struct{}) // closed when one was
	c.wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			select {
			case <-lost:
				close(answered)
				return
			default:
			}
			if n > 0 {
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				client.Close()
				return
			}
		}
	})
	if err := c.forward(client, server, lost, answered); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.t.Logf("cutter: %v", err)
	}
}

// forward takes messages to the server until the connection ends or is cut.
func (c *cutter) forward(client, server net.Conn, lost, answered chan struct{}) error {
	first, err := readMessage(client) // has no type
	if err != nil {
		return err
	}
	if _, err := server.Write(first); err != nil {
		return err
	}
	inside, n := false, 0
	for {
		kind := make([]byte, 1)
		if _, err := io.ReadFull(client, kind); err != nil {
			return err
		}
		message, err := readMessage(client)
		if err != nil {
			return err
		}
		text := ""
		if kind[0] == 'Q' {
			text = strings.TrimRight(string(message[4:]), "\x00")
		}
		if strings.Contains(text, "FROM head ORDER BY log FOR UPDATE") {
			inside, n = true, 0
		}
		if inside {
			if p, ok := c.due(n, text); ok {
				if !p.answer {
					return nil
				}
				close(lost)
				_, err := server.Write(append(kind, message...))
				if kind[0] == 'Q' || kind[0] == 'S' { // only these are answered at once
					<-answered
				}
				return err
			}
			n++
		}
		if strings.HasSuffix(text, "COMMIT") || text == "ROLLBACK" {
			inside = false
		}
		if _, err := server.Write(append(kind, message...)); err != nil {
			return err
		}
	}
}

// readMessage reads the length of a message and the rest.
func readMessage(r io.Reader) ([]byte, error) {
	message := make([]byte, 4)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(message)
	if size < 4 || size > 64<<20 {
		return nil, errors.New("not a message of PostgreSQL")
	}
	message = append(message, make([]byte, size-4)...)
	_, err := io.ReadFull(r, message[4:])
	return message, err
}
