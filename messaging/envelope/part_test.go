package envelope

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"github.com/odziv/odziv/messaging"
)

// opened seals and opens a message with these attachments.
func opened(t testing.TB, contents ...[]byte) (*Opened, letter) {
	t.Helper()
	l := seal(t, draft(), contents...)
	o, err := open(l)
	if err != nil {
		t.Fatal(err)
	}
	return o, l
}

// claim makes a copy of o in which part 0 is the ciphertext given, as a hostile
// sender could have signed it.
func claim(o *Opened, ciphertext []byte) *Opened {
	n, core := *o.Notice, *o.Notice.Core
	core.Parts = []messaging.Part{partOf(ciphertext)}
	n.Core = &core
	c := *o
	c.Notice, c.Att = &n, []Attachment{o.Att[0]}
	return &c
}

func TestOpenPartRefuses(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 10000) // 3 chunks
	o, l := opened(t, content, bytes.Repeat([]byte("x"), 160000))
	c := l.parts[0]
	mk := o.mk().Recipient()
	padded := make([]byte, paddedPart(int64(len(content))))
	copy(padded, content)
	header := introSize + stanzaSize + footerSize
	for name, tt := range map[string]struct {
		code   string
		claim  bool // the sender signed these bytes
		sealed []byte
	}{
		"nothing":                  {messaging.FailDigest, false, nil},
		"cut in the header":        {messaging.FailDigest, false, c[:100]},
		"cut after the header":     {messaging.FailDigest, false, c[:header+nonceSize]},
		"cut between chunks":       {messaging.FailDigest, false, c[:header+nonceSize+chunkSize+tagSize]},
		"cut at the last byte":     {messaging.FailDigest, false, c[:len(c)-1]},
		"a byte more":              {messaging.FailDigest, false, append(bytes.Clone(c), 0)},
		"the other part":           {messaging.FailDigest, false, l.parts[1]},
		"the body":                 {messaging.FailDigest, false, l.Body},
		"a bit in the last chunk":  {messaging.FailDigest, false, flip(c, len(c)-1)},
		"signed nothing":           {messaging.FailHeader, true, nil},
		"signed header cut":        {messaging.FailHeader, true, c[:100]},
		"signed nonce cut":         {messaging.FailHeader, true, c[:header+8]},
		"signed without chunks":    {messaging.FailPayload, true, c[:header+nonceSize]},
		"signed cut at a chunk":    {messaging.FailPayload, true, c[:header+nonceSize+chunkSize+tagSize]},
		"signed cut in a chunk":    {messaging.FailPayload, true, c[:header+nonceSize+chunkSize]},
		"signed cut at the last":   {messaging.FailPayload, true, c[:len(c)-1]},
		"signed and a byte more":   {messaging.FailPayload, true, append(bytes.Clone(c), 0)},
		"signed altered":           {messaging.FailPayload, true, flip(c, len(c)-1)},
		"signed other content":     {messaging.FailAttachment, true, l.parts[1]},
		"to another message":       {messaging.FailKey, true, seal(t, draft(), content).parts[0]},
		"a second recipient":       {messaging.FailStanzas, true, encrypt(t, padded, mk, identC.Recipient())},
		"a classical recipient":    {messaging.FailStanzas, true, encrypt(t, padded, classicalOf())},
		"not padded":               {messaging.FailAttachment, true, encrypt(t, content, mk)},
		"padded too far":           {messaging.FailAttachment, true, encrypt(t, append(bytes.Clone(padded), 0), mk)},
		"padded with more content": {messaging.FailPayload, true, encrypt(t, flip(padded, len(padded)-1), mk)},
		"shorter than said":        {messaging.FailPayload, true, encrypt(t, content[1:], mk)},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			if tt.claim {
				o = claim(o, tt.sealed)
			}
			got, err := read(o, 0, tt.sealed)
			if FailureCode(err) != tt.code {
				t.Errorf("%v, want code %s", err, tt.code)
			}
			if len(got) != 0 {
				t.Errorf("%d bytes were written before the check", len(got))
			}
			discreet(t, err)
		})
	}
}

func TestOpenPartNumber(t *testing.T) {
	o, l := opened(t, []byte("one"))
	for _, n := range []int{-1, 1} {
		if _, err := read(o, n, l.parts[0]); err == nil || FailureCode(err) != "" {
			t.Errorf("part %d: %v", n, err)
		}
	}
}

// TestOpenPartChanges gives good bytes first and others afterwards: the error
// says that what was written must go.
func TestOpenPartChanges(t *testing.T) {
	o, l := opened(t, bytes.Repeat([]byte("a"), 200000))
	good := l.parts[0]
	padded := make([]byte, paddedPart(200000))
	for name, second := range map[string][]byte{
		"cut":           good[:len(good)-1],
		"empty":         nil,
		"other content": encrypt(t, padded, o.mk().Recipient()),
	} {
		pass := 0
		source := func() (io.ReadCloser, error) {
			pass++
			if pass == 1 {
				return io.NopCloser(bytes.NewReader(good)), nil
			}
			return io.NopCloser(bytes.NewReader(second)), nil
		}
		err := o.OpenPart(context.Background(), 0, source, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "discard what was written") || FailureCode(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if pass != 2 {
			t.Errorf("%s: %d passes, want 2", name, pass)
		}
	}
}

// TestOpenPartEnvironment: faults of disk and network are no fault of the
// sender and must not be filed against them.
func TestOpenPartEnvironment(t *testing.T) {
	o, l := opened(t, bytes.Repeat([]byte("a"), 200000))
	broken := errors.New("broken")
	half := len(l.parts[0]) / 2
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	good := Seekable(bytes.NewReader(l.parts[0]))
	for name, tt := range map[string]struct {
		ctx    context.Context
		source Source
		dst    io.Writer
		want   error
	}{
		"cannot open": {context.Background(), func() (io.ReadCloser, error) { return nil, broken }, io.Discard, broken},
		"cannot seek": {context.Background(), Seekable(noSeek{nil, broken}), io.Discard, broken},
		"read error": {context.Background(), func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(l.parts[0][:half]), iotest.ErrReader(broken))), nil
		}, io.Discard, broken},
		"read error at once": {context.Background(), func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }, io.Discard, broken},
		"write error":        {context.Background(), good, fullDisk{broken}, broken},
		"cancelled":          {cancelled, good, io.Discard, context.Canceled},
	} {
		err := o.OpenPart(tt.ctx, 0, tt.source, tt.dst)
		if !errors.Is(err, tt.want) || FailureCode(err) != "" {
			t.Errorf("%s: %v, want %v and no failure code", name, err, tt.want)
		}
	}
}

type noSeek struct {
	io.Reader
	err error
}

func (s noSeek) Seek(int64, int) (int64, error) { return 0, s.err }

type fullDisk struct{ err error }

func (d fullDisk) Write([]byte) (int, error) { return 0, d.err }

// TestOpenPartOddReaders reads through readers that return little, late or
// data together with the end.
func TestOpenPartOddReaders(t *testing.T) {
	content := bytes.Repeat([]byte("ab"), 70000)
	o, l := opened(t, content)
	for name, odd := range map[string]func(io.Reader) io.Reader{
		"half":            iotest.HalfReader,
		"data with end":   iotest.DataErrReader,
		"nothing unusual": func(r io.Reader) io.Reader { return r },
	} {
		var got bytes.Buffer
		source := func() (io.ReadCloser, error) { return io.NopCloser(odd(bytes.NewReader(l.parts[0]))), nil }
		if err := o.OpenPart(context.Background(), 0, source, &got); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("%s: %d bytes, %v", name, got.Len(), err)
		}
	}
}

// TestOpenPartCloses counts what was opened and closed.
func TestOpenPartCloses(t *testing.T) {
	o, l := opened(t, []byte("one"))
	open, closed := 0, 0
	source := func() (io.ReadCloser, error) {
		open++
		return closer{bytes.NewReader(l.parts[0]), func() { closed++ }}, nil
	}
	if err := o.OpenPart(context.Background(), 0, source, io.Discard); err != nil || open != 2 || closed != 2 {
		t.Errorf("opened %d, closed %d, %v; want 2 and 2", open, closed, err)
	}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error {
	c.close()
	return nil
}

// TestOpenPartByTool: mk alone opens an attachment with plain age, as FORMAT.md
// tells an outsider to.
func TestOpenPartByTool(t *testing.T) {
	content := []byte("content")
	o, l := opened(t, content)
	ids, err := age.ParseIdentities(strings.NewReader(o.MessageIdentity() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(l.parts[0]), ids...)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || int64(len(plain)) != paddedPart(int64(len(content))) {
		t.Fatalf("%d bytes, %v", len(plain), err)
	}
	sum := sha256.Sum256(plain[:o.Att[0].Size])
	if hex.EncodeToString(sum[:]) != o.Att[0].SHA256 {
		t.Error("the first size bytes are not the content")
	}
	if _, err := age.Decrypt(bytes.NewReader(l.Body), ids...); err == nil {
		t.Error("mk opens the body")
	}
}

func TestSeekableFile(t *testing.T) {
	o, l := opened(t, []byte("one"))
	name := t.TempDir() + "/part"
	if err := os.WriteFile(name, l.parts[0], 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got bytes.Buffer
	if err := o.OpenPart(context.Background(), 0, Seekable(f), &got); err != nil || got.String() != "one" {
		t.Errorf("%q, %v", got.String(), err)
	}
}
