package proving

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// smallDisk mounts a file system of its own, which only root may. Whoever runs
// the tests without says so in ODZIV_TEST_WITHOUT=tmpfs.
func smallDisk(t *testing.T, folder, size string) (resize func(size string)) {
	t.Helper()
	mount := func(flags uintptr, size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, "mode=700,size="+size); err != nil {
			if strings.Contains(os.Getenv("ODZIV_TEST_WITHOUT"), "tmpfs") {
				t.Skip("without tmpfs, as asked by ODZIV_TEST_WITHOUT")
			}
			t.Fatalf("cannot mount a small disk: %v; run as root, or set ODZIV_TEST_WITHOUT=tmpfs to leave this test out", err)
		}
	}
	mount(0, size)
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return func(size string) { mount(syscall.MS_REMOUNT, size) }
}

// onDisk moves a part of the server's folder to a disk of its own.
func onDisk(t *testing.T, folder, size string) (resize func(size string)) {
	t.Helper()
	was := folder + ".was"
	if err := errors.Join(os.Rename(folder, was), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	resize = smallDisk(t, folder, size)
	if out, err := exec.Command("cp", "-a", was+"/.", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return resize
}

// bulky is an upload and a submission, tried once: what the exchange says.
type bulky struct {
	msg  string
	raw  []byte
	body []byte
	part []byte
}

func (f *field) bulky(t *testing.T) bulky {
	t.Helper()
	from, to := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	core := from.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
	core.Created = time.Now().UnixMilli()
	sealer, err := envelope.NewSealer(core.Msg)
	f.must(err)
	var part bytes.Buffer
	content := bytes.Repeat([]byte("x"), 300<<10)
	_, err = sealer.Attach(t.Context(), envelope.File{Name: "a.bin", Type: "a/b", Size: int64(len(content)), Content: bytes.NewReader(content)}, &part)
	f.must(err)
	sealed, err := sealer.Seal(t.Context(), envelope.Draft{Core: core, Text: envelope.Text{Fields: map[string]string{}},
		To: []envelope.Addressee{from.addressee(to.desk, messaging.RoleTo), from.addressee(from.desk, messaging.RoleSelf)}}, from.signer())
	f.must(err)
	raw, err := sealed.Notice.DSSE.Encode()
	f.must(err)
	return bulky{core.Msg, raw, sealed.Body, part.Bytes()}
}

func (b bulky) send(c *client.Client) (acknowledged, error) {
	ctx := context.Background()
	for n, data := range [][]byte{b.body, b.part} {
		if err := c.UploadPart(ctx, b.msg, n, bytes.NewReader(data), int64(len(data)), nil); err != nil {
			return acknowledged{}, err
		}
	}
	item, err := c.PutMessage(ctx, b.msg, b.raw)
	return acknowledged{msg: b.msg, item: item}, err
}

func (f *field) plainClient(s statement.Signer) *client.Client { return f.clientOver(s, nil) }

// clientBy is the usual sender's connection over some way.
func (f *field) clientBy(way http.RoundTripper) *client.Client {
	return f.clientOver(f.sender("swc-kraljevo", "legal").signer(), way)
}

func (f *field) clientOver(s statement.Signer, way http.RoundTripper) *client.Client {
	c, err := client.New(f.URL, s, func() int64 { return time.Now().UnixMilli() }, client.Options{Attempts: 1, Transport: way})
	f.must(err)
	return c
}

// unavailable wants the answer of a server that cannot write.
func unavailable(t *testing.T, err error) {
	t.Helper()
	var p *wire.Problem
	if !errors.As(err, &p) || p.Status != 503 || p.Code != "store" || p.Hint == "" {
		t.Errorf("a full disk was answered with %v", err)
	}
}

// TestFullDisk fills the disk of a real server. It answers that it cannot store,
// goes on reading, keeps everything it acknowledged and nothing by half; with
// room again the very requests that failed pass.
func TestFullDisk(t *testing.T) {
	f, d := openDaemon(t, "")
	d.kill()
	resize := onDisk(t, f.Home.Dir, "12m")
	d.start()
	from := f.sender("swc-kraljevo", "legal")
	c := f.plainClient(from.signer())
	var acks []acknowledged
	var failed bulky
	for range 200 {
		b := f.bulky(t)
		a, err := b.send(c)
		if err != nil {
			unavailable(t, err)
			failed = b
			break
		}
		acks = append(acks, a)
	}
	if len(acks) == 0 || failed.msg == "" {
		t.Fatalf("%d went through, and then %q", len(acks), failed.msg)
	}
	for range 3 {
		if _, err := failed.send(c); err == nil {
			t.Error("went through a full disk")
		} else {
			unavailable(t, err)
		}
	}
	if _, err := c.Feed(t.Context(), from.desk.ID, 0, 1); err != nil {
		t.Errorf("reading: %v", err)
	}
	// Killed on a full disk, it starts again, and only with room it writes.
	d.kill()
	d.start()
	if _, err := c.Feed(t.Context(), from.desk.ID, 0, 1); err != nil {
		t.Errorf("reading after a restart: %v", err)
	}
	resize("64m")
	a, err := failed.send(c)
	if err != nil {
		t.Fatalf("with room again: %v\n%s", err, tail(d.log.Bytes(), 2000))
	}
	acks = append(acks, a)
	for range 5 {
		a, err := f.bulky(t).send(c)
		f.must(err)
		acks = append(acks, a)
	}
	d.kill()
	t.Logf("%d messages acknowledged", len(acks))
	f.reopened(t, acks)
}

// TestFullAnchor fills the disk that the signer's memory lies on, and no other.
// Messages are taken and wait for their proof; with room they get it, and the
// signer has forgotten nothing.
func TestFullAnchor(t *testing.T) {
	f, d := openDaemon(t, "")
	d.kill()
	anchor := filepath.Join(f.Home.Dir, "anchor")
	resize := onDisk(t, anchor, "64k")
	filler, err := os.Create(filepath.Join(anchor, "filler"))
	f.must(err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	filler.Close()
	d.start()
	c := f.plainClient(f.sender("swc-kraljevo", "legal").signer())
	a, err := f.bulky(t).send(c)
	f.must(err)
	for range 3 {
		_, err := c.Proof(t.Context(), wire.Ev, a.item.Idx)
		refused(t, err, 503, "no_checkpoint")
		time.Sleep(500 * time.Millisecond)
	}
	resize("1m")
	for range 200 {
		if _, err = c.Proof(t.Context(), wire.Ev, a.item.Idx); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.must(err)
	b, err := f.bulky(t).send(c)
	f.must(err)
	d.kill()
	f.reopened(t, []acknowledged{a, b})
}
