package api

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

func putMessage(c *call) error {
	msg, err := c.id("msg", statement.Message)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	item, err := c.x.SubmitMessage(c.ctx, c.caller, msg, body)
	if err != nil {
		return err
	}
	return c.json(item)
}

func putSet(c *call) error {
	set, err := c.id("n", statement.Set)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	items, err := c.x.SubmitSet(c.ctx, c.caller, set, body)
	if err != nil {
		return err
	}
	return c.json(wire.SetAnswer{Items: items, Set: set, V: wire.V})
}

// part names one part of a message in the path.
func (c *call) part() (msg string, n int, err error) {
	if msg, err = c.id("msg", statement.Message); err != nil {
		return "", 0, err
	}
	number, err := c.number("n", 0, messaging.MaxParts)
	return msg, int(number), err
}

func putPart(c *call) error {
	msg, n, err := c.part()
	if err != nil {
		return err
	}
	off, err := c.queryNumber("off", 0, messaging.MaxPart, 0)
	if err != nil {
		return err
	}
	state, err := c.x.PutPart(c.ctx, c.caller, msg, n, off, c.echo.Request().Body)
	if err != nil {
		return err
	}
	return c.json(wire.UploadState(state))
}

func getParts(c *call) error {
	msg, err := c.id("msg", statement.Message)
	if err != nil {
		return err
	}
	states, err := c.x.UploadStates(c.ctx, c.caller, msg)
	if err != nil {
		return err
	}
	uploads := wire.Uploads{Parts: make([]wire.UploadState, 0, len(states)), V: wire.V}
	for _, s := range states {
		uploads.Parts = append(uploads.Parts, wire.UploadState(s))
	}
	return c.json(uploads)
}

func getPart(c *call) error {
	msg, n, err := c.part()
	if err != nil {
		return err
	}
	desk, err := c.queryID("desk", statement.Desk)
	if err != nil {
		return err
	}
	// The request's own context: a large part takes longer than any answer may.
	src, size, err := c.x.OpenPart(c.echo.Request().Context(), c.caller, desk, msg, n)
	if err != nil {
		return err
	}
	return c.stream(src, size)
}

// piece is how much of a part is sent under one deadline, in bytes.
const piece = 256 << 10

// stream answers with size bytes of src. A failure before the first byte is a
// problem; after it the connection breaks off, short of Content-Length.
func (c *call) stream(src io.Reader, size int64) error {
	in := bufio.NewReaderSize(src, piece)
	if _, err := in.Peek(1); err != nil {
		return err
	}
	h := c.echo.Response().Header()
	h.Set("Content-Type", wire.Bytes)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	out := http.NewResponseController(c.echo.Response().Writer)
	for size > 0 {
		_ = out.SetWriteDeadline(time.Now().Add(c.opts.AnswerTime))
		n, err := io.CopyN(c.echo.Response(), in, min(size, piece))
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}
