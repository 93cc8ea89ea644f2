// Package scenario plays stories of the field against a real exchange: real
// desks over loopback HTTP, real sealing, and a clock of its own (package
// demo).
//
// A scenario is a TOML file, described in docs/scenarios.md for who has never
// seen this code: actors, steps with local times, and what must hold after
// them. [Parse] reads one strictly, [Play] plays several on one exchange, in
// the order of their times, and names the first expectation that does not hold.
// The demonstration, the tests and the benchmarks share the files of [Shipped].
package scenario
