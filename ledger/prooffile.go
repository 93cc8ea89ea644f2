package ledger

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofHeader = "c2sp.org/tlog-proof@v1"

	// MaxProof bounds a proof file, in bytes.
	MaxProof = MaxCheckpoint + maxPath*45 + 128

	maxPath = 53 // hashes of an audit path in a tree of at most 2^53 entries
)

// A Proof is the content of a .tlog-proof file (C2SP tlog-proof): an entry's
// index, its audit path and the checkpoint that the path leads to. It verifies
// offline with the entry and the log's key.
type Proof struct {
	Index      int64
	Path       tlog.RecordProof
	Checkpoint []byte // signed note, verbatim
}

// ProofFor returns the proof of entry idx under the first checkpoint that
// covers it, so that it is the same bytes whenever it is asked for. Before
// there is one the error wraps [ErrNotPublished].
func ProofFor(ctx context.Context, r Reader, log Log, idx int64) (Proof, error) {
	if idx < 0 {
		return Proof{}, fmt.Errorf("ledger: no entry %d", idx)
	}
	cp, err := r.CheckpointFor(ctx, log, idx)
	if err != nil {
		return Proof{}, fmt.Errorf("ledger: checkpoint for entry %d of %s: %w", idx, log, err)
	}
	if !cp.Exists() {
		return Proof{}, fmt.Errorf("ledger: entry %d of %s: %w", idx, log, ErrNotPublished)
	}
	path, err := ProveInclusion(ctx, r, log, cp.Size, idx)
	if err != nil {
		return Proof{}, err
	}
	return Proof{Index: idx, Path: path, Checkpoint: cp.Note}, nil
}

// Format spells the proof as a .tlog-proof file, without extra data.
func (p Proof) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", proofHeader, p.Index)
	for _, h := range p.Path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads a .tlog-proof file. It verifies nothing yet; what it accepts,
// [Proof.Format] writes back byte for byte. Extra data is refused, for nothing
// authenticates it. Any failure wraps [ErrProof].
func ParseProof(data []byte) (Proof, error) {
	p, err := parseProof(data)
	if err != nil {
		return Proof{}, fmt.Errorf("ledger: %w: %w", ErrProof, err)
	}
	return p, nil
}

func parseProof(data []byte) (Proof, error) {
	if len(data) > MaxProof {
		return Proof{}, fmt.Errorf("%d bytes, at most %d", len(data), MaxProof)
	}
	head, checkpoint, ok := bytes.Cut(data, []byte("\n\n"))
	if !ok {
		return Proof{}, fmt.Errorf("no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if lines[0] != proofHeader {
		return Proof{}, fmt.Errorf("first line is not %q", proofHeader)
	}
	index, ok := "", false
	if len(lines) > 1 {
		index, ok = strings.CutPrefix(lines[1], "index ")
	}
	if !ok {
		return Proof{}, fmt.Errorf("second line is not the index (extra data is refused)")
	}
	idx, err := parseDecimal(index)
	if err != nil {
		return Proof{}, fmt.Errorf("index: %w", err)
	}
	path, err := parsePath(lines[2:])
	if err != nil {
		return Proof{}, err
	}
	if _, err := unverified(checkpoint); err != nil {
		return Proof{}, err
	}
	return Proof{Index: idx, Path: path, Checkpoint: checkpoint}, nil
}

func parsePath(lines []string) (tlog.RecordProof, error) {
	if len(lines) > maxPath {
		return nil, fmt.Errorf("%d hashes, at most %d", len(lines), maxPath)
	}
	path := make(tlog.RecordProof, len(lines))
	for i, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("hash %d: %w", i, err)
		}
		path[i] = h
	}
	return path, nil
}

// Verify checks the checkpoint's signature under v and the path from leaf to
// its root, and returns the checkpoint. Failures wrap [ErrCheckpoint] or
// [ErrProof]. Whose witnesses signed too is not asked here.
func (p Proof) Verify(leaf []byte, v note.Verifier) (Checkpoint, error) {
	c, err := ParseCheckpoint(p.Checkpoint, v)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := VerifyInclusion(p.Path, c, p.Index, leaf); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}
