package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// VerifyBundle verifies an audit bundle: that both logs are exactly their signed
// checkpoints, that every directory entry was allowed, that every opening shown
// is the one recorded, signed by whom the directory entitled, in order, with the
// decisions and obligations that the rules derive. FORMAT.md lists the checks.
//
// The findings name what does not verify, at most [MaxFindings] of them; none
// and no error means that everything the report says holds. An error means that
// the bytes are no bundle ([ErrFormat]), that the archive or its manifest is not
// as a bundle's ([ErrVerify]), or that r or ctx failed. Memory stays within 256
// MiB for a million entries; r is read once.
func VerifyBundle(ctx context.Context, r io.ReaderAt, size int64, trust Trust, progress Progress) (Report, []Finding, error) {
	v := &bundleVerifier{ctx: ctx, trust: trust, progress: progress, report: Report{Kind: KindBundle}, remember: MaxReplay}
	return v.verify(r, size)
}

func (v *bundleVerifier) verify(r io.ReaderAt, size int64) (Report, []Finding, error) {
	var err error
	if v.a, err = openArchive(r, size); err != nil {
		return v.report, nil, err
	}
	if v.m, err = v.a.manifest(); err != nil {
		return v.report, nil, err
	}
	v.report.Host = v.m.Host
	v.report.Bundle = &Counts{MadeAt: v.m.Made, Dir: v.m.Dir.Size, Ev: v.m.Ev.Size, DirRoot: v.m.Dir.Root, EvRoot: v.m.Ev.Root}
	v.report.say(FactBundle, v.m.Host, v.m.Dir.Size, v.m.Ev.Size, instant(v.m.Made))
	if err := v.run(); err != nil {
		return v.report, v.found, fmt.Errorf("audit: %w", err)
	}
	return v.report, v.found, nil
}

type bundleVerifier struct {
	ctx      context.Context
	a        *archive
	m        *manifest
	trust    Trust
	progress Progress
	report   Report
	found    findings
	dir      *directory.State // nil if it could not be replayed to its end
	packs    *rules.Set
	lastAt   int64 // META.at of the last entry shown
	remember int   // how many events and obligations
	undone   *Fact // why obligations were not derived to the end
}

func (v *bundleVerifier) run() error {
	if err := v.directory(); err != nil {
		return err
	}
	v.adoptedPacks()
	if err := v.evidence(); err != nil {
		return err
	}
	v.archive()
	v.conclude()
	return nil
}

// claimed is the checkpoint that the manifest speaks of. The signed one must say
// the same.
func (v *bundleVerifier) claimed(log ledger.Log) (ledger.Checkpoint, error) {
	t := v.m.tree(log)
	root, err := key32([]byte(t.Root))
	if err != nil {
		return ledger.Checkpoint{}, wrong("%s: root of %s: %w", manifestFile, log, err)
	}
	return ledger.Checkpoint{Origin: log.Origin(v.m.Host), Size: t.Size, Root: [32]byte(root)}, nil
}

// directory replays the directory and compares its tree with its checkpoint.
func (v *bundleVerifier) directory() error {
	c, err := v.claimed(ledger.Dir)
	if err != nil {
		return err
	}
	r := &replayer{v: v, state: directory.New(), total: c.Size}
	damage, err := ledger.AuditTree(v.ctx, tiles{v.a, ledger.Dir}, c, r.take)
	if err != nil {
		return err
	}
	r.flush()
	v.treeFindings(ledger.Dir, damage)
	if r.failed || r.state.N() != c.Size {
		return nil
	}
	v.dir = r.state
	v.report.Directory = r.state
	v.report.Name, v.report.Demo = r.state.Name(), r.state.Demo()
	v.report.Bundle.SeenDir = v.checkpoint(ledger.Dir, c)
	return nil
}

// treeFindings takes over what an audit of a tree found, each under the index
// of an entry where there is one.
func (v *bundleVerifier) treeFindings(log ledger.Log, damage []ledger.Finding) {
	for _, d := range damage {
		f := Finding{Log: log.String(), Idx: -1, What: d.String()}
		if d.Path != "" {
			f.File = log.String() + "/" + d.Path
		}
		if d.Part == ledger.PartEntry {
			f.Idx, f.What = d.At, d.Text
		}
		v.found.put(f)
	}
}

// checkpoint verifies the signed checkpoint of a log under the key that the
// replayed directory gives, and tells who cosigned it.
func (v *bundleVerifier) checkpoint(log ledger.Log, want ledger.Checkpoint) Seen {
	name := log.String() + "/" + checkpointFile
	signed, err := v.a.file(name, ledger.MaxCheckpoint)
	if err == nil {
		var s Seen
		if s, err = v.signed(log, want, signed); err == nil {
			return s
		}
	}
	v.found.file(name, "%v", err)
	return Seen{Cosigned: []Cosignature{}}
}

func (v *bundleVerifier) signed(log ledger.Log, want ledger.Checkpoint, signed []byte) (Seen, error) {
	vkey, quorum := vkeyOf(log, v.dir.Logs()), quorumOf(log, v.dir.Quorum())
	v.policyFile(log, vkey, quorum)
	key, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		return Seen{}, err
	}
	c, err := ledger.ParseCheckpoint(signed, key)
	if err != nil {
		return Seen{}, err
	}
	if c != want {
		return Seen{}, fmt.Errorf("is of %s at %d entries, %s says %s at %d", c.Origin, c.Size, manifestFile, want.Origin, want.Size)
	}
	if err := v.trust.Policy.check(vkey, signed); err != nil {
		return Seen{}, err
	}
	return seen(signed, quorum, v.dir.Witnesses())
}

func quorumOf(log ledger.Log, q directory.Quorum) string {
	if log == ledger.Dir {
		return q.Dir
	}
	return q.Ev
}

// policyFile wants the policy that stands beside a checkpoint to be the
// directory's: other programs rely on it.
func (v *bundleVerifier) policyFile(log ledger.Log, vkey, quorum string) {
	name := log.String() + "/" + policyFile
	data, err := v.a.file(name, maxPolicyFile)
	if err != nil {
		v.found.file(name, "%v", err)
		return
	}
	if want := policyText(vkey, quorum); !bytes.Equal(data, want) {
		v.found.file(name, "is not the policy of the directory, which is %q", want)
	}
}

// replayer replays the directory while its tree is being read.
type replayer struct {
	v      *bundleVerifier
	state  *directory.State
	leaves [][]byte
	next   int64
	total  int64
	failed bool
}

// replayAtOnce is how many leaves are verified together, on all processors.
const replayAtOnce = 512

func (r *replayer) take(idx int64, leaf []byte) error {
	if idx == 0 {
		r.genesis(leaf)
	}
	if idx != r.next { // a bundle before this entry could not be read
		r.flush()
		r.failed = true
	}
	r.next = idx + 1
	if r.failed {
		return nil
	}
	if r.leaves = append(r.leaves, leaf); len(r.leaves) == replayAtOnce {
		r.flush()
	}
	return nil
}

func (r *replayer) genesis(leaf []byte) {
	report := &r.v.report
	report.Genesis = directory.LeafHash(leaf)
	report.Pinned = r.v.trust.Genesis != "" && report.Genesis == r.v.trust.Genesis
	if r.v.trust.Genesis != "" && !report.Pinned {
		r.v.found.entry(ledger.Dir, 0, "this is the genesis %s, not the one you gave", report.Genesis)
	}
	if report.Genesis != r.v.m.Genesis {
		r.v.found.file(manifestFile, "names the genesis %s, entry 0 is %s", r.v.m.Genesis, report.Genesis)
	}
}

// flush applies what waits; if that fails it finds the entry that is refused.
func (r *replayer) flush() {
	if r.failed || len(r.leaves) == 0 {
		return
	}
	next, err := r.state.Replay(r.leaves)
	if err != nil {
		r.failed = true
		r.v.found.entry(ledger.Dir, r.refused(), "%s", strings.TrimPrefix(err.Error(), "directory: "))
		return
	}
	r.state, r.leaves = next, r.leaves[:0]
	r.v.progress.tell(ledger.Dir, r.state.N(), r.total)
}

func (r *replayer) refused() int64 {
	state := r.state
	for _, leaf := range r.leaves {
		next, err := state.Apply(leaf)
		if err != nil {
			break
		}
		state = next
	}
	return state.N()
}

// adoptedPacks reads the rule packs and holds each against its adoption.
func (v *bundleVerifier) adoptedPacks() {
	var packs []*rules.Pack
	for _, name := range v.a.withPrefix(packsFolder) {
		data, err := v.a.file(name, rules.MaxSize)
		if err != nil {
			v.found.file(name, "%v", err)
			continue
		}
		p, err := v.adopted(name, data)
		if err != nil {
			v.found.file(name, "%v", err)
			continue
		}
		packs = append(packs, p)
	}
	v.packs = rules.NewSet(packs...)
}

func (v *bundleVerifier) adopted(name string, data []byte) (*rules.Pack, error) {
	p, err := rules.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if packFile(p.ID()) != name {
		return nil, fmt.Errorf("is the pack %s", p.ID())
	}
	if v.dir == nil {
		return p, nil
	}
	for _, adopted := range v.dir.Packs() {
		if adopted.ID == p.ID() && adopted.Hash == p.Hash() {
			return p, nil
		}
	}
	return nil, errors.New("is not the pack that the directory adopted under this id")
}

// archive reports what the archive holds beyond a bundle, and files whose
// checksum does not fit although their content does.
func (v *bundleVerifier) archive() {
	for _, name := range v.a.damaged {
		v.found.file(name, "its checksum is not the one in the archive's table of contents")
	}
	if len(v.found) > 0 {
		return // an audit that stopped early did not read everything
	}
	for _, name := range v.a.unread() {
		v.found.file(name, "does not belong to the bundle")
	}
}
