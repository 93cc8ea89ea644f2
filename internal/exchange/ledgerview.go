package exchange

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// Status is what the exchange says of itself to anyone.
type Status struct {
	Demo    bool   `json:"demo"`
	Genesis string `json:"genesis"` // hex SHA-256 of the genesis leaf, to be pinned
	Host    string `json:"host"`
	Now     int64  `json:"now"`
	Quorum  string `json:"quorum"`
}

// Status tells who this exchange is and what time it has.
func (x *Exchange) Status() Status {
	dir := x.Directory()
	return Status{Demo: dir.Demo(), Genesis: dir.Genesis(), Host: x.Host, Now: x.Clock.Now(), Quorum: dir.Quorum().Ev}
}

// Checkpoint returns the latest published checkpoint of a log, whatever its
// quorum.
func (x *Exchange) Checkpoint(ctx context.Context, log ledger.Log) ([]byte, error) {
	var note []byte
	err := x.Store.View(ctx, func(r ledger.Reader) error {
		p, err := r.LastCheckpoint(ctx, log)
		if err == nil && !p.Exists() {
			return noCheckpoint("no checkpoint was published yet")
		}
		note = p.Note
		return err
	})
	return note, err
}

func noCheckpoint(detail string) *Refusal {
	return refuse(Unavailable, "no_checkpoint", "%s", detail).hint("ask again in a second")
}

// Tile returns a hash tile or an entry bundle of a log as it stands: a witness
// reads the entries of a checkpoint before it cosigns, and so before the
// checkpoint is published.
func (x *Exchange) Tile(ctx context.Context, log ledger.Log, t tlog.Tile) ([]byte, error) {
	var data []byte
	err := x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, log)
		if err != nil {
			return err
		}
		if !ledger.TileWithin(t, head.Size) {
			return notFound()
		}
		data, err = ledger.ReadTile(ctx, r, log, t)
		return err
	})
	return data, err
}

// tile returns a tile that is known to exist.
func (x *Exchange) tile(ctx context.Context, log ledger.Log, t tlog.Tile) ([]byte, error) {
	var data []byte
	err := x.Store.View(ctx, func(r ledger.Reader) (err error) {
		data, err = ledger.ReadTile(ctx, r, log, t)
		return err
	})
	return data, err
}

// DirectoryEntries returns leaves of the directory from an index on, at most
// limit.
func (x *Exchange) DirectoryEntries(ctx context.Context, from int64, limit int) ([][]byte, error) {
	var leaves [][]byte
	err := x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, ledger.Dir)
		if err != nil || from >= head.Size {
			return err
		}
		leaves, err = r.Entries(ctx, ledger.Dir, from, min(head.Size, from+int64(clampLimit(limit))))
		return err
	})
	return leaves, err
}

// Proof returns the .tlog-proof of an entry. It is frozen once a checkpoint
// under quorum covers the entry: then it is the proof under the first such, the
// same bytes for ever. Until then it is provisional, under the latest checkpoint;
// the cosignatures tell which.
func (x *Exchange) Proof(ctx context.Context, log ledger.Log, idx int64) (file []byte, frozen bool, err error) {
	err = x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, log)
		if err != nil {
			return err
		}
		if idx < 0 || idx >= head.Size {
			return notFound()
		}
		cover, err := r.CheckpointFor(ctx, log, idx)
		if err != nil {
			return err
		}
		if frozen = cover.Exists(); !frozen {
			if cover, err = r.LastCheckpoint(ctx, log); err != nil {
				return err
			}
		}
		if cover.Size <= idx {
			return noCheckpoint("no checkpoint covers this entry yet")
		}
		file, err = proofUnder(ctx, r, log, cover, idx)
		return err
	})
	return file, frozen, err
}

// proofUnder is the .tlog-proof of an entry under a checkpoint that covers it.
func proofUnder(ctx context.Context, r ledger.Reader, log ledger.Log, cover ledger.Published, idx int64) ([]byte, error) {
	path, err := ledger.ProveInclusion(ctx, r, log, cover.Size, idx)
	if err != nil {
		return nil, err
	}
	return ledger.Proof{Index: idx, Path: path, Checkpoint: cover.Note}.Format(), nil
}

// Consistency proves that the tree of one size is a prefix of that of another.
func (x *Exchange) Consistency(ctx context.Context, log ledger.Log, from, to int64) ([]tlog.Hash, error) {
	var proof tlog.TreeProof
	err := x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, log)
		if err != nil {
			return err
		}
		if from < 0 || to < from || to > head.Size {
			return refuse(Malformed, "malformed", "from and to are not sizes of this tree")
		}
		proof, err = ledger.ProveConsistency(ctx, r, log, from, to)
		return err
	})
	return proof, err
}

// PutPackage stores one wrapped desk key, named by its digest.
func (x *Exchange) PutPackage(ctx context.Context, c Caller, sha256 string, data []byte) error {
	if len(data) > maxPackage || digestHex(data) != sha256 {
		return refuse(Malformed, "malformed", "the package is too large or not what its name says")
	}
	return x.scratch(ctx, c, func(s Scratch) error { return s.PutPackage(ctx, sha256, data) })
}

// maxPackage bounds a wrapped desk key, in bytes.
const maxPackage = 64 << 10

// Package returns a wrapped desk key to whom it is for: see [mayFetch]. To anybody
// else it is as if there were none.
func (x *Exchange) Package(ctx context.Context, c Caller, sha256 string) ([]byte, error) {
	if _, err := x.mayCall(c); err != nil {
		return nil, err
	}
	if !mayFetch(x.Directory(), c.Key, sha256) {
		return nil, notFound()
	}
	var data []byte
	err := x.Store.Read(ctx, func(v View) error {
		var ok bool
		var err error
		data, ok, err = v.Package(ctx, sha256)
		if err == nil && !ok {
			return notFound()
		}
		return err
	})
	return data, err
}

// PutKey stores the text of a recipient key, named by its digest.
func (x *Exchange) PutKey(ctx context.Context, c Caller, rk, recipient string) error {
	if len(recipient) > 4096 || digestHex([]byte(recipient)) != rk {
		return refuse(Malformed, "malformed", "the key is too long or not what its name says")
	}
	return x.scratch(ctx, c, func(s Scratch) error { return s.PutRecipientKey(ctx, rk, recipient) })
}

// RecipientKey returns the text of a recipient key. Who uses it compares it
// with the directory.
func (x *Exchange) RecipientKey(ctx context.Context, c Caller, rk string) (string, error) {
	if _, err := x.mayCall(c); err != nil || !statement.IsHash(rk) {
		return "", notFound()
	}
	var recipient string
	err := x.Store.Read(ctx, func(v View) error {
		var ok bool
		var err error
		recipient, ok, err = v.RecipientKey(ctx, rk)
		if err == nil && !ok {
			return notFound()
		}
		return err
	})
	return recipient, err
}

// scratch runs a write that no rule reads, once per nonce.
func (x *Exchange) scratch(ctx context.Context, c Caller, f func(s Scratch) error) error {
	if _, err := x.mayCall(c); err != nil {
		return err
	}
	err := x.Store.Scratch(ctx, func(s Scratch) error {
		fresh, err := s.UseNonce(ctx, c.Key, c.Nonce, x.Clock.Now())
		if err != nil {
			return err
		}
		if !fresh {
			return refuse(Unauthentic, "nonce", "this request was received before")
		}
		return f(s)
	})
	if fatal(err) {
		return x.unknown(err)
	}
	return err
}
