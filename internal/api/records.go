package api

import (
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
)

func putStatement(c *call) error {
	id, err := c.id("x", statement.Other)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	item, err := c.x.SubmitStatement(c.ctx, c.caller, id, body)
	if err != nil {
		return err
	}
	return c.json(item)
}

// maxVersion bounds the versions of a consent in a path.
const maxVersion = 1_000_000

func putConsent(c *call) error {
	id, err := c.id("k", statement.Consent)
	if err != nil {
		return err
	}
	ver, err := c.number("ver", 1, maxVersion)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	item, err := c.x.SubmitConsent(c.ctx, c.caller, id, int(ver), body)
	if err != nil {
		return err
	}
	return c.json(item)
}

func putDirectory(c *call) error {
	digest, err := c.hash("sha256")
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	entry, err := c.x.SubmitDirectory(c.ctx, c.caller, digest, body)
	if err != nil {
		return err
	}
	return c.json(wire.Entry(entry))
}

func putPending(c *call) error {
	digest, err := c.hash("sha256")
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	answer, err := c.x.PutPending(c.ctx, c.caller, digest, body)
	if err != nil {
		return err
	}
	return c.json(wire.PendingAnswer{Complete: answer.Complete, Entry: (*wire.Entry)(answer.Entry),
		Item: answer.Item, Signed: answer.Signed, V: wire.V})
}

func getPendings(c *call) error {
	desk := ""
	if c.query.Has("desk") {
		var err error
		if desk, err = c.queryID("desk", statement.Desk); err != nil {
			return err
		}
	}
	waiting, err := c.x.PendingFor(c.ctx, c.caller, desk)
	if err != nil {
		return err
	}
	list := wire.Pendings{Pending: make([]wire.Pending, 0, len(waiting)), V: wire.V}
	for _, p := range waiting {
		list.Pending = append(list.Pending, wire.Pending(p))
	}
	return c.json(list)
}
