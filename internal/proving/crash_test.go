package proving

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// daemon is the real odzivd, as a process that can be killed.
type daemon struct {
	t      *testing.T
	binary string
	dir    string
	listen string
	cmd    *exec.Cmd
	log    buffer // shown when the test fails
}

// buildDaemon compiles odzivd once per test.
func buildDaemon(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "odzivd")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/odziv/odziv/cmd/odzivd").CombinedOutput()
	if err != nil {
		t.Fatalf("build odzivd: %v\n%s", err, out)
	}
	return binary
}

func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(d.binary, "serve", "--dir", d.dir, "--listen", d.listen, "--bookkeep", "0")
	d.cmd.Stderr = &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for range 600 {
		if c, err := net.Dial("tcp", d.listen); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatalf("odzivd does not answer\n%s", d.log.Bytes())
}

// kill ends the process without asking it.
func (d *daemon) kill() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

// freeAddress finds a port nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// acknowledged is a send that was answered: where it must stand for ever.
type acknowledged struct {
	msg  string
	item evidence.Item
}

// TestKill kills the server under 32 concurrent senders at random moments.
// Afterwards every acknowledged message is at the index that was answered, none
// is half there, and the trees recompute.
func TestKill(t *testing.T) {
	f, d := openDaemon(t)
	const senders = 32
	var mu sync.Mutex
	var acks []acknowledged
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for !stop.Load() {
				a, err := f.sendAcross(&stop)
				if err != nil {
					t.Error(err)
					return
				}
				if a.msg != "" {
					mu.Lock()
					acks = append(acks, a)
					mu.Unlock()
				}
			}
		})
	}
	for range rounds(20) {
		time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
		d.kill()
		d.start()
	}
	stop.Store(true)
	wg.Wait()
	d.kill()
	t.Logf("%d messages acknowledged over %d kills", len(acks), rounds(20))
	if len(acks) < rounds(20) {
		t.Error("too few messages went through for this test to mean anything")
	}
	f.reopened(t, acks)
}

// openDaemon founds a world in this process, closes it, and serves the same
// folder with the real program.
func openDaemon(t *testing.T) (*field, *daemon) {
	listen := freeAddress(t)
	clock := demo.NewClock(time.Now().UnixMilli())
	f := openField(t, func(o *demo.Options) { o.Clock, o.Listen, o.Authority = clock, listen, listen })
	clock.Run()
	d := &daemon{t: t, binary: buildDaemon(t), dir: f.Home.Dir, listen: listen}
	if err := f.World.Close(); err != nil {
		t.Fatal(err)
	}
	d.start()
	t.Cleanup(d.kill)
	return f, d
}

// sendAcross seals a message and repeats the request until it is answered, as
// an officer's program does when an answer is lost.
func (f *field) sendAcross(stop *atomic.Bool) (acknowledged, error) {
	ctx := context.Background()
	from, to := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	c, err := client.New(f.URL, from.signer(), func() int64 { return time.Now().UnixMilli() }, client.Options{Attempts: 1})
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
			return acknowledged{core.Msg, item}, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return acknowledged{}, nil
}

// reopened opens the store that the killed server left and holds it against
// what was acknowledged.
func (f *field) reopened(t *testing.T, acks []acknowledged) {
	store, err := sqlstore.Open(context.Background(), f.Home.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	err = store.Read(ctx, func(v exchange.View) error {
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
			if u, ok, err := v.Upload(ctx, a.msg, 0); err != nil || !ok || u.Size == 0 {
				return fmt.Errorf("%s is stored without its body (%v)", a.msg, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	sound(t, store, f.World)
}
