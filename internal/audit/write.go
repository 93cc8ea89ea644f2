package audit

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Source is what a bundle is made from: one snapshot of both trees and of the
// openings that are kept. Every exchange.View is one.
type Source interface {
	ledger.Reader
	// Openings calls f for every opening kept with index >= from, ascending.
	Openings(ctx context.Context, from int64, f func(idx int64, o evidence.Opening) error) error
}

// Progress is told from time to time how much of a log is done. It may be nil.
type Progress func(log ledger.Log, done, total int64)

func (p Progress) tell(log ledger.Log, done, total int64) {
	if p != nil {
		p(log, done, total)
	}
}

// Options of a bundle.
type Options struct {
	Made     int64      // when, ms since 1970 UTC; a claim that nothing proves
	Packs    *rules.Set // those the directory adopted are put in, as far as they are here
	None     bool       // show no openings at all
	MetaOnly bool       // show the half for oversight alone, no statements
	// Allow says which openings the auditor may see; nil: all.
	Allow    func(m *evidence.Meta, p *evidence.Priv) bool
	Progress Progress
}

// ErrNoCheckpoint: a log has no published checkpoint yet, so there is nothing
// that a bundle could prove.
var ErrNoCheckpoint = errors.New("no checkpoint was published yet")

// ErrUncovered: the directory under which the last entry was accepted has no
// published checkpoint yet. The signer publishes it within a second or two.
var ErrUncovered = errors.New("the directory's checkpoint is not published yet")

// WriteBundle writes an audit bundle: both trees up to their last published
// checkpoints, the openings allowed, and the adopted rule packs. The same source
// and options give the same bytes. It holds one entry bundle with its openings
// in memory. An opening that does not match its leaf ends it with an error that
// names the index: a bundle that cannot verify is not written to its end.
func WriteBundle(ctx context.Context, w io.Writer, src Source, opt Options) error {
	b := &bundleWriter{ctx: ctx, zip: zip.NewWriter(w), src: src, opt: opt}
	if err := b.write(); err != nil {
		return fmt.Errorf("audit: write bundle: %w", err)
	}
	if err := b.zip.Close(); err != nil {
		return fmt.Errorf("audit: write bundle: %w", err)
	}
	return nil
}

type bundleWriter struct {
	ctx context.Context
	zip *zip.Writer
	src Source
	opt Options
	cp  [len(ledger.Logs)]ledger.Published

	first int64 // of page
	page  [][]byte
}

func (b *bundleWriter) write() error {
	for _, log := range ledger.Logs {
		cp, err := b.src.LastCheckpoint(b.ctx, log)
		if err != nil {
			return err
		}
		if !cp.Exists() || log == ledger.Dir && cp.Size == 0 {
			return fmt.Errorf("%s: %w", log, ErrNoCheckpoint)
		}
		b.cp[log] = cp
	}
	if err := b.manifest(); err != nil {
		return err
	}
	for _, log := range ledger.Logs {
		if err := b.put(log.String()+"/"+checkpointFile, b.cp[log].Note); err != nil {
			return err
		}
	}
	if err := b.covered(); err != nil {
		return err
	}
	if err := b.policies(); err != nil {
		return err
	}
	for _, log := range ledger.Logs {
		if err := b.tree(log); err != nil {
			return err
		}
	}
	if b.opt.None {
		return nil
	}
	return b.openings()
}

// covered wants the directory's checkpoint to hold what the last entry was
// accepted under: both logs have checkpoints of their own, and META.dirn never
// falls.
func (b *bundleWriter) covered() error {
	if b.opt.None {
		return nil
	}
	head, err := b.src.Head(b.ctx, ledger.Dir)
	if err != nil {
		return err
	}
	last := b.cp[ledger.Ev].Size
	err = b.src.Openings(b.ctx, max(0, last-ledger.TileWidth), func(idx int64, o evidence.Opening) error {
		if idx >= last {
			return errBeyond
		}
		var meta struct {
			DirN int64 `json:"dirn"`
		}
		// What makes no sense is for whoever verifies to find.
		if json.Unmarshal(o.Meta, &meta) == nil && meta.DirN > b.cp[ledger.Dir].Size && meta.DirN <= head.Size {
			return ErrUncovered
		}
		return nil
	})
	if errors.Is(err, errBeyond) {
		return nil
	}
	return err
}

func (b *bundleWriter) manifest() error {
	genesis, err := b.src.Entries(b.ctx, ledger.Dir, 0, 1)
	if err != nil {
		return err
	}
	origin, _, _ := strings.Cut(string(b.cp[ledger.Dir].Note), "\n")
	host, ok := strings.CutSuffix(origin, "/"+ledger.Dir.String())
	if !ok {
		return fmt.Errorf("origin %.80q is not that of a directory", origin)
	}
	size := func(log ledger.Log) treeSize { return treeSize{b.cp[log].Root.String(), b.cp[log].Size} }
	data, err := statement.Marshal(manifest{Dir: size(ledger.Dir), Ev: size(ledger.Ev), Genesis: directory.LeafHash(genesis[0]),
		Host: host, Made: b.opt.Made, Type: TypeBundle, V: 1})
	if err != nil {
		return err
	}
	return b.put(manifestFile, data)
}

// put stores a file as it is, dated to the first day a zip can tell.
func (b *bundleWriter) put(name string, data []byte) error {
	const firstDay = 1<<5 | 1 // 1980-01-01
	w, err := b.zip.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, ModifiedDate: firstDay,
		CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data))})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// policies stores what the directory says of both logs, and the rule packs that
// it adopted.
func (b *bundleWriter) policies() error {
	adopted := map[string]string{}
	var logs directory.Logs
	var quorum directory.Quorum
	err := b.dirLeaves(func(leaf []byte) error {
		signed, err := directory.Decode(leaf)
		if err != nil {
			return err
		}
		switch body := signed.Body.(type) {
		case *directory.Genesis:
			logs, quorum = body.Logs, body.Quorum
		case *directory.Policy:
			logs, quorum = body.Logs, body.Quorum
		case *directory.PackAdopt:
			adopted[body.ID] = body.Hash
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, log := range ledger.Logs {
		if err := b.put(log.String()+"/"+policyFile, policyText(vkeyOf(log, logs), quorumOf(log, quorum))); err != nil {
			return err
		}
	}
	return b.packs(adopted)
}

func (b *bundleWriter) packs(adopted map[string]string) error {
	if b.opt.Packs == nil {
		return nil
	}
	for _, id := range b.opt.Packs.IDs() {
		if p, err := b.opt.Packs.Adopted(id, adopted[id]); err == nil {
			if err := b.put(packFile(id), p.Raw()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bundleWriter) dirLeaves(f func(leaf []byte) error) error {
	for from := int64(0); from < b.cp[ledger.Dir].Size; {
		leaves, err := b.src.Entries(b.ctx, ledger.Dir, from, min(b.cp[ledger.Dir].Size, from+ledger.TileWidth))
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if err := f(leaf); err != nil {
				return fmt.Errorf("directory entry %d: %w", from+int64(i), err)
			}
		}
		from += int64(len(leaves))
	}
	return nil
}

func (b *bundleWriter) tree(log ledger.Log) error {
	size := b.cp[log].Size
	for t := range ledger.TreeTiles(size) {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		data, err := ledger.ReadTile(b.ctx, b.src, log, t)
		if err != nil {
			return err
		}
		if err := b.put(log.String()+"/"+ledger.TilePath(t), data); err != nil {
			return err
		}
		if t.L == ledger.EntryLevel {
			b.opt.Progress.tell(log, t.N<<ledger.TileHeight+int64(t.W), size)
		}
	}
	return nil
}

// openings writes one file for each entry bundle of which something is shown.
func (b *bundleWriter) openings() error {
	var lines []byte
	page := int64(0)
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		err := b.put(openingsFile(page), lines)
		lines = lines[:0]
		return err
	}
	err := b.src.Openings(b.ctx, 0, func(idx int64, o evidence.Opening) error {
		if idx >= b.cp[ledger.Ev].Size {
			return errBeyond
		}
		if n := idx >> ledger.TileHeight; n != page {
			if err := flush(); err != nil {
				return err
			}
			page = n
		}
		shown, err := b.shown(idx, &o)
		if shown {
			lines = appendLine(lines, idx, &o, b.opt.MetaOnly)
		}
		return err
	})
	if err != nil && !errors.Is(err, errBeyond) {
		return err
	}
	return flush()
}

// errBeyond ends the openings at the first that no checkpoint covers yet.
var errBeyond = errors.New("beyond the checkpoint")

// leaf returns an entry of the evidence tree, a bundle of which is at hand.
func (b *bundleWriter) leaf(idx int64) ([]byte, error) {
	first := idx >> ledger.TileHeight << ledger.TileHeight
	if b.page == nil || first != b.first {
		page, err := b.src.Entries(b.ctx, ledger.Ev, first, min(b.cp[ledger.Ev].Size, first+ledger.TileWidth))
		if err != nil {
			return nil, err
		}
		b.first, b.page = first, page
	}
	return b.page[idx-first], nil
}

// shown holds an opening against its leaf and asks whether it may be shown.
func (b *bundleWriter) shown(idx int64, o *evidence.Opening) (bool, error) {
	leaf, err := b.leaf(idx)
	if err != nil {
		return false, err
	}
	again, err := o.Leaf()
	if err != nil || !bytes.Equal(again, leaf) {
		return false, fmt.Errorf("evidence entry %d: %w", idx, errors.Join(evidence.ErrOpening, err))
	}
	if b.opt.Allow == nil {
		return true, nil
	}
	meta, priv, err := o.Decode()
	if err != nil {
		return false, fmt.Errorf("evidence entry %d: %w", idx, err)
	}
	return b.opt.Allow(meta, priv), nil
}
