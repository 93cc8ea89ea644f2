package scenario

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/wire"
)

// Cheat lets the operator answer otherwise than its own records say, from then
// on: with a key of its own in the place of a desk's (recipient-key), or no
// longer (nothing).
type Cheat struct {
	What string `toml:"what" is:"must cheat"`
}

const (
	cheatKey     = "recipient-key"
	cheatNothing = "nothing"
)

// operator stands between everybody and the exchange. It is honest until a step
// says otherwise.
type operator struct {
	http.Transport
	mu   sync.Mutex
	what string
	own  string // recipient whose identity the operator holds
}

func newOperator() *operator {
	return &operator{Transport: http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
}

// cheat begins to lie, or ends it.
func (p *operator) cheat(what string) error {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.own = what, id.Recipient().String()
	return nil
}

// RoundTrip implements http.RoundTripper.
func (p *operator) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.Transport.RoundTrip(req)
	p.mu.Lock()
	defer p.mu.Unlock()
	folder, _, _ := strings.Cut(wire.PathKey, "{")
	if err != nil || p.what != cheatKey || req.Method != http.MethodGet || !strings.HasPrefix(req.URL.Path, folder) || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, fmt.Errorf("scenario: cheat: %w", err)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader([]byte(p.own))), int64(len(p.own))
	resp.Header.Del("Content-Length")
	return resp, nil
}
