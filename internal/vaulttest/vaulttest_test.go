package vaulttest

import (
	"net/http"
	"strings"
	"testing"
)

// A server with raft storage keeps what it was given through a seal, a kill and
// a freeze; that is all other tests ask of it.
func TestRaft(t *testing.T) {
	for _, tls := range []bool{false, true} {
		s := Start(t, Options{Raft: true, TLS: tls})
		s.Call(t, http.MethodPost, "sys/mounts/transit", map[string]any{"type": "transit"})
		s.Call(t, http.MethodPost, "transit/keys/a", map[string]any{"type": "ed25519"})
		kept := func() {
			t.Helper()
			key := s.Call(t, http.MethodGet, "transit/keys/a", nil)["data"].(map[string]any)
			if key["type"] != "ed25519" || key["exportable"] != false {
				t.Errorf("key: %v", key)
			}
		}
		kept()
		s.Seal(t)
		if status, _ := s.CallAs(t, s.RootToken, http.MethodGet, "transit/keys/a", nil); status != http.StatusServiceUnavailable {
			t.Errorf("a sealed server answers %d, want 503", status)
		}
		s.Unseal(t)
		kept()
		s.Kill(t)
		if status, _ := s.try(http.MethodGet, "sys/health"); status != 0 {
			t.Errorf("a killed server answers %d", status)
		}
		s.Start(t)
		kept()
		s.Freeze(t)
		s.Thaw(t)
		kept()
	}
}

func TestDev(t *testing.T) {
	s := Dev(t)
	if out := s.Command(t, "status"); !strings.Contains(out, "inmem") {
		t.Errorf("vault status: %s", out)
	}
	if status, _ := s.CallAs(t, "no-token", http.MethodGet, "sys/mounts", nil); status != http.StatusForbidden {
		t.Errorf("a made-up token: %d, want 403", status)
	}
}

func TestFront(t *testing.T) {
	s := Dev(t)
	f := s.Front(t)
	through := *s
	through.Address = f.Address
	if status, _ := through.try(http.MethodGet, "sys/health"); status != http.StatusOK {
		t.Fatalf("through the front: %d", status)
	}
	f.CutAnswer(10)
	if status, _ := through.try(http.MethodGet, "sys/health"); status != 0 {
		t.Errorf("an answer cut after ten bytes: %d", status)
	}
	f.Mend()
	if status, _ := through.try(http.MethodGet, "sys/health"); status != http.StatusOK {
		t.Errorf("mended: %d", status)
	}
	f.Cut()
	if status, _ := through.try(http.MethodGet, "sys/health"); status != 0 {
		t.Errorf("cut: %d", status)
	}
}
