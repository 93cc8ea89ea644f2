// Package exchange is the middle of the server: the use cases, and the only
// room where message, consent, directory and ledger meet.
//
// Every write runs in one serialized section ([Exchange] groups waiting writes
// into one transaction): the rules decide on the state they see, and the same
// transaction stores the leaf, its opening, the tree and the derived rows, or
// nothing. What the rules derive comes from openings and the directory alone,
// so that [Rebuild] recreates every derived table from them.
//
// The exchange holds no key that opens a message. It never reads a clock other
// than its [Clock], and calls nothing remote inside a transaction.
package exchange
