package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var next = NewSecret("vovol vovol vovol vovol vovol vovol")

func mustAdd(t testing.TB, k *Keystore, desk string, epochs ...int64) {
	t.Helper()
	for _, e := range epochs {
		if err := k.AddDeskEpoch(desk, e, newIdentity(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func mustOpen(t testing.TB, path string, words Secret) *Keystore {
	t.Helper()
	k, err := Open(path, words, demo)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// After a new passphrase nothing beside the keystore opens with the old one.
func TestRekey(t *testing.T) {
	k, path := create(t)
	mustAdd(t, k, testDesk, 1, 2)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{path + ".tmp-1", path + PreviousSuffix + ".tmp-2"} { // by crashes
		if err := os.WriteFile(left, read(t, path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+".mine", []byte("a file of hers"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.Rekey(path, next); err != nil {
		t.Fatal(err)
	}
	if got := names(t, path); got != "officer.age officer.age.lock officer.age.mine" {
		t.Errorf("left behind: %s", got)
	}
	if again := mustOpen(t, path, next); len(again.DeskEpochs(testDesk)) != 2 {
		t.Error("epochs were lost")
	}
	if _, err := Open(path, passphrase, demo); !errors.Is(err, ErrPassphrase) {
		t.Errorf("the old passphrase: %v", err)
	}
	if err := k.Rekey(path, NewSecret("")); err == nil {
		t.Error("locked by nothing")
	}
}

// A file that cannot be read back keeps the previous version.
func TestRekeyKeepsPrevious(t *testing.T) {
	k, path := create(t)
	defer func(old func(string, string) error) { step = old }(step)
	step = func(name, at string) error {
		if name == "sync folder" && at == path { // the medium says yes and forgets
			return os.WriteFile(path, []byte("garbage"), 0o600)
		}
		return nil
	}
	if err := k.Rekey(path, next); !errors.Is(err, ErrFormat) {
		t.Errorf("%v", err)
	}
	step = func(string, string) error { return nil }
	mustOpen(t, path+PreviousSuffix, passphrase)
	r, err := RestorePrevious(path, passphrase, demo)
	if err != nil {
		t.Fatal(err)
	}
	if string(read(t, r.Aside)) != "garbage" {
		t.Errorf("the damaged file is not at %q", r.Aside)
	}
	mustOpen(t, path, passphrase)
}

func TestDropPreviousOfNothing(t *testing.T) {
	k, path := create(t)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := DropPrevious(path); err == nil {
		t.Error("the only version was dropped")
	}
	mustOpen(t, path+PreviousSuffix, passphrase)
}

// A second program's save takes over what the first saved, in both orders, and
// brings back nothing that was dropped.
func TestUpdateMerges(t *testing.T) {
	mine, path := create(t)
	mustAdd(t, mine, testDesk, 1, 2)
	if err := mine.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	theirs := mustOpen(t, path, passphrase)
	mustAdd(t, theirs, testDesk, 3)
	mustAdd(t, theirs, otherDesk, 1)
	mustAdd(t, mine, testDesk, 4)
	mine.DropDeskEpoch(testDesk, 1)
	if err := theirs.Update(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if err := mine.Update(path, passphrase); err != nil {
		t.Fatal(err)
	}
	got := mustOpen(t, path, passphrase)
	if fmt.Sprint(got.DeskEpochs(testDesk), got.DeskEpochs(otherDesk)) != "[2 3 4] [1]" {
		t.Errorf("%v %v", got.DeskEpochs(testDesk), got.DeskEpochs(otherDesk))
	}
	mustAdd(t, mine, testDesk, 1) // added again on purpose
	if err := theirs.Update(path, passphrase); err != nil || fmt.Sprint(theirs.DeskEpochs(testDesk)) != "[1 2 3 4]" {
		t.Errorf("%v %v", theirs.DeskEpochs(testDesk), err)
	}
}

// A draft that gave way to a colleague's key of the same number does not come back
// with another program's save, nor stop it.
func TestUpdateDraft(t *testing.T) {
	mine, path := create(t)
	mustAdd(t, mine, testDesk, 1)
	if err := mine.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	theirs := mustOpen(t, path, passphrase)
	mustAdd(t, theirs, otherDesk, 1)
	if err := theirs.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	colleague := newIdentity(t)
	mine.DropDeskEpoch(testDesk, 1)
	if err := mine.AddDeskEpoch(testDesk, 1, colleague); err != nil {
		t.Fatal(err)
	}
	if err := mine.Update(path, passphrase); err != nil {
		t.Fatal(err)
	}
	got := mustOpen(t, path, passphrase)
	if id, ok := got.DeskIdentity(testDesk, 1); !ok || id.String() != colleague.String() || len(got.DeskEpochs(otherDesk)) != 1 {
		t.Error("the draft won, or the other desk was lost")
	}
}

// What cannot be merged is left alone and said.
func TestUpdateRefuses(t *testing.T) {
	conflict := func(t *testing.T, k *Keystore, path string) Secret {
		mustAdd(t, k, testDesk, 1)
		theirs := mustOpen(t, path, passphrase)
		mustAdd(t, theirs, testDesk, 1)
		if err := theirs.Save(path, passphrase); err != nil {
			t.Fatal(err)
		}
		return passphrase
	}
	for name, tt := range map[string]struct {
		change func(t *testing.T, k *Keystore, path string) Secret
		want   error
	}{
		"another key for an epoch": {conflict, nil},
		"another passphrase": {func(t *testing.T, k *Keystore, path string) Secret {
			if err := mustOpen(t, path, passphrase).Rekey(path, next); err != nil {
				t.Fatal(err)
			}
			return passphrase
		}, ErrPassphrase},
		"somebody else's": {func(t *testing.T, k *Keystore, path string) Secret {
			os.Remove(path)
			if _, err := Create(path, passphrase, testOwner, testCreated, demo); err != nil {
				t.Fatal(err)
			}
			return passphrase
		}, ErrOther},
		"damaged": {func(t *testing.T, k *Keystore, path string) Secret {
			os.WriteFile(path, []byte("garbage"), 0o600)
			return passphrase
		}, ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			k, path := create(t)
			words := tt.change(t, k, path)
			before := read(t, path)
			err := k.Update(path, words)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !errors.Is(err, ErrChanged) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if !bytes.Equal(read(t, path), before) {
				t.Error("replaced")
			}
		})
	}
}

func TestCopy(t *testing.T) {
	k, path := create(t)
	mustAdd(t, k, testDesk, 1)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	stick := filepath.Join(t.TempDir(), "УСБ стик (E:)", "мој кључ")
	if err := os.MkdirAll(stick, 0o700); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(stick, "keystore.age")
	if _, err := Copy(path, to, passphrase, demo); err != nil {
		t.Fatal(err)
	}
	// The copy lives on elsewhere, the keystore here; a second copy joins them.
	carried := mustOpen(t, to, passphrase)
	mustAdd(t, carried, testDesk, 2)
	if err := carried.Save(to, passphrase); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, k, testDesk, 3)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(path, to, passphrase, demo); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, to, passphrase).DeskEpochs(testDesk); fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("carried: %v", got)
	}
	if _, err := Copy(to, path, passphrase, demo); err != nil { // and back
		t.Fatal(err)
	}
	if got := mustOpen(t, path, passphrase).DeskEpochs(testDesk); fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("back: %v", got)
	}
	before := read(t, to)
	other, otherPath := create(t)
	if _, err := Copy(otherPath, to, passphrase, demo); !errors.Is(err, ErrOther) || !bytes.Equal(read(t, to), before) {
		t.Errorf("over somebody else's: %v", err)
	}
	if err := other.Rekey(otherPath, next); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(otherPath, to, next, demo); !errors.Is(err, ErrOther) || !bytes.Equal(read(t, to), before) {
		t.Errorf("over one with another passphrase: %v", err)
	}
}

func TestRestorePrevious(t *testing.T) {
	k, path := create(t)
	if _, err := RestorePrevious(path, passphrase, demo); !errors.Is(err, ErrHealthy) {
		t.Errorf("it opens: %v", err)
	}
	mustAdd(t, k, testDesk, 1)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	damaged := []byte("half a file")
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := RestorePrevious(path, next, demo); !errors.Is(err, ErrPassphrase) || !bytes.Equal(read(t, path), damaged) {
		t.Errorf("under a wrong passphrase: %v", err)
	}
	for n, left := range []string{"officer.age.damaged-1", ""} {
		r, err := RestorePrevious(path, passphrase, demo)
		if err != nil {
			t.Fatal(err)
		}
		if base := filepath.Base(r.Aside); left != "" && base != left || left == "" && r.Aside != "" {
			t.Errorf("%d: aside at %q", n, r.Aside)
		}
		if mustOpen(t, path, passphrase).Recipient() != r.Recipient() {
			t.Error("another one came back")
		}
		os.Remove(path) // the second time it is gone
	}
	os.Remove(path + PreviousSuffix)
	if _, err := RestorePrevious(path, passphrase, demo); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no previous version: %v", err)
	}
}

// TestElsewhere: what lies in a Vault beside the signing key comes back the same,
// is read by age, and cannot be written to a file as if it were whole.
func TestElsewhere(t *testing.T) {
	file, path := create(t)
	file.Demo = false
	mustAdd(t, file, testDesk, 1, 2)
	text, err := file.Elsewhere()
	if err != nil {
		t.Fatal(err)
	}
	var seed string
	if err := file.WithSeed(func(s []byte) error { seed = fmt.Sprintf("%x", s); return nil }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "ed25519-seed") || len(seed) != 64 {
		t.Error("the signing key is in it")
	}
	k, err := ParseElsewhere(text, file.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Elsewhere(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("other text came back: %v", err)
	}
	if n, err := file.Merge(k); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := k.Save(path+".no", passphrase); !errors.Is(err, ErrElsewhere) {
		t.Errorf("saved half a keystore: %v", err)
	}
	if err := k.WithSeed(func([]byte) error { return nil }); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a seed: %v", err)
	}
	other, _ := create(t)
	if _, err := ParseElsewhere(text, other.Signer()); !errors.Is(err, ErrOther) {
		t.Errorf("another signing key: %v", err)
	}
	for _, bad := range [][]byte{nil, encoded(t, other), text[:len(text)-2], append(bytes.Clone(text), "# x\n"...), bytes.Replace(text, []byte("ed25519-public: "), []byte("ed25519-public: A"), 1)} {
		if _, err := ParseElsewhere(bad, file.Signer()); !errors.Is(err, ErrFormat) {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
	if _, err := decode(text); !errors.Is(err, ErrFormat) {
		t.Errorf("a file without a signing key: %v", err)
	}
	made, err := GenerateElsewhere(testOwner, testCreated, file.Signer())
	if err != nil || made.Recipient() == file.Recipient() || !file.secret().public.Equal(made.Signer().Public()) {
		t.Errorf("made for the same signing key: %v", err)
	}
}

func TestRetire(t *testing.T) {
	k, path := create(t)
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	theirs := mustOpen(t, path, passphrase)
	mustAdd(t, theirs, testDesk, 1)
	if err := theirs.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	if err := k.Retire(path); !errors.Is(err, ErrChanged) || !strings.Contains(names(t, path), PreviousSuffix) {
		t.Errorf("a desk key that it does not know of: %v; left %s", err, names(t, path))
	}
	if err := os.WriteFile(path+".tmp-1", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Retire(path); err != nil || names(t, path) != "" {
		t.Errorf("%v; left %s", err, names(t, path))
	}
	if err := theirs.Retire(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
}

// FuzzParseElsewhere: what is accepted is written the same again.
func FuzzParseElsewhere(f *testing.F) {
	k, err := Generate(testOwner, testCreated, demo)
	if err != nil {
		f.Fatal(err)
	}
	mustAdd(f, k, testDesk, 1)
	good, err := k.Elsewhere()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, good[:len(good)-1], nil, bytes.Replace(good, []byte("public"), []byte("seed"), 1), bytes.Replace(good, []byte("epoch 1"), []byte("epoch 01"), 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParseElsewhere(text, k.Signer())
		if err != nil {
			return
		}
		if again, err := got.Elsewhere(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("two spellings: %q, %v", text, err)
		}
	})
}
