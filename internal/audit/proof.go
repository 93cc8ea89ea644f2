package audit

import (
	"strings"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// VerifyProof verifies a .tlog-proof file with its entry. The log's key comes
// from the directory in trust, or is vkey, which is then trusted as it is given.
// Errors wrap [ErrFormat] or [ErrVerify].
func VerifyProof(file, entry []byte, vkey string, trust Trust) (Report, error) {
	r := Report{Kind: KindProof}
	p, err := ledger.ParseProof(file)
	if err != nil {
		return r, wrong("%w", err)
	}
	quorum := ""
	origin, _, _ := strings.Cut(string(p.Checkpoint), "\n")
	if vkey == "" {
		vkey = trust.Policy.keyOf(origin)
	}
	if trust.Directory != nil {
		vkey, quorum = fromDirectory(origin, trust.Directory)
		r.Genesis, r.Name, r.Demo = trust.Directory.Genesis(), trust.Directory.Name(), trust.Directory.Demo()
		r.Pinned = r.Genesis == trust.Genesis
	}
	key, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		return r, wrong("the log's key: %w", err)
	}
	c, err := p.Verify(entry, key)
	if err != nil {
		return r, wrong("entry %d: %w", p.Index, err)
	}
	if err := trust.Policy.check(vkey, p.Checkpoint); err != nil {
		return r, wrong("entry %d: %w", p.Index, err)
	}
	r.Host, _, _ = strings.Cut(c.Origin, "/")
	found := ItemFound{Idx: p.Index, Size: c.Size, Root: c.Root.String()}
	r.say(FactProofOnly, p.Index, c.Origin, c.Size)
	if quorum == "" {
		found.Seen = trust.Policy.seen(p.Checkpoint)
		r.Items = append(r.Items, found)
		r.say(FactGivenKey, vkey)
		return r, nil
	}
	if found.Seen, err = seen(p.Checkpoint, quorum, trust.Directory.Witnesses()); err != nil {
		return r, wrong("entry %d: %w", p.Index, err)
	}
	r.Items = append(r.Items, found)
	r.tell(found.Seen)
	r.conclude(found.Standing)
	return r, nil
}

// fromDirectory is the key and the quorum that a directory gives the log of an
// origin.
func fromDirectory(origin string, dir *directory.State) (vkey, quorum string) {
	if strings.HasSuffix(origin, "/"+ledger.Dir.String()) {
		return dir.Logs().Dir, dir.Quorum().Dir
	}
	return dir.Logs().Ev, dir.Quorum().Ev
}
