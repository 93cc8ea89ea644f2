package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// A bundle of a million entries holds three million canonical texts, and
// statement.Unmarshal, which bounds nothing but correctness, costs more than the
// signatures. decode says yes to fewer texts, faster, and asks it about the rest.

// decode is statement.Unmarshal for a type whose members stand in the order of
// their names at every level (TestDecodedTypesAreSorted) and hold no raw JSON.
// Plain encoding of such a value is canonical, so a text that it gives back byte
// for byte is too, unless it holds what encoding/json alone lets pass: null,
// numbers beyond 2^53-1, text beyond ASCII.
func decode(data []byte, v any) error {
	if !plain(data) {
		return statement.Unmarshal(data, v)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	if err := encode(b, v); err == nil && bytes.Equal(b.Bytes(), data) {
		return nil
	}
	return fmt.Errorf("statement: %w", statement.ErrNotCanonical)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// encode writes plain JSON without a line end.
func encode(b *bytes.Buffer, v any) error {
	b.Reset()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// maxPlainDigits is a length at which every number is below 2^53.
const maxPlainDigits = 15

// plain reports whether data is ASCII, without the word null and without long
// numbers.
func plain(data []byte) bool {
	digits := 0
	for _, c := range data {
		switch {
		case c >= 0x80:
			return false
		case c >= '0' && c <= '9':
			if digits++; digits > maxPlainDigits {
				return false
			}
		default:
			digits = 0
		}
	}
	return !bytes.Contains(data, []byte("null"))
}

// checkOpening is evidence.Opening.Check.
func checkOpening(o *evidence.Opening, leaf []byte, idx int64) (*evidence.Meta, *evidence.Priv, error) {
	if len(o.RM) != evidence.KeySize || len(o.RP) != evidence.KeySize || !hmac.Equal(leafOf(o), leaf) {
		return nil, nil, evidence.ErrOpening
	}
	var meta evidence.Meta
	if err := decodeMeta(o.Meta, &meta); err != nil {
		return nil, nil, err
	}
	if meta.Idx != idx {
		return nil, nil, fmt.Errorf("says it is entry %d: %w", meta.Idx, evidence.ErrOpening)
	}
	var priv evidence.Priv
	if len(o.Priv) > evidence.MaxObject {
		return nil, nil, fmt.Errorf("priv of %d bytes, at most %d", len(o.Priv), evidence.MaxObject)
	}
	unmarshal := decode
	if bytes.Contains(o.Priv, []byte(`"data":`)) {
		unmarshal = statement.Unmarshal // raw JSON
	}
	if err := unmarshal(o.Priv, &priv); err != nil {
		return nil, nil, fmt.Errorf("priv: %w", err)
	}
	return &meta, &priv, nil
}

// leafOf spells the leaf that an opening opens.
func leafOf(o *evidence.Opening) []byte {
	b := make([]byte, 0, leafSize)
	b = base64.StdEncoding.AppendEncode(append(b, `{"m":"`...), mac(o.RM, o.Meta))
	b = base64.StdEncoding.AppendEncode(append(b, `","p":"`...), mac(o.RP, o.Priv))
	return append(b, `","v":1}`...)
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// parseNotice is messaging.Parse.
func parseNotice(d *statement.DSSE) (*messaging.Notice, error) {
	if d.PayloadType != statement.TypeNotice || len(d.Payload) > statement.MaxSize {
		return nil, errors.New("not the payload of a message")
	}
	var p messaging.Payload
	if err := decode(d.Payload, &p); err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if len(d.Signatures) != 1 || d.Signatures[0].KeyID != p.Core.From.Key || len(d.Signatures[0].Sig) != ed25519.SignatureSize {
		return nil, errors.New("not signed exactly once, by the key it names")
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	if err := encode(b, d); err != nil {
		return nil, err
	}
	n := &messaging.Notice{DSSE: d, Payload: &p, Core: &p.Core, Digest: sha256.Sum256(b.Bytes())}
	if !plain(b.Bytes()) {
		return messaging.Parse(d)
	}
	return n, nil
}
