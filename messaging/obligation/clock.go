package obligation

import (
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
)

// RightClock is a term that runs for a person, not against an institution:
// until when they may object. It depends on evidence: eight days from receipt,
// say, or three months from the decision as long as they were never informed.
type RightClock struct {
	Code       string `json:"code"`
	Obligation string `json:"obligation"` // the duty to inform them
	Person     string `json:"person"`
	Case       string `json:"case,omitempty"`
	Kind       string `json:"kind"`
	Occurred   int64  `json:"occurred,omitempty"`
	Informed   bool   `json:"informed"`
	Attested   bool   `json:"attested,omitempty"`  // that they were informed rests on an attestation
	Estimated  bool   `json:"estimated,omitempty"` // the decision's own time is not on record
	Start      int64  `json:"start"`
	Due        int64  `json:"due"`   // first instant that is too late
	Limit      int64  `json:"limit"` // when the term of one never informed is over
	Over       bool   `json:"over"`
	Steps      []Step `json:"steps"`
}

// Clocks tells the clocks of the persons whom these duties inform, at a time.
// The duties may be any; those that no clock of their pack counts, or that
// another desk owes now, are passed over.
func Clocks(world World, dirN int64, duties []Obligation, now int64) ([]RightClock, error) {
	var clocks []RightClock
	for _, o := range duties {
		pack, ok := world.Pack(o.Pack)
		cal := world.Calendar(o.Pack, dirN)
		if !ok || cal == nil || o.Person == "" || o.State == Transferred {
			continue
		}
		for i := range pack.Clocks {
			c := &pack.Clocks[i]
			if c.Rule != o.Rule || !slices.Contains(c.Kinds, o.Kind) {
				continue
			}
			clock, err := clockOf(c, &o, cal, now)
			if err != nil {
				return nil, err
			}
			clocks = append(clocks, clock)
		}
	}
	slices.SortFunc(clocks, func(a, b RightClock) int {
		return strings.Compare(a.Code+" "+a.Obligation, b.Code+" "+b.Obligation)
	})
	return clocks, nil
}

func clockOf(c *rules.Clock, o *Obligation, cal *Calendar, now int64) (RightClock, error) {
	clock := RightClock{Code: c.Code, Obligation: o.ID, Person: o.Person, Case: o.Case, Kind: o.Kind, Occurred: o.Occurred}
	clock.Start = min(o.Occurred, o.OpenedAt)
	if o.Occurred == 0 {
		clock.Start, clock.Estimated = o.OpenedAt, true
	}
	limit, steps, err := cal.Due(c.Never, clock.Start)
	if err != nil {
		return clock, err
	}
	clock.Limit, clock.Due, clock.Steps = limit, limit, steps
	if o.HandedOver > 0 {
		clock.Informed, clock.Estimated, clock.Attested = true, false, o.Served > 0
		clock.Start = o.HandedOver
		if o.Served > 0 {
			clock.Start = o.Served
		}
		if clock.Due, clock.Steps, err = cal.Due(c.Informed, clock.Start); err != nil {
			return clock, err
		}
	}
	clock.Over = now >= clock.Due
	return clock, nil
}
