package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// Verdict is what a comparison of a checkpoint with the mirror says.
type Verdict string

// The verdicts.
const (
	Same      Verdict = "same"      // one history
	Different Verdict = "different" // two histories: an alarm was raised
	Larger    Verdict = "larger"    // more than was mirrored: not known yet
)

// ErrForeign says that what is to be compared is no checkpoint of this exchange.
var ErrForeign = errors.New("that is no checkpoint of this exchange")

// Compare holds a checkpoint, wherever it came from, against what is mirrored.
func (o *Observer) Compare(ctx context.Context, signed []byte) (Verdict, error) {
	if file, err := ledger.ParseProof(signed); err == nil {
		signed = file.Checkpoint
	}
	head, err := witness.Head(signed)
	if err != nil {
		return "", fmt.Errorf("observe: %w", ErrForeign)
	}
	log, err := logOf(head.Origin)
	if err != nil || o.Directory().N() == 0 {
		return "", errors.Join(fmt.Errorf("observe: %w", ErrForeign), err)
	}
	c, err := o.openedByAny(log, signed)
	if err != nil {
		return "", fmt.Errorf("observe: %w: %w", ErrForeign, err)
	}
	m := o.mirrors[log]
	m.grow.Lock()
	defer m.grow.Unlock()
	if at, _ := m.At(); c.Size > at.Size {
		return Larger, nil
	}
	err = o.compare(ctx, m, c, signed)
	switch {
	case errors.Is(err, ledger.ErrContradicted):
		return Different, nil
	case err != nil:
		return "", err
	}
	return Same, nil
}

// Other shows checkpoints of the same exchange: another observer, or the
// exchange to whom it does not know.
type Other func(ctx context.Context, log ledger.Log) ([]byte, error)

// Peer is another observer at an address.
func Peer(address string) Other {
	return func(ctx context.Context, log ledger.Log) ([]byte, error) {
		return Fetch(ctx, strings.TrimSuffix(address, "/")+"/"+log.String()+"/checkpoint")
	}
}

// Public is what the exchange shows to anyone, behind a client without a key.
func Public(c *client.Client) Other {
	return func(ctx context.Context, log ledger.Log) ([]byte, error) { return c.Checkpoint(ctx, wireLog(log)) }
}

// checkOthers compares what others are shown. Who does not answer, or is ahead,
// is asked again in the next round.
func (o *Observer) checkOthers(ctx context.Context) error {
	var errs []error
	for _, other := range o.Others {
		for _, log := range ledger.Logs {
			signed, err := other(ctx, log)
			if err != nil {
				o.Log.Info("a checkpoint of another could not be had", "tree", log.String(), "error", err)
				continue
			}
			if _, err := o.Compare(ctx, signed); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// openedByAny verifies a checkpoint under any key that the ledger ever had: an
// old proof stays one.
func (o *Observer) openedByAny(log ledger.Log, signed []byte) (ledger.Checkpoint, error) {
	dir := o.Directory()
	c, err := openedBy(dir, log, signed)
	if err == nil {
		return c, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, change := range o.changes {
		if change.Type != "policy" {
			continue
		}
		then := *dir
		then.View = dir.At(change.Idx) // as it was before it
		if c, err := openedBy(&then, log, signed); err == nil {
			return c, nil
		}
	}
	return c, err
}

// Bounds of what is fetched to be compared.
const (
	fetchTime = 15 * time.Second
	maxFetch  = ledger.MaxProof
)

// Fetch reads a checkpoint from an address: that of another observer, or the
// one that the exchange shows to anyone. Beyond this machine only https is
// spoken.
func Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("observe: %.100q is no address", address)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !witness.Loopback(u.Hostname())) {
		return nil, fmt.Errorf("observe: %.100q: only https is spoken beyond this machine", address)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("observe: %s answers with status %d", u.Host, resp.StatusCode)
	case len(data) > maxFetch:
		return nil, fmt.Errorf("observe: %s answers with more than a checkpoint", u.Host)
	}
	return data, nil
}

// Handler shows the mirror's checkpoints to other observers, at
// /dir/checkpoint and /ev/checkpoint, beside what the witness answers.
func (o *Observer) Handler() http.Handler {
	mux := http.NewServeMux()
	if o.Key != nil {
		mux.Handle("/", o.Witness().Handler(o.Log))
	}
	for _, log := range ledger.Logs {
		mux.HandleFunc("GET /"+log.String()+"/checkpoint", func(w http.ResponseWriter, _ *http.Request) {
			_, held := o.mirrors[log].At()
			if held == nil {
				http.Error(w, "nothing is mirrored yet", http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = w.Write(held) // whoever went away asks again
		})
	}
	if o.Signer != nil {
		mux.HandleFunc("GET /expected", o.serveExpected)
	}
	return mux
}
