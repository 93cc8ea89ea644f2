package proving

import (
	"os"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// engine is a database that an exchange can stand on.
type engine struct {
	name string
	// place gives a world a new database of this engine, without waiting for a
	// disk: for tests whose subject is order, not durability.
	place func(t *testing.T) func(*demo.Options)
}

var engines = []engine{
	{"sqlite", func(t *testing.T) func(*demo.Options) {
		return func(o *demo.Options) { o.Dir = memoryDir(t) }
	}},
	{"postgres", func(t *testing.T) func(*demo.Options) {
		dsn := pgtest.Shared(t).Database(t)
		return func(o *demo.Options) { o.Dir, o.DB = memoryDir(t), dsn }
	}},
}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}
