package evidence

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// KeySize is the length of a commitment key, in bytes.
const KeySize = 32

// MaxObject bounds META and PRIV each, in bytes: a complete statement of 32 KiB
// in base64, twice encoded, with room for what surrounds it.
const MaxObject = 128 << 10

// ErrOpening says that an opening does not belong to the leaf it is shown for.
var ErrOpening = errors.New("opening does not match the leaf")

// Leaf is the entry of the evidence tree: two commitments and nothing else. Its
// canonical form is always 109 bytes.
type Leaf struct {
	M []byte `json:"m"`
	P []byte `json:"p"`
	V int    `json:"v"`
}

// Opening is what turns a leaf back into an event. Meta and Priv are the exact
// canonical bytes committed to.
type Opening struct {
	Meta []byte
	RM   []byte
	Priv []byte
	RP   []byte
}

// Commit makes the leaf of an event, under fresh random keys.
func Commit(meta *Meta, priv *Priv) (leaf []byte, o Opening, err error) {
	o.RM, o.RP = make([]byte, KeySize), make([]byte, KeySize)
	rand.Read(o.RM) // never fails since Go 1.24
	rand.Read(o.RP)
	if o.Meta, err = statement.Marshal(meta); err != nil {
		return nil, o, fmt.Errorf("evidence: meta: %w", err)
	}
	if o.Priv, err = statement.Marshal(priv); err != nil {
		return nil, o, fmt.Errorf("evidence: priv: %w", err)
	}
	if len(o.Meta) > MaxObject || len(o.Priv) > MaxObject {
		return nil, o, fmt.Errorf("evidence: an object is larger than %d bytes", MaxObject)
	}
	leaf, err = o.Leaf()
	return leaf, o, err
}

// Leaf recomputes the leaf an opening opens.
func (o *Opening) Leaf() ([]byte, error) {
	if len(o.RM) != KeySize || len(o.RP) != KeySize {
		return nil, fmt.Errorf("evidence: a commitment key is not %d bytes", KeySize)
	}
	leaf := make([]byte, 0, leafSize)
	leaf = base64.StdEncoding.AppendEncode(append(leaf, `{"m":"`...), mac(o.RM, o.Meta))
	leaf = base64.StdEncoding.AppendEncode(append(leaf, `","p":"`...), mac(o.RP, o.Priv))
	return append(leaf, `","v":1}`...), nil
}

// leafSize is the length of every leaf, in bytes.
const leafSize = 109

// Check decodes an opening after comparing it with its leaf, and the index in
// META with the place where the leaf stands.
func (o *Opening) Check(leaf []byte, idx int64) (*Meta, *Priv, error) {
	again, err := o.Leaf()
	if err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(again, leaf) {
		return nil, nil, fmt.Errorf("evidence: leaf %d: %w", idx, ErrOpening)
	}
	meta, priv, err := o.Decode()
	if err != nil {
		return nil, nil, fmt.Errorf("evidence: leaf %d: %w", idx, err)
	}
	if meta.Idx != idx {
		return nil, nil, fmt.Errorf("evidence: leaf %d says it is %d: %w", idx, meta.Idx, ErrOpening)
	}
	return meta, priv, nil
}

// Decode reads META and PRIV strictly, without a leaf to compare with.
func (o *Opening) Decode() (*Meta, *Priv, error) {
	if len(o.Meta) > MaxObject || len(o.Priv) > MaxObject {
		return nil, nil, fmt.Errorf("evidence: an object is larger than %d bytes", MaxObject)
	}
	var meta Meta
	if err := statement.Unmarshal(o.Meta, &meta); err != nil {
		return nil, nil, fmt.Errorf("evidence: meta: %w", err)
	}
	var priv Priv
	if err := statement.Unmarshal(o.Priv, &priv); err != nil {
		return nil, nil, fmt.Errorf("evidence: priv: %w", err)
	}
	if meta.V != 1 || priv.V != 1 {
		return nil, nil, fmt.Errorf("evidence: versions %d and %d are not what this program knows", meta.V, priv.V)
	}
	return &meta, &priv, nil
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}
