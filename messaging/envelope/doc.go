// Package envelope implements the sealed half of the Odziv message format,
// specified in FORMAT.md: the body and the attachments, as binary age v1 files
// (age-encryption.org/v1, C2SP age.md) to mlkem768x25519 recipients only.
//
// Use [NewSealer], [Sealer.Attach] and [Sealer.Seal] to make a message, and
// [Open] and [Opened.OpenPart] to read one. [OpenDisclosed] is for a third
// party that holds the file key of one body.
//
// Sealing hides content, names and sizes within a padding bucket. It does not
// hide who writes to whom, when, the kind, the facts, or how many attachments
// there are: all that is in the core (package messaging), for the rules to read.
// The package reads no clock, no network and no disk.
package envelope
