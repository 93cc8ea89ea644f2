package exchange

import (
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/statement"
)

// formatCursor spells the place in a list ordered by (due, id).
func formatCursor(due int64, id string) string { return strconv.FormatInt(due, 10) + "." + id }

// ParseCursor reads what an earlier page gave as Next.
func ParseCursor(s string) (due int64, id string, ok bool) {
	if s == "" {
		return 0, "", true
	}
	number, id, found := strings.Cut(s, ".")
	due, err := strconv.ParseInt(number, 10, 64)
	return due, id, found && err == nil && statement.IsID(id, statement.Obligation)
}
