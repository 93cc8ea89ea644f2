// Package storetest holds the suite that every exchange.Store passes.
package storetest

import (
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// Run runs the suite, package ledger/storagetest first.
func Run(t *testing.T, open func(t testing.TB) exchange.Store) {
	t.Run("ledger", func(t *testing.T) {
		storagetest.Run(t, func(t testing.TB) ledger.Storage { return open(t) })
	})
}
