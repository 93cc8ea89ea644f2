package audit

import (
	"slices"
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
	vkeys := []string{vkey}
	if trust.Directory != nil {
		vkeys, quorum = fromDirectory(origin, trust.Directory)
		r.Genesis, r.Name, r.Demo = trust.Directory.Genesis(), trust.Directory.Name(), trust.Directory.Demo()
		r.Pinned = r.Genesis == trust.Genesis
	}
	vkey, c, err := verifiedBy(p, entry, vkeys)
	if err != nil {
		return r, err
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

// verifiedBy verifies a proof under one of several keys.
func verifiedBy(p ledger.Proof, entry []byte, vkeys []string) (vkey string, c ledger.Checkpoint, err error) {
	var failed error
	for _, vkey := range vkeys {
		key, err := ledger.ParseVerifierKey(vkey)
		if err != nil {
			return vkey, c, wrong("the log's key: %w", err)
		}
		c, err := p.Verify(entry, key)
		if err == nil {
			return vkey, c, nil
		}
		if failed == nil {
			failed = wrong("entry %d: %w", p.Index, err)
		}
	}
	return "", c, failed
}

// fromDirectory are the keys that a directory names for the log of an origin, or
// ever named, the last first: what was signed with a key before it was renewed
// stays signed. The quorum is the one in force.
func fromDirectory(origin string, dir *directory.State) (vkeys []string, quorum string) {
	log := ledger.Ev
	if strings.HasSuffix(origin, "/"+ledger.Dir.String()) {
		log = ledger.Dir
	}
	for n := dir.N(); n >= 1; n-- {
		if vkey := vkeyOf(log, dir.At(n).Logs()); !slices.Contains(vkeys, vkey) {
			vkeys = append(vkeys, vkey)
		}
	}
	return vkeys, quorumOf(log, dir.Quorum())
}
