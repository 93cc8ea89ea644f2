package scenario

import (
	"fmt"
	"time"
)

// layouts in which a time may be written.
var layouts = []string{"2006-01-02 15:04", "2006-01-02 15:04:05"}

// Time is a local time of the file's zone, such as "2026-03-02 10:00". The zero
// Time is none.
type Time struct {
	Text string
	MS   int64 // since 1970 UTC, once the file is parsed
}

// UnmarshalText implements encoding.TextUnmarshaler. The zone comes later.
func (t *Time) UnmarshalText(text []byte) error {
	t.Text = string(text)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.Text), nil }

// None reports whether no time was given.
func (t Time) None() bool { return t.Text == "" }

// resolve reads the text in a zone. A time that a clock change skips is none.
func (t *Time) resolve(loc *time.Location) error {
	for _, layout := range layouts {
		at, err := time.ParseInLocation(layout, t.Text, loc)
		if err != nil {
			continue
		}
		if at.Format(layout) != t.Text {
			return fmt.Errorf("%q does not exist in %s: a clock change skips it", t.Text, loc)
		}
		t.MS = at.UnixMilli()
		return nil
	}
	return fmt.Errorf("%q is no time such as \"2026-03-02 10:00\"", clip(t.Text))
}

// Local writes a moment as files do.
func Local(ms int64, loc *time.Location) string {
	at := time.UnixMilli(ms).In(loc)
	if at.Second() != 0 {
		return at.Format(layouts[1])
	}
	return at.Format(layouts[0])
}

// clip keeps hostile input short in an error.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
