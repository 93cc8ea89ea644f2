package client_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
)

func sum(data []byte) []byte {
	h := sha256.Sum256(data)
	return h[:]
}

// large is a message with one attachment of more than two chunks.
func large(t *testing.T, w *apitest.World) *apitest.Sealed {
	t.Helper()
	content := make([]byte, 2*wire.MaxChunk+1<<19)
	rand.Read(content)
	return w.Seal(nil, content)
}

// steps records progress and checks that it only grows.
func steps(t *testing.T, total int) (client.Progress, *[]int64) {
	seen := &[]int64{}
	return func(done, all int64) {
		if all != int64(total) || done > all || len(*seen) > 0 && done < (*seen)[len(*seen)-1] {
			t.Errorf("%d of %d after %v", done, all, *seen)
		}
		*seen = append(*seen, done)
	}, seen
}

func TestUploadInChunks(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	sealed := large(t, w)
	progress, seen := steps(t, len(sealed.Parts[1]))
	upload(t, c, sealed, 0, nil)
	upload(t, c, sealed, 1, progress)
	var sizes []int64
	for _, call := range tap.calls {
		if call.method == http.MethodPut {
			sizes = append(sizes, call.size)
			if asks := call.expect == "100-continue"; asks != (call.size > 1<<20) {
				t.Errorf("%d bytes sent with Expect %q", call.size, call.expect)
			}
		}
	}
	if len(sizes) != 4 || sizes[1] != wire.MaxChunk || sizes[2] != wire.MaxChunk {
		t.Errorf("chunks of %v", sizes)
	}
	if last := (*seen)[len(*seen)-1]; last != int64(len(sealed.Parts[1])) {
		t.Errorf("progress ends at %d", last)
	}
	submit(t, c, sealed)
	before := tap.count()
	upload(t, c, sealed, 1, nil)
	if tap.count() != before+1 {
		t.Errorf("a part that is there took %d requests", tap.count()-before)
	}
}

func upload(t *testing.T, c *client.Client, sealed *apitest.Sealed, n int, progress client.Progress) {
	t.Helper()
	part := sealed.Parts[n]
	check(t, c.UploadPart(t.Context(), sealed.Msg(), n, bytes.NewReader(part), int64(len(part)), progress))
}

func submit(t *testing.T, c *client.Client, sealed *apitest.Sealed) {
	t.Helper()
	_, err := c.PutMessage(t.Context(), sealed.Msg(), encode(t, sealed.Notice.DSSE))
	check(t, err)
}

// An upload that broke off goes on where it was, without sending again what
// is there.
func TestUploadResumes(t *testing.T) {
	w, tap, c := tapped(t, client.Options{Attempts: 1})
	sealed := large(t, w)
	upload(t, c, sealed, 0, nil)
	tap.before = func(_ int, r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.RawQuery, "off=8388608") {
			return nil, errLost
		}
		return nil, nil
	}
	part := sealed.Parts[1]
	err := c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(part), int64(len(part)), nil)
	if !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	tap.before, tap.calls = nil, nil
	progress, seen := steps(t, len(part))
	upload(t, c, sealed, 1, progress)
	for _, call := range tap.calls {
		if call.query == "off=0" {
			t.Error("began again")
		}
	}
	if (*seen)[0] != wire.MaxChunk {
		t.Errorf("progress %v", *seen)
	}
	states, err := c.Uploads(t.Context(), sealed.Msg())
	check(t, err)
	if len(states) != 2 || states[1].Size != int64(len(part)) {
		t.Errorf("%+v", states)
	}
	submit(t, c, sealed)
}

// A chunk whose answer is lost is sent again and counted once.
func TestUploadAnswerLost(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	sealed := large(t, w)
	tap.after = func(n int, r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.Method == http.MethodPut && n%2 == 0 {
			resp.Body.Close()
			return nil, errLost
		}
		return resp, nil
	}
	upload(t, c, sealed, 0, nil)
	upload(t, c, sealed, 1, nil)
	tap.after = nil
	submit(t, c, sealed)
}

// An earlier upload in other steps got further than this client knows.
func TestUploadFromElsewhere(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	sealed := w.Seal(nil, make([]byte, 3<<20))
	part := sealed.Parts[1]
	upload(t, c, sealed, 0, nil)
	early := part[:wire.ChunkSize]
	check(t, c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(early), wire.ChunkSize, nil))
	tap.calls = nil
	upload(t, c, sealed, 1, nil) // its one chunk overlaps what is there: asks, goes on
	submit(t, c, sealed)
}

// What is there already and cannot be what is being sent, is said.
func TestUploadOfOtherBytes(t *testing.T) {
	w, _, c := tapped(t, client.Options{})
	sealed := w.Seal(nil, make([]byte, 3<<20))
	upload(t, c, sealed, 0, nil)
	upload(t, c, sealed, 1, nil)
	part := sealed.Parts[1]
	for _, size := range []int{len(part) - 1, len(part) + 1} {
		other := append(bytes.Clone(part), 0)[:size]
		if err := c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(other), int64(size), nil); err == nil {
			t.Errorf("%d bytes over %d", size, len(part))
		}
	}
	for _, size := range []int64{0, -1, wire.MaxPart + 1} {
		if err := c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(part), size, nil); err == nil {
			t.Errorf("a part of %d bytes", size)
		}
	}
	if err := c.UploadPart(t.Context(), sealed.Msg(), 2, bytes.NewReader(part), int64(len(part))+1, nil); err == nil {
		t.Error("a source shorter than it says")
	}
}

// A part of more than one chunk is asked for before it is sent.
func TestUploadOfOtherBytesInChunks(t *testing.T) {
	w, _, c := tapped(t, client.Options{})
	sealed := large(t, w)
	upload(t, c, sealed, 0, nil)
	upload(t, c, sealed, 1, nil)
	part := sealed.Parts[1]
	for _, size := range []int{len(part) - 1, len(part) + 1} {
		other := append(bytes.Clone(part), 0)[:size]
		if err := c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(other), int64(size), nil); err == nil {
			t.Errorf("%d bytes over %d", size, len(part))
		}
	}
}

// A refusal reaches whoever sends much before the much is sent.
func TestUploadRefused(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	sealed := large(t, w)
	w.Revoke(w.A, 0)
	part := sealed.Parts[1]
	err := c.UploadPart(t.Context(), sealed.Msg(), 1, bytes.NewReader(part[:wire.MaxChunk]), wire.MaxChunk, nil)
	wantCode(t, err, "signature")
	if tap.count() != 1 {
		t.Errorf("%d attempts", tap.count())
	}
}

func TestDownload(t *testing.T) {
	w, tap, sender := tapped(t, client.Options{})
	sealed := large(t, w)
	upload(t, sender, sealed, 0, nil)
	upload(t, sender, sealed, 1, nil)
	submit(t, sender, sealed)
	c := w.Client(w.B.Officers[0], client.Options{Transport: tap})
	_, _, err := c.OpenPart(t.Context(), w.B.Desk, sealed.Msg(), 1, nil)
	wantCode(t, err, "not_retrieved")
	id, receipt := w.Retrieved(sealed)
	_, err = c.PutStatement(t.Context(), id, encode(t, receipt))
	check(t, err)

	progress, seen := steps(t, len(sealed.Parts[1]))
	tap.calls, tap.before = nil, lost(1)
	r, size, err := c.OpenPart(t.Context(), w.B.Desk, sealed.Msg(), 1, progress)
	check(t, err)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, sealed.Parts[1]) || size != int64(len(got)) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sealed.Parts[1]), err)
	}
	check(t, r.Close())
	if (*seen)[len(*seen)-1] != size {
		t.Errorf("progress ends at %d", (*seen)[len(*seen)-1])
	}
	tap.before = nil
	tap.after = func(_ int, _ *http.Request, resp *http.Response) (*http.Response, error) {
		resp.ContentLength = -1
		return resp, nil
	}
	if _, _, err := c.OpenPart(t.Context(), w.B.Desk, sealed.Msg(), 1, nil); err == nil {
		t.Error("a part without length")
	}
}

// stalling gives some bytes and then nothing until the request is given up.
type stalling struct {
	r    *http.Request
	left []byte
}

func (s *stalling) Read(p []byte) (int, error) {
	if len(s.left) > 0 {
		n := copy(p, s.left)
		s.left = s.left[n:]
		return n, nil
	}
	<-s.r.Context().Done()
	return 0, s.r.Context().Err()
}

func (s *stalling) Close() error { return nil }

// A transfer that stops is given up, and its reader says so instead of io.EOF.
func TestDownloadStalls(t *testing.T) {
	w, tap, c := tapped(t, client.Options{StallTime: time.Millisecond, Timeout: time.Hour})
	tap.before = func(_ int, r *http.Request) (*http.Response, error) {
		resp := says(200, map[string]string{"Content-Type": wire.Bytes}, "")
		resp.ContentLength, resp.Body = 100, &stalling{r, make([]byte, 10)}
		return resp, nil
	}
	r, _, err := c.OpenPart(t.Context(), w.A.Desk, "m", 0, nil)
	check(t, err)
	defer r.Close()
	got, err := io.ReadAll(r)
	if err == nil || !strings.Contains(err.Error(), "in time") || len(got) != 10 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A part that is not answered for is not taken for stored.
func TestUploadAnswers(t *testing.T) {
	w, tap, c := tapped(t, client.Options{})
	for name, body := range map[string]string{
		"another part": `{"part":2,"size":100}`, "less": `{"part":1,"size":99}`, "more": `{"part":1,"size":101}`, "none": `{}`, "no JSON": `x`,
	} {
		tap.before = func(int, *http.Request) (*http.Response, error) {
			return says(200, map[string]string{"Content-Type": wire.JSON}, body), nil
		}
		if err := c.UploadPart(t.Context(), w.A.Desk, 1, bytes.NewReader(make([]byte, 100)), 100, nil); err == nil {
			t.Errorf("%s was taken for an answer", name)
		}
	}
}
