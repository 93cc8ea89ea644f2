package witness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/ledger"
)

// ErrLater says that a checkpoint cannot be cosigned yet: ask again.
var ErrLater = errors.New("not yet: ask again")

// A Witness cosigns the checkpoints of logs that it knows. Set its fields before
// its first use; it is then safe for concurrent use.
type Witness struct {
	Key    *Key
	Memory *Memory
	Clock  func() int64 // ms since 1970 UTC

	// Verifiers returns the keys that may sign for an origin, none for a log
	// that is not known.
	Verifiers func(origin string) []note.Verifier

	// Admit may refuse a checkpoint that extends what was cosigned: with an
	// error that wraps [ErrLater] for now, with one that wraps
	// ledger.ErrContradicted because the log's entries are not those of the
	// checkpoint, with any other for what they say. nil admits all.
	Admit func(ctx context.Context, c ledger.Checkpoint, signed []byte) error

	// Doubted is told of a checkpoint, signed by its log, that did not fit what
	// was cosigned before. The proof that came with it may have been anybody's,
	// so that it is no evidence yet, unless the sizes are equal. May be nil.
	Doubted func(held, brought []byte)

	mu sync.Mutex // one checkpoint at a time is held against the memory
}

// A Refusal is an answer of no, as HTTP spells it.
type Refusal struct {
	Status int
	Size   int64 // with 409: what the witness holds
	Why    string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d: %s", r.Status, r.Why) }

func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Why: fmt.Sprintf(format, args...)}
}

// Add handles one add-checkpoint and returns the signature line. An answer of no
// is a *[Refusal]; any other error is a failure of the witness itself, which
// then has cosigned nothing.
func (w *Witness) Add(ctx context.Context, body []byte) ([]byte, error) {
	r, c, err := w.read(body)
	if err != nil {
		return nil, err
	}
	if err := w.locked(func() error { return w.fits(r, c) }); err != nil {
		return nil, err
	}
	if err := w.admit(ctx, c, r.Checkpoint); err != nil {
		return nil, err
	}
	err = w.locked(func() error { // another may have been kept meanwhile
		if err := w.fits(r, c); err != nil {
			return err
		}
		return w.Memory.Keep(r.Checkpoint)
	})
	if err != nil {
		return nil, err
	}
	return w.Key.Cosign(ctx, c, w.Clock())
}

func (w *Witness) locked(do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return do()
}

// read wants a request of form, about a log that is known, signed by it.
func (w *Witness) read(body []byte) (Request, ledger.Checkpoint, error) {
	r, err := ParseRequest(body)
	if err != nil {
		return r, ledger.Checkpoint{}, refuse(http.StatusBadRequest, "%v", err)
	}
	origin, _, _ := strings.Cut(string(r.Checkpoint), "\n")
	keys := w.Verifiers(origin)
	if len(keys) == 0 {
		return r, ledger.Checkpoint{}, refuse(http.StatusNotFound, "this log is not witnessed here")
	}
	c, err := opened(r.Checkpoint, keys)
	if err != nil {
		return r, c, err
	}
	if r.Old > c.Size {
		return r, c, refuse(http.StatusBadRequest, "the old size is above that of the checkpoint")
	}
	return r, c, nil
}

// opened verifies a checkpoint under one of several keys.
func opened(signed []byte, keys []note.Verifier) (ledger.Checkpoint, error) {
	var unsigned *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	stranger := false
	for _, key := range keys {
		c, err := ledger.ParseCheckpoint(signed, key)
		if err == nil {
			return c, nil
		}
		stranger = stranger || errors.As(err, &unsigned) || errors.As(err, &wrong)
	}
	if stranger {
		return ledger.Checkpoint{}, refuse(http.StatusForbidden, "the checkpoint is not signed by its log")
	}
	return ledger.Checkpoint{}, refuse(http.StatusBadRequest, "that is no checkpoint")
}

// fits wants the checkpoint to extend what was cosigned last.
func (w *Witness) fits(r Request, c ledger.Checkpoint) error {
	held, last, err := w.Memory.Last(c.Origin)
	if err != nil {
		return err
	}
	if c.Size == last.Size && c.Root != last.Root {
		w.doubt(held, r.Checkpoint)
		return &Refusal{http.StatusConflict, last.Size, "another tree of this size was cosigned"}
	}
	if r.Old != last.Size {
		return &Refusal{http.StatusConflict, last.Size, "another size was cosigned last"}
	}
	if err := ledger.VerifyConsistency(r.Proof, last, c); err != nil {
		w.doubt(held, r.Checkpoint)
		return refuse(http.StatusUnprocessableEntity, "the proof does not lead from what was cosigned to this checkpoint")
	}
	return nil
}

func (w *Witness) doubt(held, brought []byte) {
	if w.Doubted != nil {
		w.Doubted(held, brought)
	}
}

func (w *Witness) admit(ctx context.Context, c ledger.Checkpoint, signed []byte) error {
	if w.Admit == nil {
		return nil
	}
	err := w.Admit(ctx, c, signed)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrContradicted):
		return refuse(http.StatusUnprocessableEntity, "the entries of the log do not lead to this checkpoint")
	case errors.Is(err, ErrLater), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(http.StatusServiceUnavailable, "the entries are not here yet")
	}
	return refuse(http.StatusForbidden, "%v", err)
}
