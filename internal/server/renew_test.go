package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// renewal is a world whose ledger gets new keys, with everybody who follows it.
type renewal struct {
	t         *testing.T
	w         *demo.World
	address   string
	live      *live
	observers []*demo.Observer
	from, to  *demo.Desk
	always    *office.Office // synchronises all the time
	behind    *office.Office // was last there before the council changed the keys
	proof     []byte         // made under the first keys
	leaf      []byte
	first     evidence.Item // of before
}

// TestRenewKeys: the keys of the ledger are renewed and everybody follows, who
// always looks, who comes back after it is over, and who is new. No moment gives
// anybody reason to stop, and what the old keys signed stays good.
func TestRenewKeys(t *testing.T) {
	ctx := t.Context()
	n := newRenewal(t)
	home := n.home()
	old := [2]string{keysOf(t, home)[ledger.Dir], keysOf(t, home)[ledger.Ev]}
	logs, err := home.Renew(ctx, server.InFile, server.VaultAccess{}, slog.New(slog.DiscardHandler))
	must(t, err)
	if again, err := n.home().Renew(ctx, server.InFile, server.VaultAccess{}, slog.New(slog.DiscardHandler)); again != logs || err != nil {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	n.serve()
	if err := n.home().FinishRenewal(ctx, n.live.x); !errors.Is(err, server.ErrServes) {
		t.Errorf("finished while a server runs: %v", err)
	}
	n.bothSign(logs, old)
	elsewhere, err := ledger.NewSigningKey(ledger.Dir.Origin(demo.Host), bytes.Repeat([]byte{7}, 32))
	must(t, err)
	if err := n.propose(directory.Logs{Dir: elsewhere.VerifierKey(), Ev: logs.Ev}); err == nil || !strings.Contains(err.Error(), "does not sign") {
		t.Errorf("a policy with keys that are not here: %v", err)
	}
	n.everybody()
	must(t, n.observers[2].Stop())

	stop := n.keepLooking()
	must(t, n.propose(logs))
	must(t, n.w.Confirmed(ctx))
	n.everybody()
	stop()
	n.live.end()
	n.finish(logs, old)
	n.serve()
	must(t, n.observers[2].Start())
	for _, o := range n.observers {
		must(t, o.Round(ctx, true))
	}
	must(t, n.behind.Sync(ctx))
	n.everybody()
	n.bothSign(directory.Logs{Dir: logs.Dir, Ev: logs.Ev}, [2]string{logs.Dir, logs.Ev})
	n.oldProof()
	n.evidence(n.first)
	n.bundle()
	n.mirror()
	n.live.end()
	sound(t, n.w)
}

func newRenewal(t *testing.T) *renewal {
	t.Helper()
	ctx := t.Context()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()
	w, err := demo.Open(ctx, demo.Options{Dir: filepath.Join(memoryDir(t), "world"), Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	must(t, err)
	n := &renewal{t: t, w: w, address: strings.TrimPrefix(w.URL, "http://"), from: deskOf(t, w, "swc-kraljevo", "legal"), to: deskOf(t, w, "hppo-kraljevo", "registry")}
	n.observers, err = w.Observe(ctx, 3, 2)
	must(t, err)
	t.Cleanup(func() {
		for _, o := range n.observers {
			must(t, o.Stop())
		}
	})
	must(t, w.Confirmed(ctx))
	n.always, n.behind = at(t, w, n.from.Officers[0], w.URL), at(t, w, n.to.Officers[0], w.URL)
	sent := n.send(n.always)
	must(t, w.Confirmed(ctx))
	c, err := n.always.Prove(ctx, sent.Item)
	must(t, err)
	n.proof, n.first = c.Proof, sent.Item
	must(t, w.Exchange.Store.View(ctx, func(r ledger.Reader) error {
		leaves, err := r.Entries(ctx, ledger.Ev, sent.Item.Idx, sent.Item.Idx+1)
		n.leaf = leaves[0]
		return err
	}))
	must(t, w.Close())
	return n
}

func (n *renewal) home() *server.Home {
	n.t.Helper()
	h, err := server.OpenHome(n.w.Home.Dir)
	must(n.t, err)
	return h
}

func (n *renewal) serve() {
	n.t.Helper()
	n.live = serveAt(n.t, n.w, n.w.Home.Dir, n.address)
	n.w.Exchange = n.live.x
}

func (n *renewal) propose(logs directory.Logs) error {
	text, err := json.MarshalIndent(server.PolicyWith(n.live.x.Directory(), logs), "", "  ") // as odzivd writes it
	must(n.t, err)
	members := map[string]any{}
	must(n.t, json.Unmarshal(text, &members))
	maps.Copy(members, map[string]any{"at": 1, "dirn": 1, "prev": "", "v": 1}) // as odziv directory propose reads it
	payload, err := statement.Marshal(members)
	must(n.t, err)
	body, err := directory.DecodePayload(payload)
	if err != nil {
		return err
	}
	return n.w.Propose(n.t.Context(), body, n.w.Council().Signer())
}

func (n *renewal) send(o *office.Office) office.Sent {
	n.t.Helper()
	sent, err := o.Send(n.t.Context(), office.Draft{Desk: n.from.ID, Family: "rs-a", Kind: "complaint", To: []string{n.to.ID}, Subj: []string{statement.NewID(statement.Person)},
		Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"}, Cats: []string{"identity"},
		Facts: map[string]string{"complainant": "institution"},
		Text:  envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}})
	must(n.t, err)
	return sent
}

// everybody follows: who always did, who is new, and the observers that run. What
// is sent now is confirmed by them.
func (n *renewal) everybody() {
	n.t.Helper()
	ctx := n.t.Context()
	sent := n.send(n.always)
	must(n.t, n.w.Confirmed(ctx))
	c, err := n.always.Confirm(ctx, sent.Item)
	must(n.t, err)
	if c.Standing != ledger.Confirmed {
		n.t.Errorf("standing %s", c.Standing)
	}
	n.evidence(sent.Item)
	must(n.t, at(n.t, n.w, n.to.Officers[1], n.live.url).Sync(ctx))
	for _, o := range n.observers[:2] {
		must(n.t, o.Round(ctx, true))
		list, err := o.Alarms.List(false)
		must(n.t, err)
		for _, a := range list {
			if a.Kind != observe.Unexpected { // nobody accepted how the institution was founded
				n.t.Errorf("alarm of %s: %+v", o.Member.Code, a)
			}
		}
	}
}

// evidence makes a file of an act for a court, which verifies whichever of the keys
// signed its proofs.
func (n *renewal) evidence(item evidence.Item) {
	n.t.Helper()
	file, _, err := n.always.Evidence(n.t.Context(), item)
	must(n.t, err)
	r, err := audit.VerifyEvidence(file, audit.Trust{Genesis: n.w.Genesis})
	if err != nil || !r.Pinned {
		n.t.Errorf("evidence: %v, %+v", err, r)
	}
}

// keepLooking synchronises without a pause until it is stopped: no moment may
// look like a lie.
func (n *renewal) keepLooking() (stop func()) {
	ctx, end := context.WithCancel(n.t.Context())
	looker := at(n.t, n.w, n.from.Officers[1], n.live.url)
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			if err := looker.Sync(ctx); err != nil && ctx.Err() == nil {
				n.t.Errorf("while the keys change: %v", err)
				return
			}
		}
	})
	return func() { end(); all.Wait() }
}

// bothSign wants the last checkpoints to be signed with keys of before and after.
func (n *renewal) bothSign(logs directory.Logs, old [2]string) {
	n.t.Helper()
	for l, keys := range map[ledger.Log][]string{ledger.Dir: {logs.Dir, old[0]}, ledger.Ev: {logs.Ev, old[1]}} {
		for _, vkey := range keys {
			v, err := ledger.ParseVerifierKey(vkey)
			must(n.t, err)
			until(n.t, "the last checkpoint is signed with "+vkey, func() bool {
				_, err := ledger.ParseCheckpoint(n.live.last(l).Note, v)
				return err == nil
			})
		}
	}
}

// finish ends the renewal, and wants the old keys gone.
func (n *renewal) finish(logs directory.Logs, old [2]string) {
	n.t.Helper()
	x, err := n.home().OpenExchange(n.t.Context(), n.w.Clock, n.w.Packs, slog.New(slog.DiscardHandler))
	must(n.t, err)
	defer x.Store.Close()
	if err := n.home().CancelRenewal(x); !errors.Is(err, server.ErrNamed) {
		n.t.Errorf("given up when it is too late: %v", err)
	}
	must(n.t, n.home().FinishRenewal(n.t.Context(), x))
	h := n.home()
	if got := keysOf(n.t, h); got[ledger.Dir] != logs.Dir || got[ledger.Ev] != logs.Ev {
		n.t.Errorf("in use: %v", got)
	}
	for _, vkey := range old {
		for _, l := range ledger.Logs {
			if vkeys, err := h.VerifierKeys(l); err != nil || len(vkeys) != 1 || vkeys[0] == vkey {
				n.t.Errorf("%s: %v, %v", l, vkeys, err)
			}
		}
	}
	for _, name := range []string{"dir.seed", "ev.seed"} {
		if _, err := os.Stat(filepath.Join(h.Dir, "keys", name)); !errors.Is(err, fs.ErrNotExist) {
			n.t.Errorf("%s is still there: %v", name, err)
		}
	}
	if err := h.FinishRenewal(n.t.Context(), x); !errors.Is(err, server.ErrNotRenewing) {
		n.t.Errorf("finished twice: %v", err)
	}
}

// oldProof verifies a proof from before under the directory of now, as
// odziv-verify does.
func (n *renewal) oldProof() {
	n.t.Helper()
	r, err := audit.VerifyProof(n.proof, n.leaf, "", audit.Trust{Genesis: n.w.Genesis, Directory: n.live.x.Directory()})
	must(n.t, err)
	if len(r.Items) != 1 || r.Items[0].Standing != ledger.Confirmed {
		n.t.Errorf("%+v", r)
	}
}

// bundle is what an auditor gets, checked as she checks it.
func (n *renewal) bundle() {
	n.t.Helper()
	n.live.signed()
	var file bytes.Buffer
	must(n.t, n.live.x.Store.Read(n.t.Context(), func(v exchange.View) error {
		return audit.WriteBundle(n.t.Context(), &file, v, audit.Options{Packs: n.w.Packs, Made: n.w.Clock.Now()})
	}))
	_, found, err := audit.VerifyBundle(n.t.Context(), bytes.NewReader(file.Bytes()), int64(file.Len()), audit.Trust{Genesis: n.w.Genesis}, nil)
	must(n.t, err)
	for _, f := range found {
		n.t.Errorf("bundle: %+v", f)
	}
}

// mirror holds the database against what an observer has.
func (n *renewal) mirror() {
	n.t.Helper()
	m, err := n.home().Mirror(os.DirFS(n.observers[0].Folder()))
	must(n.t, err)
	_, err = exchange.Compare(n.t.Context(), n.live.x.Store, m)
	must(n.t, err)
}
