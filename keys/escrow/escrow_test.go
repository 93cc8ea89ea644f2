package escrow_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/odziv/odziv/keys/escrow"
)

const desk = "d_3szd7marwgqlg6r4kjhjghzkoa"

func identity(t testing.TB) *age.HybridIdentity {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// people makes n custodians and their recipients.
func people(t testing.TB, n int) ([]*age.HybridIdentity, []string) {
	ids, rcps := make([]*age.HybridIdentity, n), make([]string, n)
	for i := range n {
		ids[i] = identity(t)
		rcps[i] = ids[i].Recipient().String()
	}
	return ids, rcps
}

func seal(t testing.TB, id *age.HybridIdentity, rcps []string, k int) []escrow.File {
	files, err := escrow.Seal(id, desk, 7, rcps, k)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAnyKOpenFewerNever takes every set of custodians, in every order, to every
// file, for all n and k that are allowed.
func TestAnyKOpenFewerNever(t *testing.T) {
	ids, rcps := people(t, escrow.MaxCustodians)
	lost := identity(t)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, escrow.MaxCustodians).Draw(t, "n")
		k := rapid.IntRange(1, n).Draw(t, "k")
		files, err := escrow.Seal(lost, desk, 7, rcps[:n], k)
		if err != nil {
			t.Fatal(err)
		}
		present := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, n, rapid.ID[int]).Draw(t, "present")
		opened := false
		for _, f := range files {
			left, done := f.Age, false
			// Everybody present tries again and again, in the order drawn.
			for range f.Cust {
				for _, i := range present {
					p, err := escrow.Peel(left, ids[i])
					if err != nil {
						if !errors.Is(err, escrow.ErrNotMine) {
							t.Fatal(err)
						}
						continue
					}
					if id, last := p.Identity(); last {
						done = true
						if id.String() != lost.String() {
							t.Fatal("another identity came out")
						}
					} else {
						left = p.Next()
					}
				}
			}
			opened = opened || done
			if want := !slices.ContainsFunc(f.Cust, func(c int) bool { return !slices.Contains(present, c) }); done != want {
				t.Fatalf("file of %v, present %v: opened %v", f.Cust, present, done)
			}
		}
		if want := len(present) >= k; opened != want {
			t.Fatalf("%d of %d with k = %d: opened %v", len(present), n, k, opened)
		}
	})
}

func TestPeelingOutOfTurn(t *testing.T) {
	ids, rcps := people(t, 3)
	files := seal(t, identity(t), rcps, 2)
	want := [][]int{{0, 1}, {0, 2}, {1, 2}}
	for i, f := range files {
		if !slices.Equal(f.Cust, want[i]) {
			t.Errorf("file %d is for %v, want %v", i, f.Cust, want[i])
		}
	}
	if _, err := escrow.Peel(files[0].Age, ids[1]); !errors.Is(err, escrow.ErrNotMine) {
		t.Errorf("the second custodian first: %v, want ErrNotMine", err)
	}
	p, err := escrow.Peel(files[0].Age, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, last := p.Identity(); last {
		t.Error("one of two custodians sees the identity")
	}
	if _, err := escrow.Peel(p.Next(), ids[0]); !errors.Is(err, escrow.ErrNotMine) {
		t.Errorf("the first custodian twice: %v, want ErrNotMine", err)
	}
	if _, err := escrow.Peel(p.Next(), ids[2]); !errors.Is(err, escrow.ErrNotMine) {
		t.Errorf("a custodian of another subset: %v, want ErrNotMine", err)
	}
}

// TestAgePeelsToo holds the format against the plain age API, which is what the
// age command does.
func TestAgePeelsToo(t *testing.T) {
	ids, rcps := people(t, 3)
	lost := identity(t)
	left := seal(t, lost, rcps, 3)[0].Age
	for _, id := range ids {
		r, err := age.Decrypt(bytes.NewReader(left), id)
		if err != nil {
			t.Fatal(err)
		}
		if left, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if want := "# desk " + desk + " epoch 7\n" + lost.String() + "\n"; string(left) != want {
		t.Error("inside is not the comment and the identity line")
	}
	found, err := age.ParseIdentities(bytes.NewReader(left))
	if err != nil || len(found) != 1 {
		t.Errorf("age finds %d identities, %v", len(found), err)
	}
}

func TestSealRefuses(t *testing.T) {
	_, rcps := people(t, 3)
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rcps []string
		k    int
	}{
		"k of none":     {nil, 1},
		"k zero":        {rcps, 0},
		"k above n":     {rcps, 4},
		"six":           {append(slices.Clone(rcps), rcps...), 2},
		"twice":         {[]string{rcps[0], rcps[1], rcps[0]}, 2},
		"no recipient":  {[]string{rcps[0], "age1pq1zzz"}, 2},
		"not quantum":   {[]string{rcps[0], classic.Recipient().String()}, 2},
		"negative k":    {rcps, -1},
		"empty strings": {[]string{"", ""}, 1},
	} {
		if files, err := escrow.Seal(identity(t), desk, 7, c.rcps, c.k); !errors.Is(err, escrow.ErrCustodians) || files != nil {
			t.Errorf("%s: %v, want ErrCustodians", name, err)
		}
	}
	if _, err := escrow.Seal(identity(t), "somewhere", 7, rcps, 2); err == nil {
		t.Error("a desk id that is none was accepted")
	}
	if files, err := escrow.Seal(identity(t), desk, 7, nil, 0); err != nil || files != nil {
		t.Errorf("no custodians: %v, %v, want no files", files, err)
	}
}

func TestPeelRefuses(t *testing.T) {
	ids, rcps := people(t, 2)
	good := seal(t, identity(t), rcps, 2)[0].Age
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	two := encrypt(t, "x", ids[0].Recipient(), ids[1].Recipient())
	for name, file := range map[string][]byte{
		"empty":           {},
		"text":            []byte("AGE-SECRET-KEY-PQ-1"),
		"too large":       bytes.Repeat(good, 6),
		"trailing":        append(slices.Clone(good), 0),
		"two stanzas":     two,
		"classic stanza":  encrypt(t, "x", classic.Recipient()),
		"nothing inside":  encrypt(t, "", ids[0].Recipient()),
		"comment inside":  encrypt(t, "# desk\n", ids[0].Recipient()),
		"two identities":  encrypt(t, ids[0].String()+"\n"+ids[1].String()+"\n", ids[0].Recipient()),
		"classic inside":  encrypt(t, classic.String()+"\n", ids[0].Recipient()),
		"identity and \r": encrypt(t, ids[1].String()+"\r\n", ids[0].Recipient()),
	} {
		_, err := escrow.Peel(file, ids[0])
		if !errors.Is(err, escrow.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("%s: the error holds a secret", name)
		}
	}
	for cut := range len(good) {
		if cut%97 == 0 || cut > len(good)-20 {
			if _, err := escrow.Peel(good[:cut], ids[0]); !errors.Is(err, escrow.ErrFormat) {
				t.Errorf("cut after %d bytes: %v, want ErrFormat", cut, err)
			}
		}
	}
}

func encrypt(t testing.TB, text string, to ...age.Recipient) []byte {
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestPeeledIsRedacted(t *testing.T) {
	ids, rcps := people(t, 1)
	lost := identity(t)
	p, err := escrow.Peel(seal(t, lost, rcps, 1)[0].Age, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, p)
		fmt.Fprintf(&out, verb, struct{ p escrow.Peeled }{p})
	}
	text, _ := json.Marshal(p)
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", p)
	if strings.Contains(out.String(), lost.String()[:30]) || !strings.Contains(out.String(), "redacted") {
		t.Error("a peeled identity prints")
	}
}

func TestSizes(t *testing.T) {
	_, rcps := people(t, escrow.MaxCustodians)
	all := seal(t, identity(t), rcps, escrow.MaxCustodians)
	if n := len(all[0].Age); n > escrow.MaxFile {
		t.Errorf("five layers are %d bytes, over MaxFile", n)
	}
	total := 0
	for _, f := range seal(t, identity(t), rcps[:3], 2) {
		total += len(f.Age)
	}
	if total > 11<<10 {
		t.Errorf("2 of 3 is %d bytes, want about 10 KB", total)
	}
	t.Logf("2 of 3: %d bytes; 5 of 5: %d bytes", total, len(all[0].Age))
}

func FuzzPeel(f *testing.F) {
	ids, rcps := people(f, 2)
	f.Add(seal(f, identity(f), rcps, 2)[0].Age)
	f.Add(encrypt(f, "# desk\n", ids[0].Recipient()))
	f.Add([]byte("age-encryption.org/v1\n-> mlkem768x25519 AA\nAA\n--- AA\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := escrow.Peel(file, ids[0])
		if _, last := p.Identity(); err != nil && (last || p.Next() != nil) {
			t.Error("an error and something peeled")
		}
		if err == nil && len(p.Next()) >= len(file) {
			t.Error("what is inside is not smaller")
		}
	})
}
