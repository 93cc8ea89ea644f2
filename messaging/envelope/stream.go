package envelope

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// hashBuffers is how many buffers of a chunk each background hash holds.
const hashBuffers = 4

// backgroundHash computes SHA-256 beside the cipher, on another core: hashing
// costs about as much as encrypting. Its memory is constant. Close must be
// called, once, on every path.
type backgroundHash struct {
	full, free chan []byte
	part       []byte
	sum        chan string
}

func newBackgroundHash() *backgroundHash {
	h := &backgroundHash{
		full: make(chan []byte, hashBuffers),
		free: make(chan []byte, hashBuffers),
		part: make([]byte, 0, chunkSize),
		sum:  make(chan string, 1),
	}
	for range hashBuffers - 1 {
		h.free <- make([]byte, 0, chunkSize)
	}
	go h.run()
	return h
}

func (h *backgroundHash) run() {
	sum := sha256.New()
	for b := range h.full {
		sum.Write(b)
		h.free <- b[:0]
	}
	h.sum <- hex.EncodeToString(sum.Sum(nil))
}

// Write never fails.
func (h *backgroundHash) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), cap(h.part)-len(h.part))
		h.part = append(h.part, p[:k]...)
		p = p[k:]
		if len(h.part) == cap(h.part) {
			h.full <- h.part
			h.part = <-h.free
		}
	}
	return n, nil
}

// Close ends the hash and returns it in hex.
func (h *backgroundHash) Close() string {
	h.full <- h.part
	close(h.full)
	return <-h.sum
}

// outlet passes bytes on, counting them, and keeps a write error apart from the
// errors of whoever writes.
type outlet struct {
	w   io.Writer
	n   int64
	err error
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.n += int64(n)
	if err != nil {
		o.err = err
	}
	return n, err
}

// intake reads bytes, counting them, and keeps a read error apart from the
// errors of whoever reads.
type intake struct {
	r   io.Reader
	n   int64
	err error
}

func (i *intake) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.n += int64(n)
	if err != nil && err != io.EOF {
		i.err = err
	}
	return n, err
}

// copyChunks is io.Copy in the cipher's own chunks.
func copyChunks(dst io.Writer, src io.Reader) (int64, error) {
	return io.CopyBuffer(justWriter{dst}, justReader{src}, make([]byte, chunkSize))
}

// justWriter and justReader hide methods by which io.CopyBuffer would pass the
// buffer by.
type (
	justWriter struct{ io.Writer }
	justReader struct{ io.Reader }
)

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
