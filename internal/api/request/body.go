package request

import (
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"io"
	"net/http"
)

// guardBody puts a digesting reader before req.Body. A body known to be empty
// is checked at once, since nobody may ever read it.
func guardBody(req *http.Request, digest [32]byte) error {
	if req.Body == nil || req.Body == http.NoBody {
		if digest != sha256.Sum256(nil) {
			return ErrDigest
		}
		req.Body = http.NoBody
		return nil
	}
	req.Body = &digestBody{src: req.Body, want: digest, hash: sha256.New()}
	return nil
}

// digestBody passes a body on and lets io.EOF through only if its digest is the
// signed one. Bytes come out before that is known.
type digestBody struct {
	src  io.ReadCloser
	want [32]byte
	hash hash.Hash
	end  error // returned for ever, once there
}

func (b *digestBody) Read(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.src.Read(p)
	b.hash.Write(p[:n])
	if err == io.EOF && subtle.ConstantTimeCompare(b.hash.Sum(nil), b.want[:]) != 1 {
		err = ErrDigest
	}
	b.end = err
	return n, err
}

func (b *digestBody) Close() error { return b.src.Close() }
