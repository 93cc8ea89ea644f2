package shred

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSealKey(t *testing.T) {
	key := NewKey()
	march := Period{"2026-03", NewKey()}
	sealed, err := SealKey(march, testMsg, key)
	if err != nil || len(sealed) != 60 {
		t.Fatalf("%d bytes, %v", len(sealed), err)
	}
	if again, _ := SealKey(march, testMsg, key); bytes.Equal(again, sealed) {
		t.Error("the same nonce twice")
	}
	for _, tt := range []struct {
		name   string
		period Period
		msg    string
		sealed []byte
		want   error
	}{
		{"right", march, testMsg, sealed, nil},
		{"other message", march, otherMsg, sealed, ErrKey},
		{"other period key", Period{march.ID, NewKey()}, testMsg, sealed, ErrKey},
		{"other period id", Period{"2026-04", march.Key}, testMsg, sealed, ErrKey},
		{"cut", march, testMsg, sealed[:59], ErrKey},
		{"shorter than a nonce", march, testMsg, sealed[:11], ErrKey},
		{"empty", march, testMsg, nil, ErrKey},
		{"longer", march, testMsg, append(bytes.Clone(sealed), 0), ErrKey},
	} {
		got, err := OpenKey(tt.period, tt.msg, tt.sealed)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && !bytes.Equal(got.Secret(), key.Secret()) {
			t.Errorf("%s: another key", tt.name)
		}
		if err != nil && !got.IsZero() {
			t.Errorf("%s: a key beside an error", tt.name)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := OpenKey(march, testMsg, bad); !errors.Is(err, ErrKey) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestSealKeyArguments(t *testing.T) {
	key := NewKey()
	for _, tt := range []struct {
		name string
		p    Period
		msg  string
		key  Key
		ok   bool
	}{
		{"shortest id", Period{"a", key}, testMsg, key, true},
		{"longest id", Period{strings.Repeat("a", 40), key}, testMsg, key, true},
		{"no id", Period{"", key}, testMsg, key, false},
		{"long id", Period{strings.Repeat("a", 41), key}, testMsg, key, false},
		{"zero byte in the id", Period{"a\x00b", key}, testMsg, key, false},
		{"no period key", Period{"a", Key{}}, testMsg, key, false},
		{"no message", Period{"a", key}, "", key, false},
		{"no key", Period{"a", key}, testMsg, Key{}, false},
	} {
		if _, err := SealKey(tt.p, tt.msg, tt.key); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := OpenKey(Period{"", key}, testMsg, make([]byte, 60)); err == nil || errors.Is(err, ErrKey) {
		t.Errorf("open without an id: %v", err)
	}
	if _, err := OpenKey(Period{ID: "a"}, testMsg, make([]byte, 60)); err == nil || errors.Is(err, ErrKey) {
		t.Errorf("open without a key: %v", err)
	}
}

// TestReseal is urgent erasure: the survivor opens under the new period and the
// blob is untouched; what was not moved is gone with the old period key.
func TestReseal(t *testing.T) {
	survivor, erased := NewKey(), NewKey()
	old, next := Period{"2026-03", NewKey()}, Period{"2026-03-b", NewKey()}
	file := wrapped(t, []byte("stored bytes"), survivor, testMsg, 0)
	sealed, _ := SealKey(old, testMsg, survivor)
	sealedErased, _ := SealKey(old, otherMsg, erased)

	moved, err := ResealKey(old, next, testMsg, sealed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := OpenKey(next, testMsg, moved)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unwrap(file, key, testMsg, 0); err != nil || string(got) != "stored bytes" {
		t.Errorf("%q, %v", got, err)
	}
	for name, box := range map[string][]byte{"survivor": sealed, "erased": sealedErased} {
		if _, err := OpenKey(next, testMsg, box); !errors.Is(err, ErrKey) {
			t.Errorf("%s under the new period: %v", name, err)
		}
	}
	if _, err := ResealKey(next, old, testMsg, sealed); !errors.Is(err, ErrKey) {
		t.Errorf("from the wrong period: %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "period.key")
	if _, err := OpenKeyFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made by opening: %v", err)
	}
	if err := InitKeyFile(path); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(path)
	if err := InitKeyFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("twice: %v", err)
	}
	if again, _ := os.ReadFile(path); len(again) != 32 || !bytes.Equal(again, first) {
		t.Error("the key was replaced")
	}
	var w PeriodWrapper
	w, err := OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := Period{"2026-03", NewKey()}
	box, err := w.WrapPeriod(ctx, p)
	if err != nil || len(box) != 60 {
		t.Fatalf("%d bytes, %v", len(box), err)
	}
	reopened, _ := OpenKeyFile(path)
	got, err := reopened.UnwrapPeriod(ctx, p.ID, box)
	if err != nil || got.ID != p.ID || !bytes.Equal(got.Key.Secret(), p.Key.Secret()) {
		t.Errorf("%v", err)
	}
	if _, err := w.UnwrapPeriod(ctx, "2026-04", box); !errors.Is(err, ErrKey) {
		t.Errorf("other id: %v", err)
	}
	for i := range box {
		bad := bytes.Clone(box)
		bad[i] ^= 1
		if _, err := w.UnwrapPeriod(ctx, p.ID, bad); !errors.Is(err, ErrKey) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, bad := range []Period{{"", NewKey()}, {"a", Key{}}} {
		if _, err := w.WrapPeriod(ctx, bad); err == nil {
			t.Errorf("wrapped %v", bad)
		}
	}
	if _, err := w.UnwrapPeriod(ctx, "A", box); err == nil || errors.Is(err, ErrKey) {
		t.Errorf("bad id: %v", err)
	}
	if err := InitKeyFile(path + "2"); err != nil {
		t.Fatal(err)
	}
	other, _ := OpenKeyFile(path + "2")
	if _, err := other.UnwrapPeriod(ctx, p.ID, box); !errors.Is(err, ErrKey) {
		t.Errorf("other key file: %v", err)
	}
}

func TestKeyFileRefused(t *testing.T) {
	dir := t.TempDir()
	for size, ok := range map[int]bool{0: false, 31: false, 32: true, 33: false} {
		path := filepath.Join(dir, "key")
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyFile(path); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if err := InitKeyFile(filepath.Join(dir, "none", "key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	path := filepath.Join(dir, "mode")
	if err := InitKeyFile(path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o610: false} {
		os.Chmod(path, mode)
		if _, err := OpenKeyFile(path); (err == nil) != ok {
			t.Errorf("mode %#o: %v", mode, err)
		}
	}
}
