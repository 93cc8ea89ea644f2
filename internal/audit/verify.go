package audit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// VerifyEvidence verifies an evidence file against itself and what the verifier
// trusts: the genesis, every signature and proof of the key chain, the opening
// against its leaf, the leaf against a signed checkpoint, and the signatures of
// the statement. Errors wrap [ErrFormat] or [ErrVerify].
//
// That the signer's key was not revoked at the time rests on the exchange having
// accepted the statement, unless trust brings a replayed directory.
func VerifyEvidence(file []byte, trust Trust) (Report, error) {
	r, _, err := verifyEvidence(file, trust)
	return r, err
}

func verifyEvidence(file []byte, trust Trust) (Report, *verified, error) {
	f, err := parseEvidence(file)
	if err != nil {
		return Report{Kind: KindEvidence}, nil, err
	}
	v := &fileVerifier{trust: trust, report: Report{Kind: KindEvidence}}
	if err := v.chain(f.Dir); err != nil {
		return v.report, nil, err
	}
	found, err := v.item(item{Idx: f.Idx, Opening: f.Opening, Proof: f.Proof})
	if err != nil {
		return v.report, nil, err
	}
	v.conclude()
	return v.report, found, nil
}

// fileVerifier verifies the items of a file over its key chain.
type fileVerifier struct {
	trust  Trust
	report Report
	keys   *chain
	leaves []dirEntry
}

// chain verifies the directory entries: genesis, meaning, then proofs, for only
// the meaning says under which keys checkpoints are signed.
func (v *fileVerifier) chain(entries []dirEntry) error {
	v.keys, v.leaves = newChain(), entries
	for i, e := range entries {
		if i == 0 {
			if err := v.genesis(directory.LeafHash(e.Leaf)); err != nil {
				return err
			}
		}
		if err := v.keys.add(e.Idx, e.Leaf); err != nil {
			return wrong("dir entry %d: %w", e.Idx, err)
		}
	}
	v.report.Name, v.report.Demo = v.keys.name, v.keys.demo
	for _, e := range entries {
		if _, _, err := v.proof(ledger.Dir, e.Idx, e.Leaf, e.Proof); err != nil {
			return wrong("dir entry %d: %w", e.Idx, err)
		}
	}
	return nil
}

func (v *fileVerifier) genesis(hash string) error {
	v.report.Genesis, v.report.Pinned = hash, v.trust.Genesis != ""
	if v.report.Pinned && hash != v.trust.Genesis {
		v.report.Pinned = false
		return wrong("dir entry 0: this is the genesis %s, not the one you gave", hash)
	}
	return nil
}

// proof verifies a .tlog-proof under one of the keys that the chain gives the
// log.
func (v *fileVerifier) proof(log ledger.Log, idx int64, leaf []byte, text string) (ledger.Checkpoint, []byte, error) {
	p, err := ledger.ParseProof([]byte(text))
	if err != nil {
		return ledger.Checkpoint{}, nil, err
	}
	if p.Index != idx {
		return ledger.Checkpoint{}, nil, fmt.Errorf("its proof is of entry %d", p.Index)
	}
	var failed error
	for _, c := range v.keys.charters {
		cp, err := verifyProof(p, leaf, log, c.logs)
		if err == nil {
			return cp, p.Checkpoint, v.host(cp.Origin, log)
		}
		failed = err
	}
	return ledger.Checkpoint{}, nil, failed
}

func verifyProof(p ledger.Proof, leaf []byte, log ledger.Log, logs directory.Logs) (ledger.Checkpoint, error) {
	key, err := ledger.ParseVerifierKey(vkeyOf(log, logs))
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	return p.Verify(leaf, key)
}

func vkeyOf(log ledger.Log, logs directory.Logs) string {
	if log == ledger.Dir {
		return logs.Dir
	}
	return logs.Ev
}

// host wants every checkpoint to be of one exchange.
func (v *fileVerifier) host(origin string, log ledger.Log) error {
	host, ok := strings.CutSuffix(origin, "/"+log.String())
	if !ok {
		return fmt.Errorf("origin %.80q is not that of a log %s", origin, log)
	}
	if v.report.Host == "" {
		v.report.Host = host
	}
	if v.report.Host != host {
		return fmt.Errorf("origin %.80q is of another exchange than %.80q", origin, v.report.Host)
	}
	return nil
}

// verified is an item that holds.
type verified struct {
	meta *evidence.Meta
	priv *evidence.Priv
	said *said
}

// item verifies one leaf of the evidence tree and adds it to the report.
func (v *fileVerifier) item(it item) (*verified, error) {
	o := it.Opening.evidence()
	leaf, err := o.Leaf()
	if err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	cp, signed, err := v.proof(ledger.Ev, it.Idx, leaf, it.Proof)
	if err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	meta, priv, err := o.Check(leaf, it.Idx)
	if err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	s, err := read(meta, priv)
	if err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	found := ItemFound{Idx: it.Idx, Event: meta.Ev, Object: meta.Obj, At: meta.At, Size: cp.Size, Root: cp.Root.String()}
	held := v.charterAt(meta.DirN)
	if found.Seen, err = seen(signed, held.quorum.Ev, held.witnesses); err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	found.TimeDoubt = found.doubt(meta.At)
	if err := v.trust.Policy.check(held.logs.Ev, signed); err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	if err := v.signers(meta, priv, s, &found); err != nil {
		return nil, wrong("ev entry %d: %w", it.Idx, err)
	}
	v.report.Items = append(v.report.Items, found)
	v.describe(meta, s, &found)
	return &verified{meta, priv, s}, nil
}

// charterAt is what held for the directory of n leaves.
func (v *fileVerifier) charterAt(n int64) *charter {
	c := &v.keys.charters[0]
	for i := range v.keys.charters {
		if v.keys.charters[i].idx < n {
			c = &v.keys.charters[i]
		}
	}
	return c
}

// signers verifies the signatures of a statement under the keys that the chain,
// cut at the directory it was accepted under, gives.
func (v *fileVerifier) signers(meta *evidence.Meta, priv *evidence.Priv, s *said, found *ItemFound) error {
	if priv.Stmt == nil {
		return nil
	}
	keys, err := v.chainAt(meta.DirN)
	if err != nil {
		return err
	}
	found.Signers, err = verifyStatement(priv.Stmt, s.by, func(key, desk string) (Signer, []byte, error) {
		if evidence.IsEscrow(meta.Ev) {
			return keys.custodian(key, desk)
		}
		who, pub, err := keys.signer(key, desk, meta.At)
		return who, pub, err
	})
	if err != nil || v.trust.Directory == nil {
		return err
	}
	found.Replay = true
	return v.replayed(meta, s, found.Signers)
}

// chainAt is the chain as of the first n leaves.
func (v *fileVerifier) chainAt(n int64) (*chain, error) {
	if v.keys.last < n {
		return v.keys, nil
	}
	c := newChain()
	for _, e := range v.leaves {
		if e.Idx >= n {
			break
		}
		if err := c.add(e.Idx, e.Leaf); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// replayed asks a directory that the verifier replayed before whether the key
// was in force when the statement was accepted.
func (v *fileVerifier) replayed(meta *evidence.Meta, s *said, signers []Signer) error {
	dir := v.trust.Directory
	if dir.Genesis() != v.report.Genesis {
		return errors.New("the directory at hand has another genesis")
	}
	if meta.DirN > dir.N() {
		return fmt.Errorf("the directory at hand has %d entries, the statement was accepted under %d: get a newer bundle", dir.N(), meta.DirN)
	}
	view := dir.At(meta.DirN)
	if evidence.IsEscrow(meta.Ev) {
		inst, _ := view.Institution(view.InstOfDesk(s.by.Desk))
		_, _, err := custodian(inst.I, inst.Custodians.Keys, s.by.Key, s.by.Desk)
		return err
	}
	for _, who := range signers[1:] {
		if o, ok := view.OfficerByKey(who.Key); !ok || !o.ActiveAt(meta.At) {
			return fmt.Errorf("the key %s was revoked or out of its term", who.Key)
		}
	}
	return view.MayAct(s.by.Key, s.by.Desk, meta.At)
}
