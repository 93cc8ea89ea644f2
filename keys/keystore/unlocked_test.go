package keystore

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"
)

// hand is a clock that moves when told: its wall part, and the timers that a
// sleeping computer does not run.
type hand struct {
	mu     sync.Mutex
	now    time.Time
	timers map[int]*timer
	n      int
}

type timer struct {
	left time.Duration
	f    func()
}

func newHand() *hand { return &hand{now: time.UnixMilli(testCreated), timers: map[int]*timer{}} }

func (h *hand) clock() LockClock {
	return LockClock{
		Now: func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now },
		AfterFunc: func(d time.Duration, f func()) func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.n++
			n := h.n
			h.timers[n] = &timer{d, f}
			return func() { h.mu.Lock(); defer h.mu.Unlock(); delete(h.timers, n) }
		},
	}
}

// sleep moves the wall clock alone, awake the timers too.
func (h *hand) sleep(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(d) }

func (h *hand) awake(d time.Duration) {
	h.sleep(d)
	h.mu.Lock()
	var due []func()
	for n, t := range h.timers {
		if t.left -= d; t.left <= 0 {
			due = append(due, t.f)
			delete(h.timers, n)
		}
	}
	h.mu.Unlock()
	for _, f := range due {
		f()
	}
}

const pause = 10 * time.Minute

// A Lock locks after a pause without a use, and not before.
func TestLockAfterPause(t *testing.T) {
	h, forgotten, told := newHand(), 0, 0
	l := NewLock(pause, h.clock(), func(string) { forgotten++ })
	l.OnLock(func() { told++ })
	use := func() error {
		return l.Use(context.Background(), func(_ context.Context, k string) error {
			if k != "keys" {
				t.Errorf("%q", k)
			}
			h.awake(2 * pause) // work may last: no pause
			return nil
		})
	}
	if err := use(); !errors.Is(err, ErrLocked) || !l.Locked() {
		t.Errorf("before the first unlock: %v", err)
	}
	l.Unlock("keys")
	for range 3 {
		if err := use(); err != nil {
			t.Fatal(err)
		}
		h.awake(pause - 1)
		if l.Locked() || forgotten != 0 {
			t.Fatal("locked too early")
		}
	}
	h.awake(1)
	if err := use(); !errors.Is(err, ErrLocked) || forgotten != 1 || told != 1 || !l.Locked() {
		t.Errorf("after the pause: %v, forgotten %d, told %d", err, forgotten, told)
	}
	l.Unlock("keys")
	if err := use(); err != nil {
		t.Errorf("unlocked again: %v", err)
	}
	l.Lock()
	l.Lock()
	if err := use(); !errors.Is(err, ErrLocked) || forgotten != 2 || told != 1 {
		t.Errorf("locked by hand: %v, forgotten %d, told %d", err, forgotten, told)
	}
}

// A computer that slept stops its timers. It wakes up locked all the same.
func TestLockAfterSleep(t *testing.T) {
	h, forgotten := newHand(), 0
	l := NewLock(pause, h.clock(), func(string) { forgotten++ })
	l.Unlock("keys")
	h.sleep(pause)
	if err := l.Use(context.Background(), func(context.Context, string) error { t.Error("used"); return nil }); !errors.Is(err, ErrLocked) || forgotten != 1 {
		t.Errorf("%v, forgotten %d", err, forgotten)
	}
	// And a wall clock that somebody set back does not keep it open.
	l.Unlock("keys")
	h.sleep(-24 * time.Hour)
	h.awake(pause)
	if !l.Locked() || forgotten != 2 {
		t.Errorf("open for a day more: forgotten %d", forgotten)
	}
}

// Locking amid a use ends its context, lets nothing new begin, and forgets when
// it ended.
func TestLockDuringUse(t *testing.T) {
	h, forgotten := newHand(), 0
	l := NewLock(pause, h.clock(), func(string) { forgotten++ })
	l.Unlock("keys")
	err := l.Use(context.Background(), func(ctx context.Context, k string) error {
		l.Lock()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrLocked) || forgotten != 0 || k != "keys" {
			t.Errorf("cause %v, forgotten %d", context.Cause(ctx), forgotten)
		}
		if err := l.Use(ctx, func(context.Context, string) error { return nil }); !errors.Is(err, ErrLocked) {
			t.Errorf("a new use: %v", err)
		}
		l.Unlock("others") // somebody is quick: the old ones are forgotten all the same
		return nil
	})
	if err != nil || forgotten != 1 || l.Locked() {
		t.Errorf("%v, forgotten %d", err, forgotten)
	}
}

// What was locked is reachable from nowhere.
func TestLockDrops(t *testing.T) {
	l := NewLock(pause, newHand().clock(), func(k *Keystore) { k.Forget() })
	k, _ := create(t)
	pointer, signer := weak.Make(k), k.Signer()
	inner := weak.Make(k.Identity())
	l.Unlock(k)
	k = nil
	l.Lock()
	for range 20 {
		runtime.GC()
	}
	if pointer.Value() != nil || inner.Value() != nil {
		t.Error("still in memory")
	}
	if _, err := signer.Sign(context.Background(), []byte("m")); !errors.Is(err, ErrLocked) {
		t.Errorf("whoever kept the signer signs: %v", err)
	}
}

// Many uses, locks and unlocks at once: nobody sees forgotten keys, and all that
// was unlocked is forgotten once.
func TestLockConcurrent(t *testing.T) {
	type held struct{ gone atomic.Bool }
	var unlocked, forgotten atomic.Int64
	h := newHand()
	l := NewLock(pause, h.clock(), func(k *held) {
		if k.gone.Swap(true) {
			t.Error("forgotten twice")
		}
		forgotten.Add(1)
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				switch (n + i) % 5 {
				case 0:
					l.Unlock(&held{})
					unlocked.Add(1)
				case 1:
					l.Lock()
				case 2:
					h.awake(pause / 3)
				default:
					l.Use(context.Background(), func(_ context.Context, k *held) error {
						runtime.Gosched()
						if k.gone.Load() {
							t.Error("forgotten while in use")
						}
						return nil
					})
				}
			}
		})
	}
	wg.Wait()
	l.Lock()
	if unlocked.Load() != forgotten.Load() {
		t.Errorf("%d unlocked, %d forgotten", unlocked.Load(), forgotten.Load())
	}
}

// After Forget every way to a key is closed, for those who held on to it too.
func TestForget(t *testing.T) {
	k, path := create(t)
	if err := k.AddDeskEpoch(testDesk, 1, newIdentity(t)); err != nil {
		t.Fatal(err)
	}
	signer, public := k.Signer(), k.Signer().Public()
	k.Forget()
	k.Forget()
	if _, err := signer.Sign(context.Background(), []byte("m")); !errors.Is(err, ErrLocked) {
		t.Errorf("signs: %v", err)
	}
	if !public.Equal(signer.Public()) {
		t.Error("the public key is no secret")
	}
	_, held := k.DeskIdentity(testDesk, 1)
	if k.Identity() != nil || k.Recipient() != "" || held || len(k.Desks()) != 0 {
		t.Error("an identity is left")
	}
	other, _ := create(t)
	_, mergeErr := k.Adopt(other)
	_, textErr := k.Elsewhere()
	for what, err := range map[string]error{"add": k.AddDeskEpoch(testDesk, 2, newIdentity(t)), "save": k.Save(path, passphrase), "seed": k.WithSeed(func([]byte) error { return nil }),
		"adopt": mergeErr, "elsewhere": textErr} {
		if !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Open(path, passphrase, demo); err != nil {
		t.Errorf("the file: %v", err)
	}
}
