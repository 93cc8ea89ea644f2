package api

import (
	"bytes"
	"encoding/json"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
)

func getHoles(c *call) error {
	after, err := c.queryNumber("after", -1, maxNumber, -1)
	if err != nil {
		return err
	}
	limit, err := c.limit()
	if err != nil {
		return err
	}
	holes, err := c.x.Holes(c.ctx, c.caller, after, limit)
	if err != nil {
		return err
	}
	return c.json(wire.Holes{Holes: holes, V: wire.V})
}

func putOpening(c *call) error {
	idx, err := c.number("idx", 0, maxNumber)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	item, err := readItem(body)
	if err != nil {
		return err
	}
	if item.Idx != idx {
		return malformed("the path does not name this opening's entry")
	}
	if err := c.x.Reopen(c.ctx, c.caller, item); err != nil {
		return err
	}
	return c.done()
}

// readItem reads an item in the one spelling that feeds have.
func readItem(body []byte) (item evidence.Item, err error) {
	if json.Unmarshal(body, &item) != nil {
		return item, malformed("the body is no item of a feed")
	}
	if again, err := wire.Encode(item); err != nil || !bytes.Equal(again, body) {
		return item, malformed("the body is not spelled as an item of a feed")
	}
	return item, nil
}
