package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// blob makes sure that no bytes are an empty value and not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// listText is the JSON array of a list, nil like empty.
func listText[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("sqlstore: %w", err)
	}
	return string(b), nil
}

// readList is the inverse of listText; an empty list is never nil.
func readList[T any](text string, list *[]T) error {
	*list = []T{}
	if text == "[]" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), list); err != nil {
		return fmt.Errorf("sqlstore: stored list: %w: %w", ErrDamaged, err)
	}
	return nil
}

// maxCases bounds the handles that one question may name.
const maxCases = 4096

func tooMany(n int) error {
	return fmt.Errorf("sqlstore: %d values asked at once, at most %d", n, maxCases)
}

// among is the condition that a column has one of the values; see engine.
func (v *view) among(column string, first int, values []string) (string, []any, error) {
	for _, s := range values {
		if !isText(s) {
			return "", nil, fmt.Errorf("sqlstore: %s: text with a NUL or invalid UTF-8: %.40q", column, s)
		}
	}
	return v.conn.engine.among(column, first, values)
}

// placeholders is "($first,…)" with n of them.
func placeholders(first, n int) string {
	b := make([]byte, 0, 6*n)
	for i := range n {
		sep := byte(',')
		if i == 0 {
			sep = '('
		}
		b = strconv.AppendInt(append(b, sep, '$'), int64(first+i), 10)
	}
	return string(append(b, ')'))
}

// batches are how many rows one INSERT may carry, the largest first. No row has
// more than ten columns, so a statement stays far below 32,766 parameters.
var batches = [...]int{256, 64, 16, 4, 1}

// insertRows inserts n rows of width columns with few statements. row appends
// the columns of row i.
func (s *session) insertRows(ctx context.Context, into string, width, n int, row func(args []any, i int) []any) error {
	args := make([]any, 0, width*min(n, batches[0]))
	if s.conn.later != nil { // which makes its own batches
		for i := range n {
			if err := s.put(ctx, insertText(into, width, 1), row(args[:0], i)...); err != nil {
				return err
			}
		}
		return nil
	}
	for done := 0; done < n; {
		size := batchFor(n - done)
		args = args[:0]
		for i := range size {
			args = row(args, done+i)
		}
		if err := s.put(ctx, insertText(into, width, size), args...); err != nil {
			return err
		}
		done += size
	}
	return nil
}

func batchFor(left int) int {
	for _, size := range batches {
		if size <= left {
			return size
		}
	}
	return 1
}

func insertText(into string, width, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + into + " VALUES ")
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteString(placeholders(1+r*width, width))
	}
	return b.String()
}
