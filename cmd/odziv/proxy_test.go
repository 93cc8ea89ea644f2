package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// proxy stands between officers and server and fails as networks do. It knows
// nothing of HTTP but where a request begins.
type proxy struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	left    int64         // bytes still passed on to the server; below 0: all
	mute    bool          // the answers to submissions are lost
	passed  int64         // bytes passed on to the server
	stalled chan struct{} // closed when left is used up
	conns   []net.Conn
}

// proxies are those of the scripts under way, by the server's address.
var proxies sync.Map

// between puts a proxy before the server: the server moves to another port.
func between(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: between")
	}
	halt(ts, false, nil)
	behind, err := freeAddress()
	ts.Check(err)
	p := &proxy{server: behind, left: -1, stalled: make(chan struct{})}
	p.listener, err = net.Listen("tcp", ts.Getenv("ADDRESS"))
	ts.Check(err)
	proxies.Store(ts.Getenv("ADDRESS"), p)
	ts.Defer(func() { p.listener.Close(); p.hangUp() })
	go p.run()
	ts.Setenv("LISTEN", behind)
	daemon(ts, false, nil)
}

func proxyOf(ts *testscript.TestScript) *proxy {
	p, ok := proxies.Load(ts.Getenv("ADDRESS"))
	if !ok {
		ts.Fatalf("there is no proxy: between comes first")
	}
	return p.(*proxy)
}

// network: "stall BYTES" passes that many on to the server and then nothing;
// "mute" loses the answers to submissions; "flow" ends both; "wait" waits until
// it has stalled; "below BYTES" fails if more was passed on since.
func network(ts *testscript.TestScript, neg bool, args []string) {
	p := proxyOf(ts)
	number := func() int64 {
		n, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		return n
	}
	switch {
	case neg:
		ts.Fatalf("network cannot be negated")
	case args[0] == "stall":
		p.set(number(), false)
	case args[0] == "mute":
		p.set(-1, true)
	case args[0] == "flow":
		p.set(-1, false)
		p.hangUp()
	case args[0] == "wait":
		select {
		case <-p.stall():
		case <-time.After(time.Minute):
			ts.Fatalf("nothing stalled")
		}
	case args[0] == "below":
		p.mu.Lock()
		passed := p.passed
		p.mu.Unlock()
		if passed > number() {
			ts.Fatalf("%d bytes were sent", passed)
		}
	default:
		ts.Fatalf("network stall|mute|flow|wait|below")
	}
}

func (p *proxy) set(left int64, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.mute, p.passed, p.stalled = left, mute, 0, make(chan struct{})
}

func (p *proxy) stall() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
}

// hangUp ends the connections there are.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) run() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		deaf := make(chan struct{})
		go p.up(client, server, deaf)
		go down(client, server, deaf)
	}
}

var submission = regexp.MustCompile(`PUT /v1/messages/m_[a-z2-7]+ HTTP`)

// up passes requests on.
func (p *proxy) up(client, server net.Conn, deaf chan struct{}) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.mute && submission.Match(buf[:n]) {
			close(deaf)
		}
		pass := n
		if p.left >= 0 {
			pass = int(min(int64(n), p.left))
			p.left -= int64(pass)
			if p.left == 0 && pass < n {
				closeOnce(p.stalled)
			}
		}
		p.passed += int64(pass)
		p.mu.Unlock()
		if _, err := server.Write(buf[:pass]); err != nil {
			return
		}
		if pass < n {
			io.Copy(io.Discard, client) // until somebody hangs up
			return
		}
	}
}

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// down passes answers back until it is deaf; then it waits for the server's
// answer and hangs up.
func down(client, server net.Conn, deaf chan struct{}) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-deaf:
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// random writes a file of so many bytes that compress no better than mail.
func random(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: random FILE BYTES")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	for i, x := 0, uint32(1); i < size; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		data[i] = byte(x)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
	fmt.Fprintf(ts.Stdout(), "%d bytes\n", size)
}
