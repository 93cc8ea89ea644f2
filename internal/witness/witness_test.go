package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// post brings a body to a witness over HTTP.
func post(t testing.TB, w *Witness, body []byte) (status int, media, answer string) {
	t.Helper()
	srv := httptest.NewServer(w.Handler(slog.New(slog.DiscardHandler)))
	defer srv.Close()
	resp, err := http.Post(srv.URL+"/add-checkpoint", "text/plain", bytes.NewReader(body))
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
}

// Every status of C2SP tlog-witness, as a log meets them. The witness is at size
// 5 before each.
func TestStatuses(t *testing.T) {
	own, stranger := logKey(t, 1), logKey(t, 2)
	b := &branch{}
	b.grow(t, "a", 12)
	fork := b.forked(t, 4)
	fork.grow(t, "b", 8)
	good := b.request(t, own, 5, 9)
	with := func(edit func(r *Request)) []byte {
		r := good
		r.Proof = slices.Clone(good.Proof)
		edit(&r)
		return r.Format()
	}
	foreign := bytes.Replace(good.Checkpoint, []byte(origin+"\n"), []byte("other.example/ev\n"), 1)
	for name, tt := range map[string]struct {
		body    []byte
		status  int
		answer  string // whole, where the protocol says it
		doubted bool
	}{
		"extends":                       {good.Format(), 200, "", false},
		"the same again":                {b.request(t, own, 5, 5).Format(), 200, "", false},
		"signed by others too":          {with(func(r *Request) { r.Checkpoint = slices.Concat(r.Checkpoint, strangerLine(t, b.at(t, 9))) }), 200, "", false},
		"no body":                       {nil, 400, "", false},
		"no old size":                   {[]byte("5\n\n" + string(good.Checkpoint)), 400, "", false},
		"old size with a leading zero":  {[]byte("old 05\n\n" + string(good.Checkpoint)), 400, "", false},
		"old size above the checkpoint": {with(func(r *Request) { r.Old = 10 }), 400, "", false},
		"64 hashes":                     {with(func(r *Request) { r.Proof = slices.Repeat(r.Proof[:1], 64) }), 400, "", false},
		"a hash that is none":           {[]byte("old 5\nAAAA\n\n" + string(good.Checkpoint)), 400, "", false},
		"no checkpoint":                 {[]byte("old 5\n\n"), 400, "", false},
		"a checkpoint of two lines":     {[]byte("old 5\n\n" + origin + "\n9\n\n"), 400, "", false},
		"too long":                      {slices.Concat(good.Format(), bytes.Repeat([]byte("x"), MaxRequest)), 400, "", false},
		"signed by a stranger":          {b.request(t, stranger, 5, 9).Format(), 403, "", false},
		"a broken signature":            {with(func(r *Request) { r.Checkpoint = bytes.Replace(r.Checkpoint, []byte("\n9\n"), []byte("\n8\n"), 1) }), 403, "", false},
		"a log nobody knows":            {with(func(r *Request) { r.Checkpoint = foreign }), 404, "", false},
		"an old size it is not at":      {b.request(t, own, 4, 9).Format(), 409, "5\n", false},
		"a smaller tree":                {b.request(t, own, 3, 3).Format(), 409, "5\n", false},
		"from the beginning":            {b.request(t, own, 0, 9).Format(), 409, "5\n", false},
		"another tree of its size":      {fork.request(t, own, 5, 5).Format(), 409, "5\n", true},
		"another tree":                  {fork.request(t, own, 5, 9).Format(), 422, "", true},
		"a proof too short":             {with(func(r *Request) { r.Proof = r.Proof[1:] }), 422, "", true},
		"a proof too long":              {with(func(r *Request) { r.Proof = append(r.Proof, tlog.Hash{}) }), 422, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, t.TempDir())
			if status, _, answer := post(t, w, b.request(t, own, 0, 5).Format()); status != 200 {
				t.Fatal(status, answer)
			}
			doubted := false
			w.Doubted = func(held, brought []byte) { doubted = len(held) > 0 && len(brought) > 0 }
			status, media, answer := post(t, w, tt.body)
			if status != tt.status || tt.answer != "" && answer != tt.answer || doubted != tt.doubted {
				t.Errorf("%d %q, doubted %v, want %d %q, %v", status, answer, doubted, tt.status, tt.answer, tt.doubted)
			}
			if (status == 409) != (media == "text/x.tlog.size") {
				t.Errorf("%d is %s", status, media)
			}
			_, last, err := w.Memory.Last(origin)
			check(t, err)
			if want := map[bool]int64{true: 9, false: 5}[status == 200 && name != "the same again"]; last.Size != want {
				t.Errorf("remembers size %d, want %d", last.Size, want)
			}
			if status == 200 {
				signedBy(t, w, slices.Concat(sign(t, own, b.at(t, last.Size)), []byte(answer)))
			}
		})
	}
}

// strangerLine is a signature of somebody whom the witness does not know.
func strangerLine(t testing.TB, c ledger.Checkpoint) []byte {
	key, err := ledger.NewCosigningKey("someone.example", seed(7))
	check(t, err)
	return key.Cosign(c, 1_700_000_000_000)
}

// signedBy wants the cosignature of w under a note, with its time.
func signedBy(t testing.TB, w *Witness, full []byte) {
	t.Helper()
	v, err := ledger.ParseCosignerKey(w.Key.VerifierKey())
	check(t, err)
	if at, ok := ledger.CosignedAt(full, v); !ok || at != 1_700_000_000_000 {
		t.Errorf("cosigned at %d, %v", at, ok)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	srv := httptest.NewServer(open(t, t.TempDir()).Handler(slog.New(slog.DiscardHandler)))
	defer srv.Close()
	for path, want := range map[string]int{"/add-checkpoint": 405, "/": 404, "/logz": 404, "/add-checkpoint/": 404} {
		resp, err := http.Get(srv.URL + path)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// What Admit says becomes a status, and nothing is kept that it refused.
func TestAdmit(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 9)
	for name, tt := range map[string]struct {
		err    error
		status int
	}{
		"yes":         {nil, 200},
		"later":       {fmt.Errorf("mirror: %w", ErrLater), 503},
		"too slow":    {context.DeadlineExceeded, 503},
		"other tree":  {fmt.Errorf("mirror: %w", ledger.ErrContradicted), 422},
		"broken rule": {errors.New("entry 3 breaks the rules"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, t.TempDir())
			w.Admit = func(context.Context, ledger.Checkpoint, []byte) error { return tt.err }
			status, _, _ := post(t, w, b.request(t, own, 0, 9).Format())
			held, _, err := w.Memory.Last(origin)
			check(t, err)
			if status != tt.status || (held != nil) != (status == 200) {
				t.Errorf("%d, want %d, keeps %q", status, tt.status, held)
			}
		})
	}
}

// While one checkpoint is being admitted another overtakes it: the first is
// then refused, for its old size is not the present one any more.
func TestOvertaken(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 9)
	w := open(t, t.TempDir())
	waiting, goOn := make(chan struct{}), make(chan struct{})
	w.Admit = func(_ context.Context, c ledger.Checkpoint, _ []byte) error {
		if c.Size == 5 {
			close(waiting)
			<-goOn
		}
		return nil
	}
	ended := make(chan error, 1)
	go func() {
		_, err := w.Add(context.Background(), b.request(t, own, 0, 5).Format())
		ended <- err
	}()
	<-waiting
	if _, err := w.Add(t.Context(), b.request(t, own, 0, 9).Format()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	var refusal *Refusal
	if err := <-ended; !errors.As(err, &refusal) || refusal.Status != 409 || refusal.Size != 9 {
		t.Errorf("%v", err)
	}
}

// failing is a key that is away.
type failing struct{ statement.Signer }

func (failing) Sign(context.Context, []byte) ([]byte, error) { return nil, errors.New("away") }

// The program ends after it kept a checkpoint and before it answered: the next
// one holds to what was kept, and answers the same question.
func TestEndsBeforeAnswer(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 9)
	fork := b.forked(t, 2)
	fork.grow(t, "b", 7)
	dir := t.TempDir()
	w := open(t, dir)
	good := w.Key
	w.Key = &Key{signer: failing{good.signer}, cosigner: good.cosigner}
	if status, _, _ := post(t, w, b.request(t, own, 0, 5).Format()); status != 500 {
		t.Fatal(status)
	}
	check(t, w.Memory.Close())
	w = open(t, dir)
	if status, _, answer := post(t, w, fork.request(t, own, 0, 9).Format()); status != 409 || answer != "5\n" {
		t.Errorf("%d %s", status, answer)
	}
	if status, _, _ := post(t, w, b.request(t, own, 5, 5).Format()); status != 200 {
		t.Error(status)
	}
}

// A memory that cannot be read is not an empty one.
func TestDamagedMemory(t *testing.T) {
	own := logKey(t, 1)
	b := &branch{}
	b.grow(t, "a", 9)
	for _, damage := range []string{"", "x", "other.example/ev\n5\n" + b.at(t, 5).Root.String() + "\n\nx"} {
		dir := t.TempDir()
		w := open(t, dir)
		if status, _, _ := post(t, w, b.request(t, own, 0, 5).Format()); status != 200 {
			t.Fatal(status)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.cosigned"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		check(t, os.WriteFile(files[0], []byte(damage), 0o600))
		if status, _, _ := post(t, w, b.request(t, own, 0, 9).Format()); status != 500 {
			t.Errorf("%q: %d", damage, status)
		}
		if _, _, err := w.Memory.Last(origin); !errors.Is(err, ErrMemory) {
			t.Errorf("%v", err)
		}
	}
}

// One memory serves one program at a time.
func TestMemoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	m, err := OpenMemory(dir)
	check(t, err)
	if _, err := OpenMemory(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	check(t, m.Close())
	again, err := OpenMemory(dir)
	check(t, err)
	check(t, again.Close())
}

// An evil log tries whatever it likes, several at once, and the witness is
// restarted now and then: among all that it ever cosigned no two trees
// contradict each other, and what it cosigns never shrinks.
func TestNeverContradictsItself(t *testing.T) {
	own := logKey(t, 1)
	trunk := &branch{}
	trunk.grow(t, "a", 40)
	rapid.Check(t, func(rt *rapid.T) {
		branches := []*branch{trunk}
		for i := range rapid.IntRange(1, 3).Draw(rt, "forks") {
			from := branches[rapid.IntRange(0, len(branches)-1).Draw(rt, "of")]
			other := from.forked(t, rapid.Int64Range(1, 30).Draw(rt, "at"))
			other.grow(t, fmt.Sprintf("fork %d", i), 40-other.size)
			branches = append(branches, other)
		}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(t, err)
		w := open(t, dir)
		var mu sync.Mutex
		cosigned := map[int64]ledger.Checkpoint{}
		try := func(b *branch, old, size int64) {
			c := b.at(t, size)
			line, err := w.Add(context.Background(), b.request(t, own, old, size).Format())
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if before, ok := cosigned[size]; ok && before != c {
				rt.Fatalf("cosigned two trees of size %d", size)
			}
			cosigned[size] = c
			if _, err := note.Open(slices.Concat(sign(t, own, c), line), note.VerifierList(w.Key.Verifier())); err != nil {
				rt.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			var group sync.WaitGroup
			for range rapid.IntRange(1, 3).Draw(rt, "at once") {
				b := branches[rapid.IntRange(0, len(branches)-1).Draw(rt, "branch")]
				size := rapid.Int64Range(1, 40).Draw(rt, "size")
				_, last, err := w.Memory.Last(origin)
				check(t, err)
				old := rapid.SampledFrom([]int64{last.Size, last.Size, 0, size}).Draw(rt, "old")
				group.Go(func() { try(b, old, size) })
			}
			group.Wait()
			if rapid.Bool().Draw(rt, "restart") {
				check(t, w.Memory.Close())
				w = open(t, dir)
			}
		}
		one := longest(branches, cosigned, t)
		for size, c := range cosigned {
			if one.at(t, size) != c {
				rt.Fatalf("cosigned size %d of one history and %d of another", size, len(cosigned))
			}
		}
		check(t, w.Memory.Close())
	})
}

// longest is the history that holds the largest tree cosigned.
func longest(branches []*branch, cosigned map[int64]ledger.Checkpoint, t *testing.T) *branch {
	top := int64(0)
	for size := range cosigned {
		top = max(top, size)
	}
	for _, b := range branches {
		if top > 0 && b.at(t, top) == cosigned[top] {
			return b
		}
	}
	return branches[0]
}

func TestServeRefusesPlainBeyondLoopback(t *testing.T) {
	if _, err := Listen(t.Context(), "0.0.0.0:0", nil); !errors.Is(err, ErrPlain) {
		t.Errorf("%v", err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0", nil)
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, open(t, t.TempDir()).Handler(slog.New(slog.DiscardHandler))) }()
	resp, err := http.Post("http://"+l.Addr().String()+"/add-checkpoint", "", strings.NewReader("x"))
	check(t, err)
	resp.Body.Close()
	stop()
	check(t, <-ended)
	if resp.StatusCode != 400 {
		t.Error(resp.StatusCode)
	}
}
