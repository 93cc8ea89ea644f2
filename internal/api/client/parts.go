package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/odziv/odziv/internal/api/wire"
)

// Progress is told how many bytes of a part are through, of how many. It is
// called from the goroutine that transfers.
type Progress func(done, total int64)

func (p Progress) tell(done, total int64) {
	if p != nil {
		p(done, total)
	}
}

// Uploads tells how far the parts of a message are that this key began to
// upload.
func (c *Client) Uploads(ctx context.Context, msg string) ([]wire.UploadState, error) {
	var answer wire.Uploads
	err := c.get(ctx, wire.Path(wire.PathParts, msg), nil, maxOne, &answer)
	return answer.Parts, err
}

// UploadPart sends part n of a message, 0 being the body, in chunks of 8 MiB,
// and goes on where an earlier call broke off. src holds size bytes and is read
// at most once per attempt and byte; 8 MiB of memory are used.
func (c *Client) UploadPart(ctx context.Context, msg string, n int, src io.ReaderAt, size int64, progress Progress) error {
	if size <= 0 || size > wire.MaxPart {
		return fmt.Errorf("client: a part has 1 to %d bytes", int64(wire.MaxPart))
	}
	u := &upload{Client: c, msg: msg, part: n, src: src, size: size, progress: progress, chunk: make([]byte, min(size, wire.MaxChunk))}
	if size > wire.MaxChunk { // a smaller one is cheaper sent than asked for
		if err := u.resume(ctx); err != nil {
			return err
		}
	}
	return u.run(ctx)
}

// upload is one part on its way.
type upload struct {
	*Client
	msg      string
	part     int
	src      io.ReaderAt
	size     int64
	off      int64
	chunk    []byte
	progress Progress
}

var errOther = errors.New("client: the exchange holds other bytes of this part: seal the message again, under a new id")

// resume asks where to go on.
func (u *upload) resume(ctx context.Context) error {
	states, err := u.Uploads(ctx, u.msg)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Part == u.part {
			u.off = s.Size
		}
	}
	if u.off > u.size || u.off < u.size && u.off%wire.ChunkSize != 0 {
		return errOther
	}
	u.progress.tell(u.off, u.size)
	return nil
}

// run sends chunk after chunk. If the exchange has got further than was known,
// which happens when an answer was lost, it asks once where that is.
func (u *upload) run(ctx context.Context) error {
	asked := false
	for u.off < u.size {
		before := u.off
		err := u.next(ctx)
		if wire.CodeOf(err) == "offset" && !asked {
			asked = true
			err = u.resume(ctx)
		}
		if err != nil {
			return err
		}
		if u.off == before && asked || u.off > u.size {
			return errOther
		}
		u.progress.tell(u.off, u.size)
	}
	return nil
}

// next sends the chunk at off.
func (u *upload) next(ctx context.Context) error {
	chunk := u.chunk[:min(int64(len(u.chunk)), u.size-u.off)]
	if _, err := io.ReadFull(io.NewSectionReader(u.src, u.off, int64(len(chunk))), chunk); err != nil {
		return fmt.Errorf("client: read part: %w", err)
	}
	data, err := u.readWithin(ctx, ask{
		method: http.MethodPut, path: wire.Path(wire.PathPart, u.msg, strconv.Itoa(u.part)),
		query: url.Values{"off": {number(u.off)}}, body: chunk, media: wire.Bytes, accept: wire.JSON, time: u.opts.ChunkTime,
	}, maxOne)
	if err != nil {
		return err
	}
	var state wire.UploadState
	if err := json.Unmarshal(data, &state); err != nil || state.Part != u.part || state.Size < u.off+int64(len(chunk)) {
		return errAnswer
	}
	u.off = state.Size
	return nil
}

// OpenPart streams part n of a message to a member of a desk that has signed
// for it. It returns the part's length, which a reader that reaches io.EOF has
// read; a transfer that breaks off ends in another error. The caller closes it.
func (c *Client) OpenPart(ctx context.Context, desk, msg string, n int, progress Progress) (io.ReadCloser, int64, error) {
	resp, err := c.do(ctx, ask{
		method: http.MethodGet, path: wire.Path(wire.PathPart, msg, strconv.Itoa(n)),
		query: url.Values{"desk": {desk}}, accept: wire.Bytes, time: c.opts.Timeout,
	})
	if err != nil {
		return nil, 0, err
	}
	size := resp.ContentLength
	if size <= 0 || size > wire.MaxPart {
		resp.Body.Close()
		return nil, 0, fmt.Errorf("client: %w: no length", errAnswer)
	}
	if b, ok := resp.Body.(*answerBody); ok {
		b.timer.Stop()
		b.stall = c.opts.StallTime
	}
	return &download{ReadCloser: resp.Body, size: size, progress: progress}, size, nil
}

// download counts what came.
type download struct {
	io.ReadCloser
	done, size int64
	progress   Progress
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.done += int64(n)
	if n > 0 {
		d.progress.tell(d.done, d.size)
	}
	return n, err
}
