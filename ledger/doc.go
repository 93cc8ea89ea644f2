// Package ledger is the tamper-evident memory of Odziv: append-only logs of
// byte strings under RFC 6962 Merkle trees, with C2SP checkpoints
// (tlog-checkpoint, signed-note), proofs (tlog-proof) and tiles (tlog-tiles).
// FORMAT.md in this folder specifies the bytes; testdata/ holds the vectors.
//
// Whoever writes uses [Batch] inside a transaction of a [Storage], and one
// [Publisher] per log. Whoever reads uses [ProofFor]. Whoever doubts needs no
// Storage: [ParseCheckpoint], [Proof.Verify], [VerifyConsistency] and
// [AuditTree] work on bytes and files alone; [Check] replays a database.
//
// An entry is 1 to 65535 bytes; the package gives it no meaning.
//
// Not implemented, and refused where met: checkpoints with extension lines,
// proofs with extra data, pruned logs. Not protected: whoever holds the signing
// key, the database and the anchor at once can fork the log; only witnesses,
// who keep checkpoints of their own, see that.
package ledger
