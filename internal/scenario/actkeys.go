package scenario

import (
	"context"
	"fmt"

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
	case s.Share != nil:
		return true, c.share(ctx, s.Share)
	case s.Accept != nil:
		return true, c.accept(ctx, s.Accept.Who)
	case s.Custodians != nil:
		return true, c.nameCustodians(ctx, s.Custodians)
	case s.Ask != nil:
		return true, c.ask(ctx, s.Ask)
	case s.Decline != nil:
		return true, c.decline(ctx, s.Decline)
	case s.Recover != nil:
		return true, c.recover(ctx, s.Recover)
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

// share hands earlier keys on; the colleague's program takes them.
func (c *cast) share(ctx context.Context, s *Share) error {
	o, desk, err := c.office(ctx, s.Who)
	if err != nil {
		return err
	}
	if _, err := o.ShareEpochs(ctx, desk.ID, c.f.pack.Family, c.officers[s.To].ID, nil); err != nil {
		return err
	}
	colleague, _, err := c.office(ctx, s.To)
	if err != nil {
		return err
	}
	taken, err := colleague.TakeShares(ctx, desk.ID)
	if err == nil && len(taken) == 0 {
		err = fmt.Errorf("%s took no key", s.To)
	}
	return err
}

// accept looks at every change that the actor's program warns of.
func (c *cast) accept(ctx context.Context, actor string) error {
	o, _, err := c.office(ctx, actor)
	if err != nil {
		return err
	}
	if err := o.Sync(ctx); err != nil {
		return err
	}
	var entries []int64
	for _, change := range o.Unexpected("") {
		entries = append(entries, change.Idx)
	}
	_, err = o.Accept(entries...)
	return err
}
