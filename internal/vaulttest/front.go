package vaulttest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// A Front stands between a client and the server and is the network: it can be
// cut, also in the middle of a request, and stall. Safe for concurrent use.
type Front struct {
	Address string // as Server.Address, of the front

	target string
	listen net.Listener
	mu     sync.Mutex
	state  *sync.Cond
	cut    bool
	stall  bool
	after  int64 // bytes of an answer let through before the cut; -1: no end
	conns  map[net.Conn]bool
}

// Front opens one before the server; it ends with the test.
func (s *Server) Front(t testing.TB) *Front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, target, _ := strings.Cut(s.Address, "://")
	f := &Front{Address: scheme + "://" + l.Addr().String(), target: target, listen: l, after: -1, conns: map[net.Conn]bool{}}
	f.state = sync.NewCond(&f.mu)
	go f.accept()
	t.Cleanup(func() { l.Close(); f.Mend(); f.drop() })
	return f
}

// Cut ends every connection and refuses new ones.
func (f *Front) Cut() {
	f.set(func() { f.cut = true })
	f.drop()
}

// CutAnswer lets so many more bytes of answers through and then cuts: what was
// asked has been done, and nobody hears of it.
func (f *Front) CutAnswer(bytes int64) { f.set(func() { f.after = bytes }) }

// Stall lets nothing more through and ends nothing.
func (f *Front) Stall() { f.set(func() { f.stall = true }) }

// Mend undoes all of them.
func (f *Front) Mend() { f.set(func() { f.cut, f.stall, f.after = false, false, -1 }) }

func (f *Front) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.state.Broadcast()
}

func (f *Front) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

func (f *Front) accept() {
	for {
		near, err := f.listen.Accept()
		if err != nil {
			return
		}
		go f.join(near)
	}
}

func (f *Front) join(near net.Conn) {
	defer near.Close()
	if f.isCut() {
		return
	}
	far, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	defer far.Close()
	f.mu.Lock()
	f.conns[near], f.conns[far] = true, true
	f.mu.Unlock()
	done := make(chan struct{}, 2)
	go func() { f.pass(far, near, false); done <- struct{}{} }()
	go func() { f.pass(near, far, true); done <- struct{}{} }()
	<-done
}

func (f *Front) isCut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut
}

// pass copies one direction, as long as the network is whole.
func (f *Front) pass(to, from net.Conn, answer bool) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			allowed, last := f.allow(n, answer)
			if _, werr := to.Write(buf[:allowed]); werr != nil || last {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// allow says how much of n bytes passes, and whether that was the last.
func (f *Front) allow(n int, answer bool) (allowed int, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.stall {
		f.state.Wait()
	}
	if f.cut {
		return 0, true
	}
	if !answer || f.after < 0 {
		return n, false
	}
	allowed = int(min(int64(n), f.after))
	f.after -= int64(allowed)
	if allowed < n {
		f.cut = true
		return allowed, true
	}
	return allowed, false
}
