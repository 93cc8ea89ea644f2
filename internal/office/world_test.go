package office_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// start is a Monday morning.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()

// open builds a real exchange with a center for social welfare and a
// prosecutor's office.
func open(t *testing.T) *demo.World {
	t.Helper()
	w, err := demo.Open(t.Context(), demo.Options{Dir: t.TempDir(), Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func desk(t *testing.T, w *demo.World, code, fn string) *demo.Desk {
	t.Helper()
	m, ok := w.Member(code)
	if !ok {
		t.Fatalf("no institution %s", code)
	}
	d, ok := m.Desk(fn)
	if !ok {
		t.Fatalf("%s has no desk %s", code, fn)
	}
	return d
}

// program is an officer's program with a notebook of its own, behind a network
// that lies or fails as the test says.
type program struct {
	*office.Office
	desk string
	net  *network
}

// at opens the program of a desk's officer. Without a folder the notebook lives
// in memory.
func at(t *testing.T, w *demo.World, d *demo.Desk, officer int, dir string) *program {
	t.Helper()
	notebook := office.MemoryNotebook(w.Pin())
	if dir != "" {
		var err error
		if notebook, err = office.OpenNotebook(dir); err != nil {
			notebook, err = office.CreateNotebook(dir, w.Pin())
		}
		check(t, err)
	}
	net := &network{base: &http.Transport{DisableCompression: true}}
	t.Cleanup(net.base.CloseIdleConnections)
	keys := d.Officers[officer].Keys
	c, err := client.New(w.URL, keys.Signer(), w.Clock.Now, client.Options{Transport: net,
		Pause: func(ctx context.Context, _ time.Duration) error { time.Sleep(time.Millisecond); return ctx.Err() }})
	check(t, err)
	o, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: notebook, Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
	check(t, err)
	return &program{Office: o, desk: d.ID, net: net}
}

// network passes requests on, and answers as the test says: lie changes the
// body of an answer, fail loses a request or its answer.
type network struct {
	base *http.Transport
	mu   sync.Mutex
	lie  func(path string, body []byte) []byte
	fail func(r *http.Request, answered bool) error
	log  []string // method and path of each request
}

func (n *network) set(lie func(path string, body []byte) []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lie, n.log = lie, nil
}

func (n *network) failing(fail func(r *http.Request, answered bool) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail, n.log = fail, nil
}

func (n *network) count(what string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, line := range n.log {
		if bytes.HasPrefix([]byte(line), []byte(what)) {
			count++
		}
	}
	return count
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	lie, fail := n.lie, n.fail
	n.log = append(n.log, r.Method+" "+r.URL.Path)
	n.mu.Unlock()
	if fail != nil {
		if err := fail(r, false); err != nil {
			return nil, err
		}
	}
	resp, err := n.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if fail != nil {
		if err := fail(r, true); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	if lie == nil || resp.StatusCode != http.StatusOK {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	body = lie(r.URL.Path, body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

// complaint is a draft from a social welfare center to a prosecutor's office.
func complaint(from, to string) office.Draft {
	return office.Draft{Desk: from, Family: "rs-a", Kind: "complaint", To: []string{to}, Subj: []string{statement.NewID(statement.Person)},
		Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"}, Cats: []string{"identity"},
		Text: envelope.Text{Subject: "subject", Body: "body", Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}}
}

func file(name string, content []byte) envelope.File {
	return envelope.File{Name: name, Type: "application/octet-stream", Size: int64(len(content)), Content: bytes.NewReader(content)}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
