package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/vaulttest"
)

// TestVaultScripts runs the program as an operator with a Vault does, each script
// with a real one of its own, prepared and supplied by the scripts of deploy/vault.
// Beside the commands of [TestScripts] a script has
//
//	prepare FLAG…     deploy/vault/apply.sh operator; the role id goes to role-id
//	deliver DIR       deploy/vault/deliver.sh: a wrapped secret id, and one in reserve
//	token POLICY      a token of a policy, in the file POLICY.token
//	vault ARG…        the vault command, as root
//	seal, unseal      the Vault
//	seen DIR STATE    wait until a server has written down what it sees of Vault
//	keyless FILE…     no file holds a key of a folder, or a token
func TestVaultScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/vault/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	template := sync.OnceValues(func() (string, error) {
		dir := filepath.Join(t.TempDir(), "world")
		return filepath.Join(dir, "server"), found(dir)
	})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			v := vaulttest.Dev(t)
			p := scripts(template)
			p.Files = []string{file}
			setup := p.Setup
			p.Setup = func(env *testscript.Env) error {
				env.Setenv("VAULT", v.Address)
				return setup(env)
			}
			maps.Copy(p.Cmds, vaultCommands(t, v))
			t.Run("script", func(t *testing.T) { testscript.Run(t, p) }) // it is parallel: the Vault outlives it
		})
	}
}

func vaultCommands(t *testing.T, v *vaulttest.Server) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	run := func(ts *testscript.TestScript, script string, args ...string) string {
		path, err := filepath.Abs("../../deploy/vault/" + script)
		ts.Check(err)
		cmd := exec.Command("bash", append([]string{path}, args...)...)
		cmd.Env = v.Env()
		out, err := cmd.CombinedOutput()
		if err != nil {
			ts.Fatalf("%s: %v\n%s", script, err, out)
		}
		ts.Logf("%s", out)
		return string(out)
	}
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"prepare": func(ts *testscript.TestScript, _ bool, args []string) {
			run(ts, "apply.sh", append([]string{"operator", "--cidr", "127.0.0.1/32"}, args...)...)
			id := v.Command(t, "read", "-field=role_id", "auth/approle/role/odziv/role-id")
			ts.Check(os.WriteFile(ts.MkAbs("role-id"), []byte(id), 0o600))
		},
		"deliver": func(ts *testscript.TestScript, _ bool, args []string) {
			run(ts, "deliver.sh", "--to", ts.MkAbs(args[0]))
		},
		"token": func(ts *testscript.TestScript, _ bool, args []string) {
			token := v.Command(t, "token", "create", "-no-default-policy", "-policy="+args[0], "-field=token")
			ts.Check(os.WriteFile(ts.MkAbs(args[0]+".token"), []byte(token), 0o600))
		},
		"vault":   func(ts *testscript.TestScript, _ bool, args []string) { v.Command(t, args...) },
		"seal":    func(*testscript.TestScript, bool, []string) { v.Seal(t) },
		"unseal":  func(*testscript.TestScript, bool, []string) { v.Unseal(t) },
		"seen":    seen,
		"keyless": keyless,
	}
}

func seen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: seen DIR STATE")
	}
	home, err := server.OpenHome(ts.MkAbs(args[0]))
	ts.Check(err)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s, err := home.KeyState()
		ts.Check(err)
		if s != nil && s.Why == args[1] {
			return
		}
	}
	ts.Fatalf("no server saw that Vault is %s", args[1])
}

// keyless looks for the keys of every folder of the script in what was printed.
func keyless(ts *testscript.TestScript, neg bool, args []string) {
	var secrets []string
	for _, pattern := range []string{"*/keys*/*", "*.token"} {
		names, err := filepath.Glob(filepath.Join(ts.MkAbs("."), pattern))
		ts.Check(err)
		for _, name := range names {
			data, err := os.ReadFile(name)
			ts.Check(err)
			secrets = append(secrets, string(bytes.TrimSpace(data)), fmt.Sprintf("%x", data))
		}
	}
	if neg || len(args) == 0 || len(secrets) == 0 {
		ts.Fatalf("usage: keyless FILE…, where there are keys")
	}
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, s := range append(secrets, "hvs.", "hvb.") {
			if strings.Contains(text, s) {
				ts.Fatalf("%s holds a secret", name)
			}
		}
	}
}
