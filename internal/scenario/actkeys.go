package scenario

import (
	"context"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/keys/directory"
)

// performKeys does what a step does about officers and keys; done is false if it
// does nothing of the kind.
func (c *cast) performKeys(ctx context.Context, s *Step) (done bool, err error) {
	switch {
	case s.Join != nil:
		return true, c.join(ctx, s.Join)
	case s.Leave != nil:
		return true, c.officers[s.Leave.Who].Leave(ctx)
	case s.Lost != nil:
		return true, c.officers[s.Lost.Who].Replace(ctx)
	case s.Rotate != nil:
		o, desk, err := c.office(ctx, s.Rotate.Who)
		if err == nil {
			_, err = o.Rotate(ctx, desk.ID, s.Rotate.Why)
		}
		return true, err
	case s.Acknowledge != nil:
		o, desk, err := c.office(ctx, s.Acknowledge.Who)
		if err == nil {
			err = o.Acknowledge(ctx, desk.ID)
		}
		return true, err
	case s.Cheat != nil:
		return true, c.operator.cheat(s.Cheat.What)
	case s.Steal != nil:
		c.stolen[s.Steal.As], err = c.officers[s.Steal.From].Copy()
		return true, err
	}
	return false, nil
}

// join enrols a new officer, whom the actor is from then on.
func (c *cast) join(ctx context.Context, j *Join) (err error) {
	roles := j.Roles
	if len(roles) == 0 {
		roles = []string{directory.Roles[0]}
	}
	c.officers[j.Who], err = c.desks[j.Who].Enrol(ctx, roles...)
	return err
}

// officerOf is the officer an actor is, nil while she has not joined.
func (a *Actor) officerOf(d *demo.Desk) *demo.Officer {
	if a.Joins {
		return nil
	}
	return d.Officers[max(a.Officer, 1)-1]
}
