package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging/obligation"
)

// Erase deletes openings on a lawful ground: in one transaction it keeps the
// outcome of every obligation they opened or moved, deletes them, says so in
// erasure.done, and derives the tables anew. The caller has established the
// ground; legal hold and retention are decided before.
func (x *Exchange) Erase(ctx context.Context, indexes []int64, ground string) (evidence.Item, error) {
	return submit(ctx, x, Caller{}, nil, func(s *section) (evidence.Item, error) {
		data := evidence.ErasureData{Erased: []evidence.Erased{}, Ground: ground}
		for _, idx := range indexes {
			gone, err := s.keep(idx)
			if err != nil {
				return evidence.Item{}, err
			}
			data.Erased = append(data.Erased, gone)
		}
		for _, idx := range indexes {
			if err := s.erase(idx); err != nil {
				return evidence.Item{}, err
			}
		}
		d, err := s.newDraft(evidence.ErasureDone, evidence.System, fmt.Sprintf("erasure-%d", s.next())).data(data)
		if err != nil {
			return evidence.Item{}, err
		}
		for _, e := range data.Erased {
			for _, to := range e.To {
				d.to = append(d.to, to.Desk)
			}
		}
		item, err := s.record(d)
		if err != nil {
			return evidence.Item{}, err
		}
		return item, s.rederive()
	})
}

// erase deletes one opening and, of a message, its blobs: their shred key first,
// without which no copy of them opens any more.
func (s *section) erase(idx int64) error {
	o, ok, err := s.tx.Opening(s.ctx, idx)
	if err != nil || !ok {
		return errors.Join(err, notFound())
	}
	meta, _, err := o.Decode()
	if err != nil {
		return err
	}
	if meta.Ev == evidence.MessageSubmitted {
		if err := s.tx.EraseUpload(s.ctx, meta.Obj); err != nil {
			return err
		}
	}
	return s.tx.EraseOpening(s.ctx, idx)
}

// rederive rebuilds the derived tables within the section.
func (s *section) rederive() error {
	// The trees are written first: the replay compares openings with leaves.
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.tx.DropDerived(s.ctx); err != nil {
		return err
	}
	r := &replay{ctx: s.ctx, from: s.tx, dir: s.dir, packs: s.x.Packs}
	if err := r.run(s.tx); err != nil {
		return err
	}
	if len(r.found) > 0 {
		return fmt.Errorf("derive again after an erasure: %s", r.found[0])
	}
	return nil
}

// keep appends obligation.kept for every obligation a leaf opened or moved.
func (s *section) keep(idx int64) (evidence.Erased, error) {
	o, ok, err := s.tx.Opening(s.ctx, idx)
	if err != nil || !ok {
		return evidence.Erased{}, errors.Join(err, notFound())
	}
	meta, priv, err := o.Decode()
	if err != nil {
		return evidence.Erased{}, err
	}
	if meta.Ev == evidence.ErasureDone {
		return evidence.Erased{}, refuse(Conflicting, "conflict", "entry %d is an erasure: without it nobody knows what is gone", idx)
	}
	ids := map[string]bool{}
	for _, t := range meta.Obl {
		if ids[t.O] {
			continue
		}
		ids[t.O] = true
		if err := s.keepOne(t.O, priv); err != nil {
			return evidence.Erased{}, err
		}
	}
	return evidence.Erased{Idx: idx, To: priv.To}, nil
}

func (s *section) keepOne(id string, priv *evidence.Priv) error {
	o, ok, err := s.tx.Obligation(s.ctx, id)
	if err != nil || !ok {
		return err // what opened it was given up: nothing is known that could be kept
	}
	d, err := s.newDraft(evidence.ObligationKept, evidence.System, id).data(obligation.Keep(o, s.now))
	if err != nil {
		return err
	}
	for _, to := range priv.To {
		d.to = append(d.to, to.Desk)
	}
	_, err = s.record(d)
	return err
}
