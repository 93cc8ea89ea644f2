// Package demo builds a demonstration: a real exchange server on a loopback
// address, with the institutions of the demonstration directory joined, their
// desks open and their officers enrolled, under a genesis that says it is one.
//
// [Open] makes a [World]; its officers act through the same code as the program
// odziv does, over HTTP, with signed requests and real sealing. Server and
// officers share one [Clock], which moves only when told. The scenario player,
// the program odziv-demo and tests that need a whole exchange use it.
//
// Nothing in a demonstration is safe: one key is the council, nobody witnesses,
// and the keystores on disk are weakly locked.
package demo
