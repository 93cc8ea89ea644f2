package storagetest

import (
	"fmt"
	"slices"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// A Tamperer runs a statement of SQL on the tables of the ledger with the
// rights of the server. The suite expects every statement it tries to fail.
type Tamperer interface {
	Exec(query string) error
}

// A Forger changes stored rows behind every guard, as whoever owns the database
// could. It exists in tests only.
type Forger interface {
	ForgeEntry(log ledger.Log, idx int64, leaf []byte) error
	ForgeNode(log ledger.Log, pos int64, hash tlog.Hash) error
	ForgeHead(log ledger.Log, head ledger.Head) error
	ForgeCheckpoint(log ledger.Log, p ledger.Published) error // the one of this Size and Seq
}

var _ Forger = (*Memory)(nil)

// ForgeEntry replaces a stored entry.
func (m *Memory) ForgeEntry(log ledger.Log, idx int64, leaf []byte) error {
	return m.forge(log, func(l *rows) bool {
		l.entries = slices.Clone(l.entries)
		return set(l.entries, idx, slices.Clone(leaf))
	})
}

// ForgeNode replaces a stored node hash.
func (m *Memory) ForgeNode(log ledger.Log, pos int64, hash tlog.Hash) error {
	return m.forge(log, func(l *rows) bool {
		l.nodes = slices.Clone(l.nodes)
		return set(l.nodes, pos, hash)
	})
}

// ForgeHead replaces the head.
func (m *Memory) ForgeHead(log ledger.Log, head ledger.Head) error {
	return m.forge(log, func(l *rows) bool {
		l.head = head
		return true
	})
}

// ForgeCheckpoint replaces the checkpoint that has the Size and Seq of p.
func (m *Memory) ForgeCheckpoint(log ledger.Log, p ledger.Published) error {
	return m.forge(log, func(l *rows) bool {
		l.checkpoints = slices.Clone(l.checkpoints)
		i := slices.IndexFunc(l.checkpoints, func(have ledger.Published) bool { return order(have, p) == 0 })
		return set(l.checkpoints, int64(i), clone(p))
	})
}

func set[T any](list []T, i int64, value T) bool {
	if i < 0 || i >= int64(len(list)) {
		return false
	}
	list[i] = value
	return true
}

// Truncate drops the last entries of a log with all that belongs to them, as a
// restored old backup does.
func (m *Memory) Truncate(log ledger.Log, head ledger.Head) error {
	return m.forge(log, func(l *rows) bool {
		if head.Size > int64(len(l.entries)) {
			return false
		}
		l.head = head
		l.entries = slices.Clone(l.entries[:head.Size])
		l.nodes = slices.Clone(l.nodes[:tlog.StoredHashCount(head.Size)])
		l.checkpoints = slices.DeleteFunc(slices.Clone(l.checkpoints), func(p ledger.Published) bool { return p.Size > head.Size })
		return true
	})
}

func (m *Memory) forge(log ledger.Log, change func(*rows) bool) error {
	m.update.Lock()
	defer m.update.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if log < 0 || int(log) >= len(m.state) {
		return fmt.Errorf("storagetest: no %s", log)
	}
	if !change(&m.state[log]) {
		return fmt.Errorf("storagetest: %s has no such row", log)
	}
	return nil
}
