package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// TreeState is what each party says of one tree, and whether it fits together.
type TreeState struct {
	Log       string            `json:"log"`
	Database  Said              `json:"database"`
	Anchor    *Said             `json:"anchor"`    // null: it holds nothing
	Published *Said             `json:"published"` // the last checkpoint; null: none
	Quorum    *Said             `json:"quorum"`    // the last one under quorum; null: none
	Cosigned  int               `json:"cosigned"`  // witnesses under the last checkpoint
	Witnesses int               `json:"witnesses"` // of the policy in force
	Doubts    map[string]string `json:"doubts,omitempty"`
	Problem   string            `json:"problem,omitempty"` // why nothing may be signed
	Err       error             `json:"-"`                 // the same, for errors.Is
}

// Said is a size with its root, and when.
type Said struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
	At   int64  `json:"at,omitempty"` // ms since 1970 UTC
}

// Examine holds the database against the anchor and, if ask, against what the
// witnesses hold, as the signer does before it signs. Nothing is changed.
func (h *Home) Examine(ctx context.Context, x *exchange.Exchange, ask bool) ([]TreeState, error) {
	anchor, err := h.Anchor()
	if err != nil {
		return nil, err
	}
	var states []TreeState
	for _, log := range ledger.Logs {
		keys, err := h.verifiers(log)
		if err != nil {
			return nil, err
		}
		s := &TreeState{Log: log.String()}
		if err := s.read(ctx, x, log); err != nil {
			return nil, err
		}
		var others ledger.Witnesses = newWatching(x, x.Log)
		s.Witnesses = len(others.Policy(log).Witnesses())
		if !ask {
			others = ledger.Unwatched{}
		}
		p := ledger.NewPublisher(x.Store, log, keys[0], anchor, others)
		err = p.Consult(ctx, x.Clock.Now())
		if errors.Is(err, ledger.ErrAnchorEmpty) && h.sharesAnchor() {
			err = nil // a server takes it from Vault when it starts
		}
		s.note(err, p.Doubts())
		if err := s.anchored(ctx, anchor, log, keys); err != nil && s.Err == nil {
			s.note(err, nil)
		}
		states = append(states, *s)
	}
	return states, nil
}

func (s *TreeState) note(problem error, doubts map[string]error) {
	if problem != nil {
		s.Problem, s.Err = problem.Error(), problem
	}
	for name, err := range doubts {
		if s.Doubts == nil {
			s.Doubts = map[string]string{}
		}
		s.Doubts[name] = err.Error()
	}
}

// read notes what the database says.
func (s *TreeState) read(ctx context.Context, x *exchange.Exchange, log ledger.Log) error {
	return x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, log)
		if err != nil {
			return err
		}
		s.Database = Said{head.Size, head.Root.String(), head.At}
		last, err := r.LastCheckpoint(ctx, log)
		if err != nil {
			return err
		}
		s.Published, s.Cosigned = said(last), last.Cosigs
		under, err := r.CheckpointAt(ctx, log, max(last.At, x.Clock.Now()))
		s.Quorum = said(under)
		return err
	})
}

func said(p ledger.Published) *Said {
	if !p.Exists() {
		return nil
	}
	return &Said{p.Size, p.Root.String(), p.At}
}

// anchored notes what the anchor says; what it holds must be of one of the log's
// keys.
func (s *TreeState) anchored(ctx context.Context, anchor ledger.Anchor, log ledger.Log, keys []ledger.Signer) error {
	kept, err := anchor.Last(ctx, log)
	if err != nil || kept == nil {
		return err
	}
	var c ledger.Checkpoint
	for _, key := range keys {
		if c, err = ledger.ParseCheckpoint(kept, key.Verifier()); err == nil {
			s.Anchor = &Said{Size: c.Size, Root: c.Root.String()}
			return nil
		}
	}
	return fmt.Errorf("the anchor holds another ledger's checkpoint: %w", err)
}

// sharesAnchor reports whether the anchor that counts lies in Vault.
func (h *Home) sharesAnchor() bool { return h.Keys != nil && h.Keys.Anchor.In == InVault }

// Adopt fills an empty anchor with what the database published: the act of an
// operator who sets up a second server, after comparing with a mirror.
func (h *Home) Adopt(ctx context.Context, x *exchange.Exchange) error {
	anchor, err := h.Anchor()
	if err != nil {
		return err
	}
	for _, log := range ledger.Logs {
		keys, err := h.verifiers(log)
		if err != nil {
			return err
		}
		p := ledger.NewPublisher(x.Store, log, keys[0], anchor, ledger.Unwatched{})
		if err := p.Adopt(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Mirror is a mirror of this ledger: what this server's keys signed counts.
func (h *Home) Mirror(files fs.FS) (exchange.Mirror, error) {
	m := exchange.Mirror{Files: files}
	for _, log := range ledger.Logs {
		keys, err := h.verifiers(log)
		if err != nil {
			return m, err
		}
		for _, key := range keys {
			m.Trust(log, key)
		}
	}
	return m, nil
}

// File is the embedded database, "" where it is on a server of its own.
func (h *Home) File() string {
	if onServer(h.DB) {
		return ""
	}
	return h.database()
}

// Exposed names a key that others than its owner may read, "" if there is none.
func (h *Home) Exposed() (string, error) {
	c, err := h.Custody()
	if err != nil {
		return "", err
	}
	var names []string
	for _, l := range ledger.Logs {
		for _, k := range inUse(c.of(l)) {
			if k.In == InFile {
				names = append(names, h.path("keys", k.Name))
			}
		}
	}
	if c.Period.In == InFile {
		names = append(names, h.periodPath())
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return name, nil
		}
	}
	return "", nil
}
