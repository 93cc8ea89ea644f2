package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// operatorRights is everything in the operator's Vault that anybody could want, and
// who may: r read, u update, c create, d delete, l list. Whoever is not named may
// nothing. c where the thing exists already is refused like u; w is an update whose
// answer is wrapped, and refused otherwise.
const operatorRights = `
transit/keys                              audit=l
transit/keys/ckpt-dir                     signer=r setup=cru breakglass=r audit=r
transit/keys/ckpt-ev                      signer=r setup=cru breakglass=r audit=r
transit/keys/period                       setup=cru breakglass=r audit=r
transit/keys/another
transit/keys/ckpt-dir/rotate              breakglass=u
transit/keys/ckpt-ev/rotate               breakglass=u
transit/keys/period/rotate                breakglass=u
transit/keys/another/rotate
transit/keys/ckpt-dir/config              breakglass=u
transit/keys/ckpt-ev/config               breakglass=u
transit/keys/period/config                breakglass=u
transit/keys/another/config
transit/keys/ckpt-dir/trim                breakglass=u
transit/keys/ckpt-ev/trim                 breakglass=u
transit/keys/period/trim                  breakglass=u
transit/keys/another/trim
transit/keys/ckpt-dir/import              setup=cu
transit/keys/ckpt-ev/import               setup=cu
transit/keys/period/import
transit/keys/ckpt-dir/import_version
transit/wrapping_key                      setup=r
transit/sign/ckpt-dir                     signer=u setup=u
transit/sign/ckpt-ev                      signer=u setup=u
transit/sign/ckpt-dir/sha2-256
transit/sign/period
transit/sign/another
transit/verify/ckpt-dir
transit/hmac/ckpt-dir
transit/encrypt/period                    api=u
transit/decrypt/period                    api=u
transit/encrypt/ckpt-dir
transit/encrypt/another
transit/decrypt/another
transit/rewrap/period
transit/datakey/plaintext/period
transit/export/signing-key/ckpt-dir
transit/export/signing-key/ckpt-ev
transit/export/encryption-key/period
transit/byok-export/ckpt-dir/another
transit/backup/ckpt-dir
transit/backup/period
transit/restore
transit/cache-config
transit/config/keys
kv/config
kv/data/odziv/last-checkpoint/dir         signer=cru
kv/data/odziv/last-checkpoint/ev          signer=cru
kv/data/odziv/last-checkpoint/other
kv/data/odziv/other
kv/data/another
kv/delete/odziv/last-checkpoint/dir
kv/destroy/odziv/last-checkpoint/dir
kv/undelete/odziv/last-checkpoint/dir
kv/metadata
kv/metadata/odziv
kv/metadata/odziv/last-checkpoint         audit=l
kv/metadata/odziv/last-checkpoint/dir     signer=cu audit=r
kv/metadata/odziv/last-checkpoint/ev      signer=cu audit=r
kv/metadata/odziv/last-checkpoint/other
auth/approle/role
auth/approle/role/odziv                   audit=r
auth/approle/role/odziv/role-id
auth/approle/role/odziv/secret-id         deliver=cw
auth/approle/role/odziv/custom-secret-id
auth/approle/role/odziv/policies
auth/approle/role/odziv/secret-id-bound-cidrs
auth/approle/role/odziv/secret-id-accessor/lookup
auth/approle/role/odziv/secret-id-accessor/destroy
auth/approle/role/odziv-api               audit=r
auth/approle/role/odziv-api/secret-id     deliver=cw
auth/approle/role/odziv-signer            audit=r
auth/approle/role/odziv-signer/secret-id  deliver=cw
auth/approle/role/another
auth/approle/role/another/secret-id
auth/token/create
auth/token/create-orphan
auth/token/lookup
auth/token/accessors
auth/token/revoke-accessor
auth/token/lookup-self                    all=r
auth/token/renew-self                     all=u
sys/capabilities-self                     all=u
auth/token/revoke-self                    all=u
sys/policies/acl                          audit=l
sys/policies/acl/odziv-api                audit=r
sys/policies/acl/root                     audit=r
sys/mounts                                audit=r
sys/mounts/transit                        audit=r
sys/mounts/transit/tune
sys/auth                                  audit=r
sys/auth/approle                          audit=r
sys/auth/approle/tune
sys/audit                                 audit=r
sys/audit/odziv
sys/audit-hash/odziv
sys/remount
sys/seal
sys/rotate
sys/raw/core
sys/storage/raft/snapshot
sys/storage/raft/configuration
sys/wrapping/wrap
sys/tools/random
sys/leases/lookup
sys/config/auditing/request-headers
sys/generate-root/attempt2
identity/entity
identity/entity/id
identity/lookup/entity
cubbyhole/x
`

// bodies are what is sent to a path where nothing would be refused as incomplete,
// and so tell nothing of rights. VERSION is the one that a value has.
var bodies = map[string]map[string]any{
	"transit/keys/ckpt-dir":                 {"type": "ed25519"},
	"transit/keys/ckpt-ev":                  {"type": "ed25519"},
	"transit/keys/period":                   {"type": "aes256-gcm96"},
	"transit/sign/ckpt-dir":                 {"input": "AA=="},
	"transit/sign/ckpt-ev":                  {"input": "AA=="},
	"transit/encrypt/period":                {"plaintext": "AA=="},
	"transit/keys/ckpt-dir/config":          {"min_encryption_version": 1},
	"transit/keys/ckpt-ev/config":           {"min_encryption_version": 1},
	"transit/keys/period/config":            {"min_encryption_version": 1},
	"transit/keys/ckpt-dir/trim":            {"min_available_version": 1},
	"transit/keys/ckpt-ev/trim":             {"min_available_version": 1},
	"transit/keys/period/trim":              {"min_available_version": 1},
	"transit/keys/ckpt-dir/import":          {"type": "ed25519", "ciphertext": "AA==", "exportable": false},
	"transit/keys/ckpt-ev/import":           {"type": "ed25519", "ciphertext": "AA==", "exportable": false},
	"kv/data/odziv/last-checkpoint/dir":     {"data": map[string]string{"note": "x"}, "options": map[string]int{"cas": 1}},
	"kv/data/odziv/last-checkpoint/ev":      {"data": map[string]string{"note": "x"}, "options": map[string]int{"cas": 1}},
	"kv/metadata/odziv/last-checkpoint/dir": {"cas_required": true, "max_versions": 10},
	"kv/metadata/odziv/last-checkpoint/ev":  {"cas_required": true, "max_versions": 10},
	"sys/capabilities-self":                 {"paths": []string{"sys/mounts"}},
}

// notOK is what Vault answers to a permitted request that it cannot do.
var notOK = map[string]int{
	"POST transit/keys/ckpt-dir/import": http.StatusInternalServerError, // the key exists
	"POST transit/keys/ckpt-ev/import":  http.StatusInternalServerError,
}

// right is one row of a table of rights.
type right struct {
	path string
	who  map[string]string // letters by policy, without its prefix
}

func rights(t *testing.T, table string) []right {
	t.Helper()
	var rows []right
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		row := right{words[0], map[string]string{}}
		for _, w := range words[1:] {
			who, letters, ok := strings.Cut(w, "=")
			if !ok || strings.Trim(letters, "rucdlw") != "" {
				t.Fatalf("row %q", line)
			}
			row.who[who] = letters
		}
		rows = append(rows, row)
	}
	return rows
}

var letters = map[byte]string{'r': "read", 'u': "update", 'c': "create", 'd': "delete", 'l': "list", 'w': "update"}

// compare holds what Vault says of a token's capabilities, and what it does when
// asked, against a row.
func (row right) compare(t *testing.T, s *vaulttest.Server, token, who string) {
	t.Helper()
	may := row.who[who] + row.who["all"]
	var want []string
	for i := range len(may) {
		want = append(want, letters[may[i]])
	}
	if want == nil {
		want = []string{"deny"}
	}
	answer := s.Call(t, "POST", "sys/capabilities", map[string]any{"token": token, "paths": []string{row.path}})
	var got []string
	for _, c := range answer["capabilities"].([]any) {
		if c != "sudo" { // what reading sys/audit needs besides
			got = append(got, c.(string))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s at %s: capabilities %v, want %v", who, row.path, got, want)
	}
	for _, c := range []struct{ method, letter string }{{"GET", "r"}, {"LIST", "l"}, {"POST", "u"}, {"DELETE", "d"}} {
		var body any
		if c.method == "POST" {
			body = row.body(t, s, token)
		}
		status, answer := ask(t, s, token, c.method, row.path, "", body)
		permitted := strings.Contains(may, c.letter)
		refused := status == http.StatusForbidden || status == http.StatusMethodNotAllowed || strings.HasSuffix(row.path, "/") && status == http.StatusBadRequest
		if refused == permitted {
			t.Errorf("%s: %s %s: %d %v", who, c.method, row.path, status, answer["errors"])
		}
		wanted := notOK[c.method+" "+row.path]
		if permitted && (wanted == 0 && status/100 != 2 || wanted != 0 && status != wanted) {
			t.Errorf("%s: %s %s: permitted, and %d %v", who, c.method, row.path, status, answer["errors"])
		}
	}
	if strings.Contains(may, "w") {
		if status, answer := ask(t, s, token, "POST", row.path, "2h", nil); status != http.StatusOK || answer["wrap_info"] == nil {
			t.Errorf("%s: %s wrapped: %d %v", who, row.path, status, answer)
		}
	}
}

func (row right) body(t *testing.T, s *vaulttest.Server, token string) map[string]any {
	switch row.path {
	case "auth/approle/role/odziv/secret-id", "auth/approle/role/odziv-api/secret-id", "auth/approle/role/odziv-signer/secret-id":
		return nil
	case "transit/decrypt/period":
		sealed := s.Call(t, "POST", "transit/encrypt/period", map[string]any{"plaintext": "AA=="})["data"].(map[string]any)["ciphertext"]
		return map[string]any{"ciphertext": sealed}
	}
	if body := bodies[row.path]; body != nil {
		return body
	}
	return map[string]any{}
}

// Each role of the operator can do what its row says, and nothing else.
func TestOperatorRights(t *testing.T) {
	s := operatorVault(t)
	script(t, s, true, "apply.sh", "operator", "--cidr", here, "--split")
	script(t, s, true, "audit.sh", filepath.Join(t.TempDir(), "audit.log"))
	s.Call(t, "POST", "transit/keys/another", map[string]any{"type": "ed25519"})
	s.Call(t, "POST", "auth/approle/role/another", map[string]any{"token_policies": "root-like"})
	s.Call(t, "POST", "kv/data/another", map[string]any{"data": map[string]string{"a": "b"}})
	for _, log := range []string{"dir", "ev"} {
		s.Call(t, "POST", "kv/data/odziv/last-checkpoint/"+log, map[string]any{"data": map[string]string{"note": "x"}, "options": map[string]int{"cas": 0}})
	}
	roles, rows := []string{"api", "signer", "setup", "breakglass", "deliver", "audit"}, rights(t, operatorRights)
	for _, row := range rows {
		for _, role := range roles {
			row.compare(t, s, token(t, s, "odziv-"+role), role)
		}
	}
	for _, row := range rows {
		for who := range row.who {
			if who != "all" && !slices.Contains(roles, who) {
				t.Errorf("%s: nobody is %s", row.path, who)
			}
		}
	}
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
