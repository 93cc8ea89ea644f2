package api

import (
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/statement"
)

// maxEpochs bounds the number of an epoch in a path.
const maxEpochs = 99_999

func getEscrow(c *call) error {
	desk, err := c.id("d", statement.Desk)
	if err != nil {
		return err
	}
	from, err := c.queryNumber("from", -1, maxNumber, -1)
	if err != nil {
		return err
	}
	page, err := c.x.Escrow(c.ctx, c.caller, desk, from)
	if err != nil {
		return err
	}
	return c.json(wire.Escrow(page))
}

func getEscrowFile(c *call) error {
	desk, err := c.id("d", statement.Desk)
	if err != nil {
		return err
	}
	epoch, err := c.number("e", 1, maxEpochs)
	if err != nil {
		return err
	}
	digest, err := c.hash("sha256")
	if err != nil {
		return err
	}
	data, err := c.x.EscrowFile(c.ctx, c.caller, desk, epoch, digest)
	if err != nil {
		return err
	}
	return c.blob(wire.Bytes, data)
}
