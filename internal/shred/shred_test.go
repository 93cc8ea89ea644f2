package shred

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"
)

const (
	testMsg  = "m_oofw6vd6cx6m2svg5rffxs55au"
	otherMsg = "m_aaaqeayeaudaocajbifqydiob4"
)

func wrapped(t testing.TB, plaintext []byte, key Key, msg string, part int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := Wrap(&b, key, msg, part)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plaintext); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unwrap reads to the end.
func unwrap(file []byte, key Key, msg string, part int) ([]byte, error) {
	r, err := Unwrap(bytes.NewReader(file), key, msg, part)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestWrapUnwrap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(64<<10-1, 64<<10+1), rapid.IntRange(128<<10-1, 128<<10+1)).Draw(rt, "size")
		part := rapid.IntRange(0, MaxPart).Draw(rt, "part")
		plaintext := bytes.Repeat([]byte{byte(size)}, size)
		key := NewKey()
		file := wrapped(t, plaintext, key, testMsg, part)
		if got, err := unwrap(file, key, testMsg, part); err != nil || !bytes.Equal(got, plaintext) {
			rt.Errorf("%d bytes came back, %v", len(got), err)
		}
		chunks := max(1, (size+64<<10-1)/(64<<10))
		if want := size + 162 + 16*chunks; len(file) != want {
			rt.Errorf("%d bytes stored, want %d", len(file), want)
		}
		at, n, err := UnwrapAt(bytes.NewReader(file), int64(len(file)), key, testMsg, part)
		if err != nil || n != int64(size) {
			rt.Fatalf("UnwrapAt: size %d, %v", n, err)
		}
		if got, err := io.ReadAll(io.NewSectionReader(at, n/2, n)); err != nil || !bytes.Equal(got, plaintext[n/2:]) {
			rt.Errorf("range: %d bytes, %v", len(got), err)
		}
	})
}

func TestWrongKeyMessagePart(t *testing.T) {
	key := NewKey()
	file := wrapped(t, []byte("x"), key, testMsg, 1)
	for _, tt := range []struct {
		name string
		key  Key
		msg  string
		part int
		want error
	}{
		{"right", key, testMsg, 1, nil},
		{"key", NewKey(), testMsg, 1, ErrKey},
		{"message", key, otherMsg, 1, ErrKey},
		{"part", key, testMsg, 0, ErrKey},
		{"part, one byte up", key, testMsg, 2, ErrKey},
	} {
		if _, err := unwrap(file, tt.key, tt.msg, tt.part); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if _, _, err := UnwrapAt(bytes.NewReader(file), int64(len(file)), tt.key, tt.msg, tt.part); !errors.Is(err, tt.want) {
			t.Errorf("%s, at: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestArguments(t *testing.T) {
	key := NewKey()
	for _, tt := range []struct {
		name string
		key  Key
		msg  string
		part int
		ok   bool
	}{
		{"body", key, testMsg, 0, true},
		{"last part", key, testMsg, MaxPart, true},
		{"no key", Key{}, testMsg, 0, false},
		{"part below", key, testMsg, -1, false},
		{"part above", key, testMsg, MaxPart + 1, false},
		{"no message", key, "", 0, false},
		{"other kind", key, "d" + testMsg[1:], 0, false},
		{"short", key, testMsg[:27], 0, false},
		{"long", key, testMsg + "a", 0, false},
		{"zero byte", key, testMsg[:27] + "\x00", 0, false},
		{"upper case", key, strings.ToUpper(testMsg), 0, false},
	} {
		_, err := Wrap(io.Discard, tt.key, tt.msg, tt.part)
		if (err == nil) != tt.ok {
			t.Errorf("%s: wrap: %v", tt.name, err)
		}
		if _, err := Unwrap(strings.NewReader(""), tt.key, tt.msg, tt.part); errors.Is(err, ErrFormat) != tt.ok {
			t.Errorf("%s: unwrap: %v", tt.name, err)
		}
		if _, _, err := UnwrapAt(strings.NewReader(""), 0, tt.key, tt.msg, tt.part); errors.Is(err, ErrFormat) != tt.ok {
			t.Errorf("%s: unwrap at: %v", tt.name, err)
		}
	}
}

// TestTamper flips a bit of every byte and cuts at every byte.
func TestTamper(t *testing.T) {
	key := NewKey()
	file := wrapped(t, []byte("stored bytes"), key, testMsg, 0)
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		if _, err := unwrap(bad, key, testMsg, 0); err == nil {
			t.Errorf("byte %d changed: unwrapped", i)
		}
		if _, err := unwrap(file[:i], key, testMsg, 0); err == nil {
			t.Errorf("cut at %d: unwrapped", i)
		}
	}
	if _, err := unwrap(append(bytes.Clone(file), 0), key, testMsg, 0); err == nil {
		t.Error("longer: unwrapped")
	}
}

// A cut at a chunk boundary is where a careless stream would end.
func TestCutAtChunk(t *testing.T) {
	key := NewKey()
	file := wrapped(t, make([]byte, 3*64<<10), key, testMsg, 0)
	header := len(file) - 3*(64<<10+16)
	for chunks := range 3 {
		got, err := unwrap(file[:header+chunks*(64<<10+16)], key, testMsg, 0)
		if err == nil {
			t.Errorf("%d chunks of 3: %d bytes and no error", chunks, len(got))
		}
	}
}

func TestNotClosed(t *testing.T) {
	key := NewKey()
	var b bytes.Buffer
	w, _ := Wrap(&b, key, testMsg, 0)
	w.Write(make([]byte, 100<<10))
	if _, err := unwrap(b.Bytes(), key, testMsg, 0); err == nil {
		t.Error("unwrapped a file that was never closed")
	}
}

func TestWrapFailingWriter(t *testing.T) {
	if _, err := Wrap(failing{}, NewKey(), testMsg, 0); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v, want %v", err, io.ErrClosedPipe)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// forged writes a file with stanzas of its own making.
type forged []*age.Stanza

func (f forged) Wrap([]byte) ([]*age.Stanza, error) { return f, nil }

func TestForeignStanzas(t *testing.T) {
	key := NewKey()
	b, err := newBlob(key, testMsg, 0)
	if err != nil {
		t.Fatal(err)
	}
	good := func(fileKey int) *age.Stanza {
		s, err := b.Wrap(make([]byte, fileKey))
		if err != nil {
			t.Fatal(err)
		}
		return s[0]
	}
	nonce := good(16).Args[0]
	tests := map[string]struct {
		stanzas []*age.Stanza
		want    error
	}{
		"two":            {[]*age.Stanza{good(16), good(16)}, ErrFormat},
		"other type":     {[]*age.Stanza{{Type: "odziv/shred2", Args: []string{nonce}, Body: good(16).Body}}, ErrFormat},
		"no argument":    {[]*age.Stanza{{Type: stanzaType, Body: good(16).Body}}, ErrFormat},
		"two arguments":  {[]*age.Stanza{{Type: stanzaType, Args: []string{nonce, nonce}, Body: good(16).Body}}, ErrFormat},
		"long nonce":     {[]*age.Stanza{{Type: stanzaType, Args: []string{nonce + "AAAA"}, Body: good(16).Body}}, ErrFormat},
		"not base64":     {[]*age.Stanza{{Type: stanzaType, Args: []string{"!" + nonce[1:]}, Body: good(16).Body}}, ErrFormat},
		"file key short": {[]*age.Stanza{good(15)}, ErrFormat},
		"file key long":  {[]*age.Stanza{good(17)}, ErrFormat},
		"no body":        {[]*age.Stanza{{Type: stanzaType, Args: []string{nonce}}}, ErrKey},
		// The stanza opens, but another file key made the header MAC.
		"other file key": {[]*age.Stanza{good(16)}, ErrFormat},
	}
	for name, tt := range tests {
		var file bytes.Buffer
		w, err := age.Encrypt(&file, forged(tt.stanzas))
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		if _, err := unwrap(file.Bytes(), key, testMsg, 0); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := unwrap([]byte("not age"), key, testMsg, 0); !errors.Is(err, ErrFormat) {
		t.Errorf("no age file: %v", err)
	}
}

func TestKey(t *testing.T) {
	for size, ok := range map[int]bool{0: false, 31: false, 32: true, 33: false} {
		if _, err := ParseKey(make([]byte, size)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	a, b := NewKey(), NewKey()
	if bytes.Equal(a.Secret(), b.Secret()) || a.IsZero() || !(Key{}).IsZero() || (Key{}).Secret() != nil {
		t.Error("keys are not fresh")
	}
	secret := a.Secret()
	again, _ := ParseKey(secret)
	clear(secret) // neither key shares this memory
	if !bytes.Equal(again.Secret(), a.Secret()) || bytes.Equal(a.Secret(), secret) {
		t.Error("secret bytes are shared")
	}
}

func TestRedacted(t *testing.T) {
	key := NewKey()
	period := Period{"p", NewKey()}
	nested := struct {
		k Key
		p Period
		f *KeyFile
	}{key, period, &KeyFile{key}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb, key)
		fmt.Fprintf(&out, verb, period)
		fmt.Fprintf(&out, verb, nested)
		fmt.Fprintf(&out, verb, *nested.f)
	}
	json.NewEncoder(&out).Encode(period)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "k", key, "p", period)
	out.WriteString(key.String())
	for _, k := range []Key{key, period.Key} {
		s := k.Secret()
		for _, secret := range []string{string(s), fmt.Sprintf("%x", s), strings.Trim(fmt.Sprint(s), "[]")} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(secret)) {
				t.Error("a key was printed")
			}
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Error("nothing was printed")
	}
}
