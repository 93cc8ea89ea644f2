package envelope

import (
	"context"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/odziv/odziv/messaging"
)

// Source gives the ciphertext of one part from its beginning. It is called
// twice.
type Source func() (io.ReadCloser, error)

// Seekable is a [Source] over a file or a buffer.
func Seekable(r io.ReadSeeker) Source {
	return func() (io.ReadCloser, error) {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return io.NopCloser(r), nil
	}
}

// OpenPart decrypts attachment n (from 0) to dst in constant memory. It reads
// the ciphertext twice: first to check signed digest, length, content hash,
// size and end, writing nothing; then to write. So dst receives nothing of an
// attachment that was truncated or altered. If the source changes between the
// two passes, dst has received bytes that must be discarded, and the error says
// so.
func (o *Opened) OpenPart(ctx context.Context, n int, open Source, dst io.Writer) error {
	if n < 0 || n >= len(o.Att) {
		return fmt.Errorf("envelope: no attachment %d", n)
	}
	p := &partReader{part: o.Notice.Core.Parts[n], att: o.Att[n], mk: o.mk()}
	if err := p.pass(ctx, open, io.Discard); err != nil {
		return err
	}
	if err := p.pass(ctx, open, dst); err != nil {
		return fmt.Errorf("envelope: changed after it was checked, discard what was written: %w", err)
	}
	return nil
}

// partReader is one attachment: as ciphertext, as plaintext, and its key.
type partReader struct {
	part messaging.Part
	att  Attachment
	mk   *age.HybridIdentity
}

// pass decrypts the part to dst once, checking everything.
func (p *partReader) pass(ctx context.Context, open Source, dst io.Writer) error {
	src, err := open()
	if err != nil {
		return fmt.Errorf("envelope: read attachment: %w", err)
	}
	defer src.Close()
	in := &intake{r: io.LimitReader(withContext(ctx, src), p.part.Len+1)}
	out := &outlet{w: dst}
	digest := newBackgroundHash()
	tee := io.TeeReader(in, digest)
	failure := p.decrypt(tee, out)
	if out.err == nil {
		// Only the whole ciphertext tells a fault of the sender from one on the way.
		copyChunks(io.Discard, tee) // an error is kept in in.err
	}
	sum := digest.Close()
	switch {
	case out.err != nil:
		return fmt.Errorf("envelope: write attachment: %w", out.err)
	case in.err != nil:
		return fmt.Errorf("envelope: read attachment: %w", in.err)
	case in.n != p.part.Len || sum != p.part.SHA256:
		return &Failure{Code: messaging.FailDigest, what: "the attachment is not the one that was signed"}
	}
	return failure
}

// decrypt writes the content and checks content and padding to the end.
func (p *partReader) decrypt(in io.Reader, out io.Writer) error {
	plain, err := age.Decrypt(in, gate{1, p.mk})
	if err != nil {
		return headerFailure(err)
	}
	hash := newBackgroundHash()
	size, err := copyChunks(io.MultiWriter(out, hash), io.LimitReader(plain, p.att.Size))
	sum := hash.Close()
	if err != nil || size != p.att.Size {
		return &Failure{Code: messaging.FailPayload, what: "the attachment is truncated or altered"}
	}
	padding, err := countZeros(plain)
	if err != nil {
		return &Failure{Code: messaging.FailPayload, what: "the attachment is truncated, altered or wrongly padded"}
	}
	if size+padding != paddedPart(size) || sum != p.att.SHA256 {
		return &Failure{Code: messaging.FailAttachment, what: "the attachment is not what the manifest says"}
	}
	return nil
}

// countZeros reads to the end and refuses any byte but zero.
func countZeros(r io.Reader) (int64, error) {
	var n int64
	buf := make([]byte, 4<<10)
	for {
		k, err := r.Read(buf)
		for _, b := range buf[:k] {
			if b != 0 {
				return n, errors.New("padding is not zero")
			}
		}
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
