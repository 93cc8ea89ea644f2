package audit

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// File is a bundle to compare.
type File struct {
	R    io.ReaderAt
	Size int64
}

// CompareBundles tells whether two bundles show one history: in each log the
// tree of the smaller must be the beginning of the tree of the larger. Both were
// verified before, which is not repeated. Findings name the log in which the
// histories part; two signed checkpoints that contradict each other convict
// whoever signed them, so keep both bundles.
func CompareBundles(ctx context.Context, a, b File) ([]Fact, []Finding, error) {
	var report Report
	var found findings
	var archives [2]*archive
	var manifests [2]*manifest
	for i, f := range []File{a, b} {
		var err error
		if archives[i], err = openArchive(f.R, f.Size); err != nil {
			return nil, nil, err
		}
		if manifests[i], err = archives[i].manifest(); err != nil {
			return nil, nil, err
		}
	}
	if manifests[0].Host != manifests[1].Host || manifests[0].Genesis != manifests[1].Genesis {
		found.file(manifestFile, "the bundles are of different exchanges: %s and %s", manifests[0].Host, manifests[1].Host)
		return nil, found, nil
	}
	for _, log := range ledger.Logs {
		small, large := 0, 1
		if manifests[0].tree(log).Size > manifests[1].tree(log).Size {
			small, large = 1, 0
		}
		if err := prefix(ctx, archives[large], manifests[small].tree(log), manifests[large], log); err != nil {
			found.put(Finding{Log: log.String(), Idx: -1, What: err.Error()})
			continue
		}
		report.say(FactPrefix, manifests[small].tree(log).Size, manifests[large].tree(log).Size, log.Origin(manifests[0].Host))
	}
	if len(found) == 0 {
		report.say(FactSamePrefix)
	}
	return report.Facts, found, ctx.Err()
}

// prefix computes the root that the larger tree had at the smaller one's size,
// from tiles that lead to the larger one's root.
func prefix(ctx context.Context, a *archive, small treeSize, large *manifest, log ledger.Log) error {
	root, err := key32([]byte(large.tree(log).Root))
	if err != nil {
		return err
	}
	c := ledger.Checkpoint{Origin: log.Origin(large.Host), Size: large.tree(log).Size, Root: tlog.Hash(root)}
	at, err := tlog.TreeHash(small.Size, ledger.TileHashes(ctx, tiles{a, log}, c))
	if small.Size == 0 {
		at, err = ledger.EmptyRoot(), nil
	}
	if err != nil {
		return fmt.Errorf("the larger tree cannot be read: %w", err)
	}
	if at.String() != small.Root {
		return fmt.Errorf("two histories: at %d entries the bundle has the root %s, the other %s", small.Size, at, small.Root)
	}
	return nil
}
