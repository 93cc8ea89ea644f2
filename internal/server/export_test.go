package server

import "context"

// Interrupted makes a move end after a step, as a kill would.
func (m *Mover) Interrupted(step func(name string) error) { m.step = step }

// CycleInterrupted is [Home.Cycle] with files, which ends after a step.
func (h *Home) CycleInterrupted(ctx context.Context, step func(name string) error) (Cycled, error) {
	return h.cycleFiles(ctx, step)
}
