package vault_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// running is a client with a role, kept alive, and the key it signs with.
func (w *world) running(cfg vault.Config) (*vault.Client, ed25519.PublicKey) {
	w.t.Helper()
	c := w.open(cfg)
	keys, err := c.PublicKeys(w.t.Context(), "sig")
	if err != nil {
		w.t.Fatal(err)
	}
	w.keep(c)
	return c, keys[1]
}

// sign signs something; what it returns was verified.
func (w *world) sign(c *vault.Client, pub ed25519.PublicKey) error {
	_, err := c.Sign(w.t.Context(), "sig", 1, pub, []byte("a message"))
	return err
}

func (w *world) wantSign(c *vault.Client, pub ed25519.PublicKey, want error) {
	w.t.Helper()
	if err := w.sign(c, pub); !errors.Is(err, want) {
		w.t.Errorf("sign: %v, want %v", err, want)
	}
}

func (w *world) works(c *vault.Client, pub ed25519.PublicKey) {
	w.t.Helper()
	w.eventually("sign", func() error { return w.sign(c, pub) })
	w.until(c, vault.Ready)
}

// lost counts how often a token was lost.
func (w *world) lost() int { return strings.Count(w.log.String(), "the token is lost") }

// Sealed, unsealed, killed, started sealed, unsealed: each is told from the
// others, and the token lives through all of it.
func TestSealedAndKilled(t *testing.T) {
	w := newWorld(t, vaulttest.Raft(t))
	w.secretID("secret-id")
	c, pub := w.running(w.config(w.approle()))
	w.works(c, pub)

	w.Seal(t)
	w.wantSign(c, pub, vault.ErrSealed)
	w.until(c, vault.Sealed)
	since := c.State().Since
	w.wantSign(c, pub, vault.ErrSealed)
	if s := c.State(); s.Ready || !s.Since.Equal(since) {
		t.Errorf("since %v became %+v", since, s)
	}
	w.Unseal(t)
	w.until(c, vault.Ready) // nobody asked for anything
	w.works(c, pub)

	for range 2 {
		w.Kill(t)
		w.wantSign(c, pub, vault.ErrUnreachable)
		w.until(c, vault.Unreachable)
		w.StartSealed(t)
		w.until(c, vault.Sealed)
		w.wantSign(c, pub, vault.ErrSealed)
		w.Unseal(t)
		w.until(c, vault.Ready)
		w.works(c, pub)
	}
	if w.lost() != 0 {
		t.Errorf("a token was lost:\n%s", w.log)
	}
}

// A server that starts while Vault is away, then sealed, gets there by itself.
func TestStartsBeforeVault(t *testing.T) {
	w := newWorld(t, vaulttest.Raft(t))
	w.secretID("secret-id")
	w.Kill(t)
	if _, err := vault.Open(t.Context(), w.config(w.approle())); !errors.Is(err, vault.ErrUnreachable) {
		t.Errorf("open: %v", err)
	}
	c, err := vault.New(w.config(w.approle()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w.keep(c)
	w.until(c, vault.Unreachable)
	w.StartSealed(t)
	w.until(c, vault.Sealed)
	if _, err := c.Key(t.Context(), "sig"); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("without a token: %v", err)
	}
	w.Unseal(t)
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Key(t.Context(), "sig"); err != nil {
		t.Error(err)
	}
}

// A token whose life cannot be prolonged ends: the reserve takes over; when that
// ends too, the state says what is needed, and a fresh file is enough.
func TestTokenExpires(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.role(map[string]any{"token_period": 0, "token_ttl": "1s", "token_max_ttl": "2s"})
	w.secretID("secret-id")
	w.secretID("secret-id.reserve")
	c, pub := w.running(w.config(w.approle()))
	w.until(c, vault.NeedLogin)
	if w.lost() < 2 {
		t.Errorf("the reserve was not used:\n%s", w.log)
	}
	if strings.Contains(w.log.String(), vault.Unreachable) {
		t.Errorf("the end of a token was taken for an outage:\n%s", w.log)
	}
	w.wantSign(c, pub, vault.ErrLogin)
	if s := c.State(); !strings.Contains(s.Detail, w.file("secret-id")) || s.ReserveSecretID {
		t.Errorf("%+v", s)
	}
	w.role(map[string]any{"token_period": "20m"})
	w.secretID("secret-id")
	w.until(c, vault.Ready)
	w.works(c, pub)
}

// A token is renewed at a third of its life, whatever the clock on the wall says:
// it jumps by years, both ways, and no token is lost or renewed too late.
func TestRenewalUnderAJumpingClock(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.role(map[string]any{"token_period": "12s"})
	w.secretID("secret-id")
	cfg := w.config(w.approle())
	var jump atomic.Int64
	cfg.Clock = func() time.Time {
		hours := jump.Add(1) % 7 * 24 * 365 * 3
		return time.Unix(1_800_000_000, 0).Add(time.Duration(hours-24*365*9) * time.Hour)
	}
	c, pub := w.running(cfg)
	w.eventually("renewal", func() error {
		w.wantSign(c, pub, nil)
		c.State()
		if !slices.ContainsFunc(w.tokens("approle"), func(token map[string]any) bool { return token["last_renewal"] != nil }) {
			return errors.New("not yet")
		}
		return nil
	})
	if w.lost() != 0 {
		t.Errorf("lost:\n%s", w.log)
	}
}

// A revoked token is noticed by the call that fails, and the reserve used.
func TestTokenRevoked(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.secretID("secret-id")
	w.secretID("secret-id.reserve")
	c, pub := w.running(w.config(w.approle()))
	w.eventually("reserve", func() error {
		if !c.State().ReserveSecretID {
			return errors.New("not seen")
		}
		return nil
	})
	w.revoke()
	w.wantSign(c, pub, vault.ErrLogin)
	w.works(c, pub)
	w.eventually("reserve", func() error {
		if c.State().ReserveSecretID {
			return errors.New("still there")
		}
		return nil
	})
	if n := w.lost(); n != 1 {
		t.Errorf("lost %d times", n)
	}
	w.noFile("secret-id", "secret-id.reserve", "secret-id.using")
}

// A policy that loses a line while the program runs: the calls it covered are
// denied, the others go on, and the state says what is missing until it is back.
func TestPolicyMissing(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	w.secretID("secret-id")
	c, pub := w.running(w.config(w.approle()))
	w.policy(strings.Replace(signerPolicy, `path "transit/sign/sig"`, `path "transit/sign/other"`, 1))
	w.wantSign(c, pub, vault.ErrDenied)
	w.until(c, vault.Denied)
	if s := c.State(); s.Detail != "the policy must allow: update transit/sign/sig" {
		t.Errorf("%+v", s)
	}
	if _, err := c.Encrypt(ctx, "enc", 0, []byte("x"), nil); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
	if _, err := c.KVPut(ctx, "elsewhere", 0, nil); !errors.Is(err, vault.ErrDenied) {
		t.Errorf("elsewhere: %v", err)
	}
	if s := c.State(); s.Why != vault.Denied || !strings.Contains(s.Detail, "create kv/data/elsewhere, update transit/sign/sig") {
		t.Errorf("%+v", s)
	}
	w.policy(signerPolicy + `path "kv/data/elsewhere" { capabilities = ["create"] }`)
	w.until(c, vault.Ready) // nobody asked again
	w.works(c, pub)
	if w.lost() != 0 {
		t.Errorf("a denied call cost the token:\n%s", w.log)
	}
}

// A role without the policy "default": its token serves until it cannot be
// renewed, no second secret id is spent, and the state says what to do.
func TestNoDefaultPolicy(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.role(map[string]any{"token_no_default_policy": true})
	w.secretID("secret-id")
	w.secretID("secret-id.reserve")
	c, pub := w.running(w.config(w.approle()))
	w.until(c, vault.Denied)
	w.wantSign(c, pub, nil)
	if s := c.State(); !strings.Contains(s.Detail, "read auth/token/lookup-self") {
		t.Errorf("%+v", s)
	}
	if w.lost() != 0 {
		t.Errorf("lost:\n%s", w.log)
	}
	w.oneFile("secret-id.reserve")
}

// The network is cut before, between and in the middle of answers, or stands
// still: the caller hears of it in time, and the next call needs no restart.
func TestNetwork(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	front := w.Front(t)
	w.secretID("secret-id")
	cfg := w.config(w.approle())
	cfg.Address, cfg.Timeout = front.Address, 500*time.Millisecond
	c, pub := w.running(cfg)
	for what, breaks := range map[string]func(){
		"cut": front.Cut, "stall": front.Stall,
		"no byte": func() { front.CutAnswer(0) }, "half a header": func() { front.CutAnswer(40) }, "half a body": func() { front.CutAnswer(400) },
	} {
		w.works(c, pub)
		breaks()
		w.eventually(what, func() error { // Run may have had the bytes that were let through
			if err := w.sign(c, pub); !errors.Is(err, vault.ErrUnreachable) {
				return fmt.Errorf("while broken: %v", err)
			}
			return nil
		})
		w.until(c, vault.Unreachable)
		front.Mend()
		w.works(c, pub)
	}
	if w.lost() != 0 {
		t.Errorf("lost:\n%s", w.log)
	}
}

// The network breaks after every possible number of bytes of the answers that
// make up a login. Two secret ids are enough to get there in the end, always.
func TestLoginCutAnywhere(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	for cut := int64(0); cut < 4000; cut += stride(157) {
		front := w.Front(t)
		w.secretID("secret-id")
		w.secretID("secret-id.reserve")
		cfg := w.config(w.approle())
		cfg.Address = front.Address
		c, err := vault.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		front.CutAnswer(cut)
		first := make(chan error, 1)
		stop := w.keep(c)
		go func() { first <- c.WaitReady(t.Context()) }()
		w.eventually("cut or through", func() error {
			if s := c.State(); s.Why != vault.Unreachable && !s.Ready {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
		front.Mend()
		if err := <-first; err != nil {
			t.Fatalf("cut after %d bytes: %v\n%s", cut, err, w.log)
		}
		stop()
		c.Close()
	}
}

// Many callers while Vault is sealed, killed and started: each call succeeds or
// says why not, and afterwards all succeed.
func TestConcurrent(t *testing.T) {
	w := newWorld(t, vaulttest.Raft(t))
	w.secretID("secret-id")
	c, pub := w.running(w.config(w.approle()))
	var all sync.WaitGroup
	var done atomic.Bool
	var good, bad atomic.Int64
	for range 8 {
		all.Go(func() {
			for !done.Load() {
				err := w.sign(c, pub)
				if err == nil {
					_, err = c.Encrypt(t.Context(), "enc", 0, []byte("x"), nil)
				}
				switch {
				case err == nil:
					good.Add(1)
				case errors.Is(err, vault.ErrSealed), errors.Is(err, vault.ErrUnreachable):
					bad.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	w.Seal(t)
	w.until(c, vault.Sealed)
	w.Unseal(t)
	w.until(c, vault.Ready)
	w.Kill(t)
	w.until(c, vault.Unreachable)
	w.Start(t)
	w.works(c, pub)
	done.Store(true)
	all.Wait()
	if good.Load() == 0 || bad.Load() == 0 {
		t.Errorf("%d good, %d bad", good.Load(), bad.Load())
	}
	w.works(c, pub)
}

// stride is how far apart two tries are; ODZIV_ROUNDS makes them denser.
func stride(bytes int64) int64 {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		bytes = int64(float64(bytes) / f)
	}
	return max(bytes, 1)
}
