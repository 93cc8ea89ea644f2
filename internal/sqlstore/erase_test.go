package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// marked is a value of n bytes that nothing else holds.
func marked(mark string, n int) []byte { return bytes.Repeat([]byte(mark), n/len(mark)+1)[:n] }

// onDisk reports whether a mark is anywhere in the database's files.
func (r *raw) onDisk(t *testing.T, mark string) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(r.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// openLeaves appends a leaf per mark, its opening full of the mark.
func (r *raw) openLeaves(t *testing.T, marks ...string) {
	t.Helper()
	ctx := context.Background()
	err := r.Write(ctx, func(tx exchange.Tx) error {
		batch, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for _, mark := range marks {
			idx, err := batch.Append([]byte("leaf"))
			if err != nil {
				return err
			}
			o := evidence.Opening{Meta: marked(mark, 300), RM: make([]byte, 32), Priv: marked(mark, 9000), RP: make([]byte, 32)}
			if err := tx.PutOpening(ctx, idx, o); err != nil {
				return err
			}
		}
		_, err = batch.Flush(ctx, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestErasedIsGone looks for what was erased in the bytes of the files, which is
// where a thief would look.
func TestErasedIsGone(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	r.openLeaves(t, "sentinel-one", "sentinel-two")
	if !r.onDisk(t, "sentinel-one") {
		t.Fatal("the sentinel was never on disk, so the test cannot fail")
	}
	if err := r.Write(ctx, func(tx exchange.Tx) error { return tx.EraseOpening(ctx, 0) }); err != nil {
		t.Fatal(err)
	}
	if r.onDisk(t, "sentinel-one") {
		t.Error("the erased opening is still on disk")
	}
	if !r.onDisk(t, "sentinel-two") {
		t.Error("the other opening is gone too")
	}
}

// TestErasedDuringRead: a reader that began before keeps the log from being cut;
// the next write after it has ended cuts it.
func TestErasedDuringRead(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	r.openLeaves(t, "sentinel-one")
	err := r.Read(ctx, func(v exchange.View) error {
		if err := r.Write(ctx, func(tx exchange.Tx) error { return tx.EraseOpening(ctx, 0) }); err != nil {
			return err
		}
		o, ok, err := v.Opening(ctx, 0)
		if !ok || len(o.Priv) != 9000 {
			t.Errorf("the snapshot lost the opening: %v", ok)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, r.Store, "m_a", 1)
	if r.onDisk(t, "sentinel-one") {
		t.Error("the erased opening is still on disk after the next write")
	}
}

// TestSweptIsGone: chunks and keys of an abandoned upload leave nothing.
func TestSweptIsGone(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	upload := func(msg, mark string) error {
		return r.Scratch(ctx, func(s exchange.Scratch) error {
			return errors.Join(s.PutUpload(ctx, exchange.UploadRow{Msg: msg, At: 1}), s.PutChunk(ctx, msg, 0, 0, marked(mark, 1<<18)),
				s.PutShred(ctx, msg, "x_a", marked(mark, 60)))
		})
	}
	if err := errors.Join(upload("m_a", "sentinel-swept"), upload("m_b", "sentinel-erased"), upload("m_c", "sentinel-kept")); err != nil {
		t.Fatal(err)
	}
	err := r.Write(ctx, func(tx exchange.Tx) error {
		return errors.Join(tx.PutMessage(ctx, exchange.MessageRow{Msg: "m_b"}, nil, nil), tx.PutMessage(ctx, exchange.MessageRow{Msg: "m_c"}, nil, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Scratch(ctx, func(s exchange.Scratch) error { return s.Sweep(ctx, 0, 9) }); err != nil {
		t.Fatal(err)
	}
	if r.onDisk(t, "sentinel-swept") || !r.onDisk(t, "sentinel-erased") || !r.onDisk(t, "sentinel-kept") {
		t.Error("a sweep takes the abandoned upload from the disk, and no other")
	}
	type eraser interface {
		EraseUpload(ctx context.Context, msg string) error
	}
	if err := r.Write(ctx, func(tx exchange.Tx) error { return tx.(eraser).EraseUpload(ctx, "m_b") }); err != nil {
		t.Fatal(err)
	}
	if r.onDisk(t, "sentinel-erased") || !r.onDisk(t, "sentinel-kept") {
		t.Error("an erasure takes the accepted upload from the disk, and no other")
	}
}

// TestEraserClosed: after an erasure, kept or not, the switch is off.
func TestEraserClosed(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	r.openLeaves(t, "one", "two")
	fail := errors.New("fail")
	err := r.Write(ctx, func(tx exchange.Tx) error {
		lost := tx.Savepoint(ctx, func() error { return errors.Join(tx.EraseOpening(ctx, 0), fail) })
		if !errors.Is(lost, fail) {
			t.Errorf("savepoint: %v", lost)
		}
		return tx.EraseOpening(ctx, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.query(t, "SELECT active FROM eraser"); len(got) != 1 || got[0] != "0" {
		t.Errorf("the eraser's switch is %v", got)
	}
	wantFailure(t, "delete an opening", failed("delete", r.Exec("DELETE FROM opening")), ErrRefused)
}

// TestLostOpening deletes an opening behind the guards: a rebuild notices, and
// the opening may come back.
func TestLostOpening(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	r.openLeaves(t, "one", "two", "three")
	if err := r.forge("opening", "DELETE FROM opening WHERE idx = 1"); err != nil {
		t.Fatal(err)
	}
	incomplete := func() (is bool) {
		t.Helper()
		err := r.Read(ctx, func(v exchange.View) (err error) { is, err = v.Incomplete(ctx); return err })
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	put := func(idx int64) {
		t.Helper()
		o := evidence.Opening{Meta: []byte("back"), RM: []byte{}, Priv: []byte{}, RP: []byte{}}
		if err := r.Write(ctx, func(tx exchange.Tx) error { return tx.PutOpening(ctx, idx, o) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Write(ctx, func(tx exchange.Tx) error { return tx.DropDerived(ctx) }); err != nil {
		t.Fatal(err)
	}
	if !incomplete() {
		t.Error("a rebuild did not notice that an opening is lost")
	}
	put(1)
	if incomplete() {
		t.Error("incomplete after the lost opening came back")
	}
	if err := r.forge("opening", "DELETE FROM opening WHERE idx = 0"); err != nil {
		t.Fatal(err)
	}
	put(0) // nobody counted in between
	r.openLeaves(t, "four")
	if count := r.query(t, "SELECT count FROM covered"); len(count) != 1 || count[0] != "4" {
		t.Errorf("%v of 4 leaves are covered", count)
	}
}

func TestSweepManyUploads(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	err := r.Scratch(ctx, func(s exchange.Scratch) error {
		var err error
		for i := range maxSwept + 1 {
			err = errors.Join(err, s.PutUpload(ctx, exchange.UploadRow{Msg: id("m_", i), At: 1}))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "0"} {
		if err := r.Scratch(ctx, func(s exchange.Scratch) error { return s.Sweep(ctx, 0, 9) }); err != nil {
			t.Fatal(err)
		}
		if left := r.query(t, "SELECT count(*) FROM upload"); left[0] != want {
			t.Errorf("%s uploads left, want %s", left[0], want)
		}
	}
}
