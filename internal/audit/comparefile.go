package audit

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// CompareFile tells whether an evidence file, a receipt or a .tlog-proof (with
// the entry it is about, else nil) shows the history that a bundle shows: in each
// log every checkpoint of the file must be of a beginning of the bundle's tree,
// and every entry the bundle's. Both were verified before, which is not
// repeated. Findings name the log in which the histories part: keep both, for
// their checkpoints convict whoever signed them.
func CompareFile(ctx context.Context, bundle File, file, entry []byte) ([]Fact, []Finding, error) {
	a, err := openArchive(bundle.R, bundle.Size)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.manifest()
	if err != nil {
		return nil, nil, err
	}
	shown, err := provenBy(file, entry)
	if err != nil {
		return nil, nil, err
	}
	c := &comparer{ctx: ctx, a: a, m: m}
	for _, p := range shown {
		c.hold(p)
	}
	var r Report
	if len(c.found) == 0 {
		r.say(FactSameFile, c.same, m.Host)
	}
	if c.newer > 0 {
		r.say(FactNewerFile, c.newer)
	}
	return r.Facts, c.found, ctx.Err()
}

// proven is an entry with its proof.
type proven struct {
	leaf []byte
	ledger.Proof
}

// provenBy lists the proofs of a file.
func provenBy(file, entry []byte) ([]proven, error) {
	var dir []dirEntry
	var items []item
	switch {
	case strings.HasPrefix(string(file), proofBegin):
		p, err := ledger.ParseProof(file)
		if err != nil {
			return nil, wrong("%w", err)
		}
		return []proven{{entry, p}}, nil
	case Is(file, TypeReceipt):
		f, err := parseReceipt(file)
		if err != nil {
			return nil, err
		}
		dir, items = f.Dir, f.Items
	default:
		f, err := parseEvidence(file)
		if err != nil {
			return nil, err
		}
		dir, items = f.Dir, []item{{f.Idx, f.Opening, f.Proof}}
	}
	return provenIn(dir, items)
}

// proofBegin is how a .tlog-proof begins.
const proofBegin = "c2sp.org/tlog-proof"

func provenIn(dir []dirEntry, items []item) (shown []proven, err error) {
	add := func(leaf []byte, text string) error {
		p, err := ledger.ParseProof([]byte(text))
		if err != nil {
			return wrong("%w", err)
		}
		shown = append(shown, proven{leaf, p})
		return nil
	}
	for _, e := range dir {
		if err := add(e.Leaf, e.Proof); err != nil {
			return nil, err
		}
	}
	for _, it := range items {
		o := it.Opening.evidence()
		leaf, err := o.Leaf()
		if err != nil {
			return nil, wrong("ev entry %d: %w", it.Idx, err)
		}
		if err := add(leaf, it.Proof); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// comparer holds proofs against the trees of a bundle.
type comparer struct {
	ctx         context.Context
	a           *archive
	m           *manifest
	same, newer int
	found       findings
}

// hold compares one checkpoint, and its entry.
func (c *comparer) hold(p proven) {
	text := strings.SplitN(string(p.Checkpoint), "\n", 4)
	log := ledger.Dir
	if len(text) == 4 && text[0] == ledger.Ev.Origin(c.m.Host) {
		log = ledger.Ev
	} else if len(text) != 4 || text[0] != ledger.Dir.Origin(c.m.Host) {
		c.found.file(manifestFile, "is of another exchange, %s", c.m.Host)
		return
	}
	var size int64
	if _, err := fmt.Sscan(text[1], &size); err != nil {
		c.found.put(Finding{Log: log.String(), Idx: p.Index, What: err.Error()})
		return
	}
	if size <= c.m.tree(log).Size {
		c.same++
		if err := prefix(c.ctx, c.a, treeSize{Root: text[2], Size: size}, c.m, log); err != nil {
			c.found.put(Finding{Log: log.String(), Idx: -1, What: err.Error()})
		}
		return
	}
	c.newer++
	c.entry(log, p)
}

// entry compares an entry whose checkpoint the bundle does not reach.
func (c *comparer) entry(log ledger.Log, p proven) {
	if p.Index >= c.m.tree(log).Size || p.leaf == nil {
		return
	}
	root, err := key32([]byte(c.m.tree(log).Root))
	if err == nil {
		cp := ledger.Checkpoint{Origin: log.Origin(c.m.Host), Size: c.m.tree(log).Size, Root: tlog.Hash(root)}
		var at []tlog.Hash
		at, err = ledger.TileHashes(c.ctx, tiles{c.a, log}, cp).ReadHashes([]int64{tlog.StoredHashIndex(0, p.Index)})
		if err == nil && at[0] != tlog.RecordHash(p.leaf) {
			err = fmt.Errorf("two histories: the bundle has another entry %d than the file", p.Index)
		}
	}
	if err != nil {
		c.found.entry(log, p.Index, "%v", err)
	}
}
