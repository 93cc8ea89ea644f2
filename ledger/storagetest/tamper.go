package storagetest

import (
	"context"
	"slices"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// forbidden are statements on the tables of the ledger that no role of the
// server may run. REPLACE is SQLite's way around a trigger on DELETE; where it
// is not SQL at all it fails as it should.
var forbidden = []string{
	"UPDATE entry SET leaf = leaf",
	"UPDATE entry SET idx = idx + 100",
	"DELETE FROM entry",
	"REPLACE INTO entry(log, idx, leaf) SELECT log, idx, CAST('forged' AS BLOB) FROM entry",
	"UPDATE node SET hash = hash",
	"DELETE FROM node",
	"REPLACE INTO node(log, pos, hash) SELECT log, pos, CAST('0123456789abcdef0123456789abcdef' AS BLOB) FROM node",
	"UPDATE checkpoint SET cosigs = cosigs + 1",
	"DELETE FROM checkpoint",
	"REPLACE INTO checkpoint(log, size, seq, root, note, cosigs, at) SELECT log, size, seq, root, note, 9, at FROM checkpoint",
	"UPDATE head SET size = size - 1 WHERE log = 1",
	"UPDATE head SET size = size + 1 WHERE log = 1",
	"UPDATE head SET root = root WHERE log = 1",
	"UPDATE head SET at = at WHERE log = 1",
	"DELETE FROM head",
	"REPLACE INTO head(log, size, root, at) SELECT log, 0, root, at FROM head",
}

func caseAppendOnly(s *suite) {
	db, ok := s.Storage.(Tamperer)
	if !ok {
		s.Skip("the storage takes no SQL")
	}
	s.append(ledger.Ev, Leaves("kept", 300)...)
	s.publish(0)
	for _, query := range forbidden {
		if err := db.Exec(query); err == nil {
			s.Errorf("accepted: %s", query)
		}
		s.check(ledger.Ev)
		s.view(func(r ledger.Reader) {
			if p, err := r.LastCheckpoint(s.ctx, ledger.Ev); err != nil || p.Size != 300 || p.Cosigs != 0 {
				s.Errorf("after %s: checkpoint %+v, %v", query, p, err)
			}
		})
	}
	s.append(ledger.Ev, []byte("still works"))
}

// editedTx is a transaction in which one node reads differently.
type editedTx struct {
	ledger.Tx
	pos int64
}

func (tx editedTx) Hashes(ctx context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	hashes, err := tx.Tx.Hashes(ctx, log, positions)
	if i := slices.Index(positions, tx.pos); err == nil && i >= 0 {
		hashes[i][0] ^= 1
	}
	return hashes, err
}

// caseEditedEdge edits every hash of the right edge in turn. The edge of 300
// entries is 256 + 32 + 8 + 4.
func caseEditedEdge(s *suite) {
	s.append(ledger.Ev, Leaves("edge", 300)...)
	positions := []int64{
		tlog.StoredHashIndex(8, 0), tlog.StoredHashIndex(5, 8),
		tlog.StoredHashIndex(3, 36), tlog.StoredHashIndex(2, 74),
	}
	for _, pos := range positions {
		s.refused("a batch on an edited edge", ledger.ErrTreeMismatch, func(tx ledger.Tx) error {
			_, err := ledger.NewBatch(s.ctx, editedTx{tx, pos}, ledger.Ev)
			return err
		})
	}
	f, ok := s.Storage.(Forger)
	if !ok {
		return
	}
	for _, pos := range positions {
		h := s.node(pos)
		s.forge(f.ForgeNode(ledger.Ev, pos, flipped(h)))
		if err := Append(s.Storage, ledger.Ev, 9, []byte("x")); !isTreeMismatch(err) {
			s.Errorf("appended to an edited edge: %v", err)
		}
		s.forge(f.ForgeNode(ledger.Ev, pos, h))
		s.check(ledger.Ev)
	}
}

// caseEditedRows edits one row of each table behind the guards; Check names it.
func caseEditedRows(s *suite) {
	f, ok := s.Storage.(Forger)
	if !ok {
		s.Skip("the storage cannot be forged")
	}
	s.append(ledger.Ev, Leaves("row", 300)...)
	p := s.publish(0)
	var head ledger.Head
	s.view(func(r ledger.Reader) { head = s.head(r, ledger.Ev) })

	s.forge(f.ForgeEntry(ledger.Ev, 7, []byte("forged")))
	s.wantFinding(ledger.PartEntry, 7)
	s.forge(f.ForgeEntry(ledger.Ev, 7, s.want[ledger.Ev][7]))

	pos := tlog.StoredHashIndex(3, 2)
	h := s.node(pos)
	s.forge(f.ForgeNode(ledger.Ev, pos, flipped(h)))
	s.wantFinding(ledger.PartNode, pos)
	s.forge(f.ForgeNode(ledger.Ev, pos, h))

	s.forge(f.ForgeHead(ledger.Ev, ledger.Head{Size: 300, Root: flipped(head.Root), At: head.At}))
	s.wantFinding(ledger.PartHead, 300)
	s.forge(f.ForgeHead(ledger.Ev, head))

	bad := p
	bad.Root = flipped(p.Root)
	s.forge(f.ForgeCheckpoint(ledger.Ev, bad))
	s.wantFinding(ledger.PartCheckpoint, 300)
	s.forge(f.ForgeCheckpoint(ledger.Ev, p))
	s.check(ledger.Ev)
}

func (s *suite) forge(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) node(pos int64) (h tlog.Hash) {
	s.Helper()
	s.view(func(r ledger.Reader) {
		hashes, err := r.Hashes(s.ctx, ledger.Ev, []int64{pos})
		if err != nil {
			s.Fatal(err)
		}
		h = hashes[0]
	})
	return h
}

func (s *suite) wantFinding(part ledger.Part, at int64) {
	s.Helper()
	s.view(func(r ledger.Reader) {
		found, err := ledger.Check(s.ctx, r, ledger.Ev)
		if err != nil {
			s.Fatal(err)
		}
		if len(found) == 0 || found[0].Part != part || found[0].At != at {
			s.Errorf("findings %v, want %s %d", found, part, at)
		}
		for _, f := range found {
			if f.Part != part || f.At != at {
				s.Errorf("beside %s %d also %s", part, at, f)
			}
		}
	})
}

func flipped(h tlog.Hash) tlog.Hash {
	h[31] ^= 0x80
	return h
}
