package directory_test

import (
	"os"
	"testing"
)

// format is the specification beside the code.
func format(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
