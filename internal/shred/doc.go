// Package shred is the server's own wrap around every stored blob: an age v1
// file (C2SP age) whose one stanza is ours and opens with the shred key of the
// message. Destroying that key destroys the blob in every backup. FORMAT.md in
// this folder specifies the bytes.
//
// [Wrap] and [Unwrap] work on blobs, [SealKey] and [OpenKey] keep a shred key
// under the period key of its 30 days, a [PeriodWrapper] keeps period keys.
// [CheckStanzas] and [CountStanzas] look at the envelope inside, which the
// server cannot open.
//
// Nothing here reads a clock or a database. All functions are safe for
// concurrent use.
package shred

import "errors"

var (
	// ErrKey: the key does not open this, or it belongs to another message,
	// part or period, or was altered; which of them cannot be told.
	ErrKey = errors.New("shred key does not open this")
	// ErrFormat: not what this package writes.
	ErrFormat = errors.New("not a shred-wrapped file")
	// ErrStanzas: the header of an envelope is not of the form required.
	ErrStanzas = errors.New("envelope stanzas refused")
)

// MaxPart is the highest number of a part: 0 is the body, attachments follow.
const MaxPart = 64
