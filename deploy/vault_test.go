package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
)

// script runs one of the scripts of deploy/vault as root of a Vault, and wants it
// to end well or not.
func script(t *testing.T, s *vaulttest.Server, wantOK bool, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{filepath.Join("vault", name)}, args...)...)
	cmd.Env = s.Env()
	out, err := cmd.CombinedOutput()
	if (err == nil) != wantOK {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

const here = "127.0.0.1/32"

// operatorVault is a Vault that apply.sh has set up for an exchange on this machine.
func operatorVault(t *testing.T, args ...string) *vaulttest.Server {
	t.Helper()
	s := vaulttest.Dev(t)
	script(t, s, true, "apply.sh", append([]string{"operator", "--cidr", here}, args...)...)
	return s
}

// token is one with a single policy and nothing else.
func token(t *testing.T, s *vaulttest.Server, policy string) string {
	t.Helper()
	answer := s.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{policy}, "no_default_policy": true, "no_parent": true})
	return answer["auth"].(map[string]any)["client_token"].(string)
}

// ask is CallAs with a wish that the answer be wrapped.
func ask(t *testing.T, s *vaulttest.Server, token, method, path, wrap string, body any) (int, map[string]any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.Address+"/v1/"+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", token)
	r.Header.Set("X-Vault-Request", "true")
	if wrap != "" {
		r.Header.Set("X-Vault-Wrap-TTL", wrap)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := map[string]any{}
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer
}

// What a policy permits at a path is bounded in what may be asked there.
func TestRightsAreBounded(t *testing.T) {
	s := operatorVault(t, "--without-keys")
	setup, signer, breakglass, deliver := token(t, s, "odziv-setup"), token(t, s, "odziv-signer"), token(t, s, "odziv-breakglass"), token(t, s, "odziv-deliver")
	try := func(want int, token, path string, body map[string]any) {
		t.Helper()
		if status, answer := ask(t, s, token, "POST", path, "", body); status/100 != want/100 {
			t.Errorf("%s %v: %d %v, want %d", path, body, status, answer["errors"], want)
		}
	}
	for _, key := range []string{"ckpt-dir", "ckpt-ev", "period"} {
		path, right, wrong := "transit/keys/"+key, "ed25519", "aes256-gcm96"
		if key == "period" {
			right, wrong = wrong, right
		}
		try(403, setup, path, map[string]any{"type": wrong})
		for _, weak := range []string{"exportable", "allow_plaintext_backup"} {
			for _, yes := range []any{true, "true", 1, "1"} {
				try(403, setup, path, map[string]any{"type": right, weak: yes})
				if key != "period" {
					try(403, setup, path+"/import", map[string]any{"type": right, "ciphertext": "AA==", weak: yes})
				}
			}
		}
		try(403, setup, path, map[string]any{"type": right, "derived": true})
		if status, answer := s.CallAs(t, s.RootToken, "GET", path, nil); status != 404 {
			t.Fatalf("%s was made: %v", path, answer)
		}
		try(200, setup, path, map[string]any{"type": right, "exportable": false, "allow_plaintext_backup": false})
		made := fmt.Sprint(s.Call(t, "GET", path, nil)["data"])
		try(200, setup, path, map[string]any{"type": right})
		if again := fmt.Sprint(s.Call(t, "GET", path, nil)["data"]); again != made {
			t.Errorf("%s was changed: %s, %s", path, made, again)
		}
		for _, weak := range []string{"exportable", "allow_plaintext_backup", "deletion_allowed"} {
			try(403, breakglass, path+"/config", map[string]any{weak: true})
		}
	}
	for _, log := range []string{"dir", "ev"} {
		try(403, signer, "kv/metadata/odziv/last-checkpoint/"+log, map[string]any{"cas_required": false})
		try(403, signer, "kv/metadata/odziv/last-checkpoint/"+log, map[string]any{"delete_version_after": "1s"})
		try(400, signer, "kv/data/odziv/last-checkpoint/"+log, map[string]any{"data": map[string]string{"note": "x"}})
		try(200, signer, "kv/data/odziv/last-checkpoint/"+log, map[string]any{"data": map[string]string{"note": "x"}, "options": map[string]int{"cas": 0}})
		try(400, signer, "kv/data/odziv/last-checkpoint/"+log, map[string]any{"data": map[string]string{"note": "y"}, "options": map[string]int{"cas": 0}})
	}
	for wrap, want := range map[string]int{"": 403, "10m": 403, "1h": 200, "72h": 200, "100h": 403} {
		if status, _ := ask(t, s, deliver, "POST", "auth/approle/role/odziv/secret-id", wrap, nil); status != want {
			t.Errorf("a secret id wrapped for %q: %d, want %d", wrap, status, want)
		}
	}
	for _, body := range []map[string]any{{"num_uses": 0}, {"ttl": "8760h"}, {"cidr_list": "0.0.0.0/0"}, {"token_bound_cidrs": "0.0.0.0/0"}} {
		if status, _ := ask(t, s, deliver, "POST", "auth/approle/role/odziv/secret-id", "2h", body); status != 403 {
			t.Errorf("a secret id with %v: %d", body, status)
		}
	}
}

// A second run finds nothing to do; what is weaker than it must be is refused, and
// nothing is changed on the way.
func TestApplyTwiceAndWeakened(t *testing.T) {
	s := vaulttest.Dev(t)
	script(t, s, false, "apply.sh", "operator")
	for _, everybody := range []string{"0.0.0.0/0", "::/0", "127.0.0.1/32,0.0.0.0/0"} {
		script(t, s, false, "apply.sh", "operator", "--cidr", everybody)
	}
	if out := script(t, s, false, "apply.sh", "operator", "--check"); !strings.Contains(out, "missing: mount transit") {
		t.Errorf("--check of an empty Vault:\n%s", out)
	}
	if status, _ := s.CallAs(t, s.RootToken, "GET", "sys/mounts/transit", nil); status/100 == 2 {
		t.Error("--check changed something")
	}
	operator := []string{"operator", "--cidr", "::1/128," + here + ",192.0.2.0/24"}
	script(t, s, true, "apply.sh", operator...)
	again := func(when string) {
		t.Helper()
		if out := script(t, s, true, "apply.sh", operator...); !strings.Contains(out, "nothing to do") {
			t.Errorf("%s:\n%s", when, out)
		}
	}
	again("the second run")
	if out := script(t, s, true, "apply.sh", "operator", "--check"); !strings.Contains(out, "nothing to do") {
		t.Errorf("--check finds something: %s", out)
	}

	refused := func(run []string, what ...string) {
		t.Helper()
		out := script(t, s, false, "apply.sh", run...)
		for _, w := range what {
			if !strings.Contains(out, w) {
				t.Errorf("%s is not told:\n%s", w, out)
			}
		}
	}
	s.Call(t, "POST", "sys/policies/acl/odziv-api", map[string]any{"policy": `path "transit/*" { capabilities = ["update"] }`})
	s.Call(t, "POST", "auth/approle/role/odziv", map[string]any{"token_policies": "odziv-api,odziv-signer,odziv-breakglass", "secret_id_num_uses": 0,
		"token_bound_cidrs": "0.0.0.0/0", "token_no_default_policy": false, "token_period": "720h"})
	s.Call(t, "POST", "kv/metadata/odziv/last-checkpoint/dir", map[string]any{"cas_required": false})
	weak := []string{"secret_id_num_uses is 0", "token_policies is ", "token_bound_cidrs is ", "token_no_default_policy is false", "token_period is "}
	refused(operator, "policy odziv-api")
	refused(append(operator, "--check"), append(weak, "differs: policy odziv-api", "missing: last checkpoint of dir")...)
	script(t, s, true, "apply.sh", append(operator, "--replace")...)
	again("after --replace")

	s.Call(t, "POST", "transit/keys/ckpt-dir/config", map[string]any{"deletion_allowed": true})
	refused(append(operator, "--replace"), "deletion_allowed = true")
	s.Call(t, "POST", "transit/keys/ckpt-dir/config", map[string]any{"deletion_allowed": false, "exportable": true})
	refused(operator, "exportable = true")
}

// The scripts beside apply.sh, each on what the one before left.
func TestVaultScripts(t *testing.T) {
	s := operatorVault(t)
	t.Run("without rights", func(t *testing.T) { refusesWithoutRights(t, s) })
	t.Run("deliver", func(t *testing.T) { delivers(t, s) })
	t.Run("deliver to another account", func(t *testing.T) { deliversToAnotherAccount(t, s) })
	t.Run("audit", func(t *testing.T) { audits(t, s) })
}

// A token that may too little, and a Vault that does not answer, are told apart from
// a Vault with nothing in it.
func refusesWithoutRights(t *testing.T, s *vaulttest.Server) {
	for name, env := range map[string][]string{
		"a token of nobody's":   append(s.Env(), "VAULT_TOKEN=hvs.nobody"),
		"a token with too few":  append(s.Env(), "VAULT_TOKEN="+token(t, s, "odziv-signer")),
		"a Vault that is away":  append(s.Env(), "VAULT_ADDR=http://127.0.0.1:1", "VAULT_MAX_RETRIES=0"),
		"no vault command here": append(s.Env(), "PATH=/usr/bin:/bin"),
	} {
		cmd := exec.Command("bash", "vault/apply.sh", "operator", "--cidr", here)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "apply.sh: error: ") || !strings.Contains(string(out), "apply.sh: hint: ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The audit file is on once, and never in clear.
func audits(t *testing.T, s *vaulttest.Server) {
	file := filepath.Join(t.TempDir(), "audit.log")
	script(t, s, true, "audit.sh", file)
	if out := script(t, s, true, "audit.sh", file); !strings.Contains(out, "nothing to do") {
		t.Error(out)
	}
	script(t, s, false, "audit.sh", file+".other")
	secret := "c2VjcmV0LWluLWNsZWFy"
	s.Call(t, "POST", "transit/encrypt/period", map[string]any{"plaintext": secret})
	data, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(data, []byte("transit/encrypt/period")) || bytes.Contains(data, []byte(secret)) {
		t.Errorf("%v: the request is missing, or in clear:\n%s", err, data)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

// deliver.sh brings two files, each to be opened once; leaves fresh ones alone;
// replaces old ones and links.
func delivers(t *testing.T, s *vaulttest.Server) {
	to := filepath.Join(t.TempDir(), "vault")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	tokenFile := filepath.Join(t.TempDir(), "token")
	write(t, tokenFile, token(t, s, "odziv-deliver"))
	run := func() string {
		t.Helper()
		cmd := exec.Command("bash", "vault/deliver.sh", "--to", to)
		cmd.Env = append(s.Env(), "VAULT_TOKEN=", "ODZIV_DELIVER_TOKEN_FILE="+tokenFile)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	run()
	first, reserve := filepath.Join(to, "secret-id"), filepath.Join(to, "secret-id.reserve")
	for _, name := range []string{first, reserve} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", st, err)
		}
	}
	had := read(t, reserve)
	if out := run(); out != "" {
		t.Errorf("fresh files are replaced: %s", out)
	}
	login := func(file string) (int, map[string]any) {
		status, answer := ask(t, s, strings.TrimSpace(read(t, file)), "POST", "sys/wrapping/unwrap", "", nil)
		if status != 200 {
			return status, answer
		}
		id := s.Call(t, "GET", "auth/approle/role/odziv/role-id", nil)["data"].(map[string]any)["role_id"]
		return ask(t, s, "", "POST", "auth/approle/login", "", map[string]any{"role_id": id, "secret_id": answer["data"].(map[string]any)["secret_id"]})
	}
	status, answer := login(first)
	auth, _ := answer["auth"].(map[string]any)
	if status != 200 || fmt.Sprint(auth["policies"]) != "[odziv-api odziv-signer]" || auth["lease_duration"] != float64(1200) {
		t.Fatalf("login: %d %v", status, answer)
	}
	if status, _ := login(first); status/100 == 2 {
		t.Error("a wrapped secret id opens twice")
	}
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	if out := run(); !strings.Contains(out, first+" is fresh") || read(t, reserve) != had {
		t.Errorf("the missing one is not brought, or the other is: %s", out)
	}
	if out, err := exec.Command("touch", "-d", "37 hours ago", reserve).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	if run(); read(t, reserve) == had {
		t.Error("one past half of its time stays")
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if write(t, elsewhere, "x"); os.Remove(first) != nil || os.Symlink(elsewhere, first) != nil {
		t.Fatal("no link")
	}
	if run(); read(t, elsewhere) != "x" || len(read(t, first)) < 20 {
		t.Error("a link is followed")
	}
}

// As root, the files are written as the account that owns the folder.
func deliversToAnotherAccount(t *testing.T, s *vaulttest.Server) {
	if os.Geteuid() != 0 {
		t.Fatal("hint: run as root: only root delivers to another account")
	}
	to, err := os.MkdirTemp("/tmp", "odziv-deliver-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(to)
	if out, err := exec.Command("chown", "nobody", to).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
	// With no more of root's rights than the unit leaves it.
	if !strings.Contains(read(t, "systemd/odziv-deliver.service"), "\nCapabilityBoundingSet=CAP_SETUID CAP_SETGID\n") {
		t.Error("the unit leaves it others")
	}
	cmd := exec.Command("setpriv", "--bounding-set=-all,+setuid,+setgid", "--inh-caps=-all", "--no-new-privs", "bash", "vault/deliver.sh", "--to", to, "--owner", "nobody")
	cmd.Env = append(s.Env(), "VAULT_TOKEN="+token(t, s, "odziv-deliver"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("stat", "-c", "%U %a", filepath.Join(to, "secret-id"), filepath.Join(to, "secret-id.reserve")).Output()
	if err != nil || string(out) != "nobody 600\nnobody 600\n" {
		t.Errorf("%v %s", err, out)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
