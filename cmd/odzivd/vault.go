package main

import (
	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
)

// vaultFlags say which Vault, and how the server logs in there.
type vaultFlags struct {
	address, ca, roleID, secretID, role, approle, token, transit, kv string
}

func (v *vaultFlags) add(cmd *cobra.Command) {
	for name, flag := range map[string]struct {
		to   *string
		help string
	}{
		"vault":             {&v.address, "address of the operator's Vault, https://host:8200"},
		"vault-ca":          {&v.ca, "file of the certificates that vouch for Vault's (default: the system's)"},
		"vault-role-id":     {&v.roleID, "file of the server's role id"},
		"vault-secret-id":   {&v.secretID, "file of a wrapped secret id, which a login uses up; a second one beside it, named .reserve, is for the night"},
		"vault-role":        {&v.role, "name of the role that the secret id must be of (default: any)"},
		"vault-approle":     {&v.approle, "mount of the AppRole method (default: approle)"},
		"vault-agent-token": {&v.token, "file of a token that a Vault agent keeps alive, instead of role id and secret id"},
		"vault-transit":     {&v.transit, "mount of the transit engine (default: transit)"},
		"vault-kv":          {&v.kv, "mount of the key-value store, version 2 (default: kv)"},
	} {
		cmd.Flags().StringVar(flag.to, name, "", flag.help)
	}
}

// access is what the flags say, nil if they name no Vault.
func (v *vaultFlags) access(home *server.Home) (*server.VaultAccess, error) {
	if v.address == "" {
		if *v != (vaultFlags{}) {
			return nil, cli.UsageError("--vault takes the address of the Vault that the other flags speak of")
		}
		return nil, nil
	}
	if (v.token == "") == (v.roleID == "" || v.secretID == "") {
		return nil, cli.UsageError("give --vault-role-id and --vault-secret-id, or else --vault-agent-token: the server logs in with them")
	}
	a := &server.VaultAccess{Address: v.address, Role: v.role, AppRole: v.approle, Transit: v.transit, KV: v.kv}
	for _, file := range []struct {
		to   *string
		name string
	}{{&a.CA, v.ca}, {&a.RoleID, v.roleID}, {&a.SecretID, v.secretID}, {&a.Token, v.token}} {
		name, err := home.FileNamed(file.name)
		if err != nil {
			return nil, err
		}
		*file.to = name
	}
	return a, nil
}
