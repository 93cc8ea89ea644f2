package demo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/ledger"
)

// Observer is one institution's observer at work: a witness behind HTTP, on a
// folder of its own.
type Observer struct {
	*observe.Observer
	Member *Member
	Keys   *keystore.Keystore
	URL    string

	listener net.Listener
	server   *http.Server
}

// Observe lets the first n institutions run observers, which mirror everything
// so far, and adopts them as the witnesses of both trees, any quorum of them.
// Quorum 0 adopts none. They run until [Observer.Stop], which whoever
// called this calls before the world is closed.
func (w *World) Observe(ctx context.Context, n, quorum int) ([]*Observer, error) {
	if n > len(w.Members) || quorum > n {
		return nil, fmt.Errorf("demo: %d of %d observers of %d institutions", quorum, n, len(w.Members))
	}
	var list []*Observer
	for _, m := range w.Members[:n] {
		o, err := w.observer(ctx, m)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	if err := w.Published(ctx); err != nil {
		return nil, err
	}
	for _, o := range list {
		if err := o.Start(); err != nil {
			return nil, err
		}
		if err := o.Round(ctx, false); err != nil {
			return nil, err
		}
	}
	if quorum == 0 {
		return list, nil
	}
	return list, w.AdoptWitnesses(ctx, list, quorum)
}

// observer makes an institution's observer key and lets its root name it.
func (w *World) observer(ctx context.Context, m *Member) (*Observer, error) {
	keys, err := w.newKeys(keystore.Owner{Role: keystore.Observer, Inst: m.ID})
	if err != nil {
		return nil, err
	}
	body := &directory.InstObserver{I: m.ID, Key: keys.Signer().Public()}
	if err := w.Propose(ctx, body, m.root.Signer()); err != nil {
		return nil, err
	}
	return &Observer{Member: m, Keys: keys}, nil
}

// Propose signs a directory statement and puts it on record.
func (w *World) Propose(ctx context.Context, body directory.Body, by ...statement.Signer) error {
	payload, err := w.Exchange.Directory().Prepare(body, w.Clock.Now())
	if err != nil {
		return err
	}
	d, err := statement.Sign(ctx, statement.TypeDirectory, payload, by...)
	if err != nil {
		return err
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		return err
	}
	c, err := w.client(by[0])
	if err != nil {
		return err
	}
	sum := d.Digest()
	_, err = c.PutDirectory(ctx, hex.EncodeToString(sum[:]), leaf)
	return err
}

// AdoptWitnesses makes observers the witnesses of both trees: any quorum of
// them. The council signs.
func (w *World) AdoptWitnesses(ctx context.Context, list []*Observer, quorum int) error {
	var text, names strings.Builder
	witnesses := []directory.Witness{}
	for i, o := range list {
		vkey := o.Key.VerifierKey()
		fmt.Fprintf(&text, "witness w%d %s %s\n", i+1, vkey, o.URL)
		fmt.Fprintf(&names, " w%d", i+1)
		witnesses = append(witnesses, directory.Witness{Operator: o.Member.Code, VKey: vkey})
	}
	return w.AdoptPolicy(ctx, fmt.Sprintf("%sgroup institutions %d%s\nquorum institutions\n", &text, quorum, &names), witnesses...)
}

// AdoptPolicy puts a policy of witnesses in force for both trees (C2SP
// tlog-policy, or "none"). The council signs.
func (w *World) AdoptPolicy(ctx context.Context, policy string, witnesses ...directory.Witness) error {
	dir := w.Exchange.Directory()
	body := &directory.Policy{Council: dir.Council(), Delegates: dir.Delegates(), Logs: dir.Logs(),
		Quorum: directory.Quorum{Dir: policy, Ev: policy}, Witnesses: append([]directory.Witness{}, witnesses...)}
	return w.Propose(ctx, body, w.keys.council.Signer())
}

// Council is the one key of the council.
func (w *World) Council() *keystore.Keystore { return w.keys.council }

// Root is the one key of the institution's root.
func (m *Member) Root() *keystore.Keystore { return m.root }

// Start opens the observer's folder and listens, again at the address it had.
func (o *Observer) Start() error {
	w := o.Member.world
	key, err := witness.NewKey(o.Member.ID+"/observer", o.Keys.Signer())
	if err != nil {
		return err
	}
	c, err := w.client(o.Keys.Signer())
	if err != nil {
		return err
	}
	o.Observer, err = observe.Open(context.Background(), observe.Config{Dir: o.Folder(), Genesis: w.Genesis, Inst: o.Member.ID, Demo: true,
		Source: observe.FromClient(c), Key: key, Clock: w.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	address := "127.0.0.1:0"
	if o.URL != "" {
		address = strings.TrimPrefix(o.URL, "http://")
	}
	if o.listener, err = net.Listen("tcp", address); err != nil {
		return errors.Join(err, o.Close())
	}
	o.URL = "http://" + o.listener.Addr().String()
	o.server = &http.Server{Handler: o.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go o.server.Serve(o.listener)
	return nil
}

// Folder is where the observer keeps everything.
func (o *Observer) Folder() string {
	return filepath.Join(o.Member.world.Dir, "observers", o.Member.Code)
}

// Stop ends the observer; it may be started again.
func (o *Observer) Stop() error {
	if o.server == nil {
		return nil
	}
	err := errors.Join(o.server.Close(), o.Close())
	o.server = nil
	return err
}

// Cosigned counts the witnesses under the latest published checkpoint of a tree
// and tells whether they are enough.
func (w *World) Cosigned(ctx context.Context, log ledger.Log) (p ledger.Published, err error) {
	err = w.Exchange.Store.View(ctx, func(r ledger.Reader) error {
		p, err = r.LastCheckpoint(ctx, log)
		return err
	})
	return p, err
}

// Confirmed waits until checkpoints under quorum cover both trees as they stand.
func (w *World) Confirmed(ctx context.Context) error {
	for {
		if err := w.Published(ctx); err != nil {
			return err
		}
		met := true
		for _, log := range ledger.Logs {
			p, err := w.Cosigned(ctx, log)
			if err != nil {
				return err
			}
			met = met && p.Quorum
		}
		if met {
			return nil
		}
		if err := sleep(ctx, signEvery); err != nil {
			return err
		}
	}
}
