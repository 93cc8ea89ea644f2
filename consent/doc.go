// Package consent decides whether a message may go: FORMAT.md in this folder
// specifies the statements, the admissible transitions and the predicate.
//
// It is pure. Nothing here reads a clock, a file or a database: now is an
// argument (milliseconds since 1970 UTC), what is on record comes through
// [Book], and everything legal comes from the rule pack. The same inputs give
// the same decision on a server, in a recipient's program and at an auditor's.
//
// To record: [Parse] the signed statement, ask [MayRecord] who may say so,
// [CheckConflict] whether somebody excluded is involved, and [Record.Next]
// whether it may follow what is on record. To send: [Decide], or its halves
// [DecideBasis] and [DecideConsent] with a check of one's own between them.
// After a change: [Removed] and [Lapsed] say who no longer receives.
//
// Two things are impossible here rather than forbidden. A recipient is a named
// institution or desk; there is no way to write "all". And a consent is to
// sharing named data for named purposes; it has no member that could hold a
// consent to what was done to the person.
//
// A step towards less (narrowed, refused, withdrawn, revoked, invalidated) is
// never held up by a rule that guards a step towards more.
package consent
