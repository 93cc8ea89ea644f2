package deploy

import (
	"path/filepath"
	"strings"
	"testing"
)

// With the policies of this folder a small exchange moves its keys into Vault and
// back: the person with odziv-setup imports, the server's own login does the rest,
// and neither needs more.
func TestKeysMoveUnderThesePolicies(t *testing.T) {
	s := operatorVault(t, "--without-keys")
	m := newMachine(t)
	dir, odzivd := m.path("var/lib/odziv"), filepath.Join(tools(t), "odzivd")
	begin(t, dir)
	mkdir(t, filepath.Join(dir, "vault"))
	setup, roleID, secretID := m.path("setup.token"), filepath.Join(dir, "vault/role-id"), filepath.Join(dir, "vault/secret-id")
	write(t, setup, token(t, s, "odziv-setup"))
	write(t, roleID, s.Call(t, "GET", "auth/approle/role/odziv/role-id", nil)["data"].(map[string]any)["role_id"].(string))
	serve := func() {
		t.Helper()
		server := m.serve("odzivd.service")
		until(t, "doctor", func() error {
			env, words := m.command("odzivd-doctor.service")
			_, err := try(env, words[0], words[1:]...)
			return err
		})
		if err := server.end(); err != nil {
			t.Error(err)
		}
	}
	serve()
	deliver(t, s, filepath.Join(dir, "vault"))
	run(t, nil, odzivd, "keys", "move", "--dir", dir, "--to", "vault", "--vault", s.Address, "--vault-role", "odziv",
		"--vault-role-id", roleID, "--vault-secret-id", secretID, "--vault-token", setup)
	script(t, s, true, "apply.sh", "operator", "--check") // what was imported is as sound as what is made
	deliver(t, s, filepath.Join(dir, "vault"))
	serve()
	run(t, nil, odzivd, "fsck", "--dir", dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "keys", "*")); len(left) != 0 {
		t.Errorf("keys in files: %s", strings.Join(left, " "))
	}
	deliver(t, s, filepath.Join(dir, "vault"))
	run(t, nil, odzivd, "keys", "move", "--dir", dir, "--to", "file")
	serve()
	run(t, nil, odzivd, "fsck", "--dir", dir)
}
