package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Mirror is what somebody outside kept of this ledger: for each tree a folder
// (dir, ev) with the signed note in "checkpoint" and tiles named as C2SP
// tlog-tiles names them; an audit bundle has the same. Nothing in it is trusted
// but what one of Keys signed.
type Mirror struct {
	Files fs.FS
	Keys  map[ledger.Log][]note.Verifier // of both trees, those that were renewed among them
}

// Trust adds a key of a log to Keys.
func (m *Mirror) Trust(log ledger.Log, key ledger.Signer) {
	if m.Keys == nil {
		m.Keys = map[ledger.Log][]note.Verifier{}
	}
	m.Keys[log] = append(m.Keys[log], key.Verifier())
}

// Imported says what became of one tree: it had From entries and has To; the
// mirror vouches for Mirror.
type Imported struct {
	Log    string `json:"log"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Mirror int64  `json:"mirror"`
}

// Errors of an import. Nothing was written when one is returned, beyond entries
// that were proven to follow those before them.
var (
	// ErrMirror: the mirror is damaged, or is none of this ledger.
	ErrMirror = errors.New("the mirror cannot be used")
	// ErrGrown: somebody wrote while entries were imported.
	ErrGrown = errors.New("the ledger grew while it was imported")
)

// Parting is the error of two histories: up to At entries the database and the
// mirror agree, and entry At of each is another.
type Parting struct {
	Log           ledger.Log
	At            int64
	Local, Mirror int64 // sizes
}

func (p *Parting) Error() string {
	return fmt.Sprintf("%s: this database (%d entries) and the mirror (%d) agree on the first %d and part at entry %d",
		p.Log, p.Local, p.Mirror, p.At, p.At)
}

// importPage is how many entries are stored in one transaction.
const importPage = ledger.TileWidth

// Import appends the entries that a mirror has and the store lost, the directory
// first, and never in another place than they had. Before the first it audits
// the whole mirror; each transaction is proven to lead to the signed checkpoint
// before it is committed, so an interrupted import is whole as far as it came,
// and the same command goes on. Openings are nobody's but the members': each
// entry of evidence that comes back is a hole until [Exchange.Reopen].
//
// now is in ms since 1970 UTC, for engines without a clock of their own.
// progress may be nil. No server may write meanwhile.
func Import(ctx context.Context, store Store, m Mirror, now int64, progress func(log ledger.Log, done, total int64)) ([]Imported, error) {
	trees, err := openImports(ctx, store, m)
	if err != nil {
		return nil, fmt.Errorf("exchange: import: %w", err)
	}
	var done []Imported
	dir := trees[0].dir
	for _, t := range trees {
		from := t.head.Size
		t.dir, t.now, t.progress = dir, now, progress
		if err := t.run(ctx); err != nil {
			return nil, fmt.Errorf("exchange: import: %w", err)
		}
		dir = t.dir
		done = append(done, Imported{Log: t.log.String(), From: from, To: t.head.Size, Mirror: t.to.Size})
	}
	return done, nil
}

// Compare holds the store against a mirror as [Import] does, and writes nothing.
// A mirror that is ahead is audited whole; two histories are a [*Parting].
func Compare(ctx context.Context, store Store, m Mirror) ([]Imported, error) {
	trees, err := openImports(ctx, store, m)
	if err != nil {
		return nil, fmt.Errorf("exchange: compare: %w", err)
	}
	var states []Imported
	for _, t := range trees {
		states = append(states, Imported{Log: t.log.String(), From: t.head.Size, To: t.head.Size, Mirror: t.to.Size})
	}
	return states, nil
}

// openImports compares both trees before either is touched.
func openImports(ctx context.Context, store Store, m Mirror) ([]*importer, error) {
	var trees []*importer
	for _, log := range ledger.Logs {
		t, err := openImport(ctx, store, m, log)
		if err != nil {
			return nil, err
		}
		trees = append(trees, t)
	}
	return trees, nil
}

// importer brings one tree up to a mirror's checkpoint.
type importer struct {
	store    Store
	log      ledger.Log
	src      ledger.TileSource
	keys     []note.Verifier
	to       ledger.Checkpoint
	note     []byte
	head     ledger.Head // of the store, as far as it was imported
	dir      *directory.State
	now      int64
	progress func(log ledger.Log, done, total int64)
}

// openImport holds what the mirror vouches for against the store.
func openImport(ctx context.Context, store Store, m Mirror, log ledger.Log) (*importer, error) {
	t, err := m.open(log)
	if err != nil {
		return nil, err
	}
	t.store = store
	return t, store.Read(ctx, func(v View) (err error) {
		if t.head, err = v.Head(ctx, log); err != nil {
			return err
		}
		if t.dir, err = follow(ctx, v, directory.New()); err != nil {
			return err
		}
		if t.head.Size < t.to.Size {
			if err := t.audit(ctx); err != nil {
				return err
			}
		}
		return t.compare(ctx, v)
	})
}

// open reads what the mirror vouches for.
func (m Mirror) open(log ledger.Log) (*importer, error) {
	files, err := fs.Sub(m.Files, log.String())
	if err != nil {
		return nil, err
	}
	t := &importer{log: log, src: ledger.FSTiles(files), keys: m.Keys[log]}
	if t.note, err = readNote(files); err != nil {
		return nil, fmt.Errorf("%w: %s/checkpoint: %w", ErrMirror, log, err)
	}
	if t.to, err = signedByAny(t.note, t.keys); err != nil {
		return nil, fmt.Errorf("%w: %s/checkpoint: not signed by this ledger's key: %w", ErrMirror, log, err)
	}
	return t, nil
}

// signedByAny verifies a checkpoint under one of several keys.
func signedByAny(signed []byte, keys []note.Verifier) (c ledger.Checkpoint, err error) {
	err = errors.New("no key is known")
	for _, key := range keys {
		if c, err = ledger.ParseCheckpoint(signed, key); err == nil {
			return c, nil
		}
	}
	return ledger.Checkpoint{}, err
}

// Genesis is the first entry of the mirror's directory, proven: where nothing
// but a mirror is left, a new store is begun with it.
func (m Mirror) Genesis(ctx context.Context) ([]byte, error) {
	t, err := m.open(ledger.Dir)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	if t.to.Size == 0 {
		return nil, fmt.Errorf("exchange: %w: dir: no entries", ErrMirror)
	}
	page, err := t.page(ctx)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w: dir: %w", ErrMirror, err)
	}
	root, err := t.rootAt(ctx, 1)
	if err == nil && root != tlog.RecordHash(page[0]) {
		err = fmt.Errorf("%w: dir: its first entry is not the one that was signed", ErrMirror)
	}
	return page[0], err
}

func readNote(files fs.FS) ([]byte, error) {
	f, err := files.Open("checkpoint")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, ledger.MaxCheckpoint+1))
}

// audit recomputes the whole mirror from its entries.
func (t *importer) audit(ctx context.Context) error {
	found, err := ledger.AuditTree(ctx, t.src, t.to, nil)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s: %s (%d findings)", ErrMirror, t.log, found[0], len(found))
	}
	return nil
}

// compare wants the smaller of store and mirror to be the beginning of the
// other, or says where they part.
func (t *importer) compare(ctx context.Context, r ledger.Reader) error {
	common := min(t.head.Size, t.to.Size)
	same, err := t.same(ctx, r, common)
	if err != nil || same {
		return err
	}
	var failed error
	at := sort.Search(int(common), func(i int) bool {
		same, err := t.same(ctx, r, int64(i)+1)
		failed = errors.Join(failed, err)
		return !same
	})
	if failed != nil {
		return fmt.Errorf("%s: this database and the mirror are two histories, and where they part cannot be read: %w", t.log, failed)
	}
	return &Parting{Log: t.log, At: int64(at), Local: t.head.Size, Mirror: t.to.Size}
}

// same reports whether the first size entries of both are the same.
func (t *importer) same(ctx context.Context, r ledger.Reader, size int64) (bool, error) {
	mine, err := treeHash(size, t.head.Size, t.head.Root, tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) {
		return r.Hashes(ctx, t.log, positions)
	}))
	if err != nil {
		return false, err
	}
	theirs, err := t.rootAt(ctx, size)
	return mine == theirs, err
}

// rootAt is the root of the mirror's first size entries, proven by its tiles.
func (t *importer) rootAt(ctx context.Context, size int64) (tlog.Hash, error) {
	h, err := treeHash(size, t.to.Size, t.to.Root, ledger.TileHashes(ctx, t.src, t.to))
	if err != nil {
		return h, fmt.Errorf("%w: %w", ErrMirror, err)
	}
	return h, nil
}

// treeHash is the root of the first size entries of a tree whose own root is
// known.
func treeHash(size, whole int64, root tlog.Hash, r tlog.HashReader) (tlog.Hash, error) {
	switch size {
	case 0:
		return ledger.EmptyRoot(), nil
	case whole:
		return root, nil
	}
	return tlog.TreeHash(size, r)
}

// run appends page after page.
func (t *importer) run(ctx context.Context) error {
	for t.head.Size < t.to.Size {
		page, err := t.page(ctx)
		if err != nil {
			return err
		}
		if err := t.append(ctx, page); err != nil {
			return err
		}
		if t.progress != nil {
			t.progress(t.log, t.head.Size, t.to.Size)
		}
	}
	return nil
}

// page reads the entries after the head, to the end of their bundle.
func (t *importer) page(ctx context.Context) ([][]byte, error) {
	n := t.head.Size / importPage
	bundle := ledger.Bundle(n, int(min(importPage, t.to.Size-n*importPage)))
	data, err := t.src.Tile(ctx, bundle)
	if err != nil {
		return nil, err
	}
	entries, err := ledger.ParseBundle(data, bundle.W)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMirror, t.log, err)
	}
	return entries[t.head.Size-n*importPage:], nil
}

// append stores a page in one transaction, and with the last one what the
// mirror's checkpoint says, so that proofs made under it stay as they were.
func (t *importer) append(ctx context.Context, page [][]byte) error {
	want, err := t.rootAt(ctx, t.head.Size+int64(len(page)))
	if err != nil {
		return err
	}
	var next ledger.Head
	var dir *directory.State
	err = t.store.Write(ctx, func(tx Tx) error {
		b, err := ledger.NewBatch(ctx, tx, t.log)
		if err != nil {
			return err
		}
		if h := b.Head(); h.Size != t.head.Size || h.Root != t.head.Root {
			return fmt.Errorf("%s: %w", t.log, ErrGrown)
		}
		dir = t.dir
		for _, leaf := range page {
			idx, err := b.Append(leaf)
			if err != nil {
				return err
			}
			if t.log == ledger.Dir {
				if dir, err = restate(ctx, tx, dir, idx, leaf); err != nil {
					return err
				}
			}
		}
		at, ok, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		if !ok {
			at = t.now
		}
		if next, err = b.Flush(ctx, at); err != nil {
			return err
		}
		if next.Root != want {
			return fmt.Errorf("%w: %s: its entries changed while they were read", ErrMirror, t.log)
		}
		if next.Size < t.to.Size {
			return nil
		}
		return t.publish(ctx, tx, next.At, dir)
	})
	if err != nil {
		return err
	}
	t.head, t.dir = next, dir
	return nil
}

// restate applies a directory statement that comes back, and takes its id.
func restate(ctx context.Context, tx Tx, dir *directory.State, idx int64, leaf []byte) (*directory.State, error) {
	after, err := dir.Apply(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: directory entry %d: %w", ErrMirror, idx, err)
	}
	signed, err := directory.Decode(leaf)
	if err != nil {
		return nil, err
	}
	digest := payloadDigest(signed.DSSE)
	return after, tx.PutStatement(ctx, StatementRow{ID: dirKey(digest), Digest: digest, Idx: idx})
}

// publish stores the mirror's checkpoint as published, at the head's own time:
// that is how fsck knows a head that no leaf dated.
func (t *importer) publish(ctx context.Context, tx Tx, at int64, dir *directory.State) error {
	last, err := tx.LastCheckpoint(ctx, t.log)
	if err != nil || last.Size >= t.to.Size {
		return err
	}
	text := dir.Quorum().Ev
	if t.log == ledger.Dir {
		text = dir.Quorum().Dir
	}
	p := ledger.Published{Size: t.to.Size, Root: t.to.Root, Note: t.note, At: at}
	policy, err := ledger.ParsePolicy(text)
	if err == nil { // a policy that nobody can read is never met
		names := policy.Cosigned(t.note)
		p.Cosigs, p.Quorum = len(names), policy.Met(names)
	}
	p.Note = ownFirst(t.note, t.keys)
	return tx.PublishCheckpoint(ctx, t.log, p)
}

// ownFirst puts the log's own signatures before those of others, where whoever
// asks witnesses again looks for it.
func ownFirst(signed []byte, keys []note.Verifier) []byte {
	text, sigs, _ := bytes.Cut(signed, []byte("\n\n"))
	text = append(bytes.Clone(text), "\n\n"...)
	var first, others []byte
	for line := range bytes.Lines(sigs) {
		if _, err := signedByAny(slices.Concat(text, line), keys); err == nil {
			first = append(first, line...)
		} else {
			others = append(others, line...)
		}
	}
	return slices.Concat(text, first, others)
}

// dated reports whether the head has the time of a checkpoint that was imported
// with its last entry. A leaf of its own time is the rule.
func dated(ctx context.Context, r ledger.Reader, head ledger.Head) (bool, error) {
	list, err := r.Checkpoints(ctx, ledger.Ev, ledger.Published{Size: head.Size, Seq: -1}, 1)
	return err == nil && len(list) > 0 && list[0].Size == head.Size && list[0].At == head.At, err
}
