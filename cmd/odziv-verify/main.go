// Odziv-verify verifies offline what an exchange of Odziv gave out.
package main

import (
	"os"

	"github.com/odziv/odziv/internal/cli"
)

func main() { os.Exit(run()) }

// run is the program; its exit code is the worst of the files'.
func run() int {
	p := &program{}
	if code := cli.Run(p.command(), nil); code != cli.OK {
		return code
	}
	return p.exit
}
