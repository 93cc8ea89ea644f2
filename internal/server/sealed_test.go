package server_test

import (
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/ledger"
)

// A server with its keys in Vault: the ledger goes on under the keys it had.
// Sealed, killed, with a key rotated or a policy taken away it goes on answering,
// signs nothing, says so once, and is whole again by itself.
func TestServeOverVault(t *testing.T) {
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // both wait most of the time
			serveOverVault(t, database(t))
		})
	}
}

func serveOverVault(t *testing.T, db string) {
	v := prepared(t, vaulttest.Raft(t))
	w, old := atRest(t, db)
	before, err := w.Home.VerifierKeys(ledger.Ev)
	must(t, err)
	moved(t, w, v)
	r := serve(t, w, w.Home.Dir)
	if vkey := r.x.Directory().Logs().Ev; vkey != before[0] {
		t.Errorf("the ledger's key is %s, was %s", vkey, before[0])
	}
	r.state("ready")
	sends, reads := people(t, w, r)
	must(t, reads(old))
	_, err = sends()
	must(t, err)
	r.signed()

	v.Seal(t)
	r.state("sealed")
	stood := r.signedSize()
	msg, err := sends() // the period key is in memory
	must(t, err)
	must(t, reads(msg))
	until(t, "it says that nothing is signed", func() bool { return strings.Contains(r.log.String(), "no checkpoint is signed") })
	if got := r.signedSize(); got != stood {
		t.Errorf("signed up to %d while sealed, before %d", got, stood)
	}
	v.Unseal(t)
	r.signed()
	r.state("ready")

	v.Kill(t)
	r.state("unreachable")
	_, err = sends()
	must(t, err)
	v.Start(t)
	r.signed()
	r.state("ready")

	v.Freeze(t) // it takes connections and answers nothing
	_, err = sends()
	must(t, err)
	r.state("unreachable")
	v.Thaw(t)
	r.signed()
	r.state("ready")

	v.Call(t, "POST", "transit/keys/ckpt-ev/rotate", nil)
	_, err = sends()
	must(t, err)
	r.signed() // with the version that the directory names

	v.Call(t, "PUT", "sys/policies/acl/odziv-signer", map[string]any{"policy": `path "auth/token/lookup-self" { capabilities = ["read"] }`})
	_, err = sends()
	must(t, err)
	if s := r.state("denied"); !strings.Contains(s.Detail, "transit/sign/ckpt-") && !strings.Contains(s.Detail, "last-checkpoint") {
		t.Errorf("denied: %+v", s)
	}
	v.policy(t, "odziv-signer")
	r.signed()
	if n := strings.Count(r.log.String(), "no checkpoint is signed"); n > 30 {
		t.Errorf("said %d times that nothing is signed", n)
	}
	noSecrets(t, w, r.log.String())
	unread, err := sends()
	must(t, err)
	r.signed()
	r.end()
	startWhileSealed(t, v, w, old, unread)
	sound(t, w)
}

// startWhileSealed: a server starts without Vault, hands out what needs no key
// that it does not have, and becomes whole by itself.
func startWhileSealed(t *testing.T, v *operatorVault, w *demo.World, old, unread string) {
	t.Helper()
	v.deliver(t, w.Home.Dir)
	v.Seal(t)
	r := serve(t, w, w.Home.Dir)
	r.state("sealed")
	_, reads := people(t, w, r) // synchronises the directory
	size := r.size()
	for _, msg := range []string{old, unread} {
		if err := reads(msg); err == nil || !strings.Contains(err.Error(), "cannot reach its keys") {
			t.Errorf("a body whose key is not in memory: %v", err)
		}
	}
	if r.size() != size {
		t.Errorf("%d leaves say that something was handed over which was not", r.size()-size)
	}
	v.Unseal(t)
	r.state("ready")
	for _, msg := range []string{old, unread} {
		until(t, "the key is in memory", func() bool { return reads(msg) == nil })
	}
	r.signed()
	s := r.state("ready")
	until(t, "the rotated key is seen", func() bool { s = r.state("ready"); return len(s.Warnings) > 0 })
	if !strings.Contains(s.Warnings[0], "ckpt-ev: version 2 exists") || !s.AppRole {
		t.Errorf("%+v", s)
	}
	r.end()
}
