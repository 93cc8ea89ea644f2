package deploy

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
)

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
