package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Bounds of an upload, in bytes.
const (
	ChunkSize  = 1 << 20        // what is wrapped and stored as one
	MaxChunk   = 8 << 20        // what one request may carry
	MaxPart    = 4 << 30        // one attachment
	MaxBody    = 1<<20 + 64<<10 // part 0
	onlyStanza = "mlkem768x25519"
)

// UploadState says how much of a part is here, so that an upload goes on where
// it broke off.
type UploadState struct {
	Part int   `json:"part"`
	Size int64 `json:"size"`
}

// PutPart stores bytes of a part from off on. It accepts only the place where
// the part so far ends, or bytes that are here already.
//
// A body, part 0, is begun anew by whoever began it: when a recipient's key
// changed before the message was accepted, the body is sealed again and the
// attachments stay as they are. Once the message is accepted the store keeps both.
func (x *Exchange) PutPart(ctx context.Context, c Caller, msg string, part int, off int64, r io.Reader) (UploadState, error) {
	if !statement.IsID(msg, statement.Message) || part < 0 || part > messaging.MaxParts {
		return UploadState{}, refuse(Malformed, "malformed", "no such part")
	}
	data, err := readChunk(r)
	if err != nil {
		return UploadState{}, err
	}
	if state, decided, err := x.decided(ctx, c, msg, part, off+int64(len(data))); decided || err != nil {
		return state, err
	}
	key, stored, err := x.shredKey(ctx, msg)
	if err != nil {
		return UploadState{}, err
	}
	var state UploadState
	err = x.Store.Scratch(ctx, func(s Scratch) error {
		fresh, err := s.UseNonce(ctx, c.Key, c.Nonce, x.Clock.Now())
		if err != nil {
			return err
		}
		if !fresh {
			return refuse(Unauthentic, "nonce", "this request was received before")
		}
		if err := stillStored(ctx, s, msg, stored); err != nil {
			return err
		}
		state, err = x.appendChunk(ctx, s, c, key, msg, part, off, data)
		return err
	})
	if err != nil && fatal(err) {
		return state, x.unknown(err)
	}
	return state, err
}

// decided answers for a message that is on record already: what is sent again
// after a lost answer is here, and nothing can be added.
func (x *Exchange) decided(ctx context.Context, c Caller, msg string, part int, end int64) (state UploadState, decided bool, err error) {
	err = x.Store.Read(ctx, func(v View) error {
		row, ok, err := v.Statement(ctx, msg)
		if err != nil || !ok {
			return err
		}
		if row.Spent {
			return refuse(Conflicting, "msg_spent", "%s was refused before and cannot be used again", msg).hint("use a new message id")
		}
		u, ok, err := v.Upload(ctx, msg, part)
		if err != nil {
			return err
		}
		if !ok || u.Key != c.Key || end > u.Size {
			return refuse(Conflicting, "msg_reused", "%s was accepted; its parts are complete", msg).hint("use a new message id")
		}
		state, decided = UploadState{Part: part, Size: u.Size}, true
		return nil
	})
	return state, decided, err
}

// readChunk reads one request's bytes, whole, within the bound.
func readChunk(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxChunk+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxChunk {
		return nil, refuse(TooLarge, "too_large", "a chunk has at most %d bytes", MaxChunk).hint("send smaller chunks")
	}
	return data, nil
}

// appendChunk wraps data in steps of ChunkSize and moves the upload on.
func (x *Exchange) appendChunk(ctx context.Context, s Scratch, c Caller, key shred.Key, msg string, part int, off int64, data []byte) (UploadState, error) {
	u, ok, err := s.Upload(ctx, msg, part)
	if err != nil {
		return UploadState{}, err
	}
	if !ok || part == 0 && off == 0 && u.Key == c.Key {
		u = UploadRow{Msg: msg, Part: part, Key: c.Key, At: x.Clock.Now()}
	}
	if err := checkChunk(u, c, part, off, len(data)); err != nil {
		return UploadState{Part: part, Size: u.Size}, err
	}
	if off < u.Size { // sent again after an answer was lost
		return UploadState{Part: part, Size: u.Size}, nil
	}
	if off == 0 {
		if u.Stanzas, err = countStanzas(data); err != nil {
			return UploadState{}, err
		}
	}
	if err := hashOn(&u, data); err != nil {
		return UploadState{}, err
	}
	for chunk := range chunks(data) {
		wrapped, err := wrapChunk(key, msg, part, chunk)
		if err != nil {
			return UploadState{}, err
		}
		if err := s.PutChunk(ctx, msg, part, u.Size, wrapped); err != nil {
			return UploadState{}, err
		}
		u.Size += int64(len(chunk))
	}
	return UploadState{Part: part, Size: u.Size}, s.PutUpload(ctx, u)
}

func checkChunk(u UploadRow, c Caller, part int, off int64, size int) error {
	bound := int64(MaxPart)
	if part == 0 {
		bound = MaxBody
	}
	end := off + int64(size)
	switch {
	case u.Key != c.Key:
		return refuse(Forbidden, "signer", "another key began this upload").hint("use a new message id")
	case end > bound:
		return refuse(TooLarge, "too_large", "part %d may have %d bytes", part, bound)
	case size == 0:
		return refuse(Malformed, "malformed", "the chunk is empty")
	case off > u.Size || off < u.Size && end > u.Size:
		return refuse(Conflicting, "offset", "the part so far has %d bytes", u.Size).
			hint("go on from offset %d", u.Size)
	case u.Size%ChunkSize != 0 && off == u.Size:
		return refuse(Conflicting, "offset", "the part was ended by a short chunk").
			hint("every chunk but the last has a multiple of %d bytes; begin again under a new message id", ChunkSize)
	}
	return nil
}

// countStanzas enumerates the recipients in the age header without being able
// to open anything.
func countStanzas(first []byte) (int, error) {
	types, err := shred.CountStanzas(bytes.NewReader(first))
	if err != nil {
		return 0, refuse(Malformed, "malformed", "the part does not begin with an age header: %v", err)
	}
	for _, t := range types {
		if t != onlyStanza {
			return 0, refuse(Malformed, "malformed", "recipient stanza %q is not permitted", t).
				hint("seal to mlkem768x25519 recipients alone")
		}
	}
	return len(types), nil
}

func chunks(data []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(len(data), ChunkSize)
			if !yield(data[:n]) {
				return
			}
			data = data[n:]
		}
	}
}

func wrapChunk(key shred.Key, msg string, part int, chunk []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := shred.Wrap(&out, key, msg, part)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(chunk); err != nil {
		return nil, err
	}
	err = w.Close() // writes the end of the file, so Bytes comes after it
	return out.Bytes(), err
}

// hashOn takes the running hash of an upload further.
func hashOn(u *UploadRow, data []byte) error {
	h, err := hashOf(*u)
	if err != nil {
		return err
	}
	h.Write(data)
	u.Hash, err = h.(encoding.BinaryMarshaler).MarshalBinary()
	return err
}

func hashOf(u UploadRow) (hash.Hash, error) {
	h := sha256.New()
	if u.Size == 0 && u.Hash == nil {
		return h, nil
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.Hash); err != nil {
		return nil, fmt.Errorf("upload of %s part %d: %w", u.Msg, u.Part, err)
	}
	return h, nil
}

func uploadDigest(u UploadRow) (string, error) {
	h, err := hashOf(u)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// UploadStates tells the writer of a message how far its parts are.
func (x *Exchange) UploadStates(ctx context.Context, c Caller, msg string) ([]UploadState, error) {
	states := []UploadState{}
	err := x.Store.Read(ctx, func(v View) error {
		for part := 0; part <= messaging.MaxParts; part++ {
			u, ok, err := v.Upload(ctx, msg, part)
			if err != nil {
				return err
			}
			if !ok || u.Key != c.Key { // attachments come before the body
				continue
			}
			states = append(states, UploadState{Part: part, Size: u.Size})
		}
		return nil
	})
	return states, err
}

// OpenPart releases a part to an officer of a desk it was sent to, after that
// desk's message.retrieved is on record and while release is not closed. The
// reader strips the server's own wrap as it goes.
func (x *Exchange) OpenPart(ctx context.Context, c Caller, desk, msg string, part int) (io.Reader, int64, error) {
	if err := x.mayAct(c, desk); err != nil {
		return nil, 0, err
	}
	var size int64
	err := x.Store.Read(ctx, func(v View) error {
		if err := releasable(ctx, v, desk, msg); err != nil {
			return err
		}
		if err := x.settled(ctx, v, msg); err != nil {
			return err
		}
		u, ok, err := v.Upload(ctx, msg, part)
		if err != nil {
			return err
		}
		if !ok {
			return notFound()
		}
		size = u.Size
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	key, _, err := x.shredKeyOf(ctx, msg)
	if err != nil {
		return nil, 0, err
	}
	return &partReader{ctx: ctx, store: x.Store, key: key, msg: msg, part: part, size: size}, size, nil
}

// settled refuses to release what was sent on consent while a withdrawal of it
// may be missing from the record.
func (x *Exchange) settled(ctx context.Context, v View, msg string) error {
	m, ok, err := v.Message(ctx, msg)
	if err != nil || !ok {
		return err
	}
	if pack, ok := x.Packs.Get(m.Pack); ok && !consent.NeedsConsent(pack, m.Basis) {
		return nil
	}
	return whole(ctx, v)
}

// releasable refuses the blobs of a message to a desk that was not sent it, has
// not signed for it, or from which they are closed.
func releasable(ctx context.Context, v View, desk, msg string) error {
	rows, err := v.Recipients(ctx, msg)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Desk != desk {
			continue
		}
		switch {
		case r.Blocked != 0:
			return refuse(Forbidden, "release_blocked", "the message is no longer released to this desk").
				hint("ask the sender")
		case r.Role != messaging.RoleSelf && r.Handed == 0:
			return refuse(Conflicting, "not_retrieved", "sign for the message first").
				hint("submit message.retrieved, then fetch the parts")
		}
		return nil
	}
	return notFound()
}

func notFound() *Refusal {
	return refuse(Missing, "not_found", "there is no such thing, or it is not for you")
}

// partReader reads a stored part chunk by chunk.
type partReader struct {
	ctx   context.Context
	store Store
	key   shred.Key
	msg   string
	part  int
	size  int64
	off   int64
	chunk io.Reader
}

func (r *partReader) Read(p []byte) (int, error) {
	for {
		if r.chunk != nil {
			n, err := r.chunk.Read(p)
			r.off += int64(n)
			if err == io.EOF {
				r.chunk, err = nil, nil
			}
			if n > 0 || err != nil {
				return n, err
			}
		}
		if r.off >= r.size {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
}

func (r *partReader) next() error {
	var data []byte
	err := r.store.Read(r.ctx, func(v View) error {
		var ok bool
		var err error
		data, ok, err = v.Chunk(r.ctx, r.msg, r.part, r.off)
		if err == nil && !ok {
			return errors.New("a stored chunk is missing")
		}
		return err
	})
	if err != nil {
		return err
	}
	r.chunk, err = shred.Unwrap(bytes.NewReader(data), r.key, r.msg, r.part)
	return err
}
