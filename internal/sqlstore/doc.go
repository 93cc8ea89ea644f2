// Package sqlstore keeps the ledger, its openings and everything derived from
// them in an SQL database. It implements exchange.Store (and so ledger.Storage)
// as DESIGN.md in this folder explains, and passes exchange/storetest.
//
// [Create] makes a ledger, once; [Open] uses one that exists. There are two
// engines: SQLite (pure Go, modernc.org/sqlite), one file, for a laptop, a pilot
// or a test; and PostgreSQL through lib/pq, for several servers at once. DESIGN.md
// in this folder says what each table is, what differs between the two, what
// neither can enforce, and what an administrator of PostgreSQL sets.
//
// Durability: a nil error from Write, Update or Scratch means that the rows
// survive a power loss, as far as the disk keeps its word about fsync, and on
// PostgreSQL as far as [Store.Durable] finds nothing. A failed COMMIT wraps
// [ErrOutcome]: read before repeating.
//
// Failures that an operator can do something about are [*Failure] values:
// compare with errors.Is, or ask errors.As for the Hint.
//
// Trust: whoever can write the database file, or is superuser of the database
// server, can change or erase anything. That is seen by fsck, by witnesses and by
// mirrors, and not prevented here. The database holds no key that opens a message;
// it tells who wrote to whom, when.
package sqlstore
