package envelope

import (
	"context"
	"hash"
	"io"
)

// tally passes bytes on, counting and hashing them, and keeps a write error
// apart from the errors of whoever writes.
type tally struct {
	w   io.Writer
	sum hash.Hash
	n   int64
	err error
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.sum.Write(p[:n])
	t.n += int64(n)
	if err != nil {
		t.err = err
	}
	return n, err
}

// intake reads bytes, counting and hashing them, and keeps a read error apart
// from the errors of whoever reads.
type intake struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	err error
}

func (t *intake) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.sum.Write(p[:n])
	t.n += int64(n)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

// withContext ends a reader when the context does.
func withContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
