// Package proving holds the tests of the whole system: real server, real
// clients, real sealing, real database. Each shows one promise of SECURITY.md,
// and most try to break it. Rounds scale with the variable ODZIV_ROUNDS.
package proving
