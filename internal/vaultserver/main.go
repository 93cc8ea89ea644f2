// Vaultserver is HashiCorp's Vault, the server and its command, for tests: a
// module of its own, so that none of it enters the product. build.sh builds it.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
