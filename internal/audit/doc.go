// Package audit verifies offline what an exchange gave out: evidence files
// (application/vnd.odziv.evidence.v1+json), consent receipts and audit bundles
// (a zip of C2SP tlog-tiles logs with openings). FORMAT.md in this folder
// specifies the three files; testdata/ holds a worked example of each.
//
// To make them: [BuildEvidence], [BuildReceipt], [WriteBundle]. To verify them:
// [VerifyEvidence], [VerifyReceipt], [VerifyBundle], [VerifyProof],
// [CompareBundles]. What a verifier brings along is a [Trust]: the hash of the
// genesis leaf from the annex of the agreement. Without it everything verified
// rests on a genesis that nobody vouched for, and every report says so.
//
// Nothing here reads a clock, a network, a database or a private key. Whatever
// is read is hostile until proven: every size is bounded before it is used.
//
// Not proven by any of these files: that an exchange showed everybody the same
// history (only witnesses see that), what was done off the system, and what a
// sealed message says.
package audit
