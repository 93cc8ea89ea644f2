package envelope

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

// FuzzManifest: whatever is accepted encodes to itself.
func FuzzManifest(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxManifest {
			return
		}
		padded := bytes.Repeat([]byte{' '}, int(paddedBody(int64(len(data)))))
		copy(padded, data)
		m, mk, err := decodeManifest(padded)
		if err != nil {
			return
		}
		again, err := statement.Marshal(m)
		if err != nil || !bytes.Equal(again, bytes.TrimRight(data, " ")) {
			t.Errorf("%s\nencodes to %s (%v)", data, again, err)
		}
		if mk.String() != m.MK {
			t.Error("mk is not the key that was named")
		}
	})
}

// FuzzBody: nothing opens but the one body that was sealed.
func FuzzBody(f *testing.F) {
	good, err := os.ReadFile("testdata/vectors/ok/body.age")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if _, _, err := decryptBody(sealed, 2, identB); (err == nil) != opens(sealed, good) {
			t.Errorf("%d bytes: %v", len(sealed), err)
		}
	})
}

// opens lets the other well-formed bodies among the seeds open too: those made
// by somebody who knows the recipients' keys, as no fuzzer can be.
func opens(sealed, good []byte) bool {
	if bytes.Equal(sealed, good) {
		return true
	}
	others, err := filepath.Glob("testdata/vectors/*/body.age")
	if err != nil {
		return false
	}
	for _, name := range others {
		other, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(other, sealed) {
			continue
		}
		r, err := age.Decrypt(bytes.NewReader(sealed), gate{2, identB})
		if err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, r)
		return err == nil
	}
	return false
}

// FuzzPart: nothing opens but the attachment that was sealed.
func FuzzPart(f *testing.F) {
	good, att, mk := firstPart(f)
	f.Fuzz(func(t *testing.T, sealed []byte) {
		p := &partReader{att: att, mk: mk}
		err := p.decrypt(bytes.NewReader(sealed), io.Discard)
		if (err == nil) != bytes.Equal(sealed, good) {
			t.Errorf("%d bytes: %v", len(sealed), err)
		}
	})
}

func firstPart(f *testing.F) ([]byte, Attachment, *age.HybridIdentity) {
	body, err := os.ReadFile("testdata/vectors/ok/body.age")
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := os.ReadFile("testdata/vectors/ok/att_1.age")
	if err != nil {
		f.Fatal(err)
	}
	padded, _, err := decryptBody(body, 2, identB)
	if err != nil {
		f.Fatal(err)
	}
	m, mk, err := decodeManifest(padded)
	if err != nil {
		f.Fatal(err)
	}
	return sealed, m.Att[0], mk
}

// TestFuzzSeeds writes the seeds with -update and fails when they are gone: a
// target without seeds tests nothing and says nothing.
func TestFuzzSeeds(t *testing.T) {
	if *update {
		writeSeeds(t)
	}
	for target, least := range map[string]int{"FuzzManifest": 4, "FuzzBody": 5, "FuzzPart": 3} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < least {
			t.Errorf("%s has %d seeds, want at least %d", target, len(seeds), least)
		}
	}
}

func writeSeeds(t *testing.T) {
	for _, name := range []string{"ok", "ok-without"} {
		manifest := bytes.TrimSpace(readFile(t, "testdata/vectors/"+name, "manifest.json"))
		writeSeed(t, "FuzzManifest", name, manifest)
		writeSeed(t, "FuzzManifest", name+"-v2", bytes.Replace(manifest, []byte(`"v":1}`), []byte(`"v":2}`), 2))
	}
	for _, name := range []string{"ok", "extra-stanza", "classical", "passphrase", "two-texts", "signed-cut", "not-padded"} {
		writeSeed(t, "FuzzBody", name, readFile(t, "testdata/vectors/"+name, "body.age"))
	}
	part := readFile(t, "testdata/vectors/ok", "att_1.age")
	writeSeed(t, "FuzzPart", "ok", part)
	writeSeed(t, "FuzzPart", "cut", part[:len(part)-1])
	writeSeed(t, "FuzzPart", "header", part[:introSize+stanzaSize+footerSize])
}

func writeSeed(t *testing.T, target, name string, data []byte) {
	dir := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	seed := "go test fuzz v1\n[]byte(" + strconv.Quote(string(data)) + ")\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(seed), 0o644); err != nil {
		t.Fatal(err)
	}
}
