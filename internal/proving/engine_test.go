package proving

import (
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
)

// engine is a database that an exchange can stand on.
type engine struct {
	name string
	// database names a new database of this engine, "" for one in the world's
	// folder.
	database func(t *testing.T) string
}

var engines = []engine{
	{"sqlite", func(*testing.T) string { return "" }},
	{"postgres", func(t *testing.T) string { return pgtest.Shared(t).Database(t) }},
}

// place puts a world on a new database, in memory: for tests whose subject is
// order, not durability.
func (e engine) place(t *testing.T) func(*demo.Options) {
	db := e.database(t)
	return func(o *demo.Options) { o.Dir, o.DB = memoryDir(t), db }
}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}
