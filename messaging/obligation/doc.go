// Package obligation derives who owes an answer to whom, since when, and until
// when: rule packs (internal/rules) applied to accepted messages and statements.
//
// Nothing here is asked of a client and nothing is scheduled. [Advance] takes
// one accepted event and says which duties it opens and moves; [Fold] is
// Advance over a whole ledger; overdue is [Obligation.View] at a time that the
// caller names. The exchange runs it over its tables, a recipient over its feed
// and an auditor over openings, and all three read the same list. FORMAT.md
// specifies identifiers, the fold and the state machine; testdata holds vectors.
//
// Deadlines are computed by [Calendar.Due]: minutes and hours elapse, days and
// months end at 24:00 local time. Every due time explains itself ([Explain]).
//
// The package is pure: no clock, no storage, no network. Times are milliseconds
// since 1970 UTC. Nothing here decides whether a sender may send; that is the
// matrix and the consent predicate, and comes before.
package obligation
