package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/vaulttest"
)

// The program that scripts run is this test program: where a script says so, it
// is killed after a step of a move.
func init() {
	if step := os.Getenv("ODZIV_TEST_KILL_AFTER"); step != "" {
		afterStep = func(done string) {
			if done == step {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
}

// vaults gives scripts an institution's Vault.
type vaults struct{ t *testing.T }

// command: "vault start NAME…" starts one with officers, at $VAULT_URL, and writes
// the token of each to NAME.token; "vault seal", "vault unseal"; "vault METHOD PATH
// [JSON]" asks as root.
func (v *vaults) command() func(ts *testscript.TestScript, neg bool, args []string) {
	servers := map[string]*vaulttest.Server{}
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: vault start|seal|unseal|METHOD …")
		}
		s := servers[ts.Getenv("VAULT_URL")]
		switch {
		case args[0] == "start":
			s = vaulttest.Dev(v.t)
			servers[s.Address] = s
			ts.Setenv("VAULT_URL", s.Address)
			v.found(ts, s, args[1:])
		case s == nil:
			ts.Fatalf("vault start comes first")
		case args[0] == "seal":
			s.Seal(v.t)
		case args[0] == "unseal":
			s.Unseal(v.t)
		default:
			var body any
			if len(args) > 2 {
				ts.Check(json.Unmarshal([]byte(args[2]), &body))
			}
			answer, err := json.Marshal(s.Call(v.t, args[0], args[1], body))
			ts.Check(err)
			ts.Stdout().Write(append(answer, '\n'))
		}
	}
}

// found makes what deploy/vault makes in an institution's Vault.
func (v *vaults) found(ts *testscript.TestScript, s *vaulttest.Server, officers []string) {
	policy, err := os.ReadFile(filepath.Join(ts.Getenv("REPOSITORY"), "deploy", "vault", "institution-officer.hcl"))
	ts.Check(err)
	s.Call(v.t, "POST", "sys/mounts/transit-odziv", map[string]any{"type": "transit"})
	s.Call(v.t, "POST", "sys/mounts/kv-odziv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.Call(v.t, "POST", "sys/auth/userpass", map[string]any{"type": "userpass"})
	s.Call(v.t, "PUT", "sys/policies/acl/officer", map[string]any{"policy": string(policy)})
	for _, name := range officers {
		s.Call(v.t, "POST", "auth/userpass/users/"+name, map[string]any{"password": passphrase, "token_policies": "officer", "token_no_default_policy": true})
		status, answer := s.CallAs(v.t, "", "POST", "auth/userpass/login/"+name, map[string]any{"password": passphrase})
		if status != 200 {
			ts.Fatalf("%s cannot log in: %v", name, answer)
		}
		auth := answer["auth"].(map[string]any)
		ts.Setenv(strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_KEY", "officer-"+auth["entity_id"].(string))
		ts.Check(os.WriteFile(ts.MkAbs(name+".token"), []byte(auth["client_token"].(string)+"\n"), 0o600))
	}
}
