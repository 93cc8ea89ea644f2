// Package storagetest holds the suite that every ledger.Storage passes, and a
// strict Storage in memory for the tests of other packages.
//
// A Storage outside this repository proves itself with
//
//	storagetest.Run(t, func(t testing.TB) ledger.Storage { … })
//
// where open returns a new, empty Storage each time. If what open returns also
// implements [Tamperer] or [Forger], the tests that need those run too.
package storagetest
