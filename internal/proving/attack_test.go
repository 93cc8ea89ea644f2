package proving

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// watched is a world with four observers, any three of whom are a quorum, and a
// switchboard before its server.
func watched(t *testing.T) (*field, *switchboard, []*demo.Observer) {
	t.Helper()
	board := newSwitchboard()
	f := openField(t, func(o *demo.Options) { o.Dir, o.Transport = memoryDir(t), board })
	f.Clock.Run() // cosignatures carry a time
	observers, err := f.Observe(t.Context(), 4, 3)
	f.must(err)
	t.Cleanup(func() {
		for _, o := range observers {
			if err := o.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	f.must(f.Confirmed(t.Context()))
	return f, board, observers
}

// alarms are the open alarms of an observer, by kind.
func alarms(t *testing.T, o *demo.Observer) map[observe.Kind]observe.Alarm {
	t.Helper()
	list, err := o.Alarms.List(false)
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[observe.Kind]observe.Alarm{}
	for _, a := range list {
		if a.Open {
			byKind[a.Kind] = a
		}
	}
	return byKind
}

// convicts wants an alarm of a severe kind whose evidence holds two checkpoints
// that the ledger's key signed.
func convicts(t *testing.T, f *field, a observe.Alarm, log ledger.Log) {
	t.Helper()
	if a.Level != observe.Severe || a.Text == "" {
		t.Errorf("the alarm %+v is not severe", a)
	}
	key, err := ledger.ParseVerifierKey(map[ledger.Log]string{ledger.Dir: f.Exchange.Directory().Logs().Dir, ledger.Ev: f.Exchange.Directory().Logs().Ev}[log])
	f.must(err)
	signed := map[ledger.Checkpoint]bool{}
	for _, name := range a.Files {
		data, err := os.ReadFile(filepath.Join(a.Folder, name))
		f.must(err)
		if c, err := ledger.ParseCheckpoint(data, key); err == nil {
			signed[c] = true
		}
	}
	if len(signed) != 2 {
		t.Errorf("the evidence of %q (%v) holds %d different signed checkpoints", a.Text, a.Files, len(signed))
	}
}

// TestForkShownToOneInstitution: the operator runs a second server on a copy and
// leads one institution to it. Its observer, whom the first server still asks to
// cosign, sees both histories; the second never gets a quorum; and when the
// officer meets the first again, the program stops with the evidence.
func TestForkShownToOneInstitution(t *testing.T) {
	f, board, observers := watched(t)
	swc, legal := f.office("swc-kraljevo", "legal")
	_, registry := f.office("hppo-kraljevo", "registry")
	_, err := swc.Send(t.Context(), f.complaint(legal, registry))
	f.must(err)
	f.must(f.Confirmed(t.Context()))

	victim := observerOf(t, observers, "swc-kraljevo")
	f.must(victim.Round(t.Context(), true))
	fork := f.serveTwin(copyHome(t, f.Home), nil)
	board.lead(victim.Keys.Signer(), fork.addr)
	board.lead(swc.Keys.Signer(), fork.addr)

	// Each history goes on by itself.
	f.refuseOne()
	sent, err := swc.Send(t.Context(), f.complaint(legal, registry))
	f.must(err)
	if c, err := swc.Confirm(t.Context(), sent.Item); err != nil || c.Standing != ledger.Provisional {
		t.Errorf("what the fork recorded is %q, %v", c.Standing, err)
	}
	_, err = swc.Send(t.Context(), f.complaint(legal, registry))
	f.must(err)
	until(t, "the victim's observer mirrors the fork", func() bool {
		_ = victim.Round(t.Context(), false) // it says by alarms what it saw
		at, _ := victim.Mirror(ledger.Ev).At()
		return at.Size >= sent.Item.Idx+2
	})
	f.refuseOne() // the first server asks the victim's observer once more
	f.must(f.Confirmed(t.Context()))
	until(t, "the victim's observer sees the fork", func() bool {
		_, ok := alarms(t, victim)[observe.Fork]
		return ok
	})

	convicts(t, f, alarms(t, victim)[observe.Fork], ledger.Ev)
	if p := last(t, fork.X.Store, ledger.Ev); p.Quorum || p.Cosigs > 0 {
		t.Errorf("the fork has %d cosignatures, quorum %v", p.Cosigs, p.Quorum)
	}
	for _, o := range observers {
		if o == victim {
			continue
		}
		f.must(o.Round(t.Context(), false))
		if _, ok := alarms(t, o)[observe.Fork]; ok {
			t.Errorf("%s sees a fork that it was not shown", o.Member.Code)
		}
	}
	board.lead(swc.Keys.Signer(), "")
	var lie *office.SecurityError
	if err := swc.Sync(t.Context()); !errors.As(err, &lie) || len(lie.Shown) < 2 {
		t.Errorf("the officer meets the other history and hears %v", err)
	}
}

func observerOf(t *testing.T, list []*demo.Observer, code string) *demo.Observer {
	t.Helper()
	for _, o := range list {
		if o.Member.Code == code {
			return o
		}
	}
	t.Fatalf("%s has no observer", code)
	return nil
}

// refuseOne leaves one leaf: of a message that a rule refuses.
func (f *field) refuseOne() {
	f.t.Helper()
	ngo, to := f.sender("ngo-a", "case"), f.sender("police-kraljevo", "intake")
	core := ngo.core("referral", messaging.Basis{Code: "court-order", Purpose: "assistance", Ref: "r"})
	_, raw, err := ngo.seal(f.t.Context(), core, to.desk, map[string]string{})
	f.must(err)
	if _, err := f.Exchange.SubmitMessage(f.t.Context(), ngo.caller(), core.Msg, raw); err == nil {
		f.t.Fatal("accepted")
	}
}

// until waits for something that another goroutine brings about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within a minute: %s", what)
}

// TestRolledBackMachine: the operator, or a careless restore, puts a whole
// machine back, anchor and all. Nothing on it remembers; the witnesses do, and
// are asked before it serves or signs anything.
func TestRolledBackMachine(t *testing.T) {
	f, _, _ := watched(t)
	old := copyHome(t, f.Home)
	f.refuseOne()
	f.must(f.Confirmed(t.Context()))
	home, err := server.OpenHome(old)
	f.must(err)
	log := &buffer{}
	x, err := home.OpenExchange(t.Context(), f.Clock, f.Packs, slog.New(slog.NewTextHandler(log, nil)))
	f.must(err)
	defer x.Store.Close()
	cfg := server.Config{Exchange: x, Log: slog.New(slog.NewTextHandler(log, nil)), SignEvery: time.Second}
	cfg.Signers, err = home.Signers(x)
	f.must(err)
	cfg.Anchor, err = home.Anchor()
	f.must(err)
	cfg.HTTP = api.Server("127.0.0.1:0", http.NotFoundHandler(), nil, cfg.Log)
	cfg.Listener, err = api.Listen(t.Context(), cfg.HTTP)
	f.must(err)
	before := last(t, x.Store, ledger.Ev)
	if err := server.Run(t.Context(), cfg); !errors.Is(err, ledger.ErrRollback) {
		t.Fatalf("an old machine served until %v\n%s", err, log.Bytes())
	}
	if now := last(t, x.Store, ledger.Ev); now.Size != before.Size || now.Seq != before.Seq {
		t.Errorf("it signed %d.%d before it stopped", now.Size, now.Seq)
	}
}

// TestForgedDirectory: the operator appends statements to the directory that no
// rule let in, and signs the tree. Officers' programs stop with the statement
// as evidence, observers raise an alarm that names it, and nobody cosigns.
func TestForgedDirectory(t *testing.T) {
	f, board, observers := watched(t)
	swc, _ := f.office("swc-kraljevo", "legal")
	f.must(swc.Sync(t.Context()))
	n := f.Exchange.Directory().N()
	g := f.forge(t)
	real := g.leaf(ledger.Dir, n-1)
	for _, c := range []struct {
		what string
		leaf []byte
	}{
		{"replayed", real},
		{"unsigned", unsigned(t, real)},
		{"no statement", []byte(`{}`)},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := f.forge(t)
			g.add(ledger.Dir, c.leaf)
			o, err := f.member(t, "swc-kraljevo").Desks[0].Officers[1].Office(t.Context())
			f.must(err)
			f.must(o.Sync(t.Context()))
			board.lead(o.Keys.Signer(), g.addr)
			defer board.lead(o.Keys.Signer(), "")
			var lie *office.SecurityError
			if err := o.Sync(t.Context()); !errors.As(err, &lie) || !strings.Contains(lie.What, strconv.FormatInt(n, 10)) {
				t.Errorf("the officer hears %v", err)
			}
			seer := observers[1]
			board.lead(seer.Keys.Signer(), g.addr)
			defer board.lead(seer.Keys.Signer(), "")
			before := named(seer.Alarms, fmt.Sprintf("entry %d ", n))
			_ = seer.Round(t.Context(), false)
			if named(seer.Alarms, fmt.Sprintf("entry %d ", n)) != before+1 {
				t.Errorf("the observer raises %+v", alarms(t, seer))
			}
		})
	}
}

// unsigned is a leaf without its signatures.
func unsigned(t *testing.T, leaf []byte) []byte {
	t.Helper()
	d, err := statement.ParseDSSE(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"payload":"` + base64.StdEncoding.EncodeToString(d.Payload) + `","payloadType":"` + d.PayloadType + `","signatures":[]}`)
}

func (f *field) member(t *testing.T, code string) *demo.Member {
	t.Helper()
	m, ok := f.Member(code)
	if !ok {
		t.Fatalf("no institution %s", code)
	}
	return m
}

// TestEditedTrees: somebody with the database edits one entry or one node of the
// past. An observer that mirrored it before, and one that begins now, name it.
func TestEditedTrees(t *testing.T) {
	f, board, observers := watched(t)
	for range 3 {
		f.refuseOne()
	}
	f.must(f.Confirmed(t.Context()))
	seer := observers[0]
	for _, c := range []struct {
		what, query, says string
	}{
		{"evidence entry", "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"v\":1', '\"v\":2') AS BLOB) WHERE log = 1 AND idx = 1", "entry 1 "},
		{"directory entry", "UPDATE entry SET leaf = CAST(leaf || ' ' AS BLOB) WHERE log = 0 AND idx = 7", "entry 7 "},
		{"evidence node", "UPDATE node SET hash = zeroblob(32) WHERE log = 1 AND pos = 3", "evidence"},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := f.forge(t)
			g.edit(c.query)
			late := f.newcomer(t, observers[2], g.addr)
			_ = late.Round(t.Context(), true)
			if named(late.Alarms, c.says) == 0 {
				t.Errorf("who begins now says nothing of %s", c.says)
			}
			board.lead(seer.Keys.Signer(), g.addr)
			defer board.lead(seer.Keys.Signer(), "")
			before := named(seer.Alarms, c.says)
			_ = seer.Round(t.Context(), true)
			if named(seer.Alarms, c.says) == before {
				t.Errorf("who mirrored it before says nothing of %s", c.says)
			}
		})
	}
}

// named counts the severe alarms about the record that say something.
func named(all *observe.Alarms, text string) (n int) {
	list, err := all.List(false)
	if err != nil {
		return -1
	}
	for _, a := range list {
		if (a.Kind == observe.Entries || a.Kind == observe.Rules) && a.Level == observe.Severe && strings.Contains(a.Text, text) {
			n++
		}
	}
	return n
}

// newcomer is an observer with an empty folder and the keys of another, led to
// an address.
func (f *field) newcomer(t *testing.T, like *demo.Observer, address string) *observe.Observer {
	t.Helper()
	c, err := client.New(f.URL, like.Keys.Signer(), f.Clock.Now, client.Options{Transport: always{address}})
	f.must(err)
	key, err := witness.NewKey("newcomer", like.Keys.Signer())
	f.must(err)
	o, err := observe.Open(context.Background(), observe.Config{Dir: filepath.Join(t.TempDir(), "observer"), Genesis: f.Genesis, Inst: like.Member.ID,
		Demo: true, Source: observe.FromClient(c), Key: key, Clock: f.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	f.must(err)
	t.Cleanup(func() { o.Close() })
	return o
}

// always leads every request to one address.
type always struct{ address string }

func (a always) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host, req.URL.Host = req.URL.Host, a.address
	return http.DefaultTransport.RoundTrip(req)
}
