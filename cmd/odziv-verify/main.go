// Odziv-verify verifies offline what an exchange of Odziv gave out.
package main

import (
	"os"
	"runtime/debug"

	"github.com/odziv/odziv/internal/cli"
)

// memoryLimit is where the program begins to collect garbage harder, in bytes: a
// bundle of a million entries must be verified within 256 MiB.
const memoryLimit = 192 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	os.Exit(run())
}

// run is the program; its exit code is the worst of the files'.
func run() int {
	p := &program{}
	if code := cli.Run(p.command(), nil); code != cli.OK {
		return code
	}
	return p.exit
}
