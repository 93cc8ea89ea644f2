package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// HistoryOf fixes a list of ascending indexes by count and digest.
func HistoryOf(indexes []int64) History {
	var text []byte
	for i, idx := range indexes {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, idx, 10)
	}
	sum := sha256.Sum256(text)
	return History{Count: int64(len(indexes)), SHA256: hex.EncodeToString(sum[:])}
}
