package vault

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A name that the machine's resolver takes elsewhere is not dialled over http.
func TestOnlyLoopback(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:8200": true, "127.9.9.9:1": true, "[::1]:8200": true,
		"10.0.0.1:8200": false, "192.0.2.1:80": false, "[2001:db8::1]:8200": false, "0.0.0.0:8200": false, "[::]:1": false, "nonsense": false, "localhost:1": false,
	} {
		if err := onlyLoopback("tcp", address, nil); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
	c, err := New(Config{Address: "http://localhost:1", Auth: TokenFile{Path: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.transport.pool.DialContext(t.Context(), "tcp", "192.0.2.1:80"); !errors.Is(err, errNotLoopback) {
		t.Errorf("dialled: %v", err)
	}
}

// A refused password is sent once, however often Run comes round.
func TestPasswordOnce(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"errors":["invalid username or password"]}`))
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{Address: server.URL, Auth: Userpass{Name: "officer-a", Password: NewSecret("x")}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := c.tend(t.Context()); !errors.Is(err, ErrLogin) {
			t.Errorf("%v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// How long Run waits after so many failures in a row.
func TestBackOff(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		for range 100 {
			if d := backOff(failures); d < firstRetry/2 || d > lastRetry {
				t.Fatalf("%d failures: %v", failures, d)
			}
		}
	}
}

// When a token is given up: Vault says so, or says no more than that something is
// denied, and the lease is over by the machine's own count.
func TestIsLost(t *testing.T) {
	past, future := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	for _, c := range []struct {
		until time.Time
		err   error
		want  bool
	}{
		{future, nil, false}, {past, nil, false},
		{future, ErrLogin, true}, {past, ErrLogin, true}, {time.Time{}, ErrLogin, true},
		{future, ErrDenied, false}, {past, ErrDenied, true}, {time.Time{}, ErrDenied, false},
		{past, ErrUnreachable, false}, {past, ErrSealed, false}, {past, ErrAnswer, false},
	} {
		if s := (&session{until: c.until}); s.isLost(c.err) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// A success that began before something went wrong does not make the state good
// again, one that began afterwards does; a session that is over says nothing.
func TestLearn(t *testing.T) {
	c, err := New(Config{Address: "https://vault.example", Auth: TokenFile{Path: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	s, r := &session{}, request{verb: "PUT", path: "transit/sign/k"}
	c.session = s
	_, early := c.current()
	c.learn(s, early, r, nil)
	if c.State().Why != Ready {
		t.Fatalf("%+v", c.State())
	}
	c.learn(s, early, r, ErrSealed)
	c.learn(s, early, r, nil)
	if c.State().Why != Sealed {
		t.Errorf("an old success: %+v", c.State())
	}
	_, late := c.current()
	c.learn(&session{}, late, r, nil)
	if c.State().Why != Sealed {
		t.Errorf("another session: %+v", c.State())
	}
	c.learn(s, late, r, ErrNotFound)
	if c.State().Why != Ready {
		t.Errorf("an answer is an answer: %+v", c.State())
	}
	for i := range 2 * maxDenied {
		_, mark := c.current()
		c.learn(s, mark, request{verb: "GET", path: string(rune('a' + i))}, ErrDenied)
	}
	if len(c.denied) != maxDenied {
		t.Errorf("%d refusals are remembered", len(c.denied))
	}
}
