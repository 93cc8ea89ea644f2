package proving

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(dying); spec != "" {
		if err := die(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	defer func() {
		if odzivd.dir != "" {
			os.RemoveAll(odzivd.dir)
		}
	}()
	return pgtest.Run(m)
}

// odzivd is the program, compiled once.
var odzivd struct {
	once sync.Once
	dir  string
	err  error
}

func buildDaemon(t *testing.T) string {
	t.Helper()
	odzivd.once.Do(func() {
		if odzivd.dir, odzivd.err = os.MkdirTemp("", "odzivd-*"); odzivd.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", odzivd.dir, "github.com/odziv/odziv/cmd/odzivd").CombinedOutput()
		if err != nil {
			odzivd.err = fmt.Errorf("build odzivd: %w\n%s", err, out)
		}
	})
	if odzivd.err != nil {
		t.Fatal(odzivd.err)
	}
	return filepath.Join(odzivd.dir, "odzivd")
}

// daemon is the real odzivd, as a process that can be killed.
type daemon struct {
	t      *testing.T
	binary string
	dir    string
	listen string
	cmd    *exec.Cmd
	gone   chan struct{}
	log    buffer // shown when the test fails
}

// openDaemon founds a world in this process, closes it, and serves the same
// folder with the real program. An empty db is SQLite in the folder.
func openDaemon(t *testing.T, db string) (*field, *daemon) {
	listen := freeAddress(t)
	clock := demo.NewClock(time.Now().UnixMilli())
	f := openField(t, func(o *demo.Options) { o.Clock, o.Listen, o.Authority, o.DB = clock, listen, listen, db })
	clock.Run()
	d := &daemon{t: t, binary: buildDaemon(t), dir: f.Home.Dir, listen: listen}
	if err := f.World.Close(); err != nil {
		t.Fatal(err)
	}
	d.serve()
	return f, d
}

// twin is a second server of the same exchange: the same keys and database, its
// own folder and address. On PostgreSQL its sessions are called "twin".
func (d *daemon) twin(t *testing.T) *daemon {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "twin")
	if out, err := exec.Command("cp", "-a", d.dir, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	settings := filepath.Join(dir, "server.json")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "sqlite:ledger.db", "sqlite:"+filepath.Join(d.dir, "ledger.db"), 1)
	changed = strings.Replace(changed, "sslmode=disable", "sslmode=disable&application_name=twin", 1)
	if err := os.WriteFile(settings, []byte(changed), 0o600); err != nil || changed == string(text) {
		t.Fatal("the twin would not find the database", err)
	}
	other := &daemon{t: t, binary: d.binary, dir: dir, listen: freeAddress(t)}
	other.serve()
	return other
}

// serve starts the server for the length of the test.
func (d *daemon) serve() {
	d.t.Helper()
	d.t.Cleanup(func() {
		d.kill()
		if d.t.Failed() {
			d.t.Logf("log of odzivd at %s:\n%s", d.listen, tail(d.log.Bytes(), 3000))
		}
	})
	d.start()
}

func (d *daemon) start() {
	d.t.Helper()
	d.run()
	for range 6000 {
		if c, err := net.Dial("tcp", d.listen); err == nil {
			c.Close()
			return
		}
		select {
		case <-d.gone:
			d.t.Fatalf("odzivd ended by itself\n%s", d.log.Bytes())
		case <-time.After(10 * time.Millisecond):
		}
	}
	d.t.Fatalf("odzivd does not answer\n%s", d.log.Bytes())
}

// run starts the process and waits for nothing.
func (d *daemon) run() {
	d.t.Helper()
	d.cmd = exec.Command(d.binary, "serve", "--dir", d.dir, "--listen", d.listen, "--bookkeep", "0")
	d.cmd.Stderr = &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	cmd, gone := d.cmd, make(chan struct{})
	d.gone = gone
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
}

// kill ends the process without asking it.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.gone
}

// alive fails the test if the server ended by itself.
func (d *daemon) alive() {
	d.t.Helper()
	select {
	case <-d.gone:
		d.t.Errorf("odzivd ended by itself\n%s", tail(d.log.Bytes(), 3000))
	default:
	}
}

// freeAddress finds a port nobody listens on, below those the kernel gives to
// outgoing connections: a sender that tries a server which is down could get such
// a port itself, and the server not back.
func freeAddress(t *testing.T) string {
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// anyOf is the way to one of several servers, whichever a request names: what a
// load balancer does.
func anyOf(addresses ...string) http.RoundTripper {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addresses[rand.IntN(len(addresses))])
	}}
}

// acknowledged is a send that was answered: where it must stand for ever.
type acknowledged struct {
	msg    string
	item   evidence.Item
	noBody bool // the body was lost with a database
}

// A siege is senders who send one message after the other, each until it is
// acknowledged.
type siege struct {
	f    *field
	stop atomic.Bool
	wg   sync.WaitGroup
	mu   sync.Mutex
	acks []acknowledged
}

// besiege begins it. A nil way is the usual one.
func (f *field) besiege(senders int, way http.RoundTripper) *siege {
	s := &siege{f: f}
	f.t.Cleanup(func() { s.relieve() })
	for range senders {
		s.wg.Go(func() {
			for !s.stop.Load() {
				a, err := f.sendAcross(&s.stop, way)
				if err != nil {
					f.t.Error(err)
					return
				}
				if a.msg != "" {
					s.mu.Lock()
					s.acks = append(s.acks, a)
					s.mu.Unlock()
				}
			}
		})
	}
	return s
}

func (s *siege) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// more waits until n more are acknowledged: work goes on. Two minutes are a limit
// for what hangs, not a measure.
func (s *siege) more(n int) {
	s.f.t.Helper()
	want := s.count() + n
	for end := time.Now().Add(2 * time.Minute); s.count() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.f.t.Fatalf("%d acknowledged, and no more", s.count())
		}
	}
}

// relieve ends it and returns what was acknowledged.
func (s *siege) relieve() []acknowledged {
	if !s.stop.Swap(true) {
		defer func() { s.f.t.Logf("%d messages acknowledged", len(s.acks)) }()
	}
	s.wg.Wait()
	return s.acks
}

// sendAcross seals a message and repeats the request until it is answered, as
// an officer's program does when an answer is lost.
func (f *field) sendAcross(stop *atomic.Bool, way http.RoundTripper) (acknowledged, error) {
	ctx := context.Background()
	from, to := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	c, err := client.New(f.URL, from.signer(), func() int64 { return time.Now().UnixMilli() }, client.Options{Attempts: 1, Transport: way})
	if err != nil {
		return acknowledged{}, err
	}
	core := from.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
	core.Created = time.Now().UnixMilli()
	sealer, err := envelope.NewSealer(core.Msg)
	if err != nil {
		return acknowledged{}, err
	}
	sealed, err := sealer.Seal(ctx, envelope.Draft{Core: core, To: []envelope.Addressee{from.addressee(to.desk, messaging.RoleTo),
		from.addressee(from.desk, messaging.RoleSelf)}, Text: envelope.Text{Fields: map[string]string{}}}, from.signer())
	if err != nil {
		return acknowledged{}, err
	}
	raw, err := sealed.Notice.DSSE.Encode()
	if err != nil {
		return acknowledged{}, err
	}
	for !stop.Load() {
		if err := c.UploadPart(ctx, core.Msg, 0, bytes.NewReader(sealed.Body), int64(len(sealed.Body)), nil); err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		item, err := c.PutMessage(ctx, core.Msg, raw)
		if err == nil {
			return acknowledged{msg: core.Msg, item: item}, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return acknowledged{}, nil
}

// eventually tries until it works; two minutes are a limit for what hangs.
func (f *field) eventually(t *testing.T, try func() error) {
	t.Helper()
	err := try()
	for end := time.Now().Add(2 * time.Minute); err != nil; err = try() {
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// provable waits until a server gives the proof of a message under a signed
// checkpoint: its signer goes on.
func (f *field) provable(t *testing.T, a acknowledged) {
	t.Helper()
	c := f.plainClient(f.sender("swc-kraljevo", "legal").signer())
	f.eventually(t, func() error {
		_, err := c.Proof(t.Context(), wire.Ev, a.item.Idx)
		return err
	})
}

// reopened opens the store that servers left and holds it against what was
// acknowledged.
func (f *field) reopened(t *testing.T, acks []acknowledged) {
	t.Helper()
	if len(acks) < 2 {
		t.Error("too few messages went through for this test to mean anything")
	}
	store, err := sqlstore.Open(context.Background(), f.Home.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	f.holds(t, store, acks)
	sound(t, store, f.World)
}

// holds wants every acknowledged message where it was answered, with its body,
// and no message twice.
func (f *field) holds(t *testing.T, store exchange.Store, acks []acknowledged) {
	t.Helper()
	ctx := context.Background()
	err := store.Read(ctx, func(v exchange.View) error {
		for _, a := range acks {
			row, ok, err := v.Statement(ctx, a.msg)
			if err != nil {
				return err
			}
			if !ok || row.Idx != a.item.Idx {
				return fmt.Errorf("%s was acknowledged at %d and is not there", a.msg, a.item.Idx)
			}
			o, ok, err := v.Opening(ctx, a.item.Idx)
			if err != nil || !ok || !bytes.Equal(o.Meta, a.item.Meta) || !bytes.Equal(o.Priv, a.item.Priv) {
				return fmt.Errorf("%s was answered with another opening than is stored (%v)", a.msg, err)
			}
			if u, ok, err := v.Upload(ctx, a.msg, 0); !a.noBody && (err != nil || !ok || u.Size == 0) {
				return fmt.Errorf("%s is stored without its body (%v)", a.msg, err)
			}
		}
		return once(ctx, v)
	})
	if err != nil {
		t.Error(err)
	}
}

// once wants no message to stand in the ledger twice.
func once(ctx context.Context, v exchange.View) error {
	at := map[string]int64{}
	return v.Openings(ctx, 0, func(idx int64, o evidence.Opening) error {
		meta, _, err := o.Decode()
		if err != nil || meta.Ev != evidence.MessageSubmitted {
			return err
		}
		if before, twice := at[meta.Obj]; twice {
			return fmt.Errorf("%s stands at %d and at %d", meta.Obj, before, idx)
		}
		at[meta.Obj] = idx
		return nil
	})
}
