package api

import (
	_ "embed"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// log is the tree the path begins with.
func (c *call) log() ledger.Log {
	if strings.HasPrefix(c.route.path, "/"+string(wire.Dir)+"/") {
		return ledger.Dir
	}
	return ledger.Ev
}

func getConsistency(c *call) error {
	if !c.query.Has("from") || !c.query.Has("to") {
		return malformed("from or to is absent from the query")
	}
	from, err := c.queryNumber("from", 0, maxNumber, 0)
	if err != nil {
		return err
	}
	to, err := c.queryNumber("to", 0, maxNumber, 0)
	if err != nil {
		return err
	}
	hashes, err := c.x.Consistency(c.ctx, c.log(), from, to)
	if err != nil {
		return err
	}
	answer := wire.Consistency{Proof: make([][]byte, 0, len(hashes)), V: wire.V}
	for _, h := range hashes {
		answer.Proof = append(answer.Proof, h[:])
	}
	return c.json(answer)
}

func getEntries(c *call) error {
	from, err := c.queryNumber("from", 0, maxNumber, 0)
	if err != nil {
		return err
	}
	limit, err := c.limit()
	if err != nil {
		return err
	}
	leaves, err := c.x.DirectoryEntries(c.ctx, from, limit)
	if err != nil {
		return err
	}
	if leaves == nil {
		leaves = [][]byte{}
	}
	return c.json(wire.Entries{Entries: leaves, V: wire.V})
}

func getStatus(c *call) error {
	s := c.x.Status()
	return c.json(wire.Status{Demo: s.Demo, Genesis: s.Genesis, Host: s.Host, Now: s.Now, Quorum: s.Quorum, V: wire.V})
}

//go:embed openapi.json
var openAPI []byte

func getOpenAPI(c *call) error { return c.blob(wire.JSON, openAPI) }

// getHealth says whether the store answers. However many ask, they share a look.
func getHealth(c *call) error {
	if c.x.Follow(c.ctx) != nil {
		return &exchange.Refusal{Class: exchange.Unavailable, Code: "store", Detail: "the store does not answer"}
	}
	return c.blob(wire.Text, []byte("ok\n"))
}
