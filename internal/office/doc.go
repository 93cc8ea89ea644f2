// Package office is what an officer's program does: it follows the directory
// and the ledger and believes neither before checking, seals and submits, signs
// for and opens, and keeps the proof of what it wrote.
//
// Keys come in through [Keys], the exchange through its HTTP client, the time
// through a function. The command line and the desk are two faces of it.
package office
