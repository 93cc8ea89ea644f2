package keystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

const (
	testInst    = "i_rooefvdqc76v4aa4ktvk2uhrku"
	testOfficer = "u_aaaqeayeaudaocajbifqydiob4"
	testDesk    = "d_3szd7marwgqlg6r4kjhjghzkoa"
	otherDesk   = "d_pda6tmwkkd7jgevhhctmmhya3i"
	testCreated = int64(1772442000123)
)

var (
	testOwner  = Owner{Role: Officer, Inst: testInst, Officer: testOfficer}
	passphrase = NewSecret("babab babek babit fovor vovic vovol")
	demo       = Options{Demo: true}
)

func newIdentity(t testing.TB) *age.HybridIdentity {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// encoded is the plaintext of a keystore.
func encoded(t testing.TB, k *Keystore) []byte {
	t.Helper()
	text, err := k.encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// create makes a demonstration keystore, for speed, and returns its path too.
func create(t testing.TB) (*Keystore, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "officer.age")
	k, err := Create(path, passphrase, testOwner, testCreated, demo)
	if err != nil {
		t.Fatal(err)
	}
	return k, path
}

func TestRoundTrip(t *testing.T) {
	k, path := create(t)
	for desk, epochs := range map[string][]int64{testDesk: {7, 8, 10}, otherDesk: {1}} {
		for _, e := range epochs {
			if err := k.AddDeskEpoch(desk, e, newIdentity(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	got, err := Open(path, passphrase, demo)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded(t, got), encoded(t, k)) {
		t.Error("other content came back")
	}
	if got.Owner != testOwner || got.Created != testCreated || !got.Demo {
		t.Errorf("owner %+v, created %d, demo %v", got.Owner, got.Created, got.Demo)
	}
	if want := []string{testDesk, otherDesk}; fmt.Sprint(got.Desks()) != fmt.Sprint(want) {
		t.Errorf("desks %v, want %v", got.Desks(), want)
	}
	if want := []int64{7, 8, 10}; fmt.Sprint(got.DeskEpochs(testDesk)) != fmt.Sprint(want) {
		t.Errorf("epochs %v, want %v", got.DeskEpochs(testDesk), want)
	}
	sig, _ := k.Signer().Sign(context.Background(), []byte("m"))
	if again, _ := got.Signer().Sign(context.Background(), []byte("m")); !bytes.Equal(sig, again) {
		t.Error("another signing key came back")
	}
	if got.Recipient() != k.Recipient() || got.Recipient() != got.Identity().Recipient().String() {
		t.Error("another identity came back")
	}
}

// TestFullStrength is the only test, with TestVector, that pays for scrypt.
func TestFullStrength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "officer.age")
	if _, err := Create(path, passphrase, testOwner, testCreated, Options{}); err != nil {
		t.Fatal(err)
	}
	file, _ := os.ReadFile(path)
	if stanza := strings.Fields(strings.Split(string(file), "\n")[1]); stanza[1] != "scrypt" || stanza[3] != "18" {
		t.Errorf("stanza %v, want scrypt with 2^18", stanza)
	}
	if k, err := Open(path, passphrase, Options{}); err != nil || k.Demo {
		t.Errorf("%v, demo %v", err, k.Demo)
	}
}

func TestVector(t *testing.T) {
	want, err := os.ReadFile("testdata/vector.txt")
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open("testdata/vector.age", passphrase, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded(t, k), want) {
		t.Error("other content than testdata/vector.txt")
	}
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"```\n" + string(want) + "```", "`" + passphrase.Reveal() + "`"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("FORMAT.md lacks %q", part)
		}
	}
}

// TestPlainAge opens the file, and mail sealed to a desk in it, with nothing of
// ours.
func TestPlainAge(t *testing.T) {
	k, path := create(t)
	desk := newIdentity(t)
	if err := k.AddDeskEpoch(testDesk, 1, desk); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(path, passphrase); err != nil {
		t.Fatal(err)
	}
	file, _ := os.Open(path)
	defer file.Close()
	scrypt, _ := age.NewScryptIdentity(passphrase.Reveal())
	text, err := age.Decrypt(file, scrypt)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(text)
	if err != nil || len(ids) != 2 {
		t.Fatalf("%d identities, %v", len(ids), err)
	}
	var mail bytes.Buffer
	w, _ := age.Encrypt(&mail, desk.Recipient())
	io.WriteString(w, "text")
	w.Close()
	r, err := age.Decrypt(&mail, ids...)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(r); string(got) != "text" {
		t.Errorf("mail says %q", got)
	}
}

func TestWrongPassphrase(t *testing.T) {
	_, path := create(t)
	for _, wrong := range []string{"", "babab", passphrase.Reveal() + " ", strings.Repeat("x", MaxPassphrase+1)} {
		if _, err := Open(path, NewSecret(wrong), demo); !errors.Is(err, ErrPassphrase) || errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v, want %v", len(wrong), err, ErrPassphrase)
		}
	}
	if _, err := Open(path, Secret{}, demo); !errors.Is(err, ErrPassphrase) {
		t.Errorf("none: %v", err)
	}
}

func TestPassphraseBounds(t *testing.T) {
	for _, tt := range []struct {
		size int
		demo bool
		ok   bool
	}{
		{0, true, false}, {1, true, true}, {MaxPassphrase, true, true}, {MaxPassphrase + 1, true, false},
		{MinPassphrase - 1, false, false}, {MinPassphrase, false, true}, {MaxPassphrase, false, true}, {MaxPassphrase + 1, false, false},
	} {
		if err := NewSecret(strings.Repeat("x", tt.size)).checkNew(tt.demo); (err == nil) != tt.ok {
			t.Errorf("%d bytes, demo %v: %v", tt.size, tt.demo, err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.age")
	if _, err := Create(path, NewSecret("short"), testOwner, 0, Options{}); err == nil {
		t.Error("locked with a short passphrase")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left a file behind: %v", err)
	}
}

func TestChangePassphrase(t *testing.T) {
	k, path := create(t)
	next := NewSecret("vovol vovol vovol")
	if err := k.Save(path, next); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, passphrase, demo); !errors.Is(err, ErrPassphrase) {
		t.Errorf("old passphrase: %v", err)
	}
	if _, err := Open(path, next, demo); err != nil {
		t.Error(err)
	}
	if _, err := Open(path+PreviousSuffix, passphrase, demo); err != nil {
		t.Errorf("previous version: %v", err)
	}
}

func TestDemoRefused(t *testing.T) {
	k, path := create(t)
	if _, err := Open(path, passphrase, Options{}); !errors.Is(err, ErrDemo) {
		t.Errorf("weakly locked: %v, want %v", err, ErrDemo)
	}
	// The stanza alone must not decide: here it is strong, and the mark is there.
	strong, err := lock(encoded(t, k), passphrase, WorkFactor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(strong, passphrase, Options{}); !errors.Is(err, ErrDemo) {
		t.Errorf("strongly locked: %v, want %v", err, ErrDemo)
	}
	// Nor the mark alone: here the lock is weak and the mark is missing.
	k.Demo = false
	weak, err := lock(encoded(t, k), passphrase, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(weak, passphrase, demo); !errors.Is(err, ErrFormat) {
		t.Errorf("weak without the mark: %v, want %v", err, ErrFormat)
	}
	// One below the bound is refused before any work, here by a forged stanza.
	below := bytes.Replace(weak, []byte(" 2\n"), []byte(" 17\n"), 1)
	if _, err := open(below, passphrase, Options{}); !errors.Is(err, ErrDemo) {
		t.Errorf("2^17: %v, want %v", err, ErrDemo)
	}
}

// TestWorkFactorBound forges the stanza: nobody waits for 2^21 to find out.
func TestWorkFactorBound(t *testing.T) {
	k, _ := create(t)
	file, err := lock(encoded(t, k), passphrase, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, logN := range []string{"21", "30", "64", "99999999999999999999", "+2", "02", "-1"} {
		head, rest, _ := bytes.Cut(file, []byte(" 2\n"))
		forged := append(append(bytes.Clone(head), " "+logN+"\n"...), rest...)
		if _, err := open(forged, passphrase, demo); !errors.Is(err, ErrFormat) {
			t.Errorf("2^%s: %v, want %v", logN, err, ErrFormat)
		}
	}
}

// TestTamper flips one bit of every byte in turn.
func TestTamper(t *testing.T) {
	k, _ := create(t)
	file, err := lock(encoded(t, k), passphrase, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(file, passphrase, demo); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		if _, err := open(bad, passphrase, demo); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPassphrase) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := open(file[:i], passphrase, demo); !errors.Is(err, ErrFormat) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, err := open(append(bytes.Clone(file), 0), passphrase, demo); !errors.Is(err, ErrFormat) {
		t.Errorf("longer: %v", err)
	}
}

func TestOtherAgeFiles(t *testing.T) {
	k, _ := create(t)
	id := newIdentity(t)
	var sealed bytes.Buffer
	w, _ := age.Encrypt(&sealed, id.Recipient())
	w.Write(encoded(t, k))
	w.Close()
	for name, file := range map[string][]byte{
		"sealed to a recipient": sealed.Bytes(), "armored": []byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), "empty": nil, "text": encoded(t, k),
	} {
		_, err := open(file, passphrase, demo)
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want %v", name, err, ErrFormat)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error quotes a key", name)
		}
	}
}

func TestDeskEpochs(t *testing.T) {
	k, _ := create(t)
	a, b := newIdentity(t), newIdentity(t)
	if _, ok := k.DeskIdentity(testDesk, 1); ok {
		t.Error("an epoch nobody added")
	}
	if err := k.AddDeskEpoch(testDesk, 1, a); err != nil {
		t.Fatal(err)
	}
	if err := k.AddDeskEpoch(testDesk, 1, a); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := k.AddDeskEpoch(testDesk, 1, b); err == nil {
		t.Error("another key for the same epoch")
	}
	if got, ok := k.DeskIdentity(testDesk, 1); !ok || got.String() != a.String() {
		t.Error("the first key is not there")
	}
	for epoch, ok := range map[int64]bool{-1: false, 0: false, 2: true, maxInteger: true, maxInteger + 1: false} {
		if err := k.AddDeskEpoch(testDesk, epoch, b); (err == nil) != ok {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	for _, desk := range []string{"", testInst, testDesk + "a", "d_" + strings.Repeat("A", 26)} {
		if err := k.AddDeskEpoch(desk, 1, a); err == nil {
			t.Errorf("desk %q", desk)
		}
	}
	if !k.DropDeskEpoch(testDesk, 1) || k.DropDeskEpoch(testDesk, 1) || k.DropDeskEpoch(otherDesk, 1) {
		t.Error("drop reports wrongly")
	}
	if _, ok := k.DeskIdentity(testDesk, 1); ok || bytes.Contains(encoded(t, k), []byte(a.String())) {
		t.Error("dropped and still there")
	}
	k.DropDeskEpoch(testDesk, 2)
	k.DropDeskEpoch(testDesk, maxInteger)
	if len(k.Desks()) != 0 {
		t.Errorf("desks %v", k.Desks())
	}
}

func TestOwner(t *testing.T) {
	for _, tt := range []struct {
		owner Owner
		ok    bool
	}{
		{Owner{Officer, testInst, testOfficer}, true},
		{Owner{Officer, testInst, ""}, false},
		{Owner{Officer, "", testOfficer}, false},
		{Owner{Registrar, testInst, ""}, true},
		{Owner{Registrar, testInst, testOfficer}, true},
		{Owner{Registrar, "", ""}, false},
		{Owner{Delegate, testInst, ""}, true},
		{Owner{Root, testInst, ""}, true},
		{Owner{Custodian, testInst, ""}, true},
		{Owner{Observer, testInst, ""}, true},
		{Owner{Council, "", ""}, true},
		{Owner{Council, testInst, ""}, true},
		{Owner{Council, testOfficer, ""}, false},
		{Owner{Officer, testOfficer, testInst}, false},
		{Owner{"", testInst, testOfficer}, false},
		{Owner{"chief", testInst, testOfficer}, false},
	} {
		k, err := Generate(tt.owner, testCreated, Options{})
		if (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.owner, err)
		}
		if err != nil {
			continue
		}
		if again, err := decode(encoded(t, k)); err != nil || again.Owner != tt.owner {
			t.Errorf("%+v: %v", tt.owner, err)
		}
	}
	for created, ok := range map[int64]bool{-1: false, 0: true, maxInteger: true, maxInteger + 1: false} {
		if _, err := Generate(testOwner, created, Options{}); (err == nil) != ok {
			t.Errorf("created %d: %v", created, err)
		}
	}
}

// TestRedacted prints secrets in every way people print things.
func TestRedacted(t *testing.T) {
	k, _ := create(t)
	desk := newIdentity(t)
	if err := k.AddDeskEpoch(testDesk, 1, desk); err != nil {
		t.Fatal(err)
	}
	nested := struct {
		k      *Keystore
		v      Keystore
		s      Secret
		signer statement.Signer
	}{k, *k, passphrase, k.Signer()}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb, k)
		fmt.Fprintf(&out, verb, *k)
		fmt.Fprintf(&out, verb, passphrase)
		fmt.Fprintf(&out, verb, nested)
		fmt.Fprintf(&out, verb, []any{k.Signer(), passphrase})
	}
	json.NewEncoder(&out).Encode([]any{k, passphrase})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "k", k, "p", passphrase)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "k", k, "p", passphrase)
	out.WriteString(k.String() + passphrase.String())
	seed := k.secret().signing.Seed()
	for _, secret := range []string{
		passphrase.Reveal(), fmt.Sprintf("%x", passphrase.Reveal()), fmt.Sprint([]byte(passphrase.Reveal())),
		k.Identity().String(), desk.String(), string(seed), fmt.Sprintf("%x", seed), strings.Trim(fmt.Sprint(seed), "[]"),
	} {
		if strings.Contains(strings.ToLower(out.String()), strings.ToLower(secret)) {
			t.Errorf("a secret was printed")
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Error("nothing was printed")
	}
}

func TestSignerIsOfTheKeystore(t *testing.T) {
	k, _ := create(t)
	if !statement.IsKeyID(statement.KeyID(k.Signer().Public())) || !strings.HasPrefix(k.Recipient(), "age1pq1") {
		t.Errorf("recipient %.10s", k.Recipient())
	}
}
