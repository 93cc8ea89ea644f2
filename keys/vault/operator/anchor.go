package operator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/ledger"
)

// versionsKept is how many checkpoints Vault keeps of each log: the last, and
// two before it to look at after an accident.
const versionsKept = 3

// field holds the note.
const field = "checkpoint"

// anchor is a ledger.Anchor in Vault's key-value store. It costs one write for
// every checkpoint that is signed, at most one a second and log, and one read for
// every step of a publisher: what Vault holds is never remembered in place of
// asking, for another server, or somebody who put an old database back, may have
// been there since.
type anchor struct {
	client *vault.Client
	path   string

	mu   sync.Mutex
	seen [len(ledger.Logs)]held // as last read or written, to write after
}

// held is what Vault holds for a log.
type held struct {
	known   bool
	version int // of the value; 0 if none was ever written
	note    []byte
	at      ledger.Checkpoint // size -1 if there is none
}

// Anchor keeps the last checkpoint of each log under path, see [AnchorPath]. Any
// number of servers may share it: each write says what it replaces.
func Anchor(c *vault.Client, path string) ledger.Anchor { return &anchor{client: c, path: path} }

// Last implements [ledger.Anchor].
func (a *anchor) Last(ctx context.Context, log ledger.Log) ([]byte, error) {
	h, err := a.read(ctx, log)
	return h.note, err
}

// Keep implements [ledger.Anchor].
func (a *anchor) Keep(ctx context.Context, log ledger.Log, note []byte) error {
	c, err := ledger.ReadUnverified(note)
	if err != nil {
		return err
	}
	h := a.recall(log)
	for range tries {
		if !h.known {
			if h, err = a.read(ctx, log); err != nil {
				return err
			}
		}
		if c.Size > h.at.Size {
			err = a.write(ctx, log, h, held{true, h.version + 1, note, c})
			if !errors.Is(err, vault.ErrConflict) {
				return err
			}
			h = held{}
			continue
		}
		// What is remembered says only what to write after; to refuse or to
		// leave a note out, what Vault holds now must say so.
		if h, err = a.read(ctx, log); err != nil {
			return err
		}
		switch {
		case c.Size == h.at.Size && c.Root != h.at.Root:
			return fmt.Errorf("operator: anchor holds another root for %s at size %d: %w", log, c.Size, ledger.ErrRollback)
		case c.Size <= h.at.Size:
			return nil
		}
	}
	return fmt.Errorf("operator: anchor of %s: %w", log, vault.ErrConflict)
}

// tries bounds the races lost in a row. Each was won by a larger checkpoint or
// by one of the few other servers.
const tries = 50

// write replaces what was seen, and remembers what it wrote. The bound on kept
// versions is set before the first.
func (a *anchor) write(ctx context.Context, log ledger.Log, before, next held) error {
	if before.version == 0 {
		if err := a.client.KVConfigure(ctx, a.name(log), versionsKept); err != nil {
			return fmt.Errorf("operator: anchor: %w", err)
		}
	}
	_, err := a.client.KVPut(ctx, a.name(log), before.version, map[string]vault.Secret{field: vault.NewSecret(string(next.note))})
	if err != nil {
		a.remember(log, held{}) // written or not: the next one reads
		return fmt.Errorf("operator: anchor: %w", err)
	}
	a.remember(log, next)
	return nil
}

func (a *anchor) read(ctx context.Context, log ledger.Log) (held, error) {
	h, err := a.fetch(ctx, log)
	if err != nil {
		a.remember(log, held{})
		return held{}, err
	}
	a.remember(log, h)
	return h, nil
}

func (a *anchor) fetch(ctx context.Context, log ledger.Log) (held, error) {
	fields, version, err := a.client.KVGet(ctx, a.name(log))
	if err != nil {
		return held{}, fmt.Errorf("operator: anchor: %w", err)
	}
	h := held{known: true, version: version, at: ledger.Checkpoint{Size: -1}}
	if fields == nil {
		return h, nil
	}
	h.note = []byte(fields[field].Reveal())
	if h.at, err = ledger.ReadUnverified(h.note); err != nil {
		return held{}, fmt.Errorf("operator: anchor: %s: %w", a.name(log), err)
	}
	return h, nil
}

func (a *anchor) name(log ledger.Log) string { return a.path + "/" + log.String() }

func (a *anchor) recall(log ledger.Log) held {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[log]
}

func (a *anchor) remember(log ledger.Log, h held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[log] = h
}
