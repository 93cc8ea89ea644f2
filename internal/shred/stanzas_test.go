package shred

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// sealedTo returns an envelope with n hybrid recipients.
func sealedTo(t testing.TB, n int) []byte {
	t.Helper()
	var recipients []age.Recipient
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		recipients = append(recipients, id.Recipient())
	}
	return encrypted(t, recipients...)
}

func encrypted(t testing.TB, recipients ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, recipients...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, 100_000))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckStanzas(t *testing.T) {
	for _, n := range []int{1, 2, 32} {
		file := sealedTo(t, n)
		for want, ok := range map[int]bool{n - 1: false, n: true, n + 1: false} {
			if err := CheckStanzas(bytes.NewReader(file), want); (err == nil) != ok || (err != nil && !errors.Is(err, ErrStanzas)) {
				t.Errorf("%d stanzas, want %d: %v", n, want, err)
			}
		}
		if types, err := CountStanzas(bytes.NewReader(file)); err != nil || len(types) != n || types[0] != HybridStanza {
			t.Errorf("%d: %v, %v", n, types, err)
		}
	}
}

func TestOtherStanzas(t *testing.T) {
	classic, _ := age.GenerateX25519Identity()
	scrypt, _ := age.NewScryptRecipient("x")
	scrypt.SetWorkFactor(1)
	hybrid, _ := age.GenerateHybridIdentity()
	s, _, err := hybrid.Recipient().WrapWithLabels(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	grease := &age.Stanza{Type: "x-grease", Body: make([]byte, 10)}
	for name, tt := range map[string]struct {
		file []byte
		want []string
	}{
		"classic":          {encrypted(t, classic.Recipient()), []string{"X25519"}},
		"passphrase":       {encrypted(t, scrypt), []string{"scrypt"}},
		"hybrid + another": {encrypted(t, forged{s[0], grease}), []string{HybridStanza, "x-grease"}},
		"ours":             {wrapped(t, nil, NewKey(), testMsg, 0), []string{"odziv/shred"}},
	} {
		if types, err := CountStanzas(bytes.NewReader(tt.file)); err != nil || !slices.Equal(types, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, types, err, tt.want)
		}
		if err := CheckStanzas(bytes.NewReader(tt.file), len(tt.want)); !errors.Is(err, ErrStanzas) {
			t.Errorf("%s: %v, want %v", name, err, ErrStanzas)
		}
	}
}

// TestHeaderBound makes a header of exactly the bound, and one byte more.
func TestHeaderBound(t *testing.T) {
	header := func(size int) []byte {
		s := &age.Stanza{Type: "x", Body: make([]byte, 48*900)}
		for pad := 1; ; pad++ {
			s.Args = []string{strings.Repeat("a", pad)}
			h, err := age.ExtractHeader(bytes.NewReader(encrypted(t, forged{s})))
			if err != nil {
				t.Fatal(err)
			}
			if len(h) == size {
				return h
			}
			pad += size - len(h) - 1
		}
	}
	for size, ok := range map[int]bool{MaxHeader - 1: true, MaxHeader: true, MaxHeader + 1: false} {
		file := append(header(size), make([]byte, 100)...)
		src := &counting{r: bytes.NewReader(file)}
		if _, err := CountStanzas(src); (err == nil) != ok || (err != nil && !errors.Is(err, ErrStanzas)) {
			t.Errorf("header of %d bytes: %v", size, err)
		}
		if src.n > MaxHeader {
			t.Errorf("read %d bytes", src.n)
		}
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestNoHeader(t *testing.T) {
	file := sealedTo(t, 2)
	header, _ := age.ExtractHeader(bytes.NewReader(file))
	for _, end := range []int{0, 1, 21, 22, 100, len(header) - 1} {
		if _, err := CountStanzas(bytes.NewReader(file[:end])); !errors.Is(err, ErrStanzas) {
			t.Errorf("cut at %d: %v", end, err)
		}
	}
	if _, err := CountStanzas(bytes.NewReader(header)); err != nil {
		t.Errorf("header alone: %v", err)
	}
	for _, text := range []string{"not age\n", "-----BEGIN AGE ENCRYPTED FILE-----\n", "age-encryption.org/v1\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"} {
		if _, err := CountStanzas(strings.NewReader(text)); !errors.Is(err, ErrStanzas) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzCountStanzas: an error or at least one type, from any bytes.
func FuzzCountStanzas(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		types, err := CountStanzas(bytes.NewReader(file))
		if (err == nil) != (len(types) > 0) {
			t.Errorf("%v, %v", types, err)
		}
		if err == nil && !bytes.HasPrefix(file, []byte("age-encryption.org/v1\n-> "+types[0])) {
			t.Errorf("found %v in %q", types, file)
		}
	})
}

// FuzzUnwrap: nothing unwraps that was not wrapped.
func FuzzUnwrap(f *testing.F) {
	v := readVectors(f)
	key, err := ParseKey(v.Blob.Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v.Blob.File))
	f.Fuzz(func(t *testing.T, file []byte) {
		if got, err := unwrap(file, key, v.Blob.Msg, v.Blob.Part); err == nil && !bytes.Equal(file, v.Blob.File) {
			t.Errorf("unwrapped %q", got)
		}
	})
}

func TestSeedsArePresent(t *testing.T) {
	for _, name := range []string{"FuzzCountStanzas", "FuzzUnwrap"} {
		if seeds, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(seeds) == 0 {
			t.Errorf("%s: %d seeds, %v", name, len(seeds), err)
		}
	}
}
