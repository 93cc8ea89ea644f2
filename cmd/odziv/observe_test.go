package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// killed is an observer, as a process that is killed and started again.
type killed struct {
	t       *testing.T
	w       *demo.World
	program string
	home    string
	address string
	made    observerMade
	cmd     *exec.Cmd
	ended   chan struct{}
}

func (k *killed) odziv(args ...string) *exec.Cmd {
	args = append([]string{"--demo", "--home", k.home, "--passphrase-file", k.home + ".words"}, args...)
	cmd := exec.Command(k.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start runs it and waits until it listens.
func (k *killed) start() {
	k.t.Helper()
	var log bytes.Buffer
	k.cmd = k.odziv("observe", "run", "--listen", k.address, "--every", "1s")
	k.cmd.Stderr = &log
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { cmd.Wait(); close(ended) }(k.cmd, k.ended)
	for range 1000 {
		if c, err := net.Dial("tcp", k.address); err == nil {
			c.Close()
			return
		}
		select {
		case <-k.ended:
			k.t.Fatalf("it ended:\n%s", &log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	k.t.Fatal("it does not listen")
}

func (k *killed) kill() {
	k.cmd.Process.Kill()
	<-k.ended
}

// newKilled makes an observer with the program, and lets the institution and the
// council adopt it as the one witness there is.
func newKilled(t *testing.T, w *demo.World, m *demo.Member) *killed {
	t.Helper()
	bin := t.TempDir()
	build(t, bin, "odziv")
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{t: t, w: w, program: filepath.Join(bin, "odziv"), home: filepath.Join(t.TempDir(), "observer"), address: address}
	cmd := exec.Command(k.program, "--demo", "--json", "--home", k.home, "observe", "init", "--url", w.URL, "--genesis", w.Genesis, "--inst", m.ID,
		"--name", "observer.example", "--witness-url", "http://"+address, "--new-passphrase-file", k.home+".words")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := json.Unmarshal(out, &k.made); err != nil {
		t.Fatal(err)
	}
	var body directory.InstObserver
	data, err := os.ReadFile(k.made.Statement)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err == nil {
		err = w.Propose(t.Context(), &body, m.Root().Signer())
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// largest is the size of the largest checkpoint of a tree that the witness is
// known to have cosigned.
func (k *killed) largest(log ledger.Log) int64 {
	k.t.Helper()
	p, err := k.w.Cosigned(context.Background(), log)
	if err != nil {
		k.t.Fatal(err)
	}
	if p.Quorum {
		return p.Size
	}
	return 0
}

// remembers asks the witness how far it is, with a checkpoint of size 1.
func (k *killed) remembers(log ledger.Log) int64 {
	k.t.Helper()
	signer, err := k.w.Home.Signer(log)
	if err != nil {
		k.t.Fatal(err)
	}
	c := ledger.Checkpoint{Origin: log.Origin(k.w.Home.Host), Size: 1}
	err = k.w.Exchange.Store.View(context.Background(), func(r ledger.Reader) (err error) {
		c.Root, err = ledger.RootAt(context.Background(), r, log, 1)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	signed, err := ledger.SignCheckpoint(context.Background(), signer, c)
	if err != nil {
		k.t.Fatal(err)
	}
	resp, err := http.Post("http://"+k.address+"/add-checkpoint", "text/plain", bytes.NewReader(witness.Request{Checkpoint: signed}.Format()))
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	size, sizeErr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || sizeErr != nil || resp.StatusCode != http.StatusConflict {
		k.t.Fatalf("%d %s", resp.StatusCode, text)
	}
	return size
}

// The observer is killed again and again while the ledger grows. Whatever it
// cosigned it remembers when it is back, its mirror goes on from where it was,
// and in the end it holds the whole ledger and nothing is wrong.
func TestObserverKilled(t *testing.T) {
	ctx := t.Context()
	clock := demo.NewClock(time.Now().UnixMilli())
	clock.Run()
	w, err := demo.Open(context.Background(), demo.Options{Clock: clock, Codes: []string{"ngo-a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	m, _ := w.Member("ngo-a")
	k := newKilled(t, w, m)
	k.start()
	defer func() { k.kill() }()
	policy := fmt.Sprintf("%s\nquorum observer.example\n", k.made.Witness)
	if err := w.AdoptPolicy(ctx, policy, directory.Witness{Operator: "ngo-a", VKey: k.made.VKey}); err != nil {
		t.Fatal(err)
	}
	if err := w.Confirmed(ctx); err != nil {
		t.Fatal(err)
	}
	stop, loaded := make(chan struct{}), make(chan error, 1)
	go func() { loaded <- grow(ctx, w, m, stop) }()
	for range killRounds() {
		before := k.largest(ledger.Dir)
		for k.largest(ledger.Dir) <= before { // it cosigns again
			time.Sleep(time.Millisecond)
		}
		pause, err := rand.Int(rand.Reader, big.NewInt(int64(40*time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(pause.Int64()))
		cosigned := k.largest(ledger.Dir)
		k.kill()
		cosigned = max(cosigned, k.largest(ledger.Dir))
		k.start()
		if size := k.remembers(ledger.Dir); size < cosigned {
			t.Fatalf("cosigned size %d, remembers %d", cosigned, size)
		}
	}
	close(stop)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if err := w.Confirmed(ctx); err != nil {
		t.Fatal(err)
	}
	k.kill()
	k.settled()
	if found, err := w.Check(ctx); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
}

// settled accepts what it was not told of, and wants nothing else to be wrong.
func (k *killed) settled() {
	k.t.Helper()
	for _, args := range [][]string{{"observe", "accept", "--all"}, {"observe", "once", "--whole"}, {"observe", "accept", "--all"}, {"observe", "once", "--whole"}} {
		out, err := k.odziv(args...).CombinedOutput()
		if last := args[1] == "once"; err != nil && !last {
			k.t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := k.odziv("observe", "status", "--json").CombinedOutput()
	var st struct {
		Dir    struct{ Size int64 }
		Alarms int
	}
	if err == nil {
		err = json.Unmarshal(out, &st)
	}
	if err != nil || st.Alarms > 0 || st.Dir.Size != k.largest(ledger.Dir) {
		k.t.Errorf("%v\n%s", err, out)
	}
}

// grow puts statements on record until it is stopped.
func grow(ctx context.Context, w *demo.World, m *demo.Member, stop chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		c := make([]byte, 32)
		rand.Read(c)
		if err := w.Propose(ctx, &directory.Card{C: c, Of: m.Desks[0].ID}, m.Registrars()[0].Signer()); err != nil {
			return err
		}
	}
}

func killRounds() int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(6*f))
	}
	return 6
}
