// Package directory is the phone book of Odziv and its rules: who may act, sign
// and read for which institution and desk. It is specified by FORMAT.md in this
// folder; testdata/ holds vectors.
//
// The directory is a list of leaves, each one signed statement. [State.Apply] is
// a pure function of the state so far and the next leaf: the server runs it
// before it appends, every client and observer runs it after, and all reach the
// same [View.Digest]. Nothing here reads a clock, a file or the network; times are
// milliseconds since 1970 UTC and come in as arguments.
//
// To read, ask a [State] or, for an earlier moment, the [View] of [View.At]. To
// write, fill a statement, let [State.Prepare] complete it, sign the payload with
// statement.Sign (payload type statement.TypeDirectory), ask [State.Complete]
// whether more must sign, and hand [Leaf] of it to the ledger.
//
// What this package does not protect: a quorum of signers of one institution can
// enrol whom it likes in that institution. It happens in the open.
package directory
