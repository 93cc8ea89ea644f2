// Package filelock lets one program at a time work in a folder: it holds a file
// for as long as the file is open, and the system lets go of it when the
// program ends, however that happens. It keeps out programs that ask; it
// protects nothing from those that do not.
package filelock

import "errors"

// ErrHeld: another program, or another place in this one, holds the file. Ask
// again later.
var ErrHeld = errors.New("the file is held by another program")
