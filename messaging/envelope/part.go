package envelope

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	p := &partReader{part: o.Notice.Core.Parts[n], att: o.Att[n], mk: o.mk}
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
	in := &intake{r: io.LimitReader(withContext(ctx, src), p.part.Len+1), sum: sha256.New()}
	out := &tally{w: dst, sum: sha256.New()}
	failure := p.decrypt(in, out)
	if out.err != nil {
		return fmt.Errorf("envelope: write attachment: %w", out.err)
	}
	// Only the whole ciphertext tells a fault of the sender from one on the way.
	if _, err := io.Copy(io.Discard, in); err != nil || in.err != nil {
		return fmt.Errorf("envelope: read attachment: %w", errors.Join(in.err, err))
	}
	if in.n != p.part.Len || hex.EncodeToString(in.sum.Sum(nil)) != p.part.SHA256 {
		return &Failure{Code: messaging.FailDigest, what: "the attachment is not the one that was signed"}
	}
	return failure
}

// decrypt writes the content and checks content and padding to the end.
func (p *partReader) decrypt(in io.Reader, out *tally) error {
	plain, err := age.Decrypt(in, gate{1, p.mk})
	if err != nil {
		return headerFailure(err)
	}
	if _, err := io.CopyN(out, plain, p.att.Size); err != nil {
		return &Failure{Code: messaging.FailPayload, what: "the attachment is truncated or altered"}
	}
	padding, err := countZeros(plain)
	if err != nil {
		return &Failure{Code: messaging.FailPayload, what: "the attachment is truncated, altered or wrongly padded"}
	}
	if p.att.Size+padding != paddedPart(p.att.Size) || hex.EncodeToString(out.sum.Sum(nil)) != p.att.SHA256 {
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
