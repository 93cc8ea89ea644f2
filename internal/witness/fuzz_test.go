package witness

import (
	"bytes"
	"os"
	"testing"
)

// FuzzRequest: what is accepted has one spelling.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err == nil && !bytes.Equal(r.Format(), body) {
			t.Errorf("%q is spelled %q", body, r.Format())
		}
	})
}

// FuzzAnswer: lines are lines, together they are the answer.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		if lines, err := parseAnswer(body); err == nil && !bytes.Equal(bytes.Join(lines, nil), body) {
			t.Errorf("%q", lines)
		}
		if size, err := parseSizeAnswer(body); err == nil && size < 0 {
			t.Error(size)
		}
		if c, err := Head(body); err == nil && !bytes.HasPrefix(body, bytes.TrimSuffix([]byte(c.Text()), []byte("\n"))) {
			t.Errorf("%q is %+v", body, c)
		}
	})
}

func TestSeedsArePresent(t *testing.T) {
	for _, name := range []string{"FuzzRequest", "FuzzAnswer"} {
		if seeds, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(seeds) < 3 {
			t.Errorf("%s: %d seeds, %v", name, len(seeds), err)
		}
	}
}
