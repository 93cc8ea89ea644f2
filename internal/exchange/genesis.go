package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// ErrExists says that a ledger was begun already. A second beginning would be a
// second history.
var ErrExists = errors.New("this store holds a ledger already")

// Begin makes the genesis the first entry of the directory, in an empty store.
func Begin(ctx context.Context, store Store, genesis []byte, now int64) error {
	if _, err := directory.New().Apply(genesis); err != nil {
		return fmt.Errorf("exchange: begin: %w", err)
	}
	return store.Write(ctx, func(tx Tx) error {
		b, err := ledger.NewBatch(ctx, tx, ledger.Dir)
		if err != nil {
			return err
		}
		if b.Next() != 0 {
			return ErrExists
		}
		if _, err := b.Append(genesis); err != nil {
			return err
		}
		signed, err := directory.Decode(genesis)
		if err != nil {
			return err
		}
		digest := payloadDigest(signed.DSSE)
		if err := tx.PutStatement(ctx, StatementRow{ID: dirKey(digest), Digest: digest}); err != nil {
			return err
		}
		_, err = b.Flush(ctx, now)
		return err
	})
}
