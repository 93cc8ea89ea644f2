package deploy

import (
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
)

// institutionRights is the table of [operatorRights] for an institution's Vault. A
// and B are entities of two officers; the table is A's, and B's with the letters
// exchanged.
const institutionRights = `
transit-odziv/keys                        admin=l
transit-odziv/keys/officer-A              officer=cru admin=r
transit-odziv/keys/officer-B              admin=r
transit-odziv/keys/another                admin=r
transit-odziv/keys/officer-A/config
transit-odziv/keys/officer-A/rotate
transit-odziv/keys/officer-A/import       officer=u
transit-odziv/keys/officer-B/import
transit-odziv/wrapping_key                officer=r
transit-odziv/keys/officer-A/trim
transit-odziv/sign/officer-A              officer=u
transit-odziv/sign/officer-B
transit-odziv/sign/another
transit-odziv/sign/officer-A/sha2-256
transit-odziv/export/signing-key/officer-A
transit-odziv/export/signing-key/officer-B
transit-odziv/backup/officer-A
transit-odziv/encrypt/officer-A
kv-odziv/data/officer-A                   officer=cru
kv-odziv/data/officer-B
kv-odziv/data/another
kv-odziv/data/officer-A/deeper
kv-odziv/delete/officer-A
kv-odziv/destroy/officer-A
kv-odziv/undelete/officer-A
kv-odziv/metadata/                        admin=l
kv-odziv/metadata/officer-A               officer=cru admin=rd
kv-odziv/metadata/officer-B               admin=rd
kv-odziv/config
identity/entity
identity/entity/id                        admin=l
identity/entity/id/A                      admin=ru
identity/entity/name                      admin=l
identity/entity/name/NAME                 admin=r
identity/entity/merge
identity/entity-alias
identity/group
identity/lookup/entity
auth/userpass/users/alice
auth/userpass/users/bob
auth/userpass/users/bob/password
auth/token/create
auth/token/lookup
sys/policies/acl
sys/policies/acl/institution-officer
sys/mounts
sys/auth
sys/audit
sys/seal
cubbyhole/x
auth/token/lookup-self                    all=r
auth/token/renew-self                     all=u
sys/capabilities-self                     all=u
auth/token/revoke-self                    all=u
`

// Officers reach what is their own and nothing of each other's; who administers the
// Vault day by day signs nothing and reads no keystore.
func TestInstitutionRights(t *testing.T) {
	s := vaulttest.Dev(t)
	script(t, s, true, "apply.sh", "institution")
	if out := script(t, s, true, "apply.sh", "institution"); !strings.Contains(out, "nothing to do") {
		t.Errorf("a second run: %s", out)
	}
	s.Call(t, "POST", "sys/auth/userpass", map[string]any{"type": "userpass"})
	login := func(name, policy string) (token, entity string) {
		t.Helper()
		s.Call(t, "POST", "auth/userpass/users/"+name, map[string]any{"password": "correct horse", "token_policies": policy, "token_no_default_policy": true})
		auth := s.Call(t, "POST", "auth/userpass/login/"+name, map[string]any{"password": "correct horse"})["auth"].(map[string]any)
		return auth["client_token"].(string), auth["entity_id"].(string)
	}
	_, alice := login("alice", "institution-officer")
	_, bob := login("bob", "institution-officer")

	for _, officer := range []struct{ name, own, other string }{{"alice", alice, bob}, {"bob", bob, alice}} {
		table := strings.NewReplacer("officer-A", "officer-"+officer.own, "officer-B", "officer-"+officer.other, "id/A", "id/"+officer.own).Replace(institutionRights)
		key, value := "transit-odziv/keys/officer-"+officer.own, "kv-odziv/data/officer-"+officer.own
		mine, _ := login(officer.name, "institution-officer")
		if status, answer := ask(t, s, mine, "POST", key, "", map[string]any{"type": "ed25519", "exportable": true}); status != 403 {
			t.Errorf("a key that can be taken out: %d %v", status, answer)
		}
		if status, answer := ask(t, s, mine, "POST", key, "", map[string]any{"type": "ed25519", "exportable": false}); status != 200 {
			t.Fatalf("her own key: %d %v", status, answer)
		}
		if status, answer := ask(t, s, mine, "POST", value, "", map[string]any{"data": map[string]string{"a": "b"}, "options": map[string]int{"cas": 0}}); status != 200 {
			t.Fatalf("her own keystore: %d %v", status, answer)
		}
		bodies[key] = map[string]any{"type": "ed25519"}
		bodies["transit-odziv/sign/officer-"+officer.own] = map[string]any{"input": "AA=="}
		bodies[value] = map[string]any{"data": map[string]string{"a": "c"}, "options": map[string]int{"cas": 1}}
		notOK["POST "+key+"/import"] = 500 // the key exists
		bodies[key+"/import"] = map[string]any{"type": "ed25519", "ciphertext": "AA==", "exportable": false}
		bodies["kv-odziv/metadata/officer-"+officer.own] = map[string]any{"cas_required": true, "max_versions": 10}
		bodies["identity/entity/id/"+officer.own] = map[string]any{"disabled": true}
		for _, row := range rights(t, table) {
			row.compare(t, s, mine, "officer")
		}
	}
	// Last, because it takes away what the officers had.
	admin, _ := login("admin", "institution-admin")
	name := s.Call(t, "GET", "identity/entity/id/"+alice, nil)["data"].(map[string]any)["name"].(string)
	for _, row := range rights(t, strings.NewReplacer("officer-A", "officer-"+alice, "officer-B", "officer-"+bob, "id/A", "id/"+alice, "NAME", name).Replace(institutionRights)) {
		if strings.HasSuffix(row.path, "keys/another") {
			continue // there is none to read
		}
		row.compare(t, s, admin, "admin")
	}
	status, _ := ask(t, s, "", "POST", "auth/userpass/login/alice", "", map[string]any{"password": "correct horse"})
	if status/100 == 2 {
		t.Error("an officer who was locked out logs in")
	}
}
