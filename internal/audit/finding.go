package audit

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/ledger"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrFormat: the bytes are no file of the kind asked for.
	ErrFormat = errors.New("not a file of this kind")

	// ErrVerify: the file is of the kind asked for and something in it does not
	// verify.
	ErrVerify = errors.New("does not verify")
)

// MaxFindings is where an audit stops collecting: so much damage needs a new
// copy, not a longer list.
const MaxFindings = ledger.MaxFindings

// A Finding names one thing that does not verify, and where: an entry of a log
// by its index, or a file of a bundle.
type Finding struct {
	Log  string `json:"log,omitempty"`  // "dir" or "ev"
	Idx  int64  `json:"idx"`            // of the entry, -1 where none is meant
	File string `json:"file,omitempty"` // of the bundle
	What string `json:"what"`
}

// String is one line: the place, then what is wrong.
func (f Finding) String() string {
	where := f.File
	if f.Idx >= 0 {
		where = fmt.Sprintf("%s entry %d", f.Log, f.Idx)
		if f.File != "" {
			where += " (" + f.File + ")"
		}
	} else if where == "" {
		where = f.Log
	}
	return where + ": " + f.What
}

// findings collects up to MaxFindings.
type findings []Finding

func (f *findings) put(one Finding) {
	if len(*f) < MaxFindings {
		*f = append(*f, one)
	}
}

func (f *findings) entry(log ledger.Log, idx int64, format string, args ...any) {
	f.put(Finding{Log: log.String(), Idx: idx, What: fmt.Sprintf(format, args...)})
}

func (f *findings) file(name, format string, args ...any) {
	f.put(Finding{Idx: -1, File: name, What: fmt.Sprintf(format, args...)})
}

// wrong is an error that wraps ErrVerify.
func wrong(format string, args ...any) error {
	return fmt.Errorf("audit: %w: %w", ErrVerify, fmt.Errorf(format, args...))
}

// unreadable is an error that wraps ErrFormat.
func unreadable(format string, args ...any) error {
	return fmt.Errorf("audit: %w: %w", ErrFormat, fmt.Errorf(format, args...))
}
