package main

import (
	"context"
	"errors"
	"sync"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// halted says what an operator does about a ledger that must not be signed,
// with the commands as they are typed.
func halted(err error, dir string) error {
	switch {
	case errors.Is(err, ledger.ErrRollback):
		return cli.Hint(err, "nothing is accepted until the database has again what was signed. Never delete the anchor. "+
			"Look: odzivd status --dir %[1]s; bring back: odzivd import --dir %[1]s --from MIRROR; then: odzivd serve --dir %[1]s. "+
			"docs/operator.md has it step by step", dir)
	case errors.Is(err, ledger.ErrAnchorEmpty):
		return cli.Hint(err, "put the anchor folder of this server back. If this is a further server, or its disk was lost, compare with a mirror: "+
			"odzivd adopt --dir %s --from MIRROR", dir)
	case errors.Is(err, ledger.ErrTreeMismatch):
		return cli.Hint(err, "somebody or something changed the database: keep it as it is, and look with odzivd fsck --dir %s", dir)
	}
	return err
}

// sequenced runs f while the exchange writes, alone.
func sequenced(ctx context.Context, x *exchange.Exchange, f func(ctx context.Context) error) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	var sequencer error
	ended.Go(func() { sequencer = x.Run(running) })
	err := f(ctx)
	stop()
	ended.Wait()
	return errors.Join(err, sequencer)
}
