// Package sqlstore keeps the ledger, its openings and everything derived from
// them in an SQL database. It implements exchange.Store (and so ledger.Storage)
// as DESIGN.md in this folder explains, and passes exchange/storetest.
//
// [Create] makes a database, once; [Open] uses one that exists. The engine so
// far is SQLite (pure Go, modernc.org/sqlite): one file, for a laptop, a pilot
// or a test. DESIGN.md in this folder says how the SQL is kept fit for
// PostgreSQL, what each table is, and what SQLite cannot enforce.
//
// Durability: a nil error from Write, Update or Scratch means that the rows
// survive a power loss (WAL, synchronous=FULL), as far as the disk keeps its
// word about fsync. A failed COMMIT wraps [ErrOutcome]: read before repeating.
//
// Failures that an operator can do something about are [*Failure] values:
// compare with errors.Is, or ask errors.As for the Hint.
//
// Trust: whoever can write the database file can change or erase anything in
// it. That is seen by fsck, by witnesses and by mirrors, and not prevented here.
// The file holds no key that opens a message; it tells who wrote to whom, when.
package sqlstore
