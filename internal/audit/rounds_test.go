package audit_test

import (
	"os"
	"strconv"
)

// rounds scales how often a random test tries: ODZIV_ROUNDS times n.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	return max(n, 1)
}
