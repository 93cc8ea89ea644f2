package audit

import (
	"crypto/sha256"
	"encoding/base32"
)

// objectKey stands for the id of an object in 17 bytes, so that a million of
// them fit: its letter and 16 bytes, or of any other text a digest.
type objectKey [17]byte

var b32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func keyOf(id string) (k objectKey) {
	var raw [17]byte
	if len(id) == 28 && id[1] == '_' {
		if n, err := b32.Decode(raw[:], []byte(id[2:])); err == nil && n == 16 && b32.EncodeToString(raw[:n]) == id[2:] {
			k[0] = id[0]
			copy(k[1:], raw[:n])
			return k
		}
	}
	sum := sha256.Sum256([]byte(id))
	copy(k[1:], sum[:16])
	return k
}

// bits is a set of indexes.
type bits struct {
	word  []uint64
	count int64
}

func newBits(size int64) bits { return bits{word: make([]uint64, (size+63)/64)} }

func (b *bits) has(i int64) bool {
	return i >= 0 && i>>6 < int64(len(b.word)) && b.word[i>>6]>>(i&63)&1 == 1
}

// set adds an index of the log that was not in the set.
func (b *bits) set(i int64) {
	b.word[i>>6] |= 1 << (i & 63)
	b.count++
}
