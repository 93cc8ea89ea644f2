package envelope

import "math/bits"

// MaxManifest bounds the padded manifest, in bytes.
const MaxManifest = 1 << 20

// minPart is the least plaintext of an attachment, in bytes.
const minPart = 4 << 10

// Sizes of an age file with n mlkem768x25519 stanzas, in bytes.
const (
	introSize  = 22       // "age-encryption.org/v1" and a newline
	stanzaSize = 1557     // arguments (1,120 bytes in base64), body (32 bytes), line breaks
	footerSize = 48       // "--- ", 32 bytes in base64, newline
	nonceSize  = 16       // of the payload
	chunkSize  = 64 << 10 // plaintext of a chunk
	tagSize    = 16       // of each chunk
	encSize    = 1120     // encapsulated key of a stanza: ML-KEM-768 ciphertext, X25519 share
	wrapSize   = 16 + 16  // wrapped file key and its tag
	stanzaType = "mlkem768x25519"
)

// bodyBuckets are the padded sizes of small manifests; most messages are a
// short text, and these must look alike.
var bodyBuckets = [...]int64{4 << 10, 16 << 10, 64 << 10, 256 << 10}

// padme is the Padmé length (Nikitin et al., PETS 2019, algorithm 1): at most
// 12 % more, revealing O(log log n) bits of the length.
func padme(n int64) int64 {
	if n < 2 {
		return n
	}
	e := bits.Len64(uint64(n)) - 1
	s := bits.Len64(uint64(e))
	mask := int64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}

// paddedBody is the length a manifest of n bytes is padded to.
func paddedBody(n int64) int64 {
	for _, bucket := range bodyBuckets {
		if n <= bucket {
			return bucket
		}
	}
	return padme(n)
}

// paddedPart is the length an attachment of n bytes is padded to.
func paddedPart(n int64) int64 { return max(minPart, padme(n)) }

// sealedSize is the length of an age file with so many stanzas.
func sealedSize(stanzas int, plaintext int64) int64 {
	chunks := max(1, (plaintext+chunkSize-1)/chunkSize)
	return introSize + int64(stanzas)*stanzaSize + footerSize + nonceSize + plaintext + chunks*tagSize
}

// SealedSize is the length in bytes of the ciphertext that [Sealer.Attach]
// makes of an attachment of size bytes.
func SealedSize(size int64) int64 { return sealedSize(1, paddedPart(size)) }
