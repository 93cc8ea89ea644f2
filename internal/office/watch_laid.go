package office

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/odziv/odziv/keys/directory"
)

// laid remembers under which index the exchange says it recorded a statement, by
// the digest of its payload: when the directory is replayed so far, it must stand
// there. An answer alone proves nothing.
func (o *Office) laid(idx int64, digest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.awaited == nil {
		o.awaited = map[int64]string{}
	}
	o.awaited[idx] = digest
}

// standsThere holds an answer against the replayed directory.
func (o *Office) standsThere(idx int64) error {
	o.mu.Lock()
	digest, ok := o.awaited[idx]
	leaves := o.held.leaves
	o.mu.Unlock()
	if !ok || idx >= int64(len(leaves)) {
		return nil
	}
	if idx >= 0 {
		signed, err := directory.Decode(leaves[idx])
		if err != nil {
			return err // it was applied, so it decodes
		}
		if sum := sha256.Sum256(signed.DSSE.Payload); hex.EncodeToString(sum[:]) == digest {
			return nil
		}
	}
	return o.lie(fmt.Sprintf("it answered that it recorded a statement as entry %d of the directory, and another stands there", idx))
}
